"""The root of the exceptions that reach a user, and the cache's own. Imports nothing."""


class KeyturnError(Exception):
    """Something about the world is wrong; `str(error)` is one line that says what to do."""


class InputError(KeyturnError):
    """What was given makes no sense; `str(error)` says what is wrong with it."""


class CacheError(KeyturnError):
    """The KV cache cannot do what was asked; its state is unharmed."""


class ContextOverflow(CacheError):
    """More tokens than the model's context has room for."""


class OverBudget(CacheError):
    """The key/value budget is too small, even after everything else has given way."""


class EditOutOfRange(CacheError):
    """An edit or a cursor outside the text it is meant for."""
