"""A daemon that is being started while whoever wants it goes, or somebody else wants it stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest

from support.editors.editor import Editor, environment, keyturn
from support.leftovers import left_behind
from support.until import until

TEXT = "first_value = compute()\nfirst_va"


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    environ = environment(tmp_path)
    yield environ
    subprocess.run(keyturn("daemon", "stop"), env=environ, capture_output=True, timeout=60)


def wait_until_one_is_being_started(environ: dict[str, str]) -> None:
    path = Path(environ["KEYTURN_RUNTIME_DIR"], "starting.lock")

    def held() -> bool:
        try:
            filelock.FileLock(path, is_singleton=False).acquire(timeout=0).lock.release()
        except filelock.Timeout:
            return True
        return False

    until(lambda: path.exists() and held(), "a daemon is being started", every=0.001)


def stop(environ: dict[str, str]) -> str:
    done = subprocess.run(
        keyturn("daemon", "stop"), env=environ, capture_output=True, text=True, check=True
    )
    return done.stderr.strip()


def test_stopping_waits_for_a_daemon_that_is_being_started(environ: dict[str, str]):
    with subprocess.Popen(keyturn("daemon", "start"), env=environ, stderr=subprocess.PIPE) as start:
        wait_until_one_is_being_started(environ)
        assert stop(environ) == "stopped"
        assert start.wait() == 0
    assert stop(environ) == "no daemon was running"


@pytest.mark.parametrize("after_ms", [0, 30, 200])
def test_an_editor_killed_while_it_starts_a_daemon_leaves_none_that_stopping_misses(
    environ: dict[str, str], after_ms: int, request: pytest.FixtureRequest
):
    with Editor(environ) as editor:
        wait_until_one_is_being_started(environ)
        time.sleep(after_ms / 1e3)
        editor.kill()
    stop(environ)
    assert left_behind(request.node.nodeid) == []


def test_an_editor_that_leaves_while_it_starts_a_daemon_leaves_none_that_stopping_misses(
    environ: dict[str, str], request: pytest.FixtureRequest
):
    with Editor(environ):
        wait_until_one_is_being_started(environ)
    stop(environ)
    assert left_behind(request.node.nodeid) == []


def test_an_editor_that_shuts_down_starts_no_daemon_again(environ: dict[str, str]):
    with Editor(environ) as editor:
        editor.open(TEXT)
        assert editor.ask(len(TEXT)) == ["lue = compute()"]
        pid = editor.status()["pid"]
        editor.call("shutdown", None)
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
        assert stop(environ) == "no daemon was running"
