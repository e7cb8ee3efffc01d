"""What a project's other files are worth to a suggestion, and what they cost, on a folder of code.

In places where the folder's own code calls something of another file, the rest of the line is
completed greedily by the file alone, with the retrieval's chunks bound in front of it, with the
same chunks encoded as text (the most that binding can give), and with a ring of random chunks. All
see the same window of the file. Exact match and edit similarity say what it is worth; the time from
a key to the first token, in turns, what it costs.
"""

import difflib
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import click

from ..config import PROJECT_TOKENS
from . import _options
from ._project.table import ARMS, BOUND, FILE, RING, TEXT, lines

if TYPE_CHECKING:
    from ...lsp.options import Options
    from ._project.cases import Case
    from ._project.folder import Folder
    from ._project.speaker import Speaker

PREFIX_CHARACTERS, SUFFIX_CHARACTERS = 4000, 1200
KEYS = 5  # pressed at each place
FEWEST_CASES = 100  # with fewer, one more that is right looks like progress
FEW = f"so few cases ({{}}) judge nothing: use --cases {FEWEST_CASES} or more, on enough code"


@dataclass(frozen=True)
class Row:
    """One case by one arm. `first_token_ms`: after a key at the cursor, the median of some."""

    path: str
    kind: str
    arm: str
    exact: bool
    similarity: float
    prompt_tokens: int
    chunk_tokens: int
    query_ms: float
    first_token_ms: float


@click.command(name="project")
@_options.loading()
@click.option("--folder", default=".", show_default=True, help="Whose code is completed.",
              type=click.Path(exists=True, file_okay=False, path_type=Path))  # fmt: skip
@click.option("--cases", "count", type=click.IntRange(min=1), default=20, show_default=True,
              help=f"Places in the code; fewer than {FEWEST_CASES} judge nothing.")  # fmt: skip
@click.option("--project-tokens", type=click.IntRange(min=1), default=PROJECT_TOKENS,
              show_default=True, help="Of chunks, at most.")  # fmt: skip
@_options.threads
@_options.as_json
def command(as_json: bool, **options: Any) -> None:
    """Measure what a project's other files are worth to a suggestion, and what they cost.

    At places where the folder's own code calls something that another file of it defines, the rest
    of the line is taken out and suggested again, in four ways ("arms"), all with the same window of
    the file:

    \b
    file only  the model sees nothing of other files
    bound      it sees pieces that keyturn chooses from them ("chunks"), encoded
               before: what there is at once in a file that has just been opened
    as text    the same ones, encoded as part of the prompt: what idle time
               makes of them
    ring       random pieces of other files instead ("chunks" of no choice),
               encoded as part of the prompt

    Each line printed is one of them: whether what was suggested is exactly what stood there, how
    similar the two are (0 to 1), tokens of the prompt, and milliseconds to the first token ("file
    only" and "bound": after a key, with the rest encoded; the others: with nothing encoded before).
    The settings of the folder hold: what is not read there is not read here.
    """
    found = measure(show=lambda row: click.echo(_line(row), err=as_json), **options)
    if as_json:
        click.echo(json.dumps(found))
    else:
        click.echo("\n".join(["", *lines(found["figures"], found["ratios"])]))
    cases = len({row["path"] for row in found["rows"]})
    if cases < FEWEST_CASES:
        click.echo(FEW.format(cases), err=as_json)


def measure(
    model: str,
    device: str,
    dtype: str,
    folder: Path,
    count: int,
    project_tokens: int,
    threads: int,
    show: Any,
) -> dict[str, Any]:
    """The whole benchmark as one object; `show` is given each row as soon as it is known."""
    import torch

    from ...models.loading.loader import load
    from ._project.cases import cases
    from ._project.folder import Folder
    from ._project.speaker import Speaker

    if threads:
        torch.set_num_threads(threads)
    rows: list[Row] = []
    root = folder.absolute()
    options = _settings(root)
    with tempfile.TemporaryDirectory() as cache, Folder(root, Path(cache), options) as read:
        places = list(cases(read.project, read.index, count))
        if not places:
            raise click.ClickException(
                f"no file in {folder} calls what another one of it defines: choose another --folder"
            )
        speaker = Speaker(load(model, device, dtype, settle=True))
        for case in places:
            for row in _rows(case, read, speaker, project_tokens):
                rows.append(row)
                show(row)
        figures = read.figures()
    return {
        "bench": "project",
        "model": model,
        "threads": torch.get_num_threads(),
        "figures": figures | _figures(rows),
        "ratios": ratios(rows),
        "rows": [asdict(row) for row in rows],
    }


