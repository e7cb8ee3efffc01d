"""The cost of an edit: from the changed text to the model's first token, by ways of caching.

A file of so many tokens with the cursor in its middle is edited again and again at one place, as by
typing, and asked for a completion after each. Everything is timed that lies between: tokenising,
planning, encoding, and the logits after the prompt. Tokens encoded do not depend on the machine.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..percentile import percentile
from . import _options
from ._attending import attending
from ._latencies import Row, draw
from ._peers.llama_cpp import LlamaServer

if TYPE_CHECKING:
    from ...cache.spill import Snapshot
    from ...models.loading.loader import Loaded
    from ...models.prompts.fim import PromptOptions
    from ..completion.file_session import FileSession

PLACES = ("start", "middle", "cursor", "suffix")
TYPED = ("value = compute(first, 2)\n", "if value:\n", "    return None\n")  # nothing to heal
OURS = "keyturn"


@dataclass(frozen=True, slots=True)
class Arm:
    """A way of caching. `order`: of the prompt, empty for the model's own."""

    name: str
    order: str = ""
    correction: str = "turn_query"
    carry: bool = True
    fresh: bool = False


ARMS = (
    Arm("fresh prefill", fresh=True),
    Arm("prefix cache, PSM", "psm", carry=False),
    Arm("prefix cache, suffix first", "suffix-first", carry=False),
    Arm("PIE, keys rewritten, PSM", "psm", "materialise"),
    Arm("segments, PSM", "psm"),
    Arm(OURS),
)


@click.command(name="edit")
@_options.loading()
@_options.contexts(1024, 2048, 4096, 8192)
@_options.threads
@click.option("--place", "places", multiple=True, type=click.Choice(PLACES), default=PLACES,
              show_default=True, help="Of the edit; may be given several times.")  # fmt: skip
@click.option("--arm", "arms", multiple=True,
              help="Only those whose names contain this; may be given several times.")  # fmt: skip
@click.option("--edits", default=18, type=click.IntRange(1), show_default=True,
              help="Edits to time per row.")  # fmt: skip
@click.option("--slow-edits", default=3, type=click.IntRange(1), show_default=True,
              help="As many for a fresh prefill.")  # fmt: skip
