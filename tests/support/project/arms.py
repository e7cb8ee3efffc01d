"""Arms: which chunks stand in front of the file's window, the best last, and how they got there."""

import ast
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from keyturn.daemon.bench._project.speaker import Binding
from keyturn.daemon.config import PROJECT_TOKENS
from keyturn.daemon.project.reading.reader import outline
from keyturn.daemon.project.retrieval.chunk import chunk

from .case import Case, Definition
from .indexed import index_of, query_of, retrieval_of
from .python_cases import Symbol

MOST_DEFINITIONS = 6
WHOLE_LINES = 40
BRIEF_LINES = 12
RING_LINES = 64
MOST_DRAWS = 8  # files that a ring is made of, at most

Counter = Callable[[str], int]  # the tokens of a text
Chooser = Callable[[Case, Counter], list[str]]


@dataclass(frozen=True)
class Arm:
    chunks: Chooser
    binding: Binding = Binding.TEXT


def nothing(case: Case, tokens: Counter) -> list[str]:
    return []


def whole(case: Case, tokens: Counter) -> list[str]:
    """The first lines of up to six definitions."""
    shown = [(d, d.source.split("\n")[:WHOLE_LINES]) for d in case.definitions[-MOST_DEFINITIONS:]]
    return _written(case, shown)


def brief(case: Case, tokens: Counter) -> list[str]:
    """Signatures and the first line of docstrings; of the callee more."""
    last = case.definitions[-1]
    shown = [
        (d, _brief(d, case.language, BRIEF_LINES if d == last else 3))
        for d in case.definitions[-MOST_DEFINITIONS:]
    ]
    return _written(case, shown)


def callee(case: Case, tokens: Counter) -> list[str]:
    """The callee's alone."""
    last = case.definitions[-1]
    return _written(case, [(last, _brief(last, case.language, BRIEF_LINES))])


def callee_whole(case: Case, tokens: Counter) -> list[str]:
    """The callee's first lines alone."""
    last = case.definitions[-1]
    return _written(case, [(last, last.source.split("\n")[:WHOLE_LINES])])


def product(case: Case, tokens: Counter) -> list[str]:
    """What the product's own retrieval chooses, as much as there is room for, the best last."""
    kept: list[str] = []
    room = PROJECT_TOKENS
    for each in retrieval_of(case).wanted(query_of(case)):
        if (needed := tokens(each.text)) <= room:
            kept.insert(0, each.text)
            room -= needed
    return kept


def ring(case: Case, tokens: Counter) -> list[str]:
    """Pieces of other files of the package, drawn blindly, cut to what there is room for."""
    draw = random.Random(case.id)
    package = case.path.partition("/")[0]
    others = [path for path in index_of(case.folder, package).files() if path != case.path]
    written: list[str] = []
    room = PROJECT_TOKENS
    for path in draw.sample(others, min(MOST_DRAWS, len(others))):
        text = (case.folder / path).read_text(encoding="utf-8", errors="replace")
        lines = text.split("\n")
        first = draw.randrange(max(1, len(lines) - RING_LINES))
        piece = [_comment(case, path), *lines[first : first + RING_LINES]]
        while len(piece) > 1 and tokens("\n".join(piece) + "\n\n") > room:
            piece.pop()
        if len(piece) == 1:
            break
        written.append("\n".join(piece) + "\n\n")
        room -= tokens(written[-1])
    return written


ARMS: dict[str, Arm] = {
    "file": Arm(nothing),
    "text": Arm(product),
    "bound": Arm(product, Binding.BOUND),
    "late": Arm(product, Binding.LATE),
    "ring": Arm(ring),
    "oracle": Arm(brief),
    "whole": Arm(whole),
    "callee": Arm(callee),
    "callee-whole": Arm(callee_whole),
}


def _comment(case: Case, path: str) -> str:
    return f"{'#' if case.language == 'python' else '//'} {path}"


def _written(case: Case, shown: list[tuple[Definition, list[str]]]) -> list[str]:
    return ["\n".join([_comment(case, d.path), *lines, "", ""]) for d, lines in shown]


def _brief(definition: Definition, language: str, most: int) -> list[str]:
    """A definition without bodies: headers, first docstring lines, fields."""
    if language == "python":
        symbol = ast.parse(definition.source).body[0]
        assert isinstance(symbol, Symbol)
        return list(_headers(symbol, definition.source.split("\n")))[:most]
    found = outline(definition.path, language, definition.source).definitions
    first, *members = found
    return chunk(first, members, most).text.rstrip("\n").split("\n")[1:]


def _headers(symbol: Symbol, lines: list[str]) -> Iterator[str]:
    first = symbol.body[0]
    yield from lines[symbol.lineno - 1 : max(symbol.lineno, first.lineno - 1)]
    if doc := ast.get_docstring(symbol):
        yield " " * first.col_offset + f'"""{doc.splitlines()[0]}"""'
    if isinstance(symbol, ast.ClassDef):
        for part in symbol.body:
            if isinstance(part, ast.AnnAssign):
                yield from lines[part.lineno - 1 : part.end_lineno]
            elif isinstance(part, Symbol) and (part.name == "__init__" or part.name[0] != "_"):
                yield from lines[part.lineno - 1 : max(part.lineno, part.body[0].lineno - 1)]
