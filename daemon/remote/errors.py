"""Why a server gave no answer. Each says what to do."""

from ...cache.errors import KeyturnError


class ServerError(KeyturnError):
    """There is no answer from the server."""


class ServerAway(ServerError):
    """It cannot be reached, or cannot answer now; it may again."""


class ServerRefuses(ServerError):
    """It refuses: nothing will change before somebody does something."""


class ServerBusy(ServerError):
    """It asks for `seconds` of patience."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Outdated(ServerError):
    """What was asked is about a text that has changed since."""


class NotSent(ServerError):
    """This file, or this question, cannot be sent; others can."""


class NotKnown(ServerError):
    """The server does not have the text as it was thought to: it wants it whole."""
