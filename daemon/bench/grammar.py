"""The cost of the grammar: time per token, its share of decoding, extra model calls, and opening a
file.

One file of so many lines is completed at several places, without a grammar and under each mode in
turns, greedy and sampled, so that what the machine does meanwhile falls on all alike. Opening is
timed without a model: the whole file once, then again after edits here and there.
"""

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import _options

if TYPE_CHECKING:
    from ..completion.completer import Completer
    from ..completion.request import Found, InfillRequest

PLACES = {"at the cursor": 0.999, "a quarter above it": 0.75, "at the start": 0.01}
TYPED = "value = compute(first, 2)\n"
GREEDY, SAMPLED = "greedy", "sampled"
SAMPLE_TEMPERATURE = 0.8


@dataclass(frozen=True, slots=True)
class Row:
    """One way of decoding, over all places of the text."""

    way: str
    mode: str
    tokens: int
    us_per_token: float  # waited for the grammar
    wall_share: float  # of decoding, spent waiting for the grammar
    overhead: float | None  # decoding time over that without a grammar, minus 1; same tokens only
    model_calls_per_token: float
    refused: int
    restarts: int


@click.command(name="grammar")
@_options.loading("none: only opening.")
@_options.threads
@click.option("--lines", default=2_000, show_default=True, help="Of the file that is opened.")
@click.option("--edits", default=9, type=click.IntRange(1), show_default=True,
              help="To time at each place.")  # fmt: skip
@click.option("--places", default=12, show_default=True, help="Cursors to complete at.")
@click.option("--new-tokens", default=48, show_default=True, help="Of each completion, at most.")
@click.option("--mode", "modes", multiple=True, default=("exact",), show_default=True,
              help="May be given several times.")  # fmt: skip
@_options.as_json
def command(as_json: bool, **options: Any) -> None:
    """Measure what keeping to the grammar costs, per token and per opened file."""
    found = measure(**options)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found["figures"].items():
        click.echo(f"{name:<28}{value:10.3f}")
    for row in found["rows"]:
        click.echo(
            f"{row['way']:<8}{row['mode']:<12}{row['tokens']:>6} tokens"
            f"{row['us_per_token']:>8.0f} µs each{100 * row['wall_share']:>7.2f} % of decoding"
            f"{row['model_calls_per_token']:>7.3f} model calls each"
            f"{row['refused']:>5} refused{row['restarts']:>5} restarts"
        )


def measure(
    model: str,
    device: str,
    dtype: str,
    threads: int,
    lines: int,
    edits: int,
    places: int,
    new_tokens: int,
    modes: tuple[str, ...],
) -> dict[str, Any]:
    """The whole benchmark as one object: figures, rows and what was measured on."""
    figures = opening_ms(source(lines), edits)
    report: dict[str, Any] = {"bench": "grammar", "lines": lines, "figures": figures, "rows": []}
    if model == "none":
        return report
    import torch

    from ...models.loading.loader import load
    from ..completion.completer import Completer, CompleterOptions

    if threads:
        torch.set_num_threads(threads)
    loaded = load(model, device, dtype, settle=True)
    rows = decode(Completer(loaded, CompleterOptions()), source(lines), places, new_tokens, modes)
    figures |= _figures([row for row in rows if row.mode == modes[0]])
    return report | {
        "model": loaded.name,
        "device": str(loaded.model.device),
        "kernels": str(loaded.plan),
        "threads": torch.get_num_threads(),
        "rows": [asdict(row) for row in rows],
    }


