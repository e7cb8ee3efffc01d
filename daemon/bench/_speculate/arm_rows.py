"""The rows of `keyturn bench speculate`: one arm (a choice of drafters) over all completions of a
class of prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .._speedups import PLAIN

if TYPE_CHECKING:
    from ....models.speculative.pass_cost import Ledger

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Timed:
    """One completion by one arm."""

    tokens: int
    decode_ms: float
    passes: int
    drafted: int
    accepted: int
    same: bool  # as plain decoding


@dataclass(frozen=True, slots=True)
class Cost:
    """Where an arm's time goes: shares of all of it, which leave what drawing tokens and writing
    their text takes; and of a plain pass, in rounds that gained nothing over one."""

    verifying: float = 0.0  # the passes that plain decoding has too
    drafting: float = 0.0  # drafters' own passes through a part of the model
    control: float = 0.0  # shadow analysis, controller, look-ups, learning
    vain_rounds: int = 0  # in which no drafted token was taken
    drafting_in_vain: float = 0.0
    control_in_vain: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """One arm over all completions of a class."""

    context: int
    threads: int
    kind: str
    arm: str
    completions: int
    different: int  # near-ties, not in what follows up to the ratio
    tokens_per_second: float
    tokens_per_pass: float  # forward passes after the prompt's
    accepted: float | None  # of the drafted tokens
    ratio: float  # to plain decoding of the same completions
    by_drafter: dict[str, tuple[int, int]] = field(default_factory=dict)  # drafted, accepted
    by_exit: dict[int, tuple[int, int]] = field(default_factory=dict)  # layers -> the same
    cost: Cost = field(default_factory=Cost)


def row(
    where: tuple[int, int, str, str],
    found: Sequence[Timed],
    plain: Sequence[Timed],
    ledgers: "Mapping[str, Ledger]",
) -> Row:
    """`where`: context, threads, class and arm. `plain`: the same completions without drafts;
    `ledgers`: what the arm's drafters did for `found`."""
    pairs = [(one, base) for one, base in zip(found, plain, strict=True) if one.same]
    tokens = sum(one.tokens for one, _ in pairs)
    took_ms = sum(one.decode_ms for one, _ in pairs)
    drafted = sum(one.drafted for one, _ in pairs)
    # the first token of each completion comes with its prompt
    verified, passes = tokens - len(pairs), sum(one.passes for one, _ in pairs)
    by_exit: dict[int, tuple[int, int]] = {}
    for ledger in ledgers.values():
        for layer, (guessed, right) in ledger.by_exit.items():
            before = by_exit.get(layer, (0, 0))
            by_exit[layer] = before[0] + guessed, before[1] + right
    return Row(
        *where,
        len(pairs),
        len(found) - len(pairs),
        round(tokens / took_ms * 1e3, 2) if took_ms else 0.0,
        round(verified / passes, 3) if passes else 0.0,
        round(sum(one.accepted for one, _ in pairs) / drafted, 3) if drafted else None,
        round(sum(base.decode_ms for _, base in pairs) / took_ms, 3) if took_ms else 0.0,
        {name: (each.drafted, each.accepted) for name, each in ledgers.items() if each.drafted},
        dict(sorted(by_exit.items())),
        _cost(found, plain, ledgers),
    )


def _cost(found: Sequence[Timed], plain: Sequence[Timed], ledgers: "Mapping[str, Ledger]") -> Cost:
    all_ms = sum(one.decode_ms for one in found)
    passes = sum(base.tokens - 1 for base in plain)
    plain_ms = sum(base.decode_ms for base in plain) / max(1, passes)  # a token, which is a pass
    each = list(ledgers.values())
    vain = sum(ledger.vain.rounds for ledger in each)

    def share(ms: float, of_ms: float) -> float:
        return round(ms / of_ms, 4) if of_ms else 0.0

    return Cost(
        share(sum(ledger.forward_ms for ledger in each), all_ms),
        share(sum(ledger.spent.drafting_ms for ledger in each), all_ms),
        share(sum(ledger.spent.control_ms for ledger in each), all_ms),
        vain,
        share(sum(ledger.vain.drafting_ms for ledger in each), vain * plain_ms),
        share(sum(ledger.vain.control_ms for ledger in each), vain * plain_ms),
    )


def ratios(rows: Sequence[Row]) -> dict[str, float]:
    """Speed-ups over plain decoding. `auto_…` and one for each arm are at the first context and
    the most threads; `auto_worst` is the worst of all classes, contexts and threads."""
    if not rows:
        return {}
    found = _by_class(rows, rows[0].context, max(row.threads for row in rows))
    auto = [row.ratio for row in rows if row.arm == AUTO and row.completions]
    if auto:
        found["auto_worst"] = min(auto)
    for arm in dict.fromkeys(row.arm for row in rows if row.arm not in (PLAIN, AUTO)):
        here = [row.ratio for row in rows if row.arm == arm and row.completions]
        if here:
            found[_word(arm)] = round(sum(here) / len(here), 3)
    return found


def settings(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Every arm's speed-ups by class, for each context and number of threads."""
    return [
        {"context": context, "threads": threads, "ratios": _by_class(rows, context, threads)}
        for context, threads in dict.fromkeys((row.context, row.threads) for row in rows)
    ]


def in_vain(rows: Sequence[Row]) -> dict[str, float]:
    """What guessing costs `auto` where it gains nothing, as a share of plain decoding's time: the
    worst of all classes, contexts and threads."""
    auto = [row.cost for row in rows if row.arm == AUTO]
    return {
        "control": max((cost.control_in_vain for cost in auto), default=0.0),
        "drafting": max((cost.drafting_in_vain for cost in auto), default=0.0),
    }


def _by_class(rows: Sequence[Row], context: int, threads: int) -> dict[str, float]:
    return {
        _word(f"{row.arm}_{row.kind}"): row.ratio
        for row in rows
        if (row.context, row.threads) == (context, threads) and row.arm != PLAIN
    }


def _word(name: str) -> str:
    return name.replace(" ", "_")


def line(row: Row) -> str:
    """For people."""
    taken = "" if row.accepted is None else f", {row.accepted:.0%} of drafts taken"
    cost = row.cost
    vain = ""
    if cost.vain_rounds and row.arm != PLAIN:
        vain = f" ({cost.control_in_vain:.1%} and {cost.drafting_in_vain:.1%} of a pass in vain)"
    spent = f"{cost.control:.1%} control, {cost.drafting:.1%} drafting{vain}"
    return (
        f"{row.context:>6} {row.threads} threads {row.kind:<10}{row.arm:<26}"
        f"{row.tokens_per_second:7.1f}/s {row.tokens_per_pass:6.2f} per pass "
        f"{row.ratio:6.2f} times {row.completions:>3} completions{taken}, {spent}"
    )
