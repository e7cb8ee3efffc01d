"""Parts of `keyturn bench team`."""