def _settings(root: Path) -> "Options":
    """Those that hold in the folder."""
    from ..config import settings_in

    options = settings_in(root)
    if options is None:
        raise click.ClickException(
            f"a settings file that holds in {root} cannot be read: `keyturn config show` says why"
        )
    if not options.project:
        raise click.ClickException(
            f"{root} is not to be read: `project` is off under [completion] in its keyturn.toml or"
            " your config.toml; switch it on there, or choose another --folder"
        )
    return options


def _rows(case: "Case", folder: "Folder", speaker: "Speaker", most_tokens: int) -> Iterator[Row]:
    from ._project.speaker import Binding

    started = time.perf_counter()
    wanted = folder.wanted(case)
    query_ms = (time.perf_counter() - started) * 1e3
    chosen = _fitting([chunk.text for chunk in wanted], speaker, most_tokens)
    drawn = _fitting(list(folder.ring(case, Random(case.path))), speaker, most_tokens)
    shown = {FILE: [], BOUND: chosen, TEXT: chosen, RING: drawn}
    prefix, suffix = case.before[-PREFIX_CHARACTERS:], case.after[:SUFFIX_CHARACTERS]
    bindings = {arm: Binding.TEXT if arm in (TEXT, RING) else Binding.BOUND for arm in ARMS}
    said = {arm: speaker.say(prefix, suffix, shown[arm], bindings[arm]) for arm in ARMS}
    keys = speaker.after_a_key(prefix, suffix, (shown[FILE], shown[BOUND]), KEYS)
    first_ms = {arm: said[arm].first_ms for arm in (TEXT, RING)} | dict(
        zip((FILE, BOUND), keys, strict=True)
    )
    right = case.wanted.strip()
    for arm in ARMS:
        text = said[arm].text.strip()
        similarity = difflib.SequenceMatcher(None, text, right).ratio()
        tokens = sum(map(speaker.tokens, shown[arm]))
        yield Row(
            *(case.path, case.kind, arm, text == right, similarity, said[arm].prompt_tokens),
            *(tokens, query_ms, first_ms[arm]),
        )


def _fitting(texts: Sequence[str], speaker: "Speaker", most_tokens: int) -> list[str]:
    """As much as there is room for, the best last."""
    kept: list[str] = []
    for text in texts:
        if (needed := speaker.tokens(text)) <= most_tokens:
            kept.insert(0, text)
            most_tokens -= needed
    return kept


def ratios(rows: Sequence[Row]) -> dict[str, float | None]:
    """Points of exact match that chunks add; the share of that which binding keeps (None where text
    adds nothing); the time to the first token, over that of the file alone."""

    def mean(arm: str) -> float:
        return statistics.fmean(row.exact for row in rows if row.arm == arm)

    def median_ms(arm: str) -> float:
        return statistics.median(row.first_token_ms for row in rows if row.arm == arm)

    best = mean(TEXT) - mean(FILE)
    gain = mean(BOUND) - mean(FILE)
    return {
        "em_gain_over_file_only": gain,
        "gain_kept": gain / best if best > 0 else None,
        "first_token_cost": median_ms(BOUND) / median_ms(FILE),
        "first_token_cost_as_text": median_ms(TEXT) / median_ms(FILE),
    }


def _figures(rows: Sequence[Row]) -> dict[str, float]:
    found: dict[str, float] = {}
    for arm in ARMS:
        own = [row for row in rows if row.arm == arm]
        name = arm.replace(" ", "_")
        found[f"em_{name}"] = statistics.fmean(row.exact for row in own)
        found[f"similarity_{name}"] = statistics.fmean(row.similarity for row in own)
        found[f"first_token_ms_{name}"] = statistics.median(row.first_token_ms for row in own)
    queries = sorted(row.query_ms for row in rows if row.arm == FILE)
    return found | {"query_p50_ms": statistics.median(queries), "query_most_ms": queries[-1]}


def _line(row: Row) -> str:
    return (
        f"{row.arm:<10}{row.kind:<10}{'exact' if row.exact else '':<6}{row.similarity:5.2f}"
        f"{row.prompt_tokens:>6} tokens{row.first_token_ms:>9.1f} ms  {row.path}"
    )
