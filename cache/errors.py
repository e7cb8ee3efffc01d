"""The root of every exception that keyturn raises on purpose. Imports nothing."""


class KeyturnError(Exception):
    """Something about the world is wrong; `str(error)` is one line that says what to do."""


class CacheError(KeyturnError):
    """The KV cache cannot do what was asked; its state is unharmed."""
