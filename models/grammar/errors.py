"""Why a grammar cannot be used here. Never shown as a failure: completion goes on unconstrained."""

from ...cache.errors import KeyturnError


class GrammarError(KeyturnError):
    """A grammar is missing, or built in a way that we do not read; complete without it."""


class GrammarWorkerError(GrammarError):
    """The process that runs the grammars died or ran out of time; the next request restarts it."""
