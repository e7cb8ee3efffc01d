"""Processes killed and stopped in the middle of their work, and machines that lack something: no
wrong text, no request without its answer, no process that is left (`tests/conftest.py` looks)."""

import contextlib
import gzip
import json
import os
import random
import resource
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.editors.editor import Editor, environment, keyturn
from support.until import until

TEXT = "first_value = compute()\nsecond = 1\nfirst_va"
REST = "lue = compute()"
TRACE = Path(__file__).parents[1] / "data" / "editing-traces" / "sveltecomponent.json.gz"
ANSWER_SECONDS = 30.0  # of a busy machine; a request's own deadline is 3


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    environ = environment(tmp_path)
    yield environ
    subprocess.run(keyturn("daemon", "stop"), env=environ, capture_output=True, timeout=60)


def answer(editor: Editor, offset: int) -> list[str]:
    """The first suggestion; asked again at one place, an editor gets the others too."""
    began = time.monotonic()
    found = editor.ask(offset)[:1]
    assert time.monotonic() - began < ANSWER_SECONDS
    return found


def until_answered(editor: Editor, offset: int) -> list[str]:
    """A request may be lost with a daemon; one of the next is answered."""
    return until(lambda: answer(editor, offset), "an answer", ANSWER_SECONDS)


def daemon_pid(editor: Editor) -> int:
    return until(lambda: editor.status().get("pid") or 0, "a daemon", ANSWER_SECONDS)


class Replay:
    """A recording that is typed into two editors: the one under trial, and one that has the engine
    in its own process and is left alone, so that it knows what is right."""

    def __init__(self, environ: dict[str, str], trial: Editor, right: Editor) -> None:
        recording = json.loads(gzip.decompress(TRACE.read_bytes()))
        self._patches = [patch for change in recording["txns"] for patch in change["patches"]]
        self._next = 0
        self._environ = environ
        self.trial, self._right = trial, right
        for editor in (trial, right):
            editor.open(recording["startContent"])
        self.cursor = 0
        self.marks = 0

    def type(self, patches: int) -> None:
        for position, deleted, new in self._patches[self._next : self._next + patches]:
            for editor in (self.trial, self._right):
                editor.replace(position, position + deleted, new)
            self.cursor = position + len(new)
        self._next += patches

    def ask(self) -> None:
        """At the cursor; the answer is what is right, or nothing, lost with a daemon."""
        assert answer(self.trial, self.cursor) in (self._right.ask(self.cursor)[:1], [])

    @contextlib.contextmanager
    def marked(self) -> Iterator[list[str]]:
        """Two lines more at the end of the text, whose continuation there is known."""
        self.marks += 1
        end, rest = len(self.trial.text), f" = only_{self.marks:04}()"
        self.trial.replace(end, end, f"\nmark_{self.marks:04}{rest}\nmark_{self.marks:04}")
        yield [rest]
        self.trial.replace(end, len(self.trial.text), "")

    def catch_up(self) -> None:
        """Sooner or later the text is known to whoever answers."""
        with self.marked() as right:
            assert until_answered(self.trial, len(self.trial.text)) == right

    def restart(self) -> None:
        """The editor starts its front again, as editors do, and opens its document there."""
        with contextlib.suppress(BrokenPipeError):
            self.trial.__exit__()
        text = self.trial.text
        self.trial = Editor(self._environ).__enter__()
        self.trial.open(text)


