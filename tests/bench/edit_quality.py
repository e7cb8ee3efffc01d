"""What carried tokens cost in quality: `python tests/bench/edit_quality.py --help`.

The protocol of PIE (arXiv 2407.03157, appendix A.1) with fill-in-the-middle prompts: a file without
one line, which the model is to write; before, the file was another by five inserted lines, five
deleted ones, or both, or the cursor was elsewhere. Each way of handling the edit starts from the
same cache of the file as it was. Compared are the first lines written.

The files are those of installed packages that are newer than the models.
"""

import json
import random
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import click
import torch

from keyturn.cache.correction import Correction, conflict, turn_query
from keyturn.cache.plan import Repair
from keyturn.cache.sequence import CachedSequence
from keyturn.cache.spill import Snapshot
from keyturn.daemon.completion.file_session import FileSession
from keyturn.models.loading.loader import Loaded, load
from keyturn.models.nn.reencode import encode
from keyturn.models.prompts.fim import Order, PromptBuilder, PromptOptions

LINES = 5  # of one edit
NEAR, FAR = 10, 25  # lines from the cursor
MOST_NEW = 40  # tokens generated
KINDS = ("insert", "delete", "both", "jump")
PLACES = ("near", "far", "behind")


@dataclass(frozen=True, slots=True)
class Case:
    """`before`, with the cursor at `old_cursor`, became `after`; `target` belongs at `cursor`."""

    kind: str
    place: str
    related: bool
    before: str
    old_cursor: int
    after: str
    cursor: int
    target: str


@dataclass(frozen=True, slots=True)
class Arm:
    """A way of handling the edit."""

    name: str
    repair: Repair
    correction: Correction = turn_query
    refresh: bool = False
    ignore: bool = False  # answer from the file as it was


Answer = tuple[str, int]  # the first line written, and the tokens encoded for it
Result = tuple[Case, dict[str, Answer]]  # by the arm's name

NOTHING = Repair(exact=0, tail=0, head=0, related=0, behind=0)


def arm(name: str, correction: Correction = turn_query, **repair: int) -> Arm:
    return Arm(name, replace(NOTHING, **repair), correction)


RECOMPUTE = Arm("recompute", Repair(carry=False))
ARMS = (
    RECOMPUTE,
    Arm("edit ignored", Repair(), ignore=True),
    arm("no correction", conflict),
    arm("PIE"),
    arm("PIE, last 32", tail=32),
    arm("PIE, 32 behind", behind=32),
    arm("exact prefix", exact=256),
    arm("exact prefix, last 16", exact=256, tail=16),
    arm("exact prefix, last 32", exact=256, tail=32),
    arm("exact prefix, related lines", exact=256, related=8),
    arm("exact prefix, 16 behind", exact=256, behind=16),
    arm("exact prefix, 32 behind", exact=256, behind=32),
    arm("exact 64, 32 behind", exact=64, behind=32),
    arm("exact 64, 32 behind, head 64", exact=64, behind=32, head=64),
    arm("exact 64, 32 behind, last 64", exact=64, behind=32, tail=64),
    arm("exact 64, 64 behind", exact=64, behind=64),
    arm("exact 64, 64 behind, last 64", exact=64, behind=64, tail=64),
    arm("exact 64, 128 behind", exact=64, behind=128),
    arm("exact prefix, 32 most deviating", exact=256, deviating=32),
    arm("exact prefix, 48 most deviating", exact=256, deviating=48),
    Arm("default", Repair()),
    Arm("default, after refresh", Repair(), refresh=True),
)


# region Cases
def cases(roots: Sequence[Path], seed: int, most_lines: int) -> Iterator[Case]:
    """Cases without end, from random windows of random files."""
    chance = random.Random(seed)
    paths = sorted(path for root in roots for path in root.rglob("*.py"))
    while True:
        lines = chance.choice(paths).read_text(encoding="utf-8").splitlines(keepends=True)
        if len(lines) < 80:
            continue
        start = chance.randrange(max(1, len(lines) - most_lines))
        case = _case(lines[start : start + most_lines], chance)
        if case is not None:
            yield case


