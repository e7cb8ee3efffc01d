"""The cases of a set of files: as many of every kind as are asked for, if there are."""

import ast
import warnings
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from random import Random

from .case import Case
from .changes import Changes
from .noise import Noise
from .renames import renames

MOST_CHARACTERS = 60_000
RENAMES_OF_A_FILE = 4


def cases(paths: Iterable[Path], most: int, seed: int = 1) -> list[Case]:
    """`most`: of each kind."""
    found: dict[str, list[Case]] = defaultdict(list)
    for path in paths:
        text, name = _text(path), "/".join(path.parts[-2:])
        if not text:
            continue
        draw = Random(f"{seed} {name}")
        made = [*renames(name, text, RENAMES_OF_A_FILE, draw)]
        made += [*Changes(name, text, draw), *Noise(name, text, draw)]
        draw.shuffle(made)
        for case in made:
            found[case.kind].append(case)
    chosen: list[Case] = []
    for kind, those in sorted(found.items()):
        Random(f"{seed} {kind}").shuffle(those)
        chosen += those[:most]
    return chosen


def _text(path: Path) -> str:
    """Nothing of what is no Python that parses."""
    try:
        text = path.read_text(encoding="utf-8")
        with warnings.catch_warnings(action="ignore"):
            ast.parse(text)
    except (OSError, ValueError, SyntaxError, RecursionError):
        return ""
    is_good = len(text) <= MOST_CHARACTERS and "\r" not in text and "\f" not in text
    return text if is_good else ""
