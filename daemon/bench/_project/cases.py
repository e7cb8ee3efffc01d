"""Cases: places in a project's own files where something of another file of it is called."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from ...project.index import ProjectIndex
from ...project.outline import Outline
from ...project.reading.reader import outline
from ...project.retrieval.origins import Origins, origins
from ...project.retrieval.view import View
from ...workspace.project import Project

KINDS = ("line", "arguments")
LEAST_LINE = 15  # above it there is little of the file
MOST_TRIES = 2_000  # files that are looked at


@dataclass(frozen=True, slots=True)
class Case:
    """A cursor before a call or in its brackets; `wanted` is what follows in its line, which is
    taken out of the text."""

    path: str
    language: str
    kind: str
    before: str
    after: str
    wanted: str
    callee: str

    @property
    def text(self) -> str:
        return self.before + self.after


def cases(project: Project, index: ProjectIndex, most: int, seed: int = 7) -> Iterator[Case]:
    """Each of another file, as many of either kind; always the same for the same files."""
    random, left = Random(seed), most
    paths = sorted(index.files())
    random.shuffle(paths)
    for path in paths[:MOST_TRIES]:
        if left == 0:
            return
        read = project.read(project.root / path)
        if read is None:
            continue
        found = outline(path, read.language, read.text)
        known = origins(found, View(index, index, {}, path))
        if case := _case(read.text, found, known, KINDS[left % 2], random):
            left -= 1
            yield case


def _case(text: str, found: Outline, known: Origins, kind: str, random: Random) -> Case | None:
    names = "|".join(map(re.escape, sorted(known.names)))
    if not names:
        return None
    lines = text.split("\n")
    calls = [
        (number, match)
        for number, line in enumerate(lines[LEAST_LINE:], LEAST_LINE)
        if line.count("(") == line.count(")")
        and (match := re.search(rf"(?<![\w.])({names})\(", line))
    ]
    if not calls:
        return None
    number, call = random.choice(calls)
    line = lines[number]
    column = call.end() if kind == "arguments" else len(line) - len(line.lstrip())
    if not line[column:].strip():
        return None
    before = "\n".join([*lines[:number], line[:column]])
    after = "\n".join(["", *lines[number + 1 :]])
    return Case(found.path, found.language, kind, before, after, line[column:], call[1])
