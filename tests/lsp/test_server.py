"""The language server as a process, driven over its pipes by a real client."""

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

from support.until import until_async

SERVER = [sys.executable, str(Path(__file__).parents[1] / "support" / "lsp" / "tiny_server.py")]
URI = "file:///demo/x.py"


@pytest_lsp.fixture(config=ClientServerConfig(server_command=SERVER))
async def client(lsp_client: LanguageClient):
    capabilities = client_capabilities("visual-studio-code")
    assert capabilities.text_document is not None
    capabilities.text_document.inline_completion = types.InlineCompletionClientCapabilities()
    assert capabilities.window is not None
    capabilities.window.work_done_progress = False

    @lsp_client.feature("keyturn/status")
    def status(params: Any) -> None:
        statuses.append(params)

    statuses: list[Any] = []
    lsp_client.statuses = statuses  # type: ignore[attr-defined]
    await lsp_client.initialize_session(
        types.InitializeParams(
            capabilities=capabilities,
            root_uri="file:///demo",
            initialization_options={"keyturn": {"candidates": 2, "maxTokens": "many"}},
        )
    )
    yield
    await lsp_client.shutdown_session()


def open_document(client: LanguageClient, text: str) -> None:
    item = types.TextDocumentItem(URI, "python", 1, text)
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))


def at(
    line: int,
    column: int,
    invoked: bool = False,
    selected: types.SelectedCompletionInfo | None = None,
) -> types.InlineCompletionParams:
    kinds = types.InlineCompletionTriggerKind
    kind = kinds.Invoked if invoked else kinds.Automatic
    return types.InlineCompletionParams(
        context=types.InlineCompletionContext(kind, selected),
        text_document=types.TextDocumentIdentifier(URI),
        position=types.Position(line, column),
    )


async def ask(
    client: LanguageClient, params: types.InlineCompletionParams
) -> list[types.InlineCompletionItem]:
    answer = await client.text_document_inline_completion_async(params)
    assert isinstance(answer, types.InlineCompletionList)
    return list(answer.items)


async def test_ghost_text_has_a_range_a_filter_text_and_a_command(client: LanguageClient):
    open_document(client, "x = '😀'\nf")
    [item] = await ask(client, at(0, 7))  # utf-16: behind the emoji, which is two units wide
    assert item.insert_text == "6:1"
    assert item.range == types.Range(types.Position(0, 7), types.Position(0, 7))
    assert item.filter_text == "6:1"
    assert item.command is not None
    assert list(item.command.arguments or ()) == [URI, 0]
    answer = await client.workspace_execute_command_async(
        types.ExecuteCommandParams(item.command.command, item.command.arguments)
    )
    assert answer is None


async def test_changes_arrive_before_the_request_that_follows_them(client: LanguageClient):
    open_document(client, "a\x0cb\ncd\n")
    client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(2, URI),
            [
                types.TextDocumentContentChangePartial(
                    types.Range(types.Position(1, 0), types.Position(1, 1)), "longer"
                )
            ],
        )
    )
    [item] = await ask(client, at(1, 6))
    assert item.insert_text == "10:2"


async def test_explicit_requests_get_as_many_candidates_as_the_editor_set(client: LanguageClient):
    open_document(client, "a")
    assert len(await ask(client, at(0, 1, invoked=True))) == 2


async def test_bad_settings_are_shown_and_the_rest_used(client: LanguageClient):
    await client.workspace_execute_command_async(types.ExecuteCommandParams("keyturn.showStatus"))
    [message] = client.messages
    assert "maxTokens" in message.message


async def test_cancelled_and_superseded_requests_are_answered_as_cancelled(client: LanguageClient):
    open_document(client, "SLOW")
    request = client.protocol.send_request_async
    method = types.TEXT_DOCUMENT_INLINE_COMPLETION
    first = asyncio.ensure_future(request(method, at(0, 4), msg_id="first"))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(request(method, at(0, 4), msg_id="second"))
    with pytest.raises(JsonRpcException) as superseded:
        await first
    client.cancel_request(types.CancelParams("second"))
    with pytest.raises(JsonRpcException) as cancelled:
        await second
    assert superseded.value.code == cancelled.value.code == -32800


