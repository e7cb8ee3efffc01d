"""Everyday situations: a file with a cursor in it, and what is suggested there as an editor asks.

They stand in `tests/data/everyday`, each behind a line `=== name: what it is [flags]`. The flags
are `any` (no suggestion is fine), `none` (so is no other), `one` and `more` (lines), `open` (one
goes on writing behind the suggestion: the file need not parse with it) and `crlf`.
"""

import asyncio
import importlib
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tree_sitter

from keyturn.api.request import Trigger
from keyturn.daemon.client.in_process import LocalBackend
from keyturn.daemon.engines.make_engine import ModelChoice, engine_maker
from keyturn.daemon.workspace.language import language_of
from keyturn.lsp.backend import BackendState, Phase
from keyturn.lsp.documents import Documents
from keyturn.lsp.options import Options
from keyturn.lsp.session import Session
from keyturn.models.grammar.languages import GRAMMARS

DATA = Path(__file__).parents[2] / "data" / "everyday"
CURSOR = "▮"
HEAD = re.compile(r"=== (?P<name>\S+): (?P<what>[^\[\n]+?)(?: \[(?P<flags>[^\]]*)\])?\n")


@dataclass(frozen=True, slots=True)
class Situation:
    name: str  # of the file
    what: str
    flags: frozenset[str]
    prefix: str
    suffix: str

    @property
    def line(self) -> str:
        """What the cursor's line has before it."""
        return self.prefix[self.prefix.rfind("\n") + 1 :]

    @property
    def rest(self) -> str:
        """What it has behind it."""
        return self.suffix.partition("\n")[0].rstrip("\r")


def situations(file: str) -> Iterator[Situation]:
    """Those in one of the files."""
    text = (DATA / file).read_text(encoding="utf-8")
    heads = list(HEAD.finditer(text))
    for head, end in zip(heads, [*(h.start() for h in heads[1:]), len(text)], strict=True):
        flags = frozenset((head["flags"] or "").split())
        body = text[head.end() : end]
        if "crlf" in flags:
            body = body.replace("\n", "\r\n")
        prefix, _, suffix = body.partition(CURSOR)
        if not suffix.strip():
            suffix = ""  # the end of the file
        yield Situation(head["name"], head["what"], flags, prefix, suffix)


@asynccontextmanager
async def editor(options: Options) -> AsyncIterator[Session]:
    """An editor's session with the default model behind it, in this process."""
    backend = LocalBackend(engine_maker(ModelChoice, lambda path: (options, ())))
    problems: list[str] = []
    session = Session(backend, Documents(), options, problems.append)
    ready = asyncio.Event()

    def on_state(state: BackendState) -> None:
        assert state.phase is not Phase.FAILED, state.message
        if state.phase is Phase.READY:
            ready.set()

    running = asyncio.create_task(backend.run(session.shared, on_state))
    await ready.wait()
    try:
        yield session
        assert not problems
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def suggested(session: Session, situation: Situation) -> str:
    """What is suggested to somebody who has typed up to the cursor."""
    uri = f"file:///{situation.name}"
    session.open(uri, language_of(situation.name).id, 1, situation.prefix + situation.suffix)
    document = session.documents.get(uri)
    assert document is not None
    place = document.position(len(situation.prefix), session.documents.encoding)
    found = await session.complete(uri, place, Trigger.TYPING)
    session.close(uri)
    return found[0].text if found else ""


def parses(name: str, text: str) -> bool:
    """Whether a file is whole, as its language's own parser says; true where there is none."""
    language = language_of(name).id
    if language not in GRAMMARS:
        return True
    ends = ("", "\n")  # the last line break may be missing
    return not all(_parser(language).parse((text + e).encode()).root_node.has_error for e in ends)


@cache
def _parser(language: str) -> tree_sitter.Parser:
    grammar = GRAMMARS[language]
    module = importlib.import_module(grammar.module)
    return tree_sitter.Parser(tree_sitter.Language(getattr(module, grammar.function)()))
