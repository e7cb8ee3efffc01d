"""Texts encoded once for all files that show them: in memory and on disk. Imports `cache`."""
