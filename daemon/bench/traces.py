"""Recorded editing replayed with a completion at every pause: what each costs, and how stale it is.

A trace is a (gzipped) JSON file with `startContent` and `txns`, each with a `time` and `patches` of
[position, characters deleted, text inserted]; editing-traces (josephg, CC BY 4.0) has some.
"""

import gzip
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..percentile import percentile
from . import _options

if TYPE_CHECKING:
    from ...models.loading.loader import Loaded

REFRESH_TOKENS = 8
NO_TRACE = (
    "name one or more recorded traces: github.com/josephg/editing-traces has some, "
    "two of them are in tests/data/editing-traces of keyturn's repository"
)


@dataclass(frozen=True, slots=True)
class Pause:
    """The patches since the pause before, the cursor after them, and how long nothing happens."""

    patches: tuple[tuple[int, int, str], ...]
    cursor: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Asked:
    """One completion up to its first token, and the idle work after it. Counts in tokens."""

    took_ms: float
    prompt: int
    encoded: int
    carried: int
    by_prefix_cache: int  # what a prefix cache of the same prompts would have encoded
    stale_share: float
    refreshed: int


@click.command(name="traces")
@click.argument("traces", nargs=-1, type=click.Path(exists=True, path_type=Path))
@_options.loading()
@click.option("--context", default=2048, show_default=True, help="Tokens.")
@_options.threads
@click.option("--order", type=click.Choice(["psm", "suffix-first", "spm"]))
@click.option("--pause", "pause_seconds", default=1.0, show_default=True, help="Shortest pause.")
@click.option("--skip", default=0.2, show_default=True, help="Share of a trace to begin after.")
@click.option("--completions", default=300, show_default=True, help="For each trace.")
@click.option("--idle", "idle_seconds", default=2.0, show_default=True,
              help="Longest idle work in one pause; 0 for none.")  # fmt: skip
@_options.as_json
def command(
    traces: tuple[Path, ...],
    model: str,
    device: str,
    dtype: str,
    context: int,
    threads: int,
    order: str | None,
    pause_seconds: float,
    skip: float,
    completions: int,
    idle_seconds: float,
    as_json: bool,
) -> None:
    """Replay recorded editing, with a completion at every pause."""
    if not traces:
        raise click.UsageError(NO_TRACE)
    import torch

    from ...models.loading.loader import load

    if threads:
        torch.set_num_threads(threads)
    loaded = load(model, device, dtype, settle=True)
    figures: dict[str, dict[str, float | None]] = {}
    for path in traces:
        trace = read_trace(path)
        replay = Replay(loaded, trace["startContent"], context, order, idle_seconds)
        asked = replay.run(list(pauses(trace, pause_seconds)), skip, completions)
        figures[path.name.partition(".")[0]] = summary(asked)
    if as_json:
        echoed: dict[str, Any] = {
            "bench": "traces",
            "model": loaded.name,
            "device": str(loaded.model.device),
            "threads": torch.get_num_threads(),
            "figures": figures,
        }
        click.echo(json.dumps(echoed))
        return
    for name, values in figures.items():
        click.echo(name)
        for figure, value in values.items():
            click.echo(f"  {figure:<26} {value}")


def read_trace(path: Path) -> dict[str, Any]:
    """Raises `click.ClickException` for what is not a trace."""
    try:
        data = path.read_bytes()
        trace = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
        if not isinstance(trace["startContent"], str) or not isinstance(trace["txns"], list):
            raise ValueError("its fields have other types")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise click.ClickException(f"{path} is no editing trace: {error}") from error
    return trace


def pauses(trace: dict[str, Any], shortest_seconds: float) -> Iterator[Pause]:
    """The trace cut where nothing happens for `shortest_seconds` or longer."""
    patches: list[tuple[int, int, str]] = []
    last: datetime | None = None
    for change in trace["txns"]:
        now = datetime.fromisoformat(change["time"])
        if last is not None and patches and (now - last).total_seconds() >= shortest_seconds:
            position, _, new = patches[-1]
            yield Pause(tuple(patches), position + len(new), (now - last).total_seconds())
            patches = []
        patches += [(position, deleted, new) for position, deleted, new in change["patches"]]
        last = now
    if patches:
        yield Pause(tuple(patches), patches[-1][0] + len(patches[-1][2]), shortest_seconds)


class Replay:
    """One file's session, driven through a trace."""

    def __init__(
        self, loaded: "Loaded", text: str, context_tokens: int, order: str | None, idle: float
    ) -> None:
        from ...cache.sequence import CachedSequence
        from ...models.prompts.fim import Order, PromptBuilder, PromptOptions
        from ..completion.file_session import FileSession

        self._options = PromptOptions(
            budget_tokens=context_tokens - 64, order=Order(order) if order else None
        )
        self._idle = idle
        sequence = CachedSequence(loaded.model.new_arena(0), most_tokens=context_tokens)
        self._session = FileSession(
            loaded.model, loaded.tokenizer, PromptBuilder(loaded.tokenizer), sequence
        )
        self._session.show(text)
        self._last: tuple[int, ...] = ()

    def run(self, found: list[Pause], skip: float, most: int) -> list[Asked]:
        """Everything is edited; `most` pauses after the first `skip` of them are asked about."""
        begin = int(skip * len(found))
        asked: list[Asked] = []
        for index, pause in enumerate(found[: begin + most]):
            for position, deleted, new in pause.patches:
                self._session.edit(position, position + deleted, new)
            if index >= begin:
                asked.append(self._ask(pause))
        return asked[1:]  # the first has nothing to build on

    def _ask(self, pause: Pause) -> Asked:
        from ...cache.align import common_prefix
        from ..completion.completer import Clock

        clock, session = Clock(), self._session
        planned = session.plan(pause.cursor, self._options)
        session.fill(planned).argmax().item()
        took_ms = clock.lap_ms()
        tokens = planned.prompt.tokens
        same = common_prefix(self._last, tokens)
        self._last = tokens
        share = session.staleness().share
        refreshed, until = 0, time.monotonic() + min(pause.seconds, self._idle)
        while time.monotonic() < until and (count := session.refresh(REFRESH_TOKENS)):
            refreshed += count
        plan = planned.plan
        prefix_cached = max(1, len(tokens) - same)
        return Asked(
            took_ms, len(tokens), plan.encoded, plan.carried, prefix_cached, share, refreshed
        )


def summary(asked: list[Asked]) -> dict[str, float | None]:
    """Percentiles over the completions. Shares are between 0 and 1."""
    took = [each.took_ms for each in asked]
    encoded = [each.encoded for each in asked]
    work = sum(encoded) + sum(each.refreshed for each in asked)
    return {
        "completions": len(asked),
        "prompt_tokens": round(statistics.mean(each.prompt for each in asked), 1),
        "first_token_p50_ms": percentile(took, 50),
        "first_token_p95_ms": percentile(took, 95),
        "first_token_p99_ms": percentile(took, 99),
        "encoded_mean": round(statistics.mean(encoded), 2),
        "encoded_p50": percentile(encoded, 50),
        "encoded_p95": percentile(encoded, 95),
        "prefix_cache_encoded_mean": round(statistics.mean(a.by_prefix_cache for a in asked), 2),
        "carried_share": round(sum(a.carried for a in asked) / sum(a.prompt for a in asked), 4),
        "stale_share": round(statistics.mean(each.stale_share for each in asked), 4),
        "refresh_share": round(sum(each.refreshed for each in asked) / work, 4),
    }
