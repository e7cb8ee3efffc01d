"""Reasons why a grammar cannot be used here. Never shown as a failure: completion goes on
unconstrained.
"""

from ...cache.errors import KeyturnError


class GrammarError(KeyturnError):
    """A grammar is missing, or built in a way that we do not read; complete without it."""


class GrammarWorkerError(GrammarError):
    """The process that runs the grammars is not there to answer; the next request restarts it."""


class GrammarWorkerFailed(GrammarWorkerError):
    """It died of what it was asked, or computed too long: the language's own fault."""
