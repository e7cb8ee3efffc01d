"""Changes that users make, and what should follow from them. Not part of the daemon."""
