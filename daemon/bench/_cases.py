"""Cases of every class of prompt: a cursor, and the text on either side."""

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path

import click

INFILLING, FRESH, EDITS, SAMPLED = "infilling", "fresh", "edits", "sampled"
PROBLEMS = Path(__file__).parent / "human-eval-infilling"  # OpenAI's, under the MIT licence
KINDS = (INFILLING, FRESH, EDITS, SAMPLED)

# Our own dependencies, all in versions that are newer than the default model.
PACKAGES = ("huggingface_hub", "transformers", "pygls")

FEWEST_LINES, MOST_LINES = 120, 1_500  # of a file
SHORTEST, LONGEST = 6, 30  # lines of a function that is written or repeated
MOST_MISSES = 2_000  # files in a row without such functions


@dataclass(frozen=True, slots=True)
class Case:
    """A cursor between two texts. `earlier` is the file as it was before, if that was another."""

    kind: str
    name: str
    prefix: str
    suffix: str
    earlier: str = ""


def infilling(path: Path) -> Iterator[Case]:
    """HumanEval-Infilling (arXiv 2207.14255): problems of one of its files, spread over it."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        problems = [json.loads(line) for line in lines]
    random.Random(1).shuffle(problems)
    for each in problems:
        yield Case(INFILLING, each["task_id"], each["prompt"], each["suffix"])


def fresh(packages: tuple[str, ...], kind: str = FRESH) -> Iterator[Case]:
    """In the middle of a function whose rest is not written yet."""
    chance = random.Random(2)
    for name, lines, blocks in _files(packages, chance):
        start, stop = chance.choice(blocks[1:])
        cut = chance.randrange(start + 1, stop - 2)
        yield Case(kind, f"{name}:{cut + 1}", "".join(lines[:cut]), "".join(lines[stop:]))


def edits(packages: tuple[str, ...]) -> Iterator[Case]:
    """A function is written again below: repeated as it is, with another name, or after it was
    deleted above (moved), of which the model's prompt shows nothing."""
    chance, ways = random.Random(3), cycle(("repeat", "rename", "move"))
    for name, lines, blocks in _files(packages, chance):
        way = next(ways)
        number = chance.randrange(len(blocks) - 1)
        start, stop = blocks[number]
        at = chance.choice(blocks[number + 1 :])[0]
        if at < stop:
            continue
        heading = lines[start]
        if way == "rename":
            word = heading.split("(")[0].split()[-1].rstrip(":\n")
            heading = heading.replace(word, word + "_again", 1)
        above, earlier = lines[:at], ""
        if way == "move":
            above, earlier = lines[:start] + lines[stop:at], "".join(lines)
        prefix = "".join([*above, heading])
        yield Case(EDITS, f"{way} {name}:{at + 1}", prefix, "".join(lines[at:]), earlier)


def _files(
    packages: tuple[str, ...], chance: random.Random
) -> Iterator[tuple[str, list[str], list[tuple[int, int]]]]:
    """Random files of packages without end: name, lines, and where their functions are. Raises
    `click.UsageError` where there are none."""
    roots = [Path(spec.origin).parent for name in packages if (spec := find_spec(name)) is not None
             and spec.origin is not None]  # fmt: skip
    groups = [found for root in roots if (found := sorted(root.rglob("*.py")))]
    if not groups:
        raise click.UsageError(f"no source of {', '.join(packages)} here: see --package")
    misses = 0
    while misses < MOST_MISSES:
        path = chance.choice(chance.choice(groups))
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        misses += 1
        if FEWEST_LINES <= len(lines) <= MOST_LINES and len(found := _blocks(lines)) >= 3:
            misses = 0
            yield path.name, lines, found
    raise click.UsageError(f"no file of {', '.join(packages)} has functions enough: see --package")


def _blocks(lines: list[str]) -> list[tuple[int, int]]:
    """The functions and classes of a handy length, as ranges of lines."""
    found: list[tuple[int, int]] = []
    for start, line in enumerate(lines):
        if not line.lstrip().startswith(("def ", "async def ", "class ")):
            continue
        indent = _indent(line)
        stop = start + 1
        while stop < len(lines) and (not lines[stop].strip() or _indent(lines[stop]) > indent):
            stop += 1
        if SHORTEST <= stop - start <= LONGEST:
            found.append((start, stop))
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
