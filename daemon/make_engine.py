"""From a model's name to an engine: the only place of the service that loads torch.

Imported by every daemon, so the imports that take seconds are inside the function, which runs in
the engine thread after the socket is listening.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ..lsp.backend import BackendState, Phase
from .engine_thread import Engine, MakeEngine
from .lookup import NAME as LOOKUP
from .lookup import LookupEngine


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What to load when no name is given, and onto what."""

    name: str = "qwen2.5-coder-0.5b"
    device: str = "auto"
    dtype: str = "auto"
    context_tokens: int = 2048
    cycle: tuple[str, ...] = ()  # the models that "next model" goes through


def engine_maker(choice: Callable[[], ModelChoice]) -> MakeEngine:
    """`choice` is asked at every load, so that a reload sees a changed configuration."""

    def make(name: str, report: Callable[[BackendState], None]) -> Engine:
        chosen = choice()
        name = name or chosen.name
        if name == LOOKUP:
            return LookupEngine()
        report(BackendState(Phase.LOADING, f"loading {name}", name))
        from ..models.loader import load
        from .engine import EngineOptions
        from .load_progress import ReportedProgress
        from .model_engine import ModelEngine

        loaded = load(name, chosen.device, chosen.dtype, progress=ReportedProgress(name, report))
        return ModelEngine(loaded, EngineOptions(context_tokens=chosen.context_tokens), path_of)

    return make


def path_of(uri: str) -> str:
    """The path of a `file:` URI, the URI itself of any other; only its name is used."""
    parts = urlsplit(uri)
    return unquote(parts.path) if parts.scheme == "file" else uri
