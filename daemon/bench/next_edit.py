"""Whether what is proposed after a change is what follows from it, and nothing is where nothing
does.

Changes are made in real files: renames by `rope`, and other refactorings, some of which is done as
a user would have begun it; edits from which nothing follows beside them. Every proposal that is
right is taken, so that one leads to the next; one that is wrong ends its case.
"""

import json
import sysconfig
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import mean
from typing import TYPE_CHECKING, Any

import click

from ...cache.errors import InputError
from ..config import NEXT_EDIT_FORMATS
from ..next_edit.proposal import Proposal
from ..next_edit.proposals import next_edit
from ..next_edit.proposer import first_good
from ..next_edit.recent_edits import RecentEdits
from ..next_edit.syntax.source import Source
from ..percentile import percentile
from ..project.reading.syntax import Stopwatch
from . import _options
from ._next_edit.followed import Ask, Followed, follow

if TYPE_CHECKING:
    from ..rewriting.rewriter import Rewriter

LEAST_BYTES, MOST_BYTES = 2_000, 60_000


@click.command(name="next-edit")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--most", default=30, type=click.IntRange(1), show_default=True,
              help="Cases of each kind.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Which ones.")
@click.option("--wrong", "show_wrong", is_flag=True, help="Show what was wrong.")
@click.option("--model", default="", help="Ask this next-edit model, and no rules.")
@click.option("--format", "form", default="auto", type=click.Choice(NEXT_EDIT_FORMATS),
              help="In which it is asked.")  # fmt: skip
@click.option("--system", default="", help="A file with its system message.")
@_options.as_json
def command(
    files: tuple[Path, ...],
    most: int,
    seed: int,
    show_wrong: bool,
    model: str,
    form: str,
    system: str,
    as_json: bool,
) -> None:
    """Measure proposals of next edits in FILES of Python (without: its standard library).

    \b
    precision     of what was proposed after a change that goes on, how much was right
    recall        of what was left of such a change, how much was proposed (mean of the cases)
    noise_silent  in how many cases from which nothing follows nothing was proposed
    p95_ms        what 95 % of the answers do not exceed
    tokens_a_pass of what a model writes
    """
    from tqdm import tqdm

    try:
        from ._next_edit.cases import cases
    except ModuleNotFoundError as error:
        raise InputError("rope is needed for it: pip install 'keyturn[bench]'") from error

    rewriter = _rewriter(model, form, system) if model else None
    ask = _by_rules if rewriter is None else _by_model(rewriter)
    chosen = cases(tqdm(files or _library(seed), unit="file", disable=as_json), most, seed)
    found: dict[str, list[Followed]] = defaultdict(list)
    for case in tqdm(chosen, unit="case", disable=as_json):
        found[case.kind].append(follow(case, ask))
    figures = _figures([each for those in found.values() for each in those])
    if rewriter is not None:
        figures |= rewriter.status()
    if as_json:
        kinds = {kind: _figures(those) for kind, those in found.items()}
        click.echo(json.dumps({"figures": figures, "kinds": kinds}))
        return
    for kind, those in found.items():
        click.echo(f"{kind:20} {_line(_figures(those))}")
        for each in those if show_wrong else ():
            if each.wrong is not None:
                click.echo(f"    {each.case.name}: {each.wrong.old!r} -> {each.wrong.new!r}")
    click.echo(f"{'all':20} {_line(figures)}")


def _rewriter(model: str, form: str, system: str) -> "Rewriter":
    """Raises `ModelError`."""
    from ...models.loading.loader import load
    from ...models.prompts.next_edit.formats import format_of
    from ..rewriting.rewriter import Rewriter
    from ..rewriting.system_message import system_message

    kind = format_of(model, form, system_message(system))
    return Rewriter(load(model, settle=True), kind)


def _by_model(rewriter: "Rewriter") -> Ask:
    def ask(text: str, recent: RecentEdits, cursor: int) -> Sequence[Proposal]:
        proposed = rewriter.proposals("module.py", text, list(recent), cursor, _nothing)
        found = first_good(proposed, "python", text, (), _nothing)
        return [] if found is None else [found]

    return ask


def _nothing() -> None:
    """Nobody waits."""


def _by_rules(text: str, recent: RecentEdits, cursor: int) -> Sequence[Proposal]:
    source = Source("python", text, Stopwatch(_nothing))
    found = next_edit(source, list(recent), cursor)
    return [] if found is None else [found]


def _library(seed: int) -> list[Path]:
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    found = [path for path in files if LEAST_BYTES < path.stat().st_size < MOST_BYTES]
    Random(seed).shuffle(found)
    return found


def _figures(found: Sequence[Followed]) -> dict[str, Any]:
    due = [each for each in found if not each.case.is_noise]
    noise = [each for each in found if each.case.is_noise]
    shown = sum(each.shown for each in due)
    times = [each for one in found for each in one.milliseconds]
    return {
        "cases": len(found),
        "precision": round(sum(each.right for each in due) / shown, 4) if shown else None,
        "recall": _mean([each.done / len(each.case.due) for each in due]),
        "noise_silent": _mean([float(not each.shown) for each in noise]),
        "p50_ms": percentile(times, 50),
        "p95_ms": percentile(times, 95),
    }


def _mean(numbers: Sequence[float]) -> float | None:
    return round(mean(numbers), 4) if numbers else None


def _line(figures: dict[str, Any]) -> str:
    return "  ".join(f"{name} {value}" for name, value in figures.items() if value is not None)