@pytest.mark.parametrize("kills", [6, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.timeout(1800)
def test_killing_daemon_and_front_in_a_replay_costs_no_text(environ: dict[str, str], kills: int):
    choose = random.Random(kills)
    with Editor(environ, "--in-process") as right:
        replay = Replay(environ, Editor(environ).__enter__(), right)
        try:
            for number in range(kills):
                replay.type(choose.randrange(1, 8))
                replay.ask()
                pid = daemon_pid(replay.trial)
                with replay.marked() as right:
                    request = replay.trial.begin(len(replay.trial.text))
                    time.sleep(choose.choice([0.0, 0.0005, 0.002, 0.01]))
                    if number % 3:
                        os.kill(pid, signal.SIGKILL)
                        assert replay.trial.end(request)[:1] in (right, [])
                    else:
                        replay.trial.kill()
                        replay.restart()
                if number % 2:
                    replay.type(choose.randrange(1, 8))  # while nobody listens
                replay.catch_up()
        finally:
            replay.trial.__exit__()


@pytest.mark.slow
def test_a_daemon_that_stands_still_costs_suggestions_and_nothing_else(environ: dict[str, str]):
    with Editor(environ, "--in-process") as right, Editor(environ) as trial:
        replay = Replay(environ, trial, right)
        replay.type(40)
        replay.catch_up()
        pid = daemon_pid(trial)
        os.kill(pid, signal.SIGSTOP)
        until = time.monotonic() + 15
        requests = 0
        while time.monotonic() < until:
            replay.type(2)
            replay.ask()
            requests += 1
        os.kill(pid, signal.SIGCONT)
        assert requests >= 2
        for _ in range(20):
            replay.type(2)
            replay.catch_up()
        assert daemon_pid(trial) == pid


@pytest.mark.slow
def test_a_front_that_stands_still_hinders_nobody_else_and_goes_on(environ: dict[str, str]):
    with Editor(environ) as stopped, Editor(environ) as other:
        for editor in (stopped, other):
            editor.open(TEXT)
            until_answered(editor, len(TEXT))
        request = stopped.begin(len(TEXT))
        os.kill(stopped.process.pid, signal.SIGSTOP)
        until = time.monotonic() + 15
        while time.monotonic() < until:
            assert answer(other, len(TEXT)) == [REST]
            time.sleep(0.05)
        os.kill(stopped.process.pid, signal.SIGCONT)
        stopped.end(request)
        assert until_answered(stopped, len(TEXT)) == [REST]


def few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def test_with_64_descriptors_those_who_are_served_stay_served(
    environ: dict[str, str], tmp_path: Path
):
    path = str(tmp_path / "run" / "daemon.sock")
    with Editor(environ, preexec=few_files) as editor, contextlib.ExitStack() as crowd:
        editor.open(TEXT)
        assert until_answered(editor, len(TEXT)) == [REST]
        pid = daemon_pid(editor)
        for _ in range(100):  # more than it can have
            link = crowd.enter_context(socket.socket(socket.AF_UNIX))
            link.settimeout(0.1)
            with contextlib.suppress(OSError):
                link.connect(path)
        for number in range(20):
            editor.replace(0, 0, f"# {number}\n")
            assert answer(editor, len(editor.text)) == [REST]
        crowd.close()
        with Editor(environ) as later:
            later.open(TEXT)
            assert until_answered(later, len(TEXT)) == [REST]
            assert daemon_pid(later) == pid


@pytest.fixture
def bare() -> Iterator[dict[str, str]]:
    """An environment of nothing but the path, and a folder for temporary files: a short one, as a
    user's is, in which a socket fits."""
    kept = {name: os.environ[name] for name in ("PATH", "KEYTURN_TEST_RUN", "PYTEST_CURRENT_TEST")}
    with tempfile.TemporaryDirectory(prefix="bare") as folder:
        yield {**kept, "TMPDIR": folder, "KEYTURN_MODEL_NAME": "lookup"}


@pytest.mark.parametrize(
    "folders",
    [
        {"HOME": "/proc/no-such-home"},
        {"KEYTURN_STATE_DIR": "/proc/read-only", "KEYTURN_CONFIG_DIR": "/proc/read-only"},
    ],
    ids=["a home that cannot be made", "a state folder that cannot be written"],
)
def test_without_a_place_for_files_of_its_own_it_serves(
    bare: dict[str, str], folders: dict[str, str]
):
    environ = bare | folders
    try:
        with Editor(environ) as editor:
            editor.open(TEXT)
            assert until_answered(editor, len(TEXT)) == [REST]
            os.kill(daemon_pid(editor), signal.SIGKILL)
            assert until_answered(editor, len(TEXT)) == [REST]
    finally:
        subprocess.run(keyturn("daemon", "stop"), env=environ, check=True, capture_output=True)
