"""What `keyturn bench project` is made of: an index of its own, cases, and what says them."""
