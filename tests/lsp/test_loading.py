"""An editor that asks while the model is still being loaded."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from keyturn.daemon.server import jobs
from keyturn.lsp.backend import Phase
from support.daemon.running import Daemon
from support.daemon.small_engine import suggestion
from support.editors.editor import Editor, environment
from support.until import until_async

TEXT = "x = "


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """Loading until the gate is opened."""
    daemon = Daemon(tmp_path / "run", version=version("keyturn"))
    daemon.maker.gate.clear()
    async with daemon:
        yield daemon


@contextmanager
def opened(folder: Path) -> Iterator[Editor]:
    """Its ordinary requests have 100 ms."""
    environ = environment(folder, KEYTURN_COMPLETION_DEADLINE_MS="100")
    with Editor(environ) as editor:
        editor.open(TEXT)
        assert editor.status()["pid"] == os.getpid()  # it has found the daemon
        yield editor


def shown(editor: Editor) -> list[dict[str, Any]]:
    return [each["params"] for each in editor.notes if each.get("method") == "keyturn/status"]


async def until_phase(daemon: Daemon, phase: Phase) -> None:
    await until_async(lambda: daemon.server.state.phase is phase, phase.value)


async def until_asked(daemon: Daemon, begun: threading.Event) -> None:
    """Until the last request is there, and for well beyond an ordinary deadline."""
    await asyncio.to_thread(begun.wait)
    await until_async(daemon.server.engine.backlog, "a request that waits")
    await asyncio.sleep(0.6)


async def test_who_asks_explicitly_is_answered_when_the_model_is_there(
    daemon: Daemon, tmp_path: Path
) -> None:
    begun = threading.Event()

    def session() -> tuple[list[str], list[str], list[dict[str, Any]]]:
        with opened(tmp_path) as editor:
            automatic, request = editor.ask(len(TEXT), invoked=False), editor.begin(len(TEXT))
            begun.set()
            return automatic, editor.end(request), shown(editor)

    done = asyncio.create_task(asyncio.to_thread(session))
    await until_asked(daemon, begun)
    assert not done.done()
    daemon.maker.gate.set()
    automatic, explicit, states = await done
    assert automatic == []
    assert explicit == [suggestion(1, len(TEXT), TEXT)]
    phases = [state["phase"] for state in states]
    assert "loading" in phases
    assert "failed" not in phases
    assert phases[-1] == "ready"


async def test_what_is_typed_meanwhile_takes_the_explicit_request_s_place(
    daemon: Daemon, tmp_path: Path
) -> None:
    begun = threading.Event()

    def session() -> tuple[list[dict[str, Any]], list[str]]:
        with opened(tmp_path) as editor:
            older = editor.begin(len(TEXT))
            editor.replace(len(TEXT), len(TEXT), "1")
            newer = editor.begin(len(TEXT) + 1)
            begun.set()
            found = editor.end(newer)
            return [note for note in editor.notes if note.get("id") == older], found

    done = asyncio.create_task(asyncio.to_thread(session))
    await until_asked(daemon, begun)
    daemon.maker.gate.set()
    [older], newer = await done
    assert "error" in older
    assert newer == [suggestion(2, len(TEXT) + 1, TEXT + "1")]


async def test_a_sleeping_model_is_waited_for_too(daemon: Daemon, tmp_path: Path) -> None:
    def session() -> list[str]:
        with opened(tmp_path) as editor:
            return editor.ask(len(TEXT))

    daemon.maker.gate.set()
    await until_phase(daemon, Phase.READY)
    daemon.server.engine.put(jobs.Free())
    await until_phase(daemon, Phase.ASLEEP)
    daemon.maker.gate.clear()
    done = asyncio.create_task(asyncio.to_thread(session))
    await until_phase(daemon, Phase.LOADING)
    await asyncio.sleep(0.6)
    daemon.maker.gate.set()
    assert await done == [suggestion(1, len(TEXT), TEXT)]