def source(lines: int) -> str:
    """Python's own `argparse`, as often as needed, cut after so many lines."""
    page = Path(argparse.__file__).read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join((page * (lines // len(page) + 1))[:lines])


# region Opening


def opening_ms(text: str, edits: int) -> dict[str, float]:
    """Milliseconds until the state at the end of `text` is there: anew, and after an edit."""
    from ...models.grammar.isolate import GrammarProcess

    process = GrammarProcess()
    try:
        process.oracle("warm.py", "python").open("x = 1\n")  # the worker's start is not the file's
        oracle = process.oracle("bench.py", "python")
        found = {"open_ms": _timed_ms(oracle, text)}
        for name, fraction in PLACES.items():
            took = []
            for _ in range(edits):
                at = text.index("\n", int(fraction * (len(text) - 2))) + 1
                indent = text[at : at + len(text[at:]) - len(text[at:].lstrip(" "))]
                text = text[:at] + indent + TYPED + text[at:]
                took.append(_timed_ms(oracle, text))
            found[f"edit_{name.replace(' ', '_')}_ms"] = round(statistics.median(took), 3)
        return found
    finally:
        process.close()


def _timed_ms(oracle: Any, text: str) -> float:
    began = time.perf_counter()
    opening = oracle.open(text)
    took_ms = (time.perf_counter() - began) * 1e3
    assert opening.skipped_lines == 0, opening.reason
    return round(took_ms, 3)


# endregion
# region Decoding


def decode(
    engine: "Completer", text: str, places: int, new_tokens: int, modes: tuple[str, ...]
) -> list[Row]:
    """Complete `text` at some places, in turns without a grammar and under each of `modes`."""
    from ...api.request import GrammarMode

    found: dict[tuple[str, str], list[tuple[Found, Found]]] = {}
    for way, request in _requests(text, places, new_tokens):
        free = engine.complete(request.with_options(grammar=GrammarMode.OFF))
        for mode in modes:
            guided = engine.complete(request.with_options(grammar=GrammarMode(mode)))
            found.setdefault((way, mode), []).append((free, guided))
    return [_row(way, mode, pairs) for (way, mode), pairs in found.items()]


def _requests(text: str, places: int, new_tokens: int) -> "list[tuple[str, InfillRequest]]":
    from ...api.request import CompletionOptions, Sampling
    from ..completion.request import InfillRequest

    lines = text.splitlines(keepends=True)
    code = [n for n, line in enumerate(lines) if line.strip() and n > 20]
    requests = []
    for number, line in enumerate(code[:: max(1, len(code) // places)][:places]):
        start = sum(map(len, lines[:line]))
        indent = len(lines[line]) - len(lines[line].lstrip())
        cursor = start + indent + (number % 3) * (len(lines[line]) - indent) // 3
        request = InfillRequest(
            text[:cursor], text[cursor:], "bench.py", CompletionOptions(max_tokens=new_tokens)
        )
        requests.append((GREEDY, request))
        sampling = Sampling(SAMPLE_TEMPERATURE, seed=number)
        requests.append((SAMPLED, request.with_options(sampling=sampling)))
    return requests


def _row(way: str, mode: str, pairs: "list[tuple[Found, Found]]") -> Row:
    guided = [under for _, under in pairs if under.meta.grammar.mode != "off"]
    tokens = sum(under.meta.generated_tokens for under in guided)
    took_ms = sum(under.meta.grammar.took_ms for under in guided)
    plain = sum(max(1, under.meta.generated_tokens - 1) for under in guided)
    same = [
        under.meta.decode_ms / free.meta.decode_ms
        for free, under in pairs
        if (free.text, free.meta.generated_tokens) == (under.text, under.meta.generated_tokens)
    ]
    return Row(
        way=way,
        mode=mode,
        tokens=tokens,
        us_per_token=round(1e3 * took_ms / max(1, tokens), 1),
        wall_share=round(took_ms / max(1e-9, sum(u.meta.decode_ms for u in guided)), 4),
        overhead=round(statistics.median(same) - 1, 4) if same else None,
        model_calls_per_token=round(
            sum(u.meta.grammar.model_calls for u in guided) / max(1, plain), 4
        ),
        refused=sum(under.meta.grammar.refused for under in guided),
        restarts=sum(under.meta.grammar.restarts for under in guided),
    )


def _figures(rows: list[Row]) -> dict[str, float]:
    """Over all ways of decoding, weighed by their tokens."""
    tokens = max(1, sum(row.tokens for row in rows))

    def mean(name: str) -> float:
        return round(sum(getattr(row, name) * row.tokens for row in rows) / tokens, 4)

    return {name: mean(name) for name in ("us_per_token", "wall_share", "model_calls_per_token")}


# endregion
