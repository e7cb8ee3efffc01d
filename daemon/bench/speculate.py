"""What speculation gains over plain decoding, by arm and class of prompt, through the engine.

Every completion is made by plain decoding and by every arm in turn, from the same cached prompt, so
that what the machine does meanwhile falls on all alike. All arms must say the same; where one does
not (a near-tie that rounding decides), it is counted and left out of the ratios.

Classes: infilling (HumanEval-Infilling), fresh (functions of installed packages), edits (functions
repeated, renamed or moved) and sampled (fresh at temperature 1, where drafts seldom help).
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...models.registry import DEFAULT_MODEL
from ..exits import one_line_errors
from ._places import INFILLING, KINDS, PACKAGES, SAMPLED, Place
from ._places import edits as edits_of
from ._places import fresh as fresh_of
from ._places import infilling as infilling_of
from ._speedups import PLAIN, draw

if TYPE_CHECKING:
    from ...models.loader import Loaded
    from ..file_session import FileSession

AUTO = "auto"
DATA = Path(__file__).parents[2] / "tests/data/human-eval-infilling"
INFILLING_FILE = DATA / "HumanEval-RandomSpanInfillingLight.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Timed:
    """One completion by one arm."""

    tokens: int
    decode_ms: float
    passes: int
    drafted: int
    accepted: int
    same: bool  # as plain decoding
    own_ms: float = 0.0  # of decode_ms, for guessing and learning


@dataclass(frozen=True, slots=True)
class Row:
    """One arm over all completions of a class."""

    context: int
    threads: int
    kind: str
    arm: str
    completions: int
    different: int  # near-ties, not in what follows
    tokens_per_second: float
    tokens_per_pass: float  # forward passes after the prompt's
    accepted: float | None  # of the drafted tokens
    ratio: float  # to plain decoding of the same completions
    own_share: float = 0.0  # of the time, for guessing and learning


@click.command(name="speculate")
@click.option("--model", default=DEFAULT_MODEL, show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--dtype", default="auto", show_default=True)
@click.option("--context", "contexts", multiple=True, type=int, default=(512, 4096),
              show_default=True, help="Tokens; may be given several times.")  # fmt: skip
@click.option("--threads", "threads", multiple=True, type=int, default=(1, 0), show_default=True,
              help="CPU threads, 0 for torch's choice; may be given several times.")  # fmt: skip
@click.option("--arm", "arms", multiple=True, help="Only these beside plain; default: all.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), default=KINDS,
              show_default=True, help="Class of prompt; may be given several times.")  # fmt: skip
@click.option("--completions", default=12, show_default=True, help="Of each class.")
@click.option("--new-tokens", default=64, show_default=True)
@click.option("--package", "packages", multiple=True, default=PACKAGES, show_default=True,
              help="Whose files are completed.")  # fmt: skip
@click.option("--infilling-file", type=click.Path(path_type=Path), default=INFILLING_FILE,
              help="Problems of HumanEval-Infilling; the checkout's own by default.")  # fmt: skip
@click.option("--transformers", "transformers_dtype", default="none", show_default=True,
              help="Compare with transformers' own speculation, in this dtype.")  # fmt: skip
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path),
              help="Draw speed-up by class and arm there.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(plot: Path | None, as_json: bool, **options: Any) -> None:
    """Measure tokens per second and per verification, with and without speculation."""
    with one_line_errors():
        found = measure(show=lambda row: click.echo(_line(row), err=as_json), **options)
    if plot:
        draw(found["rows"], plot)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, ratio in found["ratios"].items():
        click.echo(f"{name:<28} {ratio:6.2f}")


def measure(
    model: str,
    device: str,
    dtype: str,
    contexts: Sequence[int],
    threads: Sequence[int],
    arms: Sequence[str],
    kinds: Sequence[str],
    completions: int,
    new_tokens: int,
    packages: tuple[str, ...],
    infilling_file: Path,
    transformers_dtype: str,
    show: Any,
) -> dict[str, Any]:
    """The whole benchmark as one object; `show` is given each row as soon as it is known."""
    import torch

    from ...models.loader import load

    loaded = load(model, device, dtype, settle=True)
    own_threads = torch.get_num_threads()
    places = {kind: list(islice(_places(kind, packages, infilling_file), completions))
              for kind in kinds}  # fmt: skip
    rows: list[Row] = []
    for count in dict.fromkeys(each or own_threads for each in threads):
        torch.set_num_threads(count)
        for context in contexts:
            bench = Bench(loaded, context, new_tokens, arms)
            for kind in kinds:
                if kind == INFILLING and context > min(contexts):
                    continue  # its files are short
                for row in bench.rows(kind, places[kind], count):
                    rows.append(row)
                    show(row)
    torch.set_num_threads(own_threads)
    if transformers_dtype != "none":
        from ._speculating_peers import peer_rows

        for row in peer_rows(loaded, transformers_dtype, places, min(contexts), new_tokens):
            rows.append(row)
            show(row)
    return {
        "bench": "speculate",
        "model": loaded.name,
        "device": str(loaded.model.device),
        "kernels": str(loaded.plan),
        "rows": [asdict(row) for row in rows],
        "ratios": ratios(rows),
    }


def _places(kind: str, packages: tuple[str, ...], infilling_file: Path) -> Iterator[Place]:
    match kind:
        case "infilling":
            if not infilling_file.exists():
                raise click.UsageError(f"no {infilling_file}: name one with --infilling-file")
            return infilling_of(infilling_file)
        case "edits":
            return edits_of(packages)
    return fresh_of(packages, kind)


class Bench:
    """One engine; every arm learns for itself."""

    def __init__(
        self, loaded: "Loaded", context: int, new_tokens: int, arms: Sequence[str]
    ) -> None:
        from ...models.drafters import speculator
        from ...models.speculator import Speculate
        from ..engine import Engine, EngineOptions

        self._context = context
        self._new_tokens = new_tokens
        self._engine: Engine = Engine(loaded, EngineOptions(context_tokens=context))
        drafters = speculator(loaded).drafters
        known = [PLAIN, AUTO, *(mode for mode in Speculate if mode in drafters)]
        self._arms = {arm: speculator(loaded) for arm in known if arm in (PLAIN, *(arms or known))}

    def rows(self, kind: str, places: Sequence[Place], threads: int) -> Iterator[Row]:
        timed: dict[str, list[Timed]] = defaultdict(list)
        for number, place in enumerate(places):
            session = self._opened(place)
            turns = list(self._arms)
            texts: dict[str, str] = {}
            for arm in turns[number % len(turns) :] + turns[: number % len(turns)]:
                texts[arm], each = self._timed(arm, place, session)
                timed[arm].append(each)
            for arm in turns:
                if texts[arm] != texts[PLAIN]:
                    timed[arm][-1] = Timed(0, 0.0, 0, 0, 0, same=False)
        for arm, found in timed.items():
            yield _row(self._context, threads, kind, arm, found, timed[PLAIN])

    def _opened(self, place: Place) -> "FileSession":
        """A session that has the file as it was, then as it is, with the prompt in the cache."""
        session = self._engine.new_session()
        session.show(place.earlier)
        self._timed(PLAIN, place, session, 1)
        return session

    def _timed(
        self, arm: str, place: Place, session: "FileSession", most: int | None = None
    ) -> tuple[str, Timed]:
        from ...models.align import Mode
        from ...models.sampler import Sampling
        from ...models.speculator import Speculate
        from ...models.stops import Extent
        from ..completion import Request

        request = Request(
            place.prefix,
            place.suffix,
            "file.py",
            most or self._new_tokens,
            Extent.ALL,
            Sampling(1.0 if place.kind == SAMPLED else 0.0),
            grammar=Mode.OFF,
            speculate=Speculate(arm),
        )
        self._engine.speculator = self._arms[arm]
        pieces: list[str] = []
        began = time.perf_counter()
        found = self._engine.complete(request, stream=pieces.append, session=session)
        assert found.timings.decode <= (time.perf_counter() - began) * 1e3
        use = found.speculation
        return "".join(pieces), Timed(
            found.generated_tokens,
            found.timings.decode,
            use.passes,
            use.drafted,
            use.accepted,
            same=True,
            own_ms=use.own_ms,
        )


def _row(
    context: int, threads: int, kind: str, arm: str, found: list[Timed], plain: list[Timed]
) -> Row:
    pairs = [(one, base) for one, base in zip(found, plain, strict=True) if one.same]
    tokens = sum(one.tokens for one, _ in pairs)
    took_ms = sum(one.decode_ms for one, _ in pairs)
    drafted = sum(one.drafted for one, _ in pairs)
    # the first token of each completion comes with its prompt
    verified, passes = tokens - len(pairs), sum(one.passes for one, _ in pairs)
    return Row(
        context,
        threads,
        kind,
        arm,
        len(pairs),
        len(found) - len(pairs),
        round(tokens / took_ms * 1e3, 2) if took_ms else 0.0,
        round(verified / passes, 3) if passes else 0.0,
        round(sum(one.accepted for one, _ in pairs) / drafted, 3) if drafted else None,
        round(sum(base.decode_ms for _, base in pairs) / took_ms, 3) if took_ms else 0.0,
        round(sum(one.own_ms for one, _ in pairs) / took_ms, 4) if took_ms else 0.0,
    )


def ratios(rows: Sequence[Row]) -> dict[str, float]:
    """Speed-ups over plain decoding. `auto_…` and one for each arm are at the first context and
    the most threads; `auto_worst` is the worst of all classes, contexts and threads."""
    if not rows:
        return {}
    context, threads = rows[0].context, max(row.threads for row in rows)
    found: dict[str, float] = {}
    for row in rows:
        if (row.context, row.threads) == (context, threads) and row.arm != PLAIN:
            found[f"{row.arm}_{row.kind}".replace(" ", "_")] = row.ratio
    auto = [row.ratio for row in rows if row.arm == AUTO and row.completions]
    if auto:
        found["auto_worst"] = min(auto)
    for arm in dict.fromkeys(row.arm for row in rows if row.arm not in (PLAIN, AUTO)):
        here = [row.ratio for row in rows if row.arm == arm and row.completions]
        if here:
            found[arm.replace(" ", "_")] = round(sum(here) / len(here), 3)
    return found


def _line(row: Row) -> str:
    taken = "" if row.accepted is None else f", {row.accepted:.0%} of drafts taken"
    return (
        f"{row.context:>6} {row.threads} threads {row.kind:<10}{row.arm:<26}"
        f"{row.tokens_per_second:7.1f}/s {row.tokens_per_pass:6.2f} per pass "
        f"{row.ratio:6.2f} times {row.completions:>3} completions, "
        f"{row.own_share:.1%} own time{taken}"
    )
