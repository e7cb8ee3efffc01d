"""Parts of `keyturn bench typing`."""
