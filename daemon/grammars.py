"""The grammars of one engine: a worker process for all of them, and a guide for each request."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from ..models.align import Mode
from ..models.decode import Finish
from ..models.grammar.isolate import GrammarProcess
from ..models.grammar.languages import has_grammar
from ..models.grammar.oracle import Opening, Unavailable
from ..models.guide import Guide
from ..models.remembered import Remembered
from ..models.trim import trim
from .candidates import CUT_SHORT
from .completion import Request
from .json_schemas import SchemaRule, schema_of
from .language import language_of
from .surroundings import Surroundings


class Grammars:
    """Owns the worker, which starts with the first file that has a grammar. One thread's."""

    def __init__(self, schemas: Sequence[SchemaRule] = ()) -> None:
        self._schemas = schemas
        self._process = GrammarProcess()
        self._remembered = Remembered()

    def begin(self, request: Request, near: Surroundings) -> Callable[[], Guide]:
        """Start reading the request's left side; call what is returned for its guide, once the
        prompt is in the cache. A guide without a grammar lets everything pass and says why."""

        def finished(text: str, finish: Finish) -> str:
            return trim(text, near.prefix, near.suffix, finish in CUT_SHORT)

        longer = max(len(request.prefix), len(request.suffix))
        whole = Surroundings.of(request.prefix, request.suffix, longer)
        opened = self._open(request, whole.prefix)

        def guide() -> Guide:
            began = time.perf_counter()
            opening = opened()
            waited = time.perf_counter() - began
            before = whole.prefix[whole.prefix.rfind("\n") + 1 :]
            return Guide(
                opening,
                whole.suffix,
                request.grammar,
                finished,
                waited,
                before,
                self._remembered,
            )

        return guide

    def _open(self, request: Request, left: str) -> Callable[[], Opening]:
        language = language_of(request.path).id
        if request.grammar is Mode.OFF:
            return partial(Unavailable("switched off").open, left)
        if not has_grammar(language):
            return partial(Unavailable(f"no grammar for {language}").open, left)
        schema = schema_of(request.path, self._schemas) if language == "json" else ""
        return self._process.oracle(request.path, language, schema).begin(left)

    def close(self) -> None:
        """End the worker."""
        self._process.close()
