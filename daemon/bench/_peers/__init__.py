"""Engines and editors from outside, each asked as its own users ask it."""
