"""Reasons why a model cannot be used: one line each, saying what was tried and what to do."""

from ..cache.errors import KeyturnError


class ModelError(KeyturnError):
    """A model is unavailable: unknown, unreachable, damaged, or not loadable here."""


class UnsupportedModel(ModelError):
    """The architecture, or one of its features, is one that keyturn refuses by name."""


class SourceFailed(ModelError):
    """One source of a model could not give it; another may."""


class CorpusTooSmall(ModelError):
    """There is not enough code to train exits on."""


class BadExits(ModelError):
    """An exit file is damaged, or was trained for another model."""


class TrainingFailed(ModelError):
    """Training exits ended early; what was there before is as it was."""
