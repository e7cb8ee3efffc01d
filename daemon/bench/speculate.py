"""The gain of speculation over plain decoding, by arm and class of prompt, through the engine.

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
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import _options
from ._cases import INFILLING, KINDS, PACKAGES, PROBLEMS, SAMPLED, Case
from ._cases import edits as edits_of
from ._cases import fresh as fresh_of
from ._cases import infilling as infilling_of
from ._speculate.arm_rows import AUTO, Row, Timed, in_vain, line, ratios, row, settings
from ._speedups import PLAIN, draw

if TYPE_CHECKING:
    from ...models.loading.loader import Loaded
    from ..completion.file_session import FileSession

INFILLING_FILE = PROBLEMS / "HumanEval-RandomSpanInfillingLight.jsonl.gz"


@click.command(name="speculate")
@_options.loading()
@_options.contexts(512, 4096)
@click.option("--threads", "threads", multiple=True, type=click.IntRange(0), default=(1, 0),
              show_default=True,
              help="CPU threads, 0 for torch's choice; may be given several times.")  # fmt: skip
@click.option("--arm", "arms", multiple=True, help="Only these beside plain; default: all.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), default=KINDS,
              show_default=True, help="Class of prompt; may be given several times.")  # fmt: skip
@click.option("--completions", default=12, show_default=True, help="Of each class.")
@click.option("--new-tokens", default=64, show_default=True)
@click.option("--package", "packages", multiple=True, default=PACKAGES, show_default=True,
              help="Whose files are completed.")  # fmt: skip
@click.option("--infilling-file", default=INFILLING_FILE,
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Problems of HumanEval-Infilling; some of them come with keyturn.")  # fmt: skip
@click.option("--transformers", "transformers_dtype", default="none", show_default=True,
              help="Compare with transformers' own, in this dtype, or none.")  # fmt: skip
@click.option("--peer-completions", default=4, show_default=True,
              help="Of each class, by transformers, which is slow.")  # fmt: skip
@_options.plot
@_options.as_json
def command(plot: Path | None, as_json: bool, **options: Any) -> None:
    """Measure tokens per second and per verification, with and without speculation."""
    found = measure(show=lambda row: click.echo(line(row), err=as_json), **options)
    if plot:
        draw(found["rows"], plot)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, ratio in found["ratios"].items():
        click.echo(f"{name:<28} {ratio:6.2f}")
    for name, share in found["in_vain"].items():
        click.echo(f"{name + ' where it gains nothing':<28} {share:6.1%} of plain decoding's time")


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
    peer_completions: int = 4,
) -> dict[str, Any]:
    """The whole benchmark as one object; `show` is given each row as soon as it is known."""
    import torch

    from ...models.loading.loader import load

    loaded = load(model, device, dtype, settle=True)
    own_threads = torch.get_num_threads()
    places = {kind: list(islice(_cases(kind, packages, infilling_file), completions))
              for kind in kinds}  # fmt: skip
    rows: list[Row] = []
    for count in dict.fromkeys(each or own_threads for each in threads):
        torch.set_num_threads(count)
        for context in contexts:
            bench = Bench(loaded, context, new_tokens, arms)
            for kind in kinds:
                if kind == INFILLING and context > min(contexts):
                    continue  # its files are short
                for each in bench.rows(kind, places[kind], count):
                    rows.append(each)
                    show(each)
    torch.set_num_threads(own_threads)
    if transformers_dtype != "none":
        from ._speculate.peers import peer_rows

        some = {kind: found[:peer_completions] for kind, found in places.items()}
        for each in peer_rows(loaded, transformers_dtype, some, min(contexts), new_tokens):
            rows.append(each)
            show(each)
    return {
        "bench": "speculate",
        "model": loaded.name,
        "device": str(loaded.model.device),
        "kernels": str(loaded.plan),
        "rows": [asdict(each) for each in rows],
        "ratios": ratios(rows),
        "settings": settings(rows),
        "in_vain": in_vain(rows),
    }


def _cases(kind: str, packages: tuple[str, ...], infilling_file: Path) -> Iterator[Case]:
    match kind:
        case "infilling":
            return infilling_of(infilling_file)
        case "edits":
            return edits_of(packages)
    return fresh_of(packages, kind)


class Bench:
    """One engine; every arm learns for itself."""

    def __init__(
        self, loaded: "Loaded", context: int, new_tokens: int, arms: Sequence[str]
    ) -> None:
        from ...api.request import SpeculationMode
        from ...models.speculative.drafters import speculator
        from ..completion.completer import Completer, CompleterOptions

        self._context = context
        self._new_tokens = new_tokens
        self._engine: Completer = Completer(loaded, CompleterOptions(context_tokens=context))
        drafters = speculator(loaded).drafters
        known = [PLAIN, AUTO, *(mode for mode in SpeculationMode if mode in drafters)]
        self._arms = {arm: speculator(loaded) for arm in known if arm in (PLAIN, *(arms or known))}

    def rows(self, kind: str, places: Sequence[Case], threads: int) -> Iterator[Row]:
        timed: dict[str, list[Timed]] = defaultdict(list)
        for speculator in self._arms.values():
            speculator.ledgers.clear()
        for number, place in enumerate(places):
            session = self._opened(place)
            turns = list(self._arms)
            texts: dict[str, str] = {}
            for arm in turns[number % len(turns) :] + turns[: number % len(turns)]:
                texts[arm], each = self._timed(arm, place, session)
                timed[arm].append(each)
            for arm in turns:
                if texts[arm] != texts[PLAIN]:
                    timed[arm][-1] = replace(timed[arm][-1], same=False)
        for arm, found in timed.items():
            ledgers = self._arms[arm].ledgers
            yield row((self._context, threads, kind, arm), found, timed[PLAIN], ledgers)

    def _opened(self, place: Case) -> "FileSession":
        """A session that has the file as it was, then as it is, with the prompt in the cache."""
        session = self._engine.new_session()
        session.show(place.earlier)
        self._timed(PLAIN, place, session, 1)
        return session

    def _timed(
        self, arm: str, place: Case, session: "FileSession", most: int | None = None
    ) -> tuple[str, Timed]:
        from ...api.request import CompletionOptions, Extent, GrammarMode, Sampling, SpeculationMode
        from ..completion.request import InfillRequest

        pieces: list[str] = []
        request = InfillRequest(
            place.prefix,
            place.suffix,
            "file.py",
            CompletionOptions(
                max_tokens=most or self._new_tokens,
                extent=Extent.ALL,
                sampling=Sampling(1.0 if place.kind == SAMPLED else 0.0),
                grammar=GrammarMode.OFF,
                speculation=SpeculationMode(arm),
            ),
            stream=pieces.append,
        )
        self._engine.speculator = self._arms[arm]
        began = time.perf_counter()
        found = self._engine.complete(request, session=session)
        assert found.meta.decode_ms <= (time.perf_counter() - began) * 1e3
        use = found.meta.speculation
        return "".join(pieces), Timed(
            found.meta.generated_tokens,
            found.meta.decode_ms,
            use.passes,
            use.drafted,
            use.accepted,
            same=True,
        )
