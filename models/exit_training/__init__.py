"""Training of early exits on code (`keyturn exits train`). Imports `speculative` and below."""
