"""One file per `keyturn` subcommand, imported only when that subcommand runs."""
