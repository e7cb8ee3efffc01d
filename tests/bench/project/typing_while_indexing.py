"""What indexing a project in the background takes from typing in it.

    python tests/bench/project/typing_while_indexing.py --files 20000 [--rounds 60]

Generates the project of index.py and types in one of its files while the daemon's indexer
reads it: a pause, in which it works, then a burst of keys, each timed until the model's first
token. In every other round the indexer is stopped by a signal, so that what else the machine does
falls on both alike. Prints medians in milliseconds, of the first key of a burst and of the others,
and their ratios.
"""

import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import click

from keyturn.daemon.bench._project.speaker import CONTEXT_TOKENS, Binding, Speaker
from keyturn.daemon.completion.file_session import FileSession
from keyturn.daemon.project.indexing.indexer import Indexer
from keyturn.lsp.options import Options
from keyturn.models.hub.registry import DEFAULT_MODEL
from keyturn.models.loading.loader import Loaded, load
from keyturn.models.prompts.fim import PromptOptions

sys.path.append(str(Path(__file__).parents[2]))
from bench.project.index import generate, until

PAUSE_SECONDS = 0.4  # longer than the engine waits before it calls it quiet
KEYS = 5  # of a burst
KEY_SECONDS = 0.06  # between two
STOPPED, RUNNING = "stopped", "running"


def burst(session: FileSession, at: int, options: PromptOptions, indexer: Indexer) -> list[float]:
    """Milliseconds from each key to the first token; the text is as it was."""
    took: list[float] = []
    for number in range(KEYS):
        began = time.perf_counter()
        indexer.busy()
        session.edit(at + number, at + number, "x")
        session.fill(session.plan(at + number + 1, options))
        took.append((time.perf_counter() - began) * 1e3)
        time.sleep(KEY_SECONDS)
    session.edit(at, at + KEYS, "")
    return took


def measure(loaded: Loaded, folder: Path, files: int, rounds: int) -> dict[str, Any]:
    root = folder / "project"
    generate(root, files)
    near = sorted((root / "part_0" / "folder_0").glob("*.py"))[0]
    text = near.read_text()
    at = text.index("\n", len(text) // 2)
    options = PromptOptions(CONTEXT_TOKENS)
    session = Speaker(loaded).session(text[:at], text[at:], (), Binding.BOUND)
    session.fill(session.plan(at, options))
    indexer = Indexer(folder / "cache", lambda _: Options())
    until(lambda: indexer.around(near))
    until(lambda: indexer.status().get("indexer"))
    process = int(indexer.status()["indexer"].split()[1])
    first: dict[str, list[float]] = defaultdict(list)
    later: dict[str, list[float]] = defaultdict(list)
    try:
        for number in range(2 * rounds):
            state = (STOPPED, RUNNING)[number % 2]
            os.kill(process, signal.SIGSTOP if state == STOPPED else signal.SIGCONT)
            if state == RUNNING:
                indexer.idle()
            time.sleep(PAUSE_SECONDS)
            one, *others = burst(session, at, options, indexer)
            first[state].append(one)
            later[state] += others
        known = indexer.around(near)
        assert known is not None
        left = files - known.index.status().files
    finally:
        os.kill(process, signal.SIGCONT)
        indexer.close()
    return {
        "files": files,
        "files_not_read_at_the_end": left,
        "first_key": compared(first),
        "later_keys": compared(later),
    }


def compared(times: dict[str, list[float]]) -> dict[str, float]:
    medians = {state: statistics.median(each) for state, each in times.items()}
    ratio = medians[RUNNING] / medians[STOPPED]
    return {**{state: round(ms, 2) for state, ms in medians.items()}, "ratio": round(ratio, 3)}


@click.command()
@click.option("--model", default=DEFAULT_MODEL, show_default=True)
@click.option("--files", default=20_000, show_default=True)
@click.option("--rounds", default=60, show_default=True, help="With the indexer, and without.")
def command(model: str, files: int, rounds: int) -> None:
    """Print one JSON object."""
    with tempfile.TemporaryDirectory(prefix="keyturn-") as folder:
        click.echo(json.dumps(measure(load(model, settle=True), Path(folder), files, rounds)))


if __name__ == "__main__":
    command()
