"""The grammars of one engine: a worker process for all of them, and a guide for each request."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from ...api.report import Finish
from ...api.request import GrammarMode
from ...models.constrained.guide import Guide
from ...models.constrained.trie_cache import Remembered
from ...models.grammar.followed import Followed
from ...models.grammar.isolate import GrammarProcess
from ...models.grammar.languages import has_grammar
from ...models.grammar.oracle import Opening, Unavailable
from ..workspace.json_schemas import SchemaRule, schema_of
from .regions import Region
from .request import InfillRequest

MOST_LEFT = 500_000  # characters: dense code takes up to 10 µs each, and the worker has 10 s


class Grammars:
    """Owns the worker, which starts with the first file that has a grammar. One thread's."""

    def __init__(self, schemas: Sequence[SchemaRule] = ()) -> None:
        self._schemas = schemas
        self._process = GrammarProcess()
        self._remembered = Remembered()

    def begin(
        self,
        request: InfillRequest,
        region: Region,
        finished: Callable[[str, Finish], str],
        followed: Followed | None = None,
    ) -> Callable[[], Guide]:
        """Start reading what is left of the cursor; call what is returned for the guide, once the
        prompt is in the cache. A guide without a grammar lets everything pass and says why.
        `finished` makes a completion's text what the user will see. `followed`: of a file whose
        edits are told to it."""
        opened = self._open(request, region, followed)

        def guide() -> Guide:
            began = time.perf_counter()
            opening = opened()
            waited = time.perf_counter() - began
            before = region.prefix[region.prefix.rfind("\n") + 1 :]
            return Guide(
                opening,
                region.suffix,
                request.options.grammar,
                finished,
                waited,
                before,
                self._remembered,
            )

        return guide

    def _open(
        self, request: InfillRequest, region: Region, followed: Followed | None
    ) -> Callable[[], Opening]:
        language, left = region.language.id, region.prefix
        if request.options.grammar is GrammarMode.OFF:
            return partial(Unavailable("switched off").open, left)
        if not has_grammar(language):
            return partial(Unavailable(f"no grammar for {language}").open, left)
        if len(left) > MOST_LEFT:
            return partial(Unavailable(f"more than {MOST_LEFT:,} characters to read").open, left)
        schema = schema_of(request.path, self._schemas) if language == "json" else ""
        oracle = self._process.oracle(request.path, language, schema)
        return oracle.begin(left, followed, len(request.prefix) - len(left))

    def close(self) -> None:
        """End the worker."""
        self._process.close()