def _case(lines: list[str], chance: random.Random) -> Case | None:
    kind, place = chance.choice(KINDS), chance.choice(PLACES)
    related = kind != "jump" and chance.random() < 0.5
    line = chance.randrange(len(lines) // 3, 3 * len(lines) // 4)
    target = lines[line]
    if len(target.strip()) < 8 or target.lstrip().startswith(("#", '"', "'")):
        return None
    after = [*lines[:line], *lines[line + 1 :]]
    cursor = sum(map(len, after[:line]))
    if kind == "jump":
        moved = line + chance.choice((-1, 1)) * chance.randint(3, NEAR)
        old = sum(map(len, after[:moved]))
        return Case(kind, "jump", False, "".join(after), old, "".join(after), cursor, target)
    spot = _spot(after, line, place, target, related, chance)
    if spot is None:
        return None
    before, old_line = list(after), line
    if kind in ("insert", "both"):  # the five lines were not there yet
        del before[spot : spot + LINES]
        old_line -= LINES if spot < line else 0
    if kind in ("delete", "both"):  # five others were there still
        taken = chance.randrange(len(lines) - LINES)
        extra = lines[taken : taken + LINES]
        other = spot if kind == "delete" else max(0, spot - chance.randint(2, 8))
        before[other:other] = extra
        old_line += LINES if other < line else 0
    old = sum(map(len, before[:old_line]))
    return Case(kind, place, related, "".join(before), old, "".join(after), cursor, target)


def _spot(
    after: list[str], line: int, place: str, target: str, related: bool, chance: random.Random
) -> int | None:
    """The first of five lines to edit: at random, or around the line most like the target."""
    ranges = {
        "near": range(max(0, line - NEAR), line - LINES + 1),
        "far": range(max(0, line - FAR - 40), line - FAR),
        "behind": range(line + 1, min(len(after) - LINES, line + 40)),
    }
    found = [start for start in ranges[place] if 0 <= start <= len(after) - LINES]
    if not found:
        return None
    if not related:
        return chance.choice(found)
    return max(
        found,
        key=lambda start: max(_alike(other, target) for other in after[start : start + LINES]),
    )


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one.strip(), other.strip()).ratio()


# endregion
# region Answers
class Judge:
    """Runs every arm on a case. `order`: of the prompts."""

    def __init__(self, loaded: Loaded, order: Order) -> None:
        self._loaded = loaded
        self._builder = PromptBuilder(loaded.tokenizer)
        self._options = PromptOptions(budget_tokens=8192, order=order, heal=False)

    def answers(self, case: Case, arms: Sequence[Arm]) -> dict[str, Answer]:
        first = self._session(Repair(), turn_query, case.before)
        first.fill(first.plan(case.old_cursor, self._options))
        snapshot = Snapshot.of(first.sequence, "cpu")
        assert snapshot is not None
        found: dict[str, Answer] = {}
        same: dict[object, Answer] = {}  # arms that do the same here need be run once only
        draft: list[int] = []  # what the first arm wrote: the others mostly write the same
        for each in arms:
            session = self._session(each.repair, each.correction, case.before)
            snapshot.put_into(session.sequence)
            if not each.ignore:
                session.show(case.after)
            cursor = case.old_cursor if each.ignore else case.cursor
            planned = session.plan(cursor, self._options)
            looked_at = each.repair.deviating, each.repair.probed
            done = (planned.plan, cursor, each.correction, looked_at, each.refresh)
            if done not in same:
                logits, encoded = session.fill(planned), session.encoded_tokens
                if each.refresh:
                    while session.refresh(64):
                        pass
                    logits = session.fill(session.plan(cursor, self._options))
                line, written = self._line(session, logits, draft)
                same[done] = line, encoded
                draft = draft or written
            found[each.name] = same[done]
        return found

    def _session(self, repair: Repair, correction: Correction, text: str) -> FileSession:
        model = self._loaded.model
        sequence = CachedSequence(model.new_arena(0), correction)
        made = FileSession(model, self._loaded.tokenizer, self._builder, sequence, repair)
        made.show(text)
        made.related.clear()
        return made

    @torch.inference_mode()
    def _line(
        self, session: FileSession, logits: torch.Tensor, draft: Sequence[int]
    ) -> tuple[str, list[int]]:
        """The first line that is not blank, greedily, and its tokens.

        As long as the tokens are those of `draft`, one step verifies all of it.
        """
        model, tokenizer = self._loaded.model, self._loaded.tokenizer
        written: list[int] = []
        data = b""
        following = logits[None]  # (tokens, vocabulary), after each token that is in the cache
        while len(written) < MOST_NEW:
            token = int(following[0].argmax())
            if token in self._builder.stops:
                break
            written.append(token)
            data += tokenizer.token_bytes(token)
            if b"\n" in data.lstrip():
                break
            following = following[1:]
            if not len(following) or written != list(draft[: len(written)]):
                session.sequence.truncate(len(session.sequence) - len(following))
                ahead = draft[len(written) :] if written == list(draft[: len(written)]) else []
                step = session.sequence.append([token, *ahead])
                following = model.logits(encode(model, session.sequence, step))
        lines = data.decode("utf-8", "replace").strip().splitlines()
        return (lines[0].strip() if lines else ""), written


