"""Engines and daemons small enough to reason about."""
