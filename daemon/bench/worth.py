"""Whether suggestions are worth showing: how often their first line is right, and whether the
confidence that goes with them says which.

Stretches are taken out of real files and typed again, as `keyturn bench typing` does; at every
pause the engine is asked as an editor's language server asks it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, TextIO

import click

from ...lsp.worth import LEAST
from . import _options
from ._worth.asked import Asked, Asker, best_of
from ._worth.curve import Judged, area, calibration_error, precision
from ._worth.picture import draw
from ._worth.typed import Suggested

FEWEST = 400
FEW = f"{{}} suggestions judge nothing: use more files or --stretches, for {FEWEST} or more"


@click.command(name="worth")
@_options.code_files
@_options.loading()
@click.option("--stretches", default=2, type=click.IntRange(1), show_default=True,
              help="Of each file, taken out and typed again.")  # fmt: skip
@_options.threads
@click.option("--rows", type=click.File("w", encoding="utf-8", lazy=False),
              help="Write there what every estimate was made of, an object a line.")  # fmt: skip
@_options.plot
@_options.as_json
def command(
    files: tuple[Path, ...],
    model: str,
    device: str,
    dtype: str,
    stretches: int,
    threads: int,
    rows: TextIO | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure how often a suggestion is right while FILES are typed, and whether its confidence
    says so.

    \b
    right      the first line of the suggestion is the rest of the line
    precision  how many of those shown are right: of all, or of the likeliest half
    area       how often something right is said to be likelier than something wrong
    error      by how much the confidence is wrong about the share that is right (ECE)
    low …      what is shown with that `eagerness`, and how much of it is right
    parses     files with a suggestion of several lines that parse as they did
    several    what three candidates give and cost where one is asked for explicitly
    """
    import torch
    from tqdm import tqdm

    from ...models.loading.loader import load
    from ..completion.completer import CompleterOptions
    from ._worth.typed import Typist

    if threads:
        torch.set_num_threads(threads)
    loaded = load(model, device, dtype, settle=True)
    typist, asker = Typist(loaded, CompleterOptions()), Asker(loaded, CompleterOptions())
    parses: list[bool] = []
    asked: list[Asked] = []
    judged: dict[str, list[tuple[float, bool]]] = {}
    pauses = 0
    for path in tqdm(files, unit="file", disable=as_json):
        for each in typist.types(path, "/".join(path.parts[-3:]), stretches):
            pauses += 1
            parses += [] if each.parses is None else [each.parses]
            if each.confidence is not None:
                likely = each.confidence.first_line(each.text)
                judged.setdefault(each.language, []).append((likely, each.is_right()))
            if rows:
                rows.writelines(json.dumps(row) + "\n" for row in _rows(each))
        asked += asker.asks(path, "/".join(path.parts[-3:]), stretches)
    if not judged:
        raise click.ClickException("nothing was suggested: the files are too short, or too few")
    found = {"bench": "worth", "pauses": pauses, **figures(judged)}
    found["figures"] |= {
        "multi_line": len(parses),
        "multi_line_parses": round(sum(parses) / len(parses), 3) if parses else None,
        **best_of(asked),
    }
    if plot:
        draw(judged, plot)
    click.echo(json.dumps(found) if as_json else "\n".join(_lines(found)))
    if (count := sum(map(len, judged.values()))) < FEWEST:
        click.echo(FEW.format(count), err=True)


def _rows(each: Suggested) -> Iterator[dict[str, Any]]:
    for step, right in each.judged():
        yield {
            "file": each.file,
            "language": each.language,
            "pause": each.pause,
            "line": step.line,
            "start": step.start,
            "right": right,
            "features": [round(value, 4) for value in astuple(step.features)],
        }


def figures(judged: Mapping[str, Judged]) -> dict[str, Any]:
    """Of all languages together, and of each."""
    everything = [each for part in judged.values() for each in part]
    return {
        "figures": _part(everything),
        "languages": {language: _part(part) for language, part in sorted(judged.items())},
    }


def _part(judged: Judged) -> dict[str, Any]:
    under = area(judged)
    return {
        "suggestions": len(judged),
        "precision_all": round(precision(judged), 3),
        "precision_at_half": round(precision(judged, 0.5), 3),
        "area": None if under is None else round(under, 3),
        "ece": round(calibration_error(judged), 3),
        "eagerness": {name: _shown(judged, least) for name, least in LEAST.items()},
    }


def _shown(judged: Judged, least: float) -> dict[str, Any]:
    shown = [right for likely, right in judged if likely >= least]
    kept = sum(shown) / max(1, sum(right for _, right in judged))
    return {
        "shown": round(len(shown) / len(judged), 3),
        "right": round(sum(shown) / len(shown), 3) if shown else None,
        "right_kept": round(kept, 3),
    }


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    parts: Sequence[tuple[str, Any]] = [*found["languages"].items(), ("all", found["figures"])]
    names = "".join(f"{name} (right)".rjust(17) for name in LEAST)
    yield f"{'':<16}{'n':>6}{'all':>8}{'half':>8}{'area':>8}{'error':>8}{names}"
    for name, part in parts:
        under = "–" if part["area"] is None else f"{part['area']:.3f}"
        yield (
            f"{name:<16}{part['suggestions']:>6}{part['precision_all']:>8.3f}"
            f"{part['precision_at_half']:>8.3f}{under:>8}{part['ece']:>8.3f}"
            + "".join(_share(each) for each in part["eagerness"].values())
        )
    whole = found["figures"]
    if whole["multi_line"]:
        parses = 100 * whole["multi_line_parses"]
        yield f"of {whole['multi_line']} suggestions of several lines parse: {parses:.1f} %"
    if whole["asked"]:
        yield (
            f"asked at {whole['asked']} places: similarity {whole['similarity']:.3f}, of the best "
            f"of {whole['distinct']:.2f} that differ {whole['best_of_3']:.3f}, in "
            f"{whole['k3_time']} x the time (decoding {whole['k3_decoding']} x)"
        )


def _share(shown: Mapping[str, Any]) -> str:
    right = "–" if shown["right"] is None else f"{shown['right']:.2f}"
    return f"{100 * shown['shown']:.0f} % ({right})".rjust(17)