# endregion
# region The table
@dataclass(frozen=True, slots=True)
class Row:
    """One arm in one group. Percent; `agreement` is with recompute's first line."""

    group: str
    arm: str
    cases: int
    exact_match: float
    edit_similarity: float
    agreement: float
    encoded: float  # tokens
    cost: float  # percent of recompute's tokens


def groups(case: Case) -> list[str]:
    kind = "cursor jump" if case.kind == "jump" else case.kind
    relation = [] if case.kind == "jump" else ["related" if case.related else "random"]
    return ["all", kind, *([case.place] if case.kind != "jump" else []), *relation]


def table(results: Sequence[Result]) -> list[Row]:
    members: dict[str, list[Result]] = defaultdict(list)
    for case, answers in results:
        for group in groups(case):
            members[group].append((case, answers))
    return [_row(group, name, found) for group, found in members.items() for name in found[0][1]]


def _row(group: str, name: str, found: list[Result]) -> Row:
    lines = [(answers[name][0], case.target, answers[RECOMPUTE.name][0]) for case, answers in found]
    encoded = statistics.mean(answers[name][1] for _, answers in found)
    whole = statistics.mean(answers[RECOMPUTE.name][1] for _, answers in found)

    def percent(values: list[float]) -> float:
        return round(100 * statistics.mean(values), 1)

    return Row(
        group,
        name,
        len(found),
        percent([float(line.split() == target.split()) for line, target, _ in lines]),
        percent([_alike(line, target) for line, target, _ in lines]),
        percent([float(line == exact) for line, _, exact in lines]),
        round(encoded, 1),
        round(100 * encoded / whole, 1),
    )


def markdown(rows: Sequence[Row]) -> str:
    lines = ["| group | arm | cases | EM | ES | agreement | tokens | cost |", "|" + "---|" * 8]
    for r in rows:
        lines.append(
            f"| {r.group} | {r.arm} | {r.cases} | {r.exact_match} | {r.edit_similarity} "
            f"| {r.agreement} | {r.encoded} | {r.cost} % |"
        )
    return "\n".join(lines)


# endregion
# region Results, kept case by case


def keep(path: Path, order: str, result: Result) -> None:
    case, answers = result
    with path.open("a", encoding="utf-8") as out:
        print(json.dumps({"order": order, "case": asdict(case), "answers": answers}), file=out)


def finished(path: Path, order: str) -> list[Result]:
    if not path.exists():
        return []
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [(Case(**r["case"]), r["answers"]) for r in rows if r["order"] == order]


# endregion


@click.command()
@click.option("--model", default="qwen2.5-coder-0.5b", show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--dtype", default="auto", show_default=True)
@click.option("--threads", type=int)
@click.option("--order", "orders", multiple=True, type=click.Choice(["psm", "suffix-first", "spm"]))
@click.option("--cases", "count", default=300, show_default=True)
@click.option("--lines", default=120, show_default=True, help="Of a file that are shown.")
@click.option("--seed", default=0, show_default=True)
@click.option("--package", "packages", multiple=True, default=("pygls", "huggingface_hub"),
              show_default=True)  # fmt: skip
@click.option("--arm", "names", multiple=True, type=click.Choice([each.name for each in ARMS]),
              metavar="NAME", help="Beside recompute; without any, all of them.")  # fmt: skip
@click.option("--results", type=click.Path(path_type=Path), help="Kept there; a run goes on.")
@click.option("--json", "as_json", is_flag=True)
def main(
    model: str,
    device: str,
    dtype: str,
    threads: int | None,
    orders: tuple[str, ...],
    count: int,
    lines: int,
    seed: int,
    packages: tuple[str, ...],
    names: tuple[str, ...],
    results: Path | None,
    as_json: bool,
) -> None:
    """Compare ways of handling edits by the first line that a model writes after them."""
    if threads:
        torch.set_num_threads(threads)
    arms = [each for each in ARMS if not names or each.name in (RECOMPUTE.name, *names)]
    loaded = load(model, device, dtype, settle=True)
    roots = [Path(p) for name in packages for p in find_spec(name).submodule_search_locations]  # type: ignore[union-attr]
    for order in orders or ("psm", "suffix-first"):
        judge = Judge(loaded, Order(order))
        known = finished(results, order) if results else []
        for number, case in enumerate(islice(cases(roots, seed, lines), count)):
            if number < len(known):
                assert known[number][0] == case, f"{results} is of other files or options"
                continue
            known.append((case, judge.answers(case, arms)))
            click.echo(f"{order} {number + 1}/{count}", err=True)
            if results:
                keep(results, order, known[-1])
        rows = table(known[:count])
        if as_json:
            report = {"order": order, "model": loaded.name, "kernels": str(loaded.plan)}
            click.echo(json.dumps({**report, "rows": [asdict(row) for row in rows]}))
        else:
            click.echo(f"\n### {loaded.name}, {order}\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()
