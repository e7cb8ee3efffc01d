"""A team's server as it is: Ray Serve with two replicas, users with tokens, HTTP."""

import asyncio
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from keyturn.api.request import CompletionOptions, CompletionRequest
from keyturn.daemon.bench._team.judged import figures
from keyturn.daemon.bench._team.own_server import OwnServer, free_port, own_server
from keyturn.daemon.bench._team.typist import Asked, Typist
from keyturn.daemon.bench.team import locally, texts
from keyturn.daemon.remote.messages import (
    FILE_HEADER,
    MOST_BODY_BYTES,
    REPLICA_HEADER,
    Answered,
    Ask,
    Changed,
    FileState,
    Step,
    Whole,
    digest_of,
    key_of,
    pack,
    unpack,
)
from keyturn.lsp.backend import TextEdit
from support.daemon.door import door
from support.editors.editor import Editor, environment, keyturn
from support.until import until

USERS = ("ann", "bob", "eve")
METRICS_PORT = free_port()
SECRET = "xylophone_of_the_board"
TEXT = f"def one():\n    return {SECRET}\n\n\ndef two():\n    ret"


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with tempfile.TemporaryDirectory(prefix="kt") as folder:  # short: it is a socket's path, too
        temporary = {"RAY_TMPDIR": folder}
        more = ["--metrics-port", str(METRICS_PORT)]
        with own_server(Path(folder), "lookup", USERS, 2, temporary, more=more) as server:
            yield server


def state(text: str, revision: int = 1) -> FileState:
    return FileState("a.py", "python", revision, digest_of(text), Whole(text))


def post(
    server: OwnServer,
    message: FileState | Ask | None,
    path: str = "complete",
    user: str | None = "ann",
    key: str = "a.py",
    **more: Any,
) -> httpx2.Response:
    body, headers = (b"", {}) if message is None else pack(message)
    if user is not None:
        headers["authorization"] = f"Bearer {server.tokens.get(user, user)}"
    headers[FILE_HEADER] = key_of(key)
    headers |= more.pop("headers", {})
    content = more.pop("content", body)
    return httpx2.post(f"{server.url}/v1/{path}", content=content, headers=headers, timeout=30)


def ask(text: str, revision: int = 1) -> Ask:
    options = CompletionOptions(deadline_ms=10_000)
    return Ask(state(text, revision), CompletionRequest("", 0, len(text), options=options))


