"""Syntax trees of files, made in limited time by the grammars that we ship.

Files are whatever somebody left there: between two small steps of the parser `pause` is called,
which may wait, and a file that takes too long to read is given up. Queries are not used: they take
minutes on some trees, and stopping one crashes the library.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module

from tree_sitter import Language, Node, Parser

MOST_SECONDS = 0.2  # for a file
SMALLEST_BUFFER_BITS = 18

GRAMMARS = {
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "csharp": ("tree_sitter_c_sharp", "language"),
    "go": ("tree_sitter_go", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "javascriptreact": ("tree_sitter_javascript", "language"),
    "kotlin": ("tree_sitter_kotlin", "language"),
    "lua": ("tree_sitter_lua", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "python": ("tree_sitter_python", "language"),
    "ruby": ("tree_sitter_ruby", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "shellscript": ("tree_sitter_bash", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "typescriptreact": ("tree_sitter_typescript", "language_tsx"),
}


class TooLong(Exception):
    """The file takes longer than it may."""


@dataclass
class Stopwatch:
    """Time that one file takes: `step` is called often, may pause, and is true when it is over.
    The processor's time: whoever works only when nobody else does takes long for anything."""

    pause: Callable[[], None]
    seconds: float = MOST_SECONDS
    began: float = field(default_factory=time.thread_time)

    def step(self, *_: object) -> bool:
        self.pause()
        return time.thread_time() - self.began > self.seconds

    def check(self) -> None:
        """Raises `TooLong`."""
        if self.step():
            raise TooLong


def parse(language: str, data: bytes, watch: Stopwatch) -> Node:
    """The root of the tree. Raises `TooLong`."""
    parser = Parser(grammar(language))
    try:
        with _buffer(data) as view:
            tree = parser.parse(lambda offset, point: view[offset:], progress_callback=watch.step)
    except ValueError:  # what the library calls having been stopped
        raise TooLong from None
    return tree.root_node


@contextmanager
def _buffer(data: bytes) -> Iterator[memoryview]:
    """`data` in memory that is used again: the library never lets go of what it was given to read.
    Text of nodes must not be asked of it afterwards."""
    spare = _spare_buffers()
    try:
        buffer = spare.pop()
    except IndexError:
        buffer = bytearray()
    if len(buffer) < len(data):
        buffer = bytearray(1 << max(SMALLEST_BUFFER_BITS, len(data).bit_length()))
    buffer[: len(data)] = data
    try:
        yield memoryview(buffer)[: len(data)]
    finally:
        spare.append(buffer)


@cache
def _spare_buffers() -> list[bytearray]:
    """Those that no thread uses: one, or as many as there were threads at once."""
    return []


@dataclass(frozen=True, slots=True)
class Text:
    """The text of nodes of one file. A node's own is fetched through the parser, slowly."""

    data: bytes

    def __call__(self, node: Node | None, most: int = 4_000) -> str:
        """So many characters at most; nothing of no node."""
        if node is None:
            return ""
        return self.between(node.start_byte, node.end_byte, most)

    def between(self, start: int, end: int, most: int) -> str:
        data = self.data[start : min(end, start + 4 * most)]
        return data.decode("utf-8", "replace")[:most].replace("\r\n", "\n")


@cache
def grammar(language: str) -> Language:
    module, function = GRAMMARS[language]
    return Language(getattr(import_module(module), function)())
