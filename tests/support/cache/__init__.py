"""Sequences for tests of the cache."""
