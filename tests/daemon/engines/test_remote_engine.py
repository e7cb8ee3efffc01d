"""Whatever a server says, somebody answers, and the status says who and why."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from keyturn.api.report import Completion
from keyturn.api.request import CompletionOptions, CompletionRequest
from keyturn.cache.errors import InputError
from keyturn.daemon.engines.make_engine import files_maker
from keyturn.daemon.engines.remote_engine import RemoteEngine
from keyturn.daemon.file_text import FileText
from keyturn.daemon.remote.errors import ServerAway
from keyturn.daemon.server.engine import File
from keyturn.daemon.server.jobs import Complete, FileKey
from keyturn.lsp.backend import BackendState, Phase
from keyturn.models.errors import ModelError
from support.daemon.completions_server import Token, Written, serving
from support.daemon.small_engine import TinyEngine, job_for, suggestion
from support.until import until

FILE = File(FileKey(1, "file:///a.py"), "python", 1, FileText.of("x = "))


@contextmanager
def engine(name: str) -> Iterator[RemoteEngine]:
    made = RemoteEngine(name, files_maker(name, 2048), TinyEngine, lambda state: None, tuple)
    try:
        yield made
    finally:
        made.close()


def answered(engine: RemoteEngine) -> str:
    request = CompletionRequest(FILE.key.uri, 1, 4, options=CompletionOptions(deadline_ms=5_000))
    (found,) = engine.complete(FILE, job_for(request, FILE.key))
    return found.text


@pytest.mark.parametrize(
    "event",
    [
        '{"choices":["abc"]}',
        '{"choices":5}',
        '{"choices":[{"text":"a","logprobs":[1]}]}',
        '{"choices":[{"text":"a","logprobs":{"top_logprobs":[{"a":null,"b":null}]}}]}',
        "[" * 100_000,
    ],
)
def test_a_server_that_says_nonsense_is_left_alone_and_the_local_engine_answers(event: str) -> None:
    with (
        serving(Written([[]], raw=f"data: {event}\n\n")) as written,
        engine(f"openai+{written.url}/v1") as remote,
    ):
        assert answered(remote) in (suggestion(1, 4, "x = "), "")
        before = time.monotonic()
        assert answered(remote) in (suggestion(1, 4, "x = "), "")
        assert time.monotonic() - before < 2


def test_a_server_with_a_model_that_nobody_can_ask_is_said_to_have_one() -> None:
    with (
        serving(Written([[]], model="gpt-9")) as written,
        engine(f"openai+{written.url}/v1") as remote,
    ):
        assert answered(remote) == suggestion(1, 4, "x = ")
        status = remote.status()
        assert "gpt-9" in status["server"]["problem"]
        assert not status["server"]["available"]
        assert status["fallback"] == {"model": "tiny", "answered": 1}


def test_a_server_that_is_not_there_is_not_waited_for() -> None:
    with engine("http://127.0.0.1:9") as remote:
        assert answered(remote) == suggestion(1, 4, "x = ")
        assert "cannot be reached: " in remote.status()["server"]["problem"]
        assert not remote.status()["server"]["problem"].endswith(": ")


class Hurried(TinyEngine):
    """Notes how much time it was left."""

    left: float = -1.0

    def complete(self, file: File, job: Complete) -> list[Completion]:
        self.left = job.deadline - time.monotonic()
        return super().complete(file, job)


def test_a_server_that_is_slow_leaves_the_local_engine_some_of_the_time() -> None:
    local = Hurried()
    with serving(Written([[Token("x")]], pause=30.0)) as written:
        name = f"openai+{written.url}/v1"
        remote = RemoteEngine(name, files_maker(name, 2048), lambda: local, print, tuple)
        options = CompletionOptions(deadline_ms=1_500)
        request = CompletionRequest(FILE.key.uri, 1, 4, options=options)
        job = Complete(FILE.key, request, time.monotonic() + 1.5, lambda outcome: None)
        assert remote.complete(FILE, job)[0].text == suggestion(1, 4, "x = ")
        assert local.left > 0
        remote.close()


def test_an_environment_in_which_nobody_can_be_asked_is_said_and_the_local_engine_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://x")
    for name in ("http://127.0.0.1:9", "openai+http://127.0.0.1:9/v1"):
        with engine(name) as remote:
            until(lambda: bool(remote.status()["server"]["problem"]), "it is known")
            assert "nonsense" in remote.status()["server"]["problem"]
            assert answered(remote) == suggestion(1, 4, "x = ")


def test_a_family_that_nobody_knows_and_a_token_that_others_can_read_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYTURN_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("KEYTURN_TOKEN", raising=False)
    with engine("openai+http://127.0.0.1:9/v1?family=foo") as remote:
        until(lambda: "'foo'" in remote.status()["server"]["problem"], "it is known")
        assert answered(remote) == suggestion(1, 4, "x = ")
    path = tmp_path / "token"
    path.write_text("secret\n")
    path.chmod(0o644)
    with (
        serving(Written([[Token("x = 1\n")]])) as written,
        engine(f"openai+{written.url}/v1") as remote,
    ):
        until(lambda: "chmod 600" in remote.status()["server"]["problem"], "it is known")
        assert answered(remote) == suggestion(1, 4, "x = ")
        path.chmod(0o600)
        until(lambda: remote.status()["server"]["available"], "it is read again", 30)


def test_questions_with_little_time_say_nothing_about_the_server() -> None:
    with (
        serving(Written([[Token("x = 1\n")]], pause=0.3)) as written,
        engine(f"openai+{written.url}/v1") as remote,
    ):
        until(lambda: bool(remote.status()["server"]["model"]), "it has been looked at")
        options = CompletionOptions(deadline_ms=100)
        request = CompletionRequest(FILE.key.uri, 1, 4, options=options)
        for _ in range(4):
            job = Complete(FILE.key, request, time.monotonic() + 0.1, lambda outcome: None)
            assert remote.complete(FILE, job)[0].text == suggestion(1, 4, "x = ")
        assert remote.status()["server"]["available"]


def local_engine(
    make: Callable[[], TinyEngine], states: list[BackendState]
) -> AbstractContextManager[RemoteEngine]:
    """Behind a server that is not there."""
    name = "http://127.0.0.1:9"
    return closing(RemoteEngine(name, files_maker(name, 2048), make, states.append, tuple))


def ask(remote: RemoteEngine, seconds: float) -> str:
    options = CompletionOptions(deadline_ms=round(seconds * 1e3))
    request = CompletionRequest(FILE.key.uri, 1, 4, options=options)
    job = Complete(FILE.key, request, time.monotonic() + seconds, lambda outcome: None)
    return remote.complete(FILE, job)[0].text


def test_a_local_engine_that_takes_long_to_load_keeps_nobody_longer_than_he_has() -> None:
    gate = threading.Event()

    def make() -> TinyEngine:
        gate.wait(60)
        return TinyEngine()

    with local_engine(make, []) as remote:
        for _ in range(2):
            with pytest.raises(ServerAway, match="is being loaded"):
                ask(remote, 0.2)
        gate.set()
        assert ask(remote, 20.0) == suggestion(1, 4, "x = ")


def test_a_local_engine_that_cannot_be_had_is_said_and_not_tried_with_every_question() -> None:
    tried: list[int] = []

    def make() -> TinyEngine:
        tried.append(1)
        raise ModelError("there is no such model")

    states: list[BackendState] = []
    with local_engine(make, states) as remote:
        for _ in range(3):
            with pytest.raises(ServerAway, match="there is no such model"):
                ask(remote, 5.0)
        assert len(tried) == 1
        assert states[-1].phase is Phase.READY
        assert "there is no such model" in states[-1].message


@pytest.mark.parametrize("url", ["http://", "http://x:99999", "http://x:abc", "http://[::1"])
def test_what_is_no_address_is_said_when_it_is_configured(url: str) -> None:
    with pytest.raises(InputError, match="no server's address"):
        files_maker(url, 2048)
