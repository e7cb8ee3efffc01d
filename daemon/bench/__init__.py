"""Measurements behind `keyturn bench NAME`; each prints one object with `--json`."""
