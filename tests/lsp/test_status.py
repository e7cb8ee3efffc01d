"""What the status bar is told."""

import asyncio
import json
from dataclasses import replace
from typing import Any

from lsprotocol import types

from keyturn.api.request import GrammarMode, SpeculationMode, Trigger
from keyturn.lsp.backend import BackendState, Phase
from keyturn.lsp.documents import Change, Documents
from keyturn.lsp.options import Options
from keyturn.lsp.server import KeyturnServer
from keyturn.lsp.settings import OfFiles
from support.lsp.tiny_backend import TinyBackend
from support.until import until_async

URI = "file:///a.py"


class Recorder:
    """A writer that keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    @property
    def phases(self) -> list[str]:
        return [each["params"]["phase"] for each in self.of("keyturn/status")]

    def of(self, method: str) -> list[dict[str, Any]]:
        return [each for each in self.messages if each.get("method") == method]

    def write(self, data: bytes) -> None:
        self.messages.append(json.loads(data.partition(b"\r\n\r\n")[2]))

    def close(self) -> None:
        pass


async def test_a_problem_is_shown_until_a_request_succeeds():
    server = KeyturnServer("0", TinyBackend(), Documents(), lambda workspace: OfFiles(Options()))
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
    server = KeyturnServer("0", backend, Documents(), lambda workspace: OfFiles(Options()))
    server.state_changed(BackendState(Phase.READY, "", "one"))
    server.session.open(URI, "python", 1, "a")
    where = types.Position(0, 1)
    await server.suggest(URI, where, Trigger.TYPING)
    await server.suggest(URI, where, Trigger.TYPING)
    assert len(backend.requests) == 1
    server.state_changed(BackendState(Phase.READY, "", "two"))
    await server.suggest(URI, where, Trigger.TYPING)
    assert len(backend.requests) == 2


async def test_settings_files_that_change_count_under_the_editor_s_and_beside_a_toggle():
    options, problems = Options(max_tokens=10, candidates=5), ("a.toml: max_tokens is wrong",)
    server = KeyturnServer(
        "0", TinyBackend(), Documents(), lambda workspace: OfFiles(options, problems)
    )
    recorder = Recorder()
    server.protocol.set_writer(recorder)
    server.protocol.client_capabilities = types.ClientCapabilities()
    server.settings.configure({"keyturn": {"candidates": 2}})
    await server.start()
    assert (server.session.options.max_tokens, server.session.options.candidates) == (10, 2)
    server.settings.toggle()
    assert not server.session.options.enabled
    options = replace(options, max_tokens=20, candidates=6, grammar="off")
    server.settings.reread()
    found = server.session.options
    assert (found.max_tokens, found.candidates, found.grammar) == (20, 2, "off")
    assert not found.enabled
    shown = [each["params"]["message"] for each in recorder.of("window/showMessage")]
    assert shown == ["a.toml: max_tokens is wrong"]  # once
    problems = ("b.toml: is not TOML",)
    server.settings.reread()
    assert len(recorder.of("window/showMessage")) == 2


async def test_while_a_settings_file_cannot_be_read_what_it_kept_from_us_is_kept():
    found = OfFiles(Options(enabled=False, disabled_globs=("*.key",)))
    server = KeyturnServer("0", TinyBackend(), Documents(), lambda workspace: found)
    found = OfFiles(Options(), ("a.toml: is not TOML",), whole=False)
    server.settings.reread()
    options = server.session.options
    assert (options.enabled, options.disabled_globs) == (False, ("*.key",))
    found = OfFiles(Options())
    server.settings.reread()
    assert server.session.options.enabled


async def test_thousands_of_different_mistakes_are_not_thousands_of_messages():
    server = KeyturnServer("0", TinyBackend(), Documents(), lambda workspace: OfFiles(Options()))
    recorder = Recorder()
    server.protocol.set_writer(recorder)
    server.protocol.client_capabilities = types.ClientCapabilities()
    await server.start()
    for number in range(1_000):
        server.settings.configure({f"wrong{number}": 1})
    assert 0 < len(recorder.of("window/showMessage")) <= 100


async def test_what_was_suggested_with_other_settings_is_not_shown_again():
    backend = TinyBackend()
    server = KeyturnServer("0", backend, Documents(), lambda workspace: OfFiles(Options()))
    server.session.open(URI, "python", 1, "a")
    where = types.Position(0, 1)
    await server.suggest(URI, where, Trigger.TYPING)
    server.settings.configure({"grammar": "off", "speculate": "lookup"})
    await server.suggest(URI, where, Trigger.TYPING)
    first, second = (request.options for request in backend.requests)
    assert (first.grammar, first.speculation) == (GrammarMode.EXACT, SpeculationMode.AUTO)
    assert (second.grammar, second.speculation) == (GrammarMode.OFF, SpeculationMode.LOOKUP)


async def test_loading_and_downloading_are_shown_as_progress_where_the_client_can():
    server = KeyturnServer("0", TinyBackend(), Documents(), lambda workspace: OfFiles(Options()))
    recorder = Recorder()
    server.protocol.set_writer(recorder)
    window = types.WindowClientCapabilities(work_done_progress=True)
    server.protocol.client_capabilities = types.ClientCapabilities(window=window)
    await server.start()
    server.state_changed(BackendState(Phase.DOWNLOADING, "fetching", "m", 0.25))
    await asyncio.sleep(0)
    [asked] = recorder.of("window/workDoneProgress/create")
    server.protocol.receive(
        json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": None}).encode()
    )
    await until_async(lambda: recorder.of("$/progress"), "the first progress")
    server.state_changed(BackendState(Phase.DOWNLOADING, "fetching", "m", 0.5))
    server.state_changed(BackendState(Phase.LOADING, "loading", "m"))
    server.state_changed(BackendState(Phase.READY, "", "m"))
    server.state_changed(BackendState(Phase.ASLEEP, "", "m"))
    values = [each["params"]["value"] for each in recorder.of("$/progress")]
    assert {each["params"]["token"] for each in recorder.of("$/progress")} == {
        asked["params"]["token"]
    }
    assert [value["kind"] for value in values] == ["begin", "report", "report", "report", "end"]
    assert [value.get("percentage") for value in values] == [0, 25, 50, None, None]


async def test_a_client_that_declines_a_progress_display_is_asked_again_for_the_next_load():
    server = KeyturnServer("0", TinyBackend(), Documents(), lambda workspace: OfFiles(Options()))
    recorder = Recorder()
    server.protocol.set_writer(recorder)
    window = types.WindowClientCapabilities(work_done_progress=True)
    server.protocol.client_capabilities = types.ClientCapabilities(window=window)
    await server.start()
    for count in (1, 2):
        server.state_changed(BackendState(Phase.LOADING, "loading", "m"))
        await asyncio.sleep(0)
        asked = recorder.of("window/workDoneProgress/create")
        assert len(asked) == count
        error = {"code": -32601, "message": "no"}
        answer = {"jsonrpc": "2.0", "id": asked[-1]["id"], "error": error}
        server.protocol.receive(json.dumps(answer).encode())
        for _ in range(5):
            await asyncio.sleep(0)
    assert recorder.of("$/progress") == []
