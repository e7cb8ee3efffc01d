"""What `keyturn bench worth` stands on. May import what `daemon.bench` may."""
