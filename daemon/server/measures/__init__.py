"""What the daemon counts and how long things took. Imports `server`."""