def said(response: httpx2.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [each.text for each in unpack(response.content, None, Answered).completions]


def test_who_has_a_token_is_answered_and_told_who_answers(server: OwnServer) -> None:
    assert said(post(server, ask(TEXT))) == [f"urn {SECRET}"]
    assert httpx2.get(f"{server.url}/healthz").json() == {"ok": True}
    headers = {"authorization": f"Bearer {server.tokens['ann']}"}
    about = httpx2.get(f"{server.url}/v1/about", headers=headers).json()
    assert about["model"] == "lookup"


@pytest.mark.parametrize("path", ["complete", "edit", "close"])
@pytest.mark.parametrize("user", [None, "wrong", "Bearer"])
def test_without_a_valid_token_nothing_is_done(
    server: OwnServer, path: str, user: str | None
) -> None:
    message = None if path == "close" else ask(TEXT) if path == "complete" else state(TEXT)
    response = post(server, message, path, user)
    assert response.status_code == 401
    assert "token" in response.json()["error"]
    assert httpx2.get(f"{server.url}/v1/about").status_code == 401


def test_a_file_of_another_user_is_not_there_whatever_its_key(server: OwnServer) -> None:
    assert post(server, state(TEXT), "edit", "ann", "shared").status_code == 204
    longer = TEXT + "u"
    change = Changed(1, (Step(2, (TextEdit(len(TEXT), len(TEXT), "u"),)),))
    theirs = FileState("a.py", "python", 2, digest_of(longer), change)
    request = CompletionRequest("", 0, len(longer))
    response = post(server, Ask(theirs, request), user="eve", key="shared")
    assert response.status_code == 409
    assert SECRET not in response.text
    assert said(post(server, ask("def two():\n    ret"), user="eve", key="shared")) == [""]
    assert said(post(server, Ask(theirs, request), user="ann", key="shared")) == [f"rn {SECRET}"]


def test_files_are_spread_over_the_replicas_and_stay_there(server: OwnServer) -> None:
    files = [(user, f"{number}.py") for user in USERS for number in range(4)]

    def replica(file: tuple[str, str]) -> str:
        user, key = file
        return post(server, ask(TEXT), user=user, key=key).headers[REPLICA_HEADER]

    found: set[tuple[tuple[str, str], str]] = set()
    with ThreadPoolExecutor(len(files)) as pool:  # all at once
        for _ in range(3):
            found |= set(zip(files, pool.map(replica, files), strict=True))
    assert len(found) == 12
    counts = Counter(where for _, where in found)
    assert len(counts) == 2
    assert min(counts.values()) >= 4


def test_a_server_completes_with_what_a_users_project_defines(
    server: OwnServer, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (project / "shapes.py").write_text("def area_of_the_circle(radius, unit): ...\n")
    text = "from shapes import area_of_the_circle\n\nround = area_of_the_circle("
    (project / "main.py").write_text(text)
    environ = environment(
        tmp_path,
        server.url,
        KEYTURN_TOKEN=server.tokens["ann"],
        KEYTURN_MODEL_FALLBACK="",
        KEYTURN_CACHE=str(tmp_path / "cache"),
    )
    with Editor(environ, uri=(project / "main.py").as_uri()) as editor:
        editor.open(text)

        def shown() -> bool:
            time.sleep(0.5)  # whoever types all the time is shown nothing new
            return editor.ask(len(text)) == ["radius, unit):"]

        until(shown, "it is shown", 60)
        assert editor.status()["engine"]["project"]["projects"]
        settings = {"settings": {"keyturn": {"project": False}}}
        editor.notify("workspace/didChangeConfiguration", settings)
        editor.replace(len(text), len(text), "r")
        assert editor.ask(len(text) + 1) == []  # at once
    subprocess.run(keyturn("daemon", "stop"), env=environ, check=True, timeout=60)


def test_the_local_engine_answers_while_the_server_is_away(
    server: OwnServer, tmp_path: Path
) -> None:
    """It goes away in the middle of typing, and comes back: nobody stops typing for it."""
    text = "def one():\n    return total\n\n\ndef two():\n    ret"
    with door(server.url) as way:
        environ = environment(
            tmp_path,
            way.url,
            KEYTURN_TOKEN=server.tokens["ann"],
            KEYTURN_MODEL_FALLBACK="lookup",
        )
        with Editor(environ) as editor:
            editor.open(text)
            assert editor.ask(len(text)) == ["urn total"]
            assert told(editor)["server"]["answered"] == 1
            editor.replace(len(text), len(text), "u")
            way.shut()
            assert editor.ask(len(editor.text)) == ["rn total"]
            away = told(editor)
            assert away["fallback"] == {"model": "lookup", "answered": 1}
            assert not away["server"]["available"]
            assert "cannot be reached" in message(editor)
            assert "lookup answers" in message(editor)
            shown = subprocess.run(
                keyturn("daemon", "status"), env=environ, capture_output=True, text=True, check=True
            ).stdout
            assert "server     cannot be reached" in shown
            assert "fallback   lookup; 1 answered" in shown
            editor.replace(len(editor.text), len(editor.text), "r")
            assert editor.ask(len(editor.text)) == ["n total"]
            way.open()
            until(lambda: told(editor)["server"]["available"], "the server is used again", 90)
            assert message(editor) == ""
            editor.replace(len(editor.text) - 1, len(editor.text), "")
            assert editor.ask(len(editor.text)) == ["rn total"]
            assert told(editor)["server"]["answered"] == 2
        subprocess.run(keyturn("daemon", "stop"), env=environ, check=True, timeout=60)


def told(editor: Editor) -> dict[str, Any]:
    """What the daemon says of its engine."""
    return editor.status()["engine"]


def message(editor: Editor) -> str:
    """What the status bar says beside the model's name."""
    editor.status()  # and all that was sent before it
    states = [note["params"] for note in editor.notes if note.get("method") == "keyturn/status"]
    return states[-1]["message"]


def test_what_was_closed_is_wanted_whole(server: OwnServer) -> None:
    assert post(server, state(TEXT), "edit", key="closed").status_code == 204
    same = FileState("a.py", "python", 1, digest_of(TEXT), Changed(1, ()))

    def forgotten() -> bool:  # once Serve knows which replica has it
        assert post(server, None, "close", key="closed").status_code == 204
        return post(server, same, "edit", key="closed").status_code == 409

    until(forgotten, "the file is forgotten", 20)
    assert post(server, state(TEXT), "edit", key="closed").status_code == 204


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"headers": {FILE_HEADER: "../../etc/passwd"}}, 400),
        ({"headers": {"content-type": "text/plain"}}, 415),
        ({"content": b"\xc1"}, 400),
        ({"content": b"\0" * (MOST_BODY_BYTES + 1)}, 413),
    ],
)
def test_what_is_malformed_or_too_large_is_refused(
    server: OwnServer, change: dict[str, Any], status: int
) -> None:
    response = post(server, ask(TEXT), **change)
    assert response.status_code == status
    assert response.json()["error"]


