"""What is felt while typing: from a key to the whole suggestion, at every pause of a typist.

Stretches are taken out of real files and typed again through `keyturn lsp`, in bursts of keys with
a pause after each, at which an inline completion is asked for. The same states are put to
llama.cpp's server as llama.vim asks it. What was suggested before and is typed along is served from
what is known, without a model; those pauses are told apart.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import click

from ..percentile import percentile
from ..workspace.language import language_of
from . import _options
from ._peers.front import KEYTURN, Front, environment
from ._peers.llama_cpp import LlamaServer
from ._typing.picture import draw
from ._typing.strokes import Gaps
from ._typing.typists import Keyturn, LlamaVim, Resting, Shown

OURS, THEIRS = "keyturn", "llama.cpp"
PERCENTILES = (50, 90, 95, 99)
CONTEXT_TOKENS = 8192  # of llama.cpp's server: room for what llama.vim sends
CACHE_REUSE = 256
DRAFTS = ("--spec-type", "ngram-simple")
FEWEST_PAUSES = 200
FEW = f"{{}} pauses judge nothing: use more --stretches or files, for {FEWEST_PAUSES} or more"


@dataclass(frozen=True, slots=True)
class Row:
    """One pause for one engine. `right`: what it suggests is the rest of the line. `known`: it had
    been suggested before, and typed along."""

    file: str
    pause: int
    engine: str
    ms: float
    known: bool
    shown: bool
    right: bool


@click.command(name="typing")
@_options.code_files
@_options.loading()
@click.option("--stretches", default=8, type=click.IntRange(1), show_default=True,
              help="Of each file, taken out and typed again.")  # fmt: skip
@click.option("--pause-seconds", default=0.4, show_default=True, help="To look at a suggestion.")
@_options.threads
@_options.llama_cpp
@_options.plot
@_options.as_json
def command(
    files: tuple[Path, ...],
    model: str,
    device: str,
    dtype: str,
    stretches: int,
    pause_seconds: float,
    threads: int,
    llama_server: Path | None,
    llama_model: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure how long a suggestion takes while FILES are typed, and how often it is right.

    A stretch is a few lines, taken out of its file and typed again; a pause comes after every few
    keys. A daemon of its own is started for it, and the project that a file is in counts as always.

    \b
    known   the last suggestion is being typed along: no model is asked
    asked   a model is asked; keyturn's times have the language server, the daemon
            and the wait for the next key in them, llama.cpp's only its server
    shown   something is suggested
    right   what is suggested is exactly the rest of the line
    """
    gguf = _gguf(model, llama_model) if llama_server else None
    rows: list[Row] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keyturn-")))
        world = environment(folder, model)
        world |= {"KEYTURN_MODEL_DEVICE": device, "KEYTURN_MODEL_DTYPE": dtype}
        world |= {"OMP_NUM_THREADS": str(threads)} if threads else {}
        daemon = [*KEYTURN, "daemon"]
        subprocess.run([*daemon, "start"], env=world, check=True, capture_output=True)
        stack.callback(subprocess.run, [*daemon, "stop"], env=world, capture_output=True)
        front = stack.enter_context(Front(world))
        front.wait_until_ready(settled=True)
        server = None
        if llama_server and gguf:
            server = stack.enter_context(
                LlamaServer(llama_server, gguf, CONTEXT_TOKENS, threads, CACHE_REUSE, DRAFTS)
            )
        for path in files:
            for row in _typed(path.absolute(), front, server, stretches, pause_seconds):
                rows.append(row)
                if as_json:
                    click.echo(json.dumps(asdict(row)), err=True)
    figures = {engine: _figures(rows, engine) for engine in _engines(rows)}
    found = {"bench": "typing", "engines": figures, "ratios": ratios(rows)}
    if plot:
        draw({engine: [r.ms for r in rows if r.engine == engine] for engine in figures}, plot)
    click.echo(json.dumps(found) if as_json else "\n".join(_lines(found)))
    if (count := sum(row.engine == OURS for row in rows)) < FEWEST_PAUSES:
        click.echo(FEW.format(count), err=True)


