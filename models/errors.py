"""Why a model cannot be used: one line each, saying what was tried and what to do."""

from ..cache.errors import KeyturnError


class ModelError(KeyturnError):
    """A model is unavailable: unknown, unreachable, damaged, or not loadable here."""


class UnsupportedModel(ModelError):
    """The architecture, or one of its features, is one that keyturn refuses by name."""


class SourceFailed(ModelError):
    """One source of a model could not give it; another may."""