async def test_toggling_is_told_to_the_status_bar(client: LanguageClient):
    open_document(client, "a")
    answer = await client.workspace_execute_command_async(
        types.ExecuteCommandParams("keyturn.toggle")
    )
    assert dict(answer)["enabled"] is False  # type: ignore[arg-type]
    assert await ask(client, at(0, 1)) == []
    await client.workspace_execute_command_async(types.ExecuteCommandParams("keyturn.toggle"))
    assert len(await ask(client, at(0, 1))) == 1
    statuses = client.statuses  # type: ignore[attr-defined]
    assert [status.enabled for status in statuses][-2:] == [False, True]


async def test_beside_an_open_menu_only_what_goes_on_from_its_selected_entry(
    client: LanguageClient,
):
    open_document(client, "x\nfo")  # at the end the tiny model says 4:1
    word = types.Range(types.Position(1, 0), types.Position(1, 2))
    selected = types.SelectedCompletionInfo(word, "fo4:")
    [item] = await ask(client, at(1, 2, selected=selected))
    assert (item.insert_text, item.range) == ("fo4:1", word)
    assert item.filter_text == "fo4:1"
    other = types.SelectedCompletionInfo(word, "format")
    assert await ask(client, at(1, 2, selected=other)) == []


async def test_changed_settings_are_told_to_the_status_bar(client: LanguageClient):
    changed = types.DidChangeConfigurationParams({"keyturn": {"enabled": False}})
    client.workspace_did_change_configuration(changed)
    open_document(client, "a")
    assert await ask(client, at(0, 1)) == []
    assert client.statuses[-1].enabled is False  # type: ignore[attr-defined]


async def test_a_document_s_status_says_why_nothing_is_suggested(client: LanguageClient):
    async def refusal() -> Any:
        params = types.ExecuteCommandParams("keyturn.documentStatus", [URI])
        return dict(await client.workspace_execute_command_async(params))["refusal"]  # type: ignore[arg-type]

    assert await refusal() == "this document is not followed"
    open_document(client, "a")
    assert await refusal() is None
    for settings_, reason in (
        ({"enabled": False}, "suggestions are switched off"),
        ({"disabledLanguages": ["python"]}, "suggestions are switched off for python"),
        ({"disabledGlobs": ["x.*"]}, "the file matches the disabled glob x.*"),
        ({}, None),
    ):
        params = types.DidChangeConfigurationParams({"keyturn": settings_})
        client.workspace_did_change_configuration(params)
        assert await refusal() == reason


async def test_the_last_suggestion_of_a_document_says_why_it_came_to_be(client: LanguageClient):
    async def why(uri: str = URI) -> Any:
        params = types.ExecuteCommandParams("keyturn.why", [uri])
        return plain(await client.workspace_execute_command_async(params))

    assert await why() is None
    open_document(client, "a")
    assert await why() is None
    await ask(client, at(0, 1))
    account = {
        "known": False,
        "shown": True,
        "likely": None,
        "model": "tiny",
        "device": "cpu",
        "finish": "lines",
        "promptTokens": 20,
        "reusedTokens": 15,
        "generatedTokens": 4,
        "prefillMs": 0,
        "decodeMs": 0,
        "totalMs": 35.2,
        "grammar": "off",
        "drafter": "",
        "chunks": [
            {"path": "lib/b.py", "line": 3, "name": "helper"},
            {"path": "c.py", "line": 1, "name": "C"},
        ],
        "chunkTokens": 12,
        "missing": 1,
    }
    assert await why() == account
    await ask(client, at(0, 1))
    assert await why() == account | {"known": True}
    assert await why("file:///demo/y.py") is None
    assert await why("") is None
    identifier = types.TextDocumentIdentifier(URI)
    client.text_document_did_close(types.DidCloseTextDocumentParams(identifier))
    assert await why() is None


