"""A text and its syntax tree: the names in it, and what each of them stands in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from tree_sitter import Node

from ...project.outline import Import
from ...project.reading.reader import grammar_of
from ...project.reading.statements import STATEMENTS, imports_below
from ...project.reading.syntax import GRAMMARS, Stopwatch, parse

MOST_CHARACTERS = 200_000  # of a text that is read
MOST_PLACES = 500  # of one name
MOST_ERRORS = 1_000  # that are counted
NAMES = re.compile(r"identifier|name$|^constant$|^implicit_parameter$")
WITH_PARTS = "variable_name"  # of PHP: with its dollar
STATEMENT = re.compile(r"statement$|declaration$|^command$")
MOST_STATEMENT = 2_000  # bytes: what is longer is broken anywhere
SHELL = "shellscript"
SHELL_WORDS = ("command_name", "function_definition")  # in which a word is a function's name
JSX_TAGS = re.compile(r"^jsx_(?:opening|closing|self_closing)_element$")


@dataclass(frozen=True, slots=True)
class Step:
    """A node on the way from the tree's root to a name, and what it is to the one before."""

    node: Node
    field: str


@dataclass(frozen=True, slots=True)
class Place:
    """A name in a text, as characters `start .. stop`."""

    start: int
    stop: int
    steps: tuple[Step, ...]  # from the root to the name itself


@dataclass(frozen=True, slots=True)
class Called:
    """The last name of what is called, and where that begins."""

    name: str
    start: int


class Source:
    """Raises `TooLong` where reading takes longer than it may."""

    def __init__(self, language: str, text: str, watch: Stopwatch) -> None:
        self.language = language
        self.text = text
        self._watch = watch
        data = text.encode("utf-8", "replace")
        self._is_ascii = len(data) == len(text)
        self._data = data
        self._root = parse(grammar_of(language, text), data, watch)

    @staticmethod
    def knows(language: str) -> bool:
        return language in GRAMMARS

    def imports(self) -> Iterator[Import]:
        """The statements that make names of other files known."""
        if self.language in STATEMENTS:
            yield from imports_below(self._root, self.language, self._data, self._watch)

    def check(self) -> None:
        """Raises `TooLong` once it has taken as long as it may."""
        self._watch.check()

    def again(self, text: str) -> "Source":
        """Another text of the same language, in the time that is left."""
        return Source(self.language, text, self._watch)

    def places(self, name: str) -> list[Place]:
        """Where it stands as a name: not as part of another, nor in a comment or a string."""
        found: list[Place] = []
        before = r"\w" if self.language == SHELL else r"\w$"
        for match in re.finditer(rf"(?<![{before}]){re.escape(name)}(?!\w)", self.text):
            if len(found) == MOST_PLACES:
                break
            self.check()
            if (place := self.name_at(*match.span())) is not None:
                found.append(place)
        return found

    def name_at(self, start: int, stop: int) -> Place | None:
        """The name that is these characters, if a name is there."""
        place = self._place(start, stop)
        leaf = place.steps[-1].node
        whole = (leaf.start_byte, leaf.end_byte) == (self._byte(start), self._byte(stop))
        if not whole or not self._is_name(place):
            return None
        return place if leaf.type == WITH_PARTS or not leaf.child_count else None

    def is_broken(self, place: Place) -> bool:
        """Whether the statement that it stands in is not of the language: what names are there is
        only guessed."""
        for step in reversed(place.steps[:-1]):
            node = step.node
            if node.is_error:
                return True
            if STATEMENT.search(node.type):
                return node.has_error and node.end_byte - node.start_byte <= MOST_STATEMENT
        return False

    def _is_name(self, place: Place) -> bool:
        leaf, around = place.steps[-1].node, place.steps[-2].node if len(place.steps) > 1 else None
        if leaf.type == "word":
            return around is not None and around.type in SHELL_WORDS
        if around is not None and JSX_TAGS.search(around.type) and self.text[place.start].islower():
            return False  # the page's own
        return NAMES.search(leaf.type) is not None

    def is_code(self, start: int) -> bool:
        """Whether a character is no part of a comment or a literal string."""
        kinds = [step.node.type for step in self._place(start, start + 1).steps]
        for kind in reversed(kinds):
            if "interpolation" in kind or "substitution" in kind:
                return True
            if "comment" in kind or "string" in kind:
                return False
        return True

    def is_comment(self, start: int) -> bool:
        return any("comment" in step.node.type for step in self._place(start, start + 1).steps)

    def call_around(self, start: int) -> "Called | None":
        """What the innermost call is of in whose arguments a character stands."""
        below: Node | None = None
        for step in reversed(self._place(start, start + 1).steps):
            called = step.node.child_by_field_name("function") or step.node.child_by_field_name(
                "name"
            )
            if below is not None and "argument" in below.type and called is not None:
                name = re.split(r"[^\w$]", self.text_of(called))[-1]
                return Called(name, self.character(called.end_byte) - len(name))
            below = step.node
        return None

    def called_at(self, start: int) -> str:
        """The last name of the innermost call in whose arguments a character stands."""
        found = self.call_around(start)
        return "" if found is None else found.name

    def names_around(self, start: int) -> list[tuple[str, bool]]:
        """Of the functions around a character, the innermost first, and whether each can wait."""
        found: list[tuple[str, bool]] = []
        for step in reversed(self._place(start, start + 1).steps):
            node, body = step.node, step.node.child_by_field_name("body")
            is_function = "function" in node.type or "method" in node.type or "closure" in node.type
            if body is not None and is_function:
                head = self.text[self.character(node.start_byte) : self.character(body.start_byte)]
                name = self.text_of(node.child_by_field_name("name"))
                found.append((name, re.search(r"\basync\b", head) is not None))
        return found

    @property
    def errors(self) -> int:
        """Places where the text is not of the language, as far as it is read."""
        count, left = 0, [self._root]
        while left and count < MOST_ERRORS:
            node = left.pop()
            count += node.is_error or node.is_missing
            left += [each for each in node.children if each.has_error]
        return count

    def text_of(self, node: Node | None) -> str:
        if node is None:
            return ""
        return self.text[self.character(node.start_byte) : self.character(node.end_byte)]

    def character(self, byte: int) -> int:
        if self._is_ascii:
            return byte
        return self._characters[byte]

    def _place(self, start: int, stop: int) -> Place:
        self.check()
        first, last = self._byte(start), self._byte(stop)
        cursor = self._root.walk()
        steps = [Step(self._root, "")]
        while cursor.goto_first_child_for_byte(first) is not None:
            node = cursor.node
            if node is None or node.start_byte > first or node.end_byte < last:
                break
            steps.append(Step(node, cursor.field_name or ""))
        return Place(start, stop, tuple(steps))

    def _byte(self, character: int) -> int:
        return character if self._is_ascii else self._bytes[character]

    @cached_property
    def _bytes(self) -> list[int]:
        """Where each character begins."""
        sizes = (len(each.encode("utf-8", "replace")) for each in self.text)
        return list(accumulate(sizes, initial=0))

    @cached_property
    def _characters(self) -> dict[int, int]:
        return {byte: character for character, byte in enumerate(self._bytes)}
