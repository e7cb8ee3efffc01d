"""What `keyturn bench speculate` makes of its arms, and of another implementation."""
