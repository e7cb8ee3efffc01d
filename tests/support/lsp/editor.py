"""A user at a document, through a real session and a tiny backend."""

import asyncio

from keyturn.api.report import Completion
from keyturn.api.request import Trigger
from keyturn.lsp.documents import Change, Documents, Position
from keyturn.lsp.options import Options
from keyturn.lsp.session import Session
from support.lsp.tiny_backend import TinyBackend

URI = "file:///a.py"


class Editor:
    """A user at the end of a document: types, asks, accepts."""

    def __init__(self, text: str = "", options: Options | None = None, uri: str = URI) -> None:
        self.backend = TinyBackend()
        self.problems: list[str] = []
        self.uri = uri
        self.version = 1
        self.session = Session(
            self.backend, Documents(), options or Options(), self.problems.append
        )
        self.session.open(uri, "python", 1, text)

    @property
    def text(self) -> str:
        document = self.session.documents.get(self.uri)
        assert document is not None
        return document.text

    def type(self, text: str, at: Position | None = None) -> None:
        self.version += 1
        place = at or Position(self.text.count("\n"), len(self.text.rpartition("\n")[2]))
        self.session.change(self.uri, self.version, [Change(text, place, place)])

    def ask(self, trigger: Trigger = Trigger.TYPING) -> "asyncio.Task[list[Completion]]":
        place = Position(self.text.count("\n"), len(self.text.rpartition("\n")[2]))
        return asyncio.create_task(self.session.complete(self.uri, place, trigger))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
