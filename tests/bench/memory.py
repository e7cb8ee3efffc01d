"""Resident memory of the daemon and a front over many edits and completions.

    python tests/bench/memory.py --rounds 2000 --model qwen2.5-coder-0.5b

Every round edits one place of a file and asks for a completion at another; the file keeps its
length. The first tenth of the rounds, in which caches fill, is not counted; behind it, the daemon
is given the time to pack its kernels, which it does once while nobody types. Needs /proc.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

sys.path.append(str(Path(__file__).parents[1]))

from support.editors.editor import Editor, environment, keyturn

LINE = "result_{0} = compute_{0}(first, second)\n"
MOST_CHARACTERS = 4_000
SAMPLES = 10


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(environ: dict[str, str], rounds: int) -> dict[str, Any]:
    """Bytes that the processes have grown by, and samples on the way."""
    choose = random.Random(1)
    with Editor(environ) as editor:
        editor.open("".join(LINE.format(number) for number in range(80)))
        while editor.status().get("phase") != "ready":
            time.sleep(0.1)
        pids = {"daemon": editor.status()["pid"], "front": editor.process.pid}
        answered = 0

        def work(count: int) -> None:
            nonlocal answered
            for _ in range(count):
                place = choose.randrange(len(editor.text) - 1)
                if len(editor.text) > MOST_CHARACTERS:
                    editor.replace(place, place + 1, "")
                else:
                    editor.replace(place, place, choose.choice("ab \n"))
                answered += bool(editor.ask(choose.randrange(len(editor.text)), invoked=False))

        work(rounds // 10)
        while not (engine := editor.status()["engine"]) or engine.get("kernels_to_pack"):
            time.sleep(1)  # busy, or with kernels that are packed while nobody types
        samples = [{name: resident_bytes(pid) for name, pid in pids.items()}]
        for _ in range(SAMPLES):
            work(rounds // SAMPLES)
            samples.append({name: resident_bytes(pid) for name, pid in pids.items()})
        requests = editor.status()["requests"]
    return {
        "rounds": rounds,
        "suggestions": answered,
        "requests": requests,
        "start_mb": {name: round(samples[0][name] / 1e6, 1) for name in pids},
        "growth_mb": {
            name: round((samples[-1][name] - samples[0][name]) / 1e6, 2) for name in pids
        },
        "samples_mb": [{name: round(each[name] / 1e6, 1) for name in pids} for each in samples],
    }


@click.command()
@click.option("--rounds", default=2_000, show_default=True)
@click.option("--model", default="qwen2.5-coder-0.5b", show_default=True)
@click.option("--max-tokens", default=8, show_default=True, help="Of each completion.")
def command(rounds: int, model: str, max_tokens: int) -> None:
    """Print how much the processes have grown."""
    with tempfile.TemporaryDirectory(prefix="keyturn-") as folder:
        limits = {
            "KEYTURN_COMPLETION_MAX_TOKENS": str(max_tokens),
            "KEYTURN_COMPLETION_DEADLINE_MS": "120000",
        }
        environ = environment(Path(folder), model, **limits)
        try:
            click.echo(json.dumps(measure(environ, rounds)))
        finally:
            subprocess.run(keyturn("daemon", "stop"), env=environ, capture_output=True)


if __name__ == "__main__":
    command()