@_options.llama_cpp
@_options.plot
@_options.as_json
def command(
    model: str,
    device: str,
    dtype: str,
    contexts: tuple[int, ...],
    threads: int,
    places: tuple[str, ...],
    arms: tuple[str, ...],
    edits: int,
    slow_edits: int,
    llama_server: Path | None,
    llama_model: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure from an edit to the first token, for several ways of caching."""
    import torch

    from ...models.loading.loader import load

    if threads:
        torch.set_num_threads(threads)
    loaded = load(model, device, dtype, settle=True)
    file = _options.llama_file(loaded.files.path, llama_model) if llama_server else None
    wanted = [a for a in ARMS if not arms or any(part in a.name for part in arms)]
    rows: list[Row] = []
    for size in contexts:
        opened = Opened(loaded, source_text(loaded, size), size)
        for place in places:
            for arm in wanted:
                some = slow_edits if arm.fresh or not arm.carry else edits
                rows.append(opened.measured(arm, place, some))
                _show(rows[-1], as_json)
    if llama_server and file:
        for reuse in (0, 64):
            name = "llama.cpp" + (", --cache-reuse 64" if reuse else "")
            most = max(contexts) + 1024
            with LlamaServer(llama_server, file, most, threads, reuse) as server:
                for size in contexts:
                    for place in places:
                        steps = Typing(source_text(loaded, size), place)
                        timed = [server.first_token(p, s) for p, s in steps.take(slow_edits)]
                        rows.append(_row(name, size, place, timed[1:]))  # the first opened it
                        _show(rows[-1], as_json)
    if plot:
        draw(rows, plot)
    if as_json:
        report = {
            "bench": "edit",
            "model": loaded.name,
            "device": str(loaded.model.device),
            "kernels": str(loaded.plan),
            "threads": torch.get_num_threads(),
            "rows": [asdict(row) for row in rows],
            "ratios": ratios(rows),
        }
        click.echo(json.dumps(report))
        return
    for name, value in ratios(rows).items():
        click.echo(f"{name:<28} {value:8.1f}")


class Typing:
    """A text that is edited at one place, with the cursor in its middle."""

    def __init__(self, text: str, place: str):
        self.text = text
        middle = text.index("\n", len(text) // 2) + 1
        self.cursor = middle
        fractions = {"start": 0.01, "middle": 0.25, "cursor": 0.5, "suffix": 0.75}
        self.at = middle
        if place != "cursor":
            self.at = text.index("\n", int(fractions[place] * len(text))) + 1
        self._typed = cycle(TYPED)

    def take(self, count: int) -> Iterator[tuple[str, str]]:
        """The texts before and after the cursor: first unedited, then after each edit."""
        yield self.text[: self.cursor], self.text[self.cursor :]
        for _ in range(count):
            new = next(self._typed)
            self.text = self.text[: self.at] + new + self.text[self.at :]
            if self.at <= self.cursor:
                self.cursor += len(new)
            self.at += len(new)
            yield self.text[: self.cursor], self.text[self.cursor :]


def source_text(loaded: "Loaded", tokens: int) -> str:
    """Python's own `argparse`, as often as needed, cut to about so many tokens at a line."""
    page = Path(argparse.__file__).read_text(encoding="utf-8")
    text, per_token = page, len(page) / len(loaded.tokenizer.encode(page))
    while len(text) < 1.2 * tokens * per_token:
        text += page
    text = loaded.tokenizer.decode(
        loaded.tokenizer.encode(text[: int(tokens * per_token * 1.5)])[:tokens]
    )
    return text[: text.rindex("\n") + 1]


class Opened:
    """A file that is read by the model once for each order of the prompt, for all arms."""

    def __init__(self, loaded: "Loaded", text: str, size: int) -> None:
        self._loaded = loaded
        self._text = text
        self._size = size
        self._caches: dict[str, Snapshot] = {}

    def measured(self, arm: Arm, place: str, edits: int) -> Row:
        from ...models.prompts.fim import Order, PromptOptions

        order = Order(arm.order) if arm.order else None
        options = PromptOptions(budget_tokens=self._size + 512, order=order)
        texts = Typing(self._text, place).take(edits)
        session = self._session(arm, next(texts), options)
        timed: list[tuple[float, int]] = []
        in_attention: list[float] = []
        with attending() as attention_ms:
            for prefix, suffix in texts:
                if arm.fresh:
                    session.sequence.truncate(0)
                attention_ms.clear()
                started = time.perf_counter()
                session.show(prefix + suffix)
                planned = session.plan(len(prefix), options)
                session.fill(planned).argmax().item()
                timed.append(((time.perf_counter() - started) * 1e3, planned.plan.encoded))
                in_attention.append(sum(attention_ms))
        row = _row(arm.name, self._size, place, timed)
        return replace(row, attention_ms=round(statistics.median(in_attention), 2))

    def _session(self, arm: Arm, sides: tuple[str, str], options: "PromptOptions") -> "FileSession":
        """One that holds the unedited file."""
        from ...cache import correction
        from ...cache.plan import Repair
        from ...cache.sequence import CachedSequence
        from ...cache.spill import Snapshot
        from ...models.prompts.fim import PromptBuilder
        from ..completion.file_session import FileSession

        loaded = self._loaded
        sequence = CachedSequence(loaded.model.new_arena(0), getattr(correction, arm.correction))
        builder = PromptBuilder(loaded.tokenizer)
        repair = Repair(carry=arm.carry)
        session = FileSession(loaded.model, loaded.tokenizer, builder, sequence, repair)
        session.show("".join(sides))
        if arm.fresh:
            return session
        if arm.order in self._caches:
            self._caches[arm.order].put_into(sequence)
        else:
            session.fill(session.plan(len(sides[0]), options))
            snapshot = Snapshot.of(sequence, "cpu")
            assert snapshot is not None, "nothing is shared here"
            self._caches[arm.order] = snapshot
        return session


def _row(arm: str, size: int, place: str, timed: list[tuple[float, int]]) -> Row:
    took_ms = [took for took, _ in timed]
    encoded = statistics.median(count for _, count in timed)
    median, late = round(statistics.median(took_ms), 2), round(percentile(took_ms, 95) or 0.0, 2)
    return Row(arm, size, place, median, late, encoded)


def ratios(rows: list[Row]) -> dict[str, float]:
    """How many times faster ours is with the edit at the cursor, and how it grows with length."""
    at_cursor = [row for row in rows if (row.arm, row.place) == (OURS, "cursor")]
    ours = {row.tokens: row.median_ms for row in at_cursor}
    apart = {row.tokens: row.median_ms - row.attention_ms for row in at_cursor}
    found: dict[str, float] = {}
    names = {
        "prefix_cache": "prefix cache, PSM",
        "fresh_prefill": "fresh prefill",
        "rewritten_keys": "PIE, keys rewritten, PSM",
        "llama_cpp": "llama.cpp",
    }
    for name, arm in names.items():
        for row in rows:
            if (row.arm, row.place) == (arm, "cursor") and row.tokens in ours:
                key = f"{name}_{row.tokens // 1024}k"
                found[key] = round(row.median_ms / ours[row.tokens], 2)
    if 1024 in ours and 8192 in ours:
        found["growth_1k_to_8k"] = round(ours[8192] / ours[1024], 2)
        found["growth_apart_from_attention"] = round(apart[8192] / apart[1024], 2)
    return found


def _show(row: Row, as_json: bool) -> None:
    line = f"{row.tokens:>6} {row.place:<8}{row.arm:<28}{row.median_ms:>10.1f} ms "
    line += f"{row.p95_ms:>10.1f} ms p95 {row.encoded:>7.0f} tokens"
    line += f"{row.attention_ms:>9.1f} ms attention" if row.attention_ms else ""
    click.echo(line, err=as_json)
