"""How often a retrieval finds what is called, and how still it keeps. Needs no model."""

import re
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from keyturn.api.chunk import Chunk
from keyturn.daemon.config import PROJECT_TOKENS
from keyturn.daemon.project.retrieval.retrieval import Weights

from .case import Case
from .indexed import query_of, retrieval_of

RANKS = (1, 3, 6)
CHARACTERS_PER_TOKEN = 3.2  # of code, roughly


@dataclass(frozen=True)
class Found:
    """`rank` of the callee's chunk, from 0; None if it is not there. `moves`: how often the chunks
    within the budget became others, of `keys` typed."""

    case: Case
    rank: int | None
    fits: bool
    chunks: int
    ms: float
    moves: int
    keys: int


def found(case: Case, weights: Weights | None = None, typing: bool = False) -> Found:
    query, retrieval = query_of(case), retrieval_of(case, weights)
    started = time.perf_counter()
    chunks = retrieval.wanted(query)
    ms = 1000 * (time.perf_counter() - started)
    wanted = case.definitions[-1]
    ranks = [i for i, c in enumerate(chunks) if (c.path, c.name) == (wanted.path, wanted.name)]
    rank = ranks[0] if ranks else None
    fitting = within_budget(chunks)
    moves = keys = 0
    if typing:
        shown = {chunk.text for chunk in fitting}
        for typed in range(1, min(60, len(case.wanted)) + 1):
            now = {c.text for c in within_budget(retrieval.wanted(query_of(case, typed)))}
            moves, keys, shown = moves + (now != shown), keys + 1, now
    fits = rank is not None and chunks[rank] in fitting
    return Found(case, rank, fits, len(fitting), ms, moves, keys)


def within_budget(chunks: list[Chunk]) -> list[Chunk]:
    """The best that there is room for."""
    left = PROJECT_TOKENS * CHARACTERS_PER_TOKEN
    kept = []
    for chunk in chunks:
        if len(chunk.text) <= left:
            left -= len(chunk.text)
            kept.append(chunk)
    return kept


def table(results: Iterable[Found]) -> Iterable[str]:
    """A line for each language and kind; `new`: the callee is used nowhere else in the file, so
    that its import betrays it."""
    rows: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for each in results:
        kind = each.case.kind + " new" * (each.case.kind == "line" and _is_new(each.case))
        rows[each.case.language, kind].append(each)
    yield (
        f"{'':<22} cases  "
        + "  ".join(f"top {r}" for r in RANKS)
        + "  budget  chunks  ms  moves/key"
    )
    for (language, kind), row in sorted(rows.items()):
        tops = [statistics.fmean(f.rank is not None and f.rank < r for f in row) for r in RANKS]
        keys = sum(f.keys for f in row)
        yield (
            f"{language:<12}{kind:<10} {len(row):>5}  "
            + "  ".join(f"{top:.3f}" for top in tops)
            + f"   {statistics.fmean(f.fits for f in row):.3f}"
            + f"  {statistics.fmean(f.chunks for f in row):>6.1f}"
            + f"  {statistics.median(f.ms for f in row):.1f}"
            + (f"  {sum(f.moves for f in row) / keys:.3f}" if keys else "")
        )


def _is_new(case: Case) -> bool:
    return len(re.findall(rf"\b{re.escape(case.callee)}\b", case.before + case.after)) <= 1