def _gguf(model: str, chosen: Path | None) -> Path:
    if chosen:
        return chosen
    from ...models.hub.cache_folder import cache_folder
    from ...models.hub.download import obtain
    from ...models.hub.progress import Progress
    from ...models.hub.registry import find

    return _options.llama_file(obtain(find(model), cache_folder(), Progress(None)).path, None)


def _typed(
    path: Path, front: Front, server: LlamaServer | None, stretches: int, pause_seconds: float
) -> Iterator[Row]:
    """Every pause of a file, by one engine and then by the other, which rests meanwhile."""
    gaps = Gaps(path.read_text(encoding="utf-8"), stretches, Random(path.name))
    if not gaps.typed:
        raise click.ClickException(
            f"{path} is too short: give it fewer --stretches, or a longer one"
        )
    ours = Keyturn(front, path, language_of(path.name).id, gaps.text)
    theirs = LlamaVim(server) if server else None
    pid = front.status()["pid"]
    number = 0
    for stretch in range(len(gaps.typed)):
        pauses = list(gaps.pauses(stretch))
        for count, pause in enumerate(pauses, number):
            shown = ours.pause(pause)
            yield _row(path, count, OURS, shown, pause.rest)
            time.sleep(pause_seconds)
        if theirs:
            with Resting(pid):
                for count, pause in enumerate(pauses, number):
                    yield _row(path, count, THEIRS, theirs.pause(pause), pause.rest)
        number += len(pauses)
    ours.close()


def _row(path: Path, number: int, engine: str, shown: Shown, rest: str) -> Row:
    said = shown.text.partition("\n")[0].rstrip()
    is_right = bool(shown.text) and said == rest.rstrip()
    is_shown = bool(shown.text.strip())
    return Row(path.name, number, engine, shown.ms, shown.known, is_shown, is_right)


def _engines(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.engine for row in rows))


def _figures(rows: Sequence[Row], engine: str) -> dict[str, dict[str, Any]]:
    """Of all pauses, of those whose suggestion was known, and of those that asked a model."""
    own = [row for row in rows if row.engine == engine]
    parts = {
        "all": own,
        "known": [row for row in own if row.known],
        "asked": [row for row in own if not row.known],
    }
    return {name: _part(part) for name, part in parts.items() if part}


def _part(rows: Sequence[Row]) -> dict[str, Any]:
    times = [row.ms for row in rows]
    return {
        "pauses": len(rows),
        **{f"p{each}_ms": percentile(times, each) for each in PERCENTILES},
        "shown": round(sum(row.shown for row in rows) / len(rows), 3),
        "right": round(sum(row.right for row in rows) / len(rows), 3),
    }


def ratios(rows: Sequence[Row]) -> dict[str, float]:
    """llama.cpp ÷ keyturn: of all pauses, and of those at which both ask a model."""
    known = {(row.file, row.pause) for row in rows if row.known}
    asked = [row for row in rows if (row.file, row.pause) not in known]
    found = {}
    for name, chosen, each in (
        ("typing_p50_vs_llama_cpp", rows, 50),
        ("typing_p95_vs_llama_cpp", rows, 95),
        ("asked_p50_vs_llama_cpp", asked, 50),
    ):
        ours, theirs = (
            percentile([row.ms for row in chosen if row.engine == engine], each)
            for engine in (OURS, THEIRS)
        )
        if ours and theirs:
            found[name] = round(theirs / ours, 2)
    return found


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{'':<18}{'pauses':>7}"
        + "".join(f"{f'p{p} ms':>10}" for p in PERCENTILES)
        + (f"{'shown':>8}{'right':>8}")
    )
    for engine, parts in found["engines"].items():
        for name, part in parts.items():
            times = "".join(f"{part[f'p{each}_ms']:>10.1f}" for each in PERCENTILES)
            label = f"{engine} {name}"
            yield f"{label:<18}{part['pauses']:>7}{times}{part['shown']:>8.2f}{part['right']:>8.2f}"
    for name, ratio in found["ratios"].items():
        yield f"{name:<26} {ratio:.2f}"
