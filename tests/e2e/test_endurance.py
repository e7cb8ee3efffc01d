"""The service under load for a while: killed again and again, and watched for leaks."""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.editors.editor import Editor, environment, keyturn
from support.until import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

LINE = "result_{0} = compute_{0}(first, second)\n"
GROWTH_BYTES = 16 * 1024 * 1024


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    environ = environment(tmp_path)
    yield environ
    subprocess.run(keyturn("daemon", "stop"), env=environ, capture_output=True, timeout=60)


def ask_until_answered(editor: Editor, offset: int) -> list[str]:
    """A request may be lost with a daemon; the next one, or the one after it, is answered."""
    return until(lambda: editor.ask(offset), "an answer")


def type_for_a_while(environ: dict[str, str], seed: int, done: threading.Event) -> int:
    """Edit and ask; at the end the suggestion must be of what was typed last. Requests made."""
    choose = random.Random(seed)
    requests = 0
    with Editor(environ) as editor:
        editor.open("".join(LINE.format(number) for number in range(20)))
        while not done.is_set():
            place = choose.randrange(len(editor.text))
            editor.replace(place, place, choose.choice(["x", "\n", "é", "😀", "# note\n"]))
            editor.ask(len(editor.text))
            requests += 1
        unique = f"marker_{seed} = only_here_{seed}()\nmarker_{seed}"
        editor.replace(len(editor.text), len(editor.text), "\n" + unique)
        assert ask_until_answered(editor, len(editor.text)) == [f" = only_here_{seed}()"]
    return requests


def test_killing_the_daemon_again_and_again_under_load_loses_no_text(environ: dict[str, str]):
    done = threading.Event()
    results: list[int] = []
    typists = [
        threading.Thread(
            target=lambda seed=seed: results.append(type_for_a_while(environ, seed, done))
        )
        for seed in range(4)
    ]
    with Editor(environ) as observer:
        observer.open("a")
        for typist in typists:
            typist.start()
        pids: set[int] = set()
        for _ in range(5):
            (pid,) = until(lambda: {observer.status().get("pid") or 0} - {0, *pids}, "a new daemon")
            pids.add(pid)
            time.sleep(0.5)  # under load
            os.kill(pid, signal.SIGKILL)
        done.set()
        for typist in typists:
            typist.join()
    assert len(results) == 4
    assert all(requests > 10 for requests in results)


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_ten_thousand_edits_and_completions_leave_memory_as_it_was(
    environ: dict[str, str], record_property: Callable[[str, object], None]
):
    choose = random.Random(1)
    with Editor(environ) as editor:
        editor.open("".join(LINE.format(number) for number in range(200)))

        def work(rounds: int) -> None:
            for _ in range(rounds):
                place = choose.randrange(len(editor.text) - 1)
                if len(editor.text) > 10_000:
                    editor.replace(place, place + 1, "")
                else:
                    editor.replace(place, place, choose.choice("ab \n"))
                editor.ask(len(editor.text))

        work(2_000)  # caches fill
        daemon = editor.status()["pid"]
        before = [resident_bytes(pid) for pid in (daemon, editor.process.pid)]
        work(10_000)
        after = [resident_bytes(pid) for pid in (daemon, editor.process.pid)]
    growth = [b - a for a, b in zip(before, after, strict=True)]
    record_property("daemon_growth_bytes", growth[0])
    record_property("front_growth_bytes", growth[1])
    print(f"grown by {growth[0] / 1e6:.1f} MB (daemon), {growth[1] / 1e6:.1f} MB (front)")
    assert all(grown < GROWTH_BYTES for grown in growth)
