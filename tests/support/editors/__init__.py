"""Editors, as processes and as sessions."""
