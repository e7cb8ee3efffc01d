"""Whatever a server says, somebody answers, and the status says who and why."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from keyturn.api.report import Completion
from keyturn.api.request import CompletionOptions, CompletionRequest
from keyturn.cache.errors import InputError
from keyturn.daemon.engines.make_engine import files_maker
from keyturn.daemon.engines.remote_engine import RemoteEngine
from keyturn.daemon.file_text import FileText
from keyturn.daemon.server.engine import File
from keyturn.daemon.server.jobs import Complete, FileKey
from support.daemon.completions_server import Token, Written, serving
from support.daemon.small_engine import TinyEngine, job_for, suggestion

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


@pytest.mark.parametrize("url", ["http://", "http://x:99999", "http://x:abc", "http://[::1"])
def test_what_is_no_address_is_said_when_it_is_configured(url: str) -> None:
    with pytest.raises(InputError, match="no server's address"):
        files_maker(url, 2048)