def plain(value: Any) -> Any:
    """What pygls has made records of, as it was sent."""
    if hasattr(value, "_asdict"):
        return {name: plain(each) for name, each in value._asdict().items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


async def test_settings_change_while_the_server_runs_pushed_or_asked_for(client: LanguageClient):
    open_document(client, "a")
    change = client.workspace_did_change_configuration
    change(types.DidChangeConfigurationParams({"keyturn": {"enabled": False}}))
    assert await ask(client, at(0, 1)) == []
    change(types.DidChangeConfigurationParams({"keyturn": {"enabled": True, "candidates": 4}}))
    assert len(await ask(client, at(0, 1, invoked=True))) == 4
    client.set_configuration({"keyturn": {"candidates": 1}})
    change(types.DidChangeConfigurationParams(None))

    async def follows() -> bool:
        return len(await ask(client, at(0, 1, invoked=True))) == 1

    await until_async(follows, "the settings that the client has are asked for")


@pytest.mark.parametrize("empty", [{"keyturn": []}, {"keyturn": {}}, {"keyturn": None}, []])
async def test_an_empty_list_is_an_empty_table_as_lua_sends_it(client: LanguageClient, empty: Any):
    client.workspace_did_change_configuration(types.DidChangeConfigurationParams(empty))
    await client.workspace_execute_command_async(types.ExecuteCommandParams("keyturn.showStatus"))
    assert [m.message for m in client.messages if "there is no" in m.message] == []


async def test_settings_that_come_to_be_empty_no_longer_count(client: LanguageClient):
    open_document(client, "a")
    change = client.workspace_did_change_configuration
    change(types.DidChangeConfigurationParams({"keyturn": {"enabled": False}}))
    assert await ask(client, at(0, 1)) == []
    change(types.DidChangeConfigurationParams({"keyturn": []}))
    assert await ask(client, at(0, 1)) != []


async def test_the_commands_reach_the_backend_and_answer(client: LanguageClient):
    for name, arguments in (
        ("keyturn.cycleModel", []),
        ("keyturn.useModel", ["other"]),
        ("keyturn.refresh", []),
        ("keyturn.showStatus", []),
    ):
        answer = await client.workspace_execute_command_async(
            types.ExecuteCommandParams(name, arguments)
        )
        assert isinstance(answer, dict)
        assert answer["model"] == "tiny"  # what the tiny backend says to everything


class Pipe:
    """A server process and the raw bytes of the conversation."""

    def __init__(self) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the pipes
        self.process = subprocess.Popen(
            SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self._id = 0

    def send(self, body: bytes) -> None:
        self.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.stdin.flush()

    def receive(self) -> dict[str, Any]:
        length = 0
        while line := self.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return json.loads(self.stdout.read(length))

    def answer_to(self, request_id: Any) -> dict[str, Any]:
        while True:
            message = self.receive()
            if "id" in message and message["id"] == request_id and "method" not in message:
                return message

    def call(self, method: str, params: Any = None) -> dict[str, Any]:
        self._id += 1
        body = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self.send(json.dumps(body).encode())
        return self.answer_to(self._id)

    def notify(self, method: str, params: Any = None) -> None:
        self.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode())

    def initialize(self) -> dict[str, Any]:
        answer = self.call("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        self.notify("initialized", {})
        return answer["result"]["capabilities"]

    def said(self) -> str:
        """What is on standard error so far."""
        self.errors.seek(0)
        return self.errors.read().decode()

    def close(self) -> int:
        self.stdin.close()
        code = self.process.wait(timeout=20)
        self.stdout.close()
        return code


@pytest.fixture
def pipe():
    pipe = Pipe()
    yield pipe
    if pipe.process.poll() is None:
        pipe.process.kill()
        pipe.process.wait()
    pipe.stdin.close()
    pipe.stdout.close()
    pipe.errors.close()


def test_the_order_of_requests_is_enforced_and_each_is_answered(pipe: Pipe):
    assert pipe.call("textDocument/inlineCompletion", {})["error"]["code"] == -32002
    pipe.initialize()
    assert pipe.call("initialize", {"capabilities": {}})["error"]["code"] == -32600
    assert pipe.call("keyturn/nonsense")["error"]["code"] == -32601
    assert pipe.call("textDocument/inlineCompletion", {"position": 3})["error"]["code"] == -32602
    assert pipe.call("shutdown")["result"] is None
    assert pipe.call("textDocument/inlineCompletion", {})["error"]["code"] == -32600
    pipe.notify("exit")
    assert pipe.process.wait(timeout=20) == 0


def test_a_notification_with_an_id_is_answered_too(pipe: Pipe):
    pipe.initialize()
    for method in ("initialized", "$/setTrace", "textDocument/didSave"):
        assert pipe.call(method, {})["error"]["code"] == -32600


def test_a_command_is_refused_with_other_arguments_than_it_takes(pipe: Pipe):
    pipe.initialize()

    def refusal(name: str, arguments: Any) -> str:
        params = {"command": f"keyturn.{name}", "arguments": arguments}
        error = pipe.call("workspace/executeCommand", params)["error"]
        assert error["code"] == -32602
        assert "data" not in error
        return error["message"]

    for name, of in (("useModel", ["a"]), ("documentStatus", ["a"]), ("accepted", ["a", 1]),
                     ("why", ["a"])):  # fmt: skip
        for argument in (*ANYTHING, 1, []):
            assert refusal(name, [argument]) == f"keyturn.{name}: must be a string"
        expected = f"keyturn.{name}: Expected {len(of)} arguments"
        assert refusal(name, None) == f"{expected}, got 0"
        assert refusal(name, [*of, 1]) == f"{expected}, got {len(of) + 1}"
        for arguments in ("name", {"name": 1}, 5):
            assert refusal(name, arguments) == "message.params.arguments must be a list or null"
    assert "Traceback" not in pipe.said()


ANYTHING = ([1], {}, {"a": [1]}, None, True, 1.5)
WHERE = {
    "textDocument": {"uri": URI},
    "position": {"line": 0, "character": 1},
    "context": {"triggerKind": 1},
}
DOCUMENT = {"uri": "file:///b.py", "languageId": "python", "version": 1, "text": "abc"}


def test_ids_of_any_kind_are_no_error_of_ours(pipe: Pipe):
    pipe.initialize()
    for wrong in ANYTHING:
        for message in (
            {"method": "$/cancelRequest", "params": {"id": wrong}},
            {"method": "$/cancelRequest", "params": wrong},
            {"method": "window/workDoneProgress/cancel", "params": {"token": wrong}},
            {"id": wrong, "result": None},
            {"id": wrong, "error": {"code": 1, "message": "no"}},
            {"id": 1, "error": wrong},
            {"method": wrong, "params": {}},
        ):
            pipe.send(json.dumps({"jsonrpc": "2.0", **message}).encode())
            pipe.send(json.dumps(message).encode())
    assert pipe.call("keyturn/ping")["error"]["code"] == -32601  # nothing else was answered before
    assert "Traceback" not in pipe.said()
    assert "Error" not in pipe.said()


def test_fields_of_another_type_are_refused_by_name_and_nothing_is_made_of_them(pipe: Pipe):
    pipe.initialize()
    pipe.notify("textDocument/didOpen", {"textDocument": DOCUMENT | {"uri": URI}})
    for wrong in ANYTHING:
        for field in DOCUMENT:
            pipe.notify("textDocument/didOpen", {"textDocument": DOCUMENT | {field: wrong}})
        for field, value, name in (
            ("textDocument", {"uri": wrong}, "text_document.uri"),
            ("position", {"line": wrong, "character": 0}, "position.line"),
            ("context", {"triggerKind": wrong or 9}, "context.trigger_kind"),
        ):
            if (field, wrong) != ("context", True):  # which is 1
                asked = pipe.call("textDocument/inlineCompletion", WHERE | {field: value})
                assert asked["error"]["code"] == -32602
                assert name in asked["error"]["message"]
    query = {"command": "keyturn.documentStatus", "arguments": ["file:///b.py"]}
    status = pipe.call("workspace/executeCommand", query)["result"]
    assert status["refusal"] == "this document is not followed"
    assert "Traceback" not in pipe.said()


def test_a_whole_number_may_be_written_with_a_point(pipe: Pipe):
    pipe.initialize()
    pipe.notify("textDocument/didOpen", {"textDocument": DOCUMENT | {"version": 2.0}})
    where = WHERE | {"textDocument": {"uri": DOCUMENT["uri"]}}
    where |= {"position": {"line": 0.0, "character": 1.0}}
    items = pipe.call("textDocument/inlineCompletion", where)["result"]["items"]
    assert items[0]["insertText"] == "1:2"


def test_settings_that_are_no_object_are_said_to_be_none(pipe: Pipe):
    params = {"processId": None, "capabilities": {}, "initializationOptions": 5}
    assert "result" in pipe.call("initialize", params)
    pipe.notify("initialized", {})
    shown = ["5"]
    for wrong in ("x", True, [1], {"keyturn": 6}, {"keyturn": ["a"]}):
        pipe.notify("workspace/didChangeConfiguration", {"settings": wrong})
        shown.append(repr(wrong["keyturn"] if isinstance(wrong, dict) else wrong))
    for value in shown:
        while (message := pipe.receive()).get("method") != "window/showMessage":
            pass
        text = message["params"]["message"]
        assert text == f"keyturn: the settings are {value}, but must be an object"


def test_a_shutdown_cancels_a_command_under_way_and_is_answered_itself(pipe: Pipe):
    pipe.initialize()
    command = {"command": "keyturn.useModel", "arguments": ["SLOW"]}
    request = {"jsonrpc": "2.0", "method": "workspace/executeCommand", "params": command}
    for number in ("first", "second"):
        pipe.send(json.dumps({**request, "id": number}).encode())
    pipe.send(json.dumps({"jsonrpc": "2.0", "id": "end", "method": "shutdown"}).encode())
    answers = {}
    while len(answers) < 3:
        message = pipe.receive()
        if "id" in message:
            answers[message["id"]] = message.get("error", {}).get("code")
    assert answers == {"first": -32800, "second": -32800, "end": None}
    pipe.notify("exit")
    assert pipe.process.wait(timeout=20) == 0


def test_an_exit_right_behind_the_shutdown_leaves_nobody_without_an_answer(pipe: Pipe):
    pipe.initialize()
    command = {"command": "keyturn.useModel", "arguments": ["SLOW"]}
    request = {"jsonrpc": "2.0", "method": "workspace/executeCommand", "params": command}
    for number in range(3):
        pipe.send(json.dumps({**request, "id": f"under way {number}"}).encode())
    pipe.send(json.dumps({"jsonrpc": "2.0", "id": "end", "method": "shutdown"}).encode())
    pipe.notify("exit")
    answered = set()
    while len(answered) < 4:
        answered.add(pipe.receive().get("id"))
        answered.discard(None)
    assert pipe.process.wait(timeout=20) == 0


def test_exit_without_shutdown_is_an_error_and_a_closed_input_is_not(pipe: Pipe):
    pipe.initialize()
    pipe.notify("exit")
    assert pipe.process.wait(timeout=20) == 1


def test_an_exit_that_waits_for_an_answer_gets_one_and_ends_the_process(pipe: Pipe):
    pipe.initialize()
    assert pipe.call("exit")["error"]["code"] == -32600
    assert pipe.process.wait(timeout=20) == 1


def test_an_id_that_is_a_whole_number_is_one_however_it_is_written(pipe: Pipe):
    pipe.initialize()
    pipe.send(b'{"jsonrpc": "2.0", "id": 41.0, "method": "keyturn/nonsense"}')
    answer = pipe.answer_to(41)
    assert isinstance(answer["id"], int)
    assert answer["error"]["code"] == -32601


def test_the_end_of_the_input_ends_the_process(pipe: Pipe):
    pipe.initialize()
    assert pipe.close() == 0


def test_a_client_without_ghost_text_gets_an_ordinary_menu(pipe: Pipe):
    capabilities = pipe.initialize()
    assert capabilities["completionProvider"] is not None
    assert capabilities["positionEncoding"] == "utf-16"
    document = {"uri": URI, "languageId": "python", "version": 1, "text": "ab"}
    pipe.notify("textDocument/didOpen", {"textDocument": document})
    where = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 2}}
    [item] = pipe.call("textDocument/completion", where)["result"]["items"]
    # It is compared with the word that has been begun, and replaces it by itself.
    assert item["filterText"] == item["textEdit"]["newText"] == "ab2:1"
    assert item["textEdit"]["range"]["start"] == {"line": 0, "character": 0}
    assert item["textEdit"]["range"]["end"] == {"line": 0, "character": 2}


