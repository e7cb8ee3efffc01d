"""Completion without an editor: a question in, an answer out, in this process.

The model is loaded at the first question; until then, nothing here imports torch.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ...api.report import Finish
from ...cache.errors import InputError
from ..config import LOOKUP, SERVERS
from ..file_text import FileText
from .answer import Answer
from .question import FOREVER_MS, Question, decode_limit
from .time_limit import TimeUp

if TYPE_CHECKING:
    from ..completion.completer import Completer
    from ..completion.file_session import FileSession


@dataclass(frozen=True, slots=True)
class Choice:
    """Which model answers, and how its prompts are made."""

    model: str
    device: str = "auto"
    dtype: str = "auto"
    context_tokens: int = 2048
    order: str | None = None
    json_schema: str | None = None  # the file of a schema that the text follows


class Headless:
    """Owns the completer of one process."""

    def __init__(
        self,
        choice: Choice,
        progress: TextIO | None,
        many: bool = False,
        decode_ms: int | None = None,
    ) -> None:
        """`progress` is where a download shows how far it is. `many`: it is worth a second or two
        to have the model answer faster, which for one question it is not. `decode_ms`: when to
        stop decoding, counted from its beginning, if a question has no time limit of its own."""
        self._choice = choice
        self._many = many
        self._decode_ms = decode_ms
        self._progress = progress
        self._completer: Completer | None = None
        self._sessions: dict[str, FileSession] = {}

    def session(self, name: str) -> "FileSession":
        """The session of a file that is asked about again and again. Raises `ModelError`."""
        self._completer = self._completer or self._load()
        if name not in self._sessions:
            self._sessions[name] = self._completer.new_session()
        return self._sessions[name]

    def forget(self, name: str) -> None:
        """The file is not asked about any more."""
        self._sessions.pop(name, None)

    def answer(
        self,
        question: Question,
        stream: Callable[[str], None] | None = None,
        started: float | None = None,
        session: "FileSession | None" = None,
    ) -> Answer:
        """Raises `TimeUp` when the question's time has passed (counted from `started`, by
        time.monotonic()), `ModelError` when the model cannot be had."""
        wishes = question.wishes
        started = time.monotonic() if started is None else started
        deadline = None if wishes.timeout is None else started + wishes.timeout
        waited = self._completer is None
        decode_ms = decode_limit(self._decode_ms, waited) if wishes.timeout is None else None
        before = time.perf_counter()
        completer = self._completer or self._load()
        load_ms = (time.perf_counter() - before) * 1000 if waited else 0.0
        self._completer = completer

        from ..completion.request import InfillRequest

        around = question.around
        text, cursor = FileText.of(around.prefix + around.suffix), len(around.prefix)
        within = text.offset(cursor)
        request = InfillRequest(
            prefix=text.text[:within],
            suffix=text.text[within:],
            path=question.filename,
            options=wishes.options(FOREVER_MS, decode_ms),
            newline=text.newline(cursor),
            deadline=deadline,
            stream=stream,
        )
        try:
            found = completer.complete(request, session=session)
        except BaseException:  # an alarm or a key can come anywhere, also in half a step
            completer.forget()
            self._sessions = {n: s for n, s in self._sessions.items() if s is not session}
            raise
        if deadline is not None and found.meta.finish is Finish.DEADLINE:
            raise TimeUp(f"no completion within {wishes.timeout:g} s")
        texts = tuple(candidate.text for candidate in found.candidates)
        confidences = tuple(candidate.confidence for candidate in found.candidates)
        return Answer(texts, found.meta, load_ms, confidences)

    def _load(self) -> "Completer":
        from ...models.grammar.languages import load_schema
        from ...models.hub.cache_folder import cache_folder
        from ...models.hub.progress import Progress
        from ...models.loading.loader import load
        from ...models.prompts.templates import Order
        from ..completion.completer import Completer, CompleterOptions
        from ..workspace.json_schemas import SchemaRule

        choice = self._choice
        if choice.model == LOOKUP:
            raise InputError(
                f"{LOOKUP!r} answers in a daemon only, and whole questions: give another --model,"
                " or set model.name to it in config.toml and leave --no-daemon, --device, --dtype,"
                " --context-tokens, --order, --json-schema and edits to the others"
            )
        if choice.model.startswith(SERVERS):
            raise InputError(
                f"{choice.model} answers in a daemon only: give another --model, or leave"
                " --no-daemon, --device, --dtype, --context-tokens, --order, --json-schema and"
                " edits to the others"
            )
        order = None if choice.order is None else Order(choice.order)
        rules = () if choice.json_schema is None else (SchemaRule("*", choice.json_schema),)
        options = CompleterOptions(
            choice.context_tokens, order=order, memory=cache_folder(), json_schemas=rules
        )
        if choice.json_schema is not None:
            load_schema(Path(choice.json_schema))  # what is wrong with it is said now
        progress = Progress(self._progress)
        loaded = load(
            choice.model, choice.device, choice.dtype, progress=progress, settle=self._many
        )
        return Completer(loaded, options)
