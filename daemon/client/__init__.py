"""The editor's front and its link to the daemon. Imports `server` only for `--in-process`."""