@pytest.mark.parametrize("offered", [["utf-8", "utf-16"], ["utf-32"], ["utf-16"]])
def test_the_encoding_is_the_first_that_the_client_offers(pipe: Pipe, offered: list[str]):
    capabilities = {"general": {"positionEncodings": offered}}
    answer = pipe.call("initialize", {"processId": None, "capabilities": capabilities})
    assert answer["result"]["capabilities"]["positionEncoding"] == offered[0]
    pipe.notify("initialized", {})
    document = {"uri": URI, "languageId": "", "version": 1, "text": "é😀"}
    pipe.notify("textDocument/didOpen", {"textDocument": document})
    column = {"utf-8": 6, "utf-16": 3, "utf-32": 2}[offered[0]]
    where = {
        "textDocument": {"uri": URI},
        "position": {"line": 0, "character": column},
        "context": {"triggerKind": 2},
    }
    [item] = pipe.call("textDocument/inlineCompletion", where)["result"]["items"]
    assert item["insertText"] == "2:1"
    assert item["range"]["start"]["character"] == column


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
methods = st.sampled_from(
    [
        "textDocument/didOpen", "textDocument/didChange", "textDocument/didClose",
        "textDocument/inlineCompletion", "textDocument/completion", "workspace/executeCommand",
        "workspace/didChangeConfiguration", "initialized", "$/cancelRequest", "$/setTrace",
        "notebookDocument/didOpen", "window/workDoneProgress/cancel", "no/such",
    ]
)  # fmt: skip
messages = st.one_of(
    st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0"), "method": methods, "params": json_values},
        optional={"id": json_values},
    ).map(lambda message: json.dumps(message).encode()),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.binary(min_size=1, max_size=40),
)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_message_ends_the_server_or_leaves_a_request_unanswered():
    pipe = Pipe()
    pipe.initialize()
    counter = iter(range(10**9))

    @settings(max_examples=10_000, deadline=None)
    @given(messages)
    def one(body: bytes) -> None:
        pipe.send(body)
        # The answer to what follows shows that the server lives and has dealt with it.
        request_id = f"after-{next(counter)}"
        check = {"jsonrpc": "2.0", "id": request_id, "method": "keyturn/ping", "params": None}
        pipe.send(json.dumps(check).encode())
        data = _as_request(body)
        waiting = [request_id] if data is None else [data, request_id]
        while waiting:
            message = pipe.receive()
            if "method" not in message and message.get("id") in waiting:
                waiting.remove(message["id"])

    one()
    assert pipe.close() == 0


def _as_request(body: bytes) -> int | str | None:
    """The id that must be answered to, if the message is a request with a usable one."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or "method" not in data:
        return None
    request_id = data.get("id")
    if isinstance(request_id, float) and request_id.is_integer():
        return int(request_id)
    if isinstance(request_id, bool) or not isinstance(request_id, int | str):
        return None
    return request_id


def test_importing_the_language_server_loads_no_torch_and_no_folder_but_the_words():
    code = (
        "import sys, keyturn.lsp.server\n"
        "bad = [name for name in sys.modules if name.split('.')[0] in ('torch', 'transformers')"
        " or name.startswith('keyturn.') and not name.startswith(('keyturn.lsp', 'keyturn.api'))]\n"
        "sys.exit(', '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


async def test_a_notification_with_a_huge_length_is_read_past():
    process = await asyncio.create_subprocess_exec(
        *SERVER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}
    ).encode()
    size = 65 * 1024 * 1024
    process.stdin.write(b"Content-Length: %d\r\n\r\n" % size + b" " * size)
    process.stdin.write(b"nonsense\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    header = await process.stdout.readuntil(b"\r\n\r\n")
    assert b"Content-Length" in header
    process.stdin.close()
    await process.stdout.read()
    assert await process.wait() == 0