def test_who_sends_a_body_forever_is_cut_off_and_keeps_nobody_waiting(server: OwnServer) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    head = (
        "POST /v1/edit HTTP/1.1\r\nhost: x\r\ncontent-type: application/msgpack\r\n"
        f"authorization: Bearer {server.tokens['eve']}\r\n{FILE_HEADER}: {key_of('slow')}\r\n"
        "content-length: 1000000\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(head.encode())
        slow.settimeout(30)

        def trickle() -> None:
            for _ in range(60):
                try:
                    slow.sendall(b"x")
                except OSError:
                    return
                time.sleep(0.5)

        threading.Thread(target=trickle, daemon=True).start()
        assert said(post(server, ask(TEXT))) == [f"urn {SECRET}"]
        assert b" 408 " in slow.recv(100)


def typed(server: OwnServer, seconds: float) -> list[Asked]:
    async def type_all() -> list[Asked]:
        typists = [
            Typist(user, f"{user}.py", text, server.url, server.tokens[user], seed)
            for seed, (user, text) in enumerate(zip(USERS, texts(len(USERS)), strict=True))
        ]
        end = time.monotonic() + seconds
        await asyncio.gather(*(each.type_until(end) for each in typists))
        for each in typists:
            await each.close()
        return [asked for each in typists for asked in each.asked]

    return asyncio.run(type_all())


def test_answers_are_a_local_engines_also_while_a_replica_is_killed(server: OwnServer) -> None:
    def kill() -> None:
        time.sleep(2)
        victims = server.replicas()
        assert len(victims) == 2
        victims[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    asked = typed(server, 7)
    killer.join()
    found = figures(asked, [], locally())
    assert found["answered"] >= 6
    assert (found["unanswered"], found["wrong"]) == (0, 0), {each.error for each in asked}


def test_prometheus_is_told_what_became_of_the_questions(server: OwnServer) -> None:
    said(post(server, ask(TEXT), key="counted"))

    def counted() -> bool:
        text = httpx2.get(f"http://127.0.0.1:{METRICS_PORT}/metrics", timeout=30).text
        return 'ended="answered"' in text and "ray_keyturn_engine_milliseconds_count" in text

    until(counted, "the counts are there", 60)


def test_no_log_has_any_text(server: OwnServer) -> None:
    folder = Path(str(server.folder))
    logs = [path for path in folder.rglob("*") if path.is_file() and "logs" in path.parts]
    assert any("replica" in path.name for path in logs)
    for path in (*logs, folder / "serve.log"):
        data = path.read_bytes()
        assert SECRET.encode() not in data, path
        assert not any(token.encode() in data for token in server.tokens.values()), path
