"""What the status bar is told."""

from typing import Any

from lsprotocol import types
from tiny_backend import TinyBackend

from keyturn.lsp.backend import BackendState, Phase, Trigger
from keyturn.lsp.documents import Change, Documents
from keyturn.lsp.options import Options
from keyturn.lsp.server import KeyturnServer

URI = "file:///a.py"


class Recorder:
    """A writer that keeps the notifications of one kind."""

    def __init__(self) -> None:
        self.phases: list[str] = []

    def write(self, data: bytes) -> None:
        import json

        message: dict[str, Any] = json.loads(data.partition(b"\r\n\r\n")[2])
        if message.get("method") == "keyturn/status":
            self.phases.append(message["params"]["phase"])

    def close(self) -> None:
        pass


async def test_a_problem_is_shown_until_a_request_succeeds():
    server = KeyturnServer("0", TinyBackend(), Documents(), lambda workspace: (Options(), ()))
    recorder = Recorder()
    server.protocol.set_writer(recorder)
    server.protocol.client_capabilities = types.ClientCapabilities()
    await server.start()
    server.state_changed(BackendState(Phase.READY, "", "tiny"))
    server.session.open(URI, "python", 1, "FAIL")
    where = types.Position(0, 4)
    assert await server.suggest(URI, where, Trigger.TYPING) == []
    assert await server.suggest(URI, where, Trigger.TYPING) == []
    server.session.change(URI, 2, [Change("fine")])
    assert len(await server.suggest(URI, where, Trigger.TYPING)) == 1
    assert recorder.phases == ["starting", "ready", "failed", "failed", "ready"]


async def test_another_model_makes_the_old_suggestions_go():
    backend = TinyBackend()
    server = KeyturnServer("0", backend, Documents(), lambda workspace: (Options(), ()))
    server.state_changed(BackendState(Phase.READY, "", "one"))
    server.session.open(URI, "python", 1, "a")
    where = types.Position(0, 1)
    await server.suggest(URI, where, Trigger.TYPING)
    await server.suggest(URI, where, Trigger.TYPING)
    assert len(backend.requests) == 1
    server.state_changed(BackendState(Phase.READY, "", "two"))
    await server.suggest(URI, where, Trigger.TYPING)
    assert len(backend.requests) == 2
