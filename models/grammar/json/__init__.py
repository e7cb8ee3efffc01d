"""Viable prefixes of JSON, by schema too. Imports the oracle's interface."""
