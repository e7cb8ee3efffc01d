"""Ways in which code is broken while it is being written, done to any text at random."""

import random
from collections.abc import Callable

GARBAGE = ("\x00", "\ufeff", "é", "日本", "\ud800", "\r", "\x0c", "\u2028", "\x85", "😀", "\x1b[0m")
OPENERS = (
    '"""',
    "'''",
    '"',
    "'",
    "`",
    "/*",
    "<!--",
    "${",
    "#{",
    "(",
    "[",
    "{",
    "<",
    "<<EOF\n",
    'r#"',
)
MACROS = ("#define F(x) \\\n", "FOREACH(a, b) {\n", "#if X\n", "@@ -1 +1 @@\n", "BEGIN_NAMESPACE\n")


def half_typed(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)].rstrip("\n") + "\n"
    return "".join(lines)


def merge_conflict(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    at, size = rng.randrange(len(lines)), rng.randrange(1, 4)
    ours = lines[at : at + size]
    theirs = [line.replace("a", "b") for line in ours]
    conflict = ["<<<<<<< HEAD\n", *ours, "=======\n", *theirs, ">>>>>>> other\n"]
    return "".join([*lines[:at], *conflict, *lines[at + size :]])


def mixed_tabs(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(
        "\t" * rng.randrange(4) + line.lstrip(" ") if rng.random() < 0.3 else line for line in lines
    )


def macro(text: str, rng: random.Random) -> str:
    return insert(text, rng, rng.choice(MACROS), whole_line=True)


def garbage(text: str, rng: random.Random) -> str:
    return insert(text, rng, rng.choice(GARBAGE) * rng.randrange(1, 4))


def opened(text: str, rng: random.Random) -> str:
    return insert(text, rng, rng.choice(OPENERS))


def deleted(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text))
    return text[:at] + text[at + rng.randrange(1, 60) :] or "x"


def moved(text: str, rng: random.Random) -> str:
    at, size = rng.randrange(len(text)), rng.randrange(1, 60)
    return insert(text, rng, text[at : at + size])


def insert(text: str, rng: random.Random, new: str, whole_line: bool = False) -> str:
    at = rng.randrange(len(text) + 1)
    if whole_line:
        at = text.find("\n", at) + 1
    return text[:at] + new + text[at:]


WAYS: tuple[Callable[[str, random.Random], str], ...] = (
    half_typed,
    merge_conflict,
    mixed_tabs,
    macro,
    garbage,
    opened,
    deleted,
    moved,
)


def broken(text: str, rng: random.Random, most: int = 4) -> str:
    """`text` with one to `most` things wrong."""
    for _ in range(rng.randrange(1, most + 1)):
        text = rng.choice(WAYS)(text, rng) or "x"
    return text
