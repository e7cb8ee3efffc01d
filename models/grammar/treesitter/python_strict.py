"""Python's own rules that tree-sitter's grammar leaves out on purpose.

Each refuses only what CPython's parser refuses too: a block has a body, and a `try` an `except`
or a `finally`; a logical line starts
exactly at its block's indentation; a line break outside brackets ends the statement, and one in a
string of one line is none; `print x`, a bare `x := 1`, `x = y += 1`, `f(, x)` and `import x,` are
no statements. Indentation is counted the way the grammar's scanner counts it (a tab is eight
columns, a form feed starts again), so that both agree on every block.
"""

import re
from typing import NamedTuple

from .lexer import Lexed
from .tables import LanguageTables

JOINED = re.compile(r"\\\r?\n")  # the scanner skips a joined line like a space
ESCAPED = re.compile(r"\\(?:\r\n|.)", re.DOTALL)
OPENING, CLOSING = ("(", "[", "{"), (")", "]", "}")
OPERAND_STARTS = ("identifier", "integer", "float", "string_start", "none", "true", "false")
OPERATORS = ("+", "-", "*", "/", "@", "//", "%", "**", ">>", "<<", "&", "^", "|")
HANDLERS = ("except", "except*", "finally")
TRIPLE_QUOTES = ('"""', "'''")


class Line(NamedTuple):
    """What the rules remember of the text on the left."""

    at_start: bool = True  # no token of this logical line was seen
    first: int = 0  # the symbol that the statement began with, 0 before it
    last: int = 0  # the last token's symbol
    alone: bool = False  # the statement has one token so far
    assigned: bool = False  # there was an assignment outside brackets in this statement
    deeper: bool = False  # a block has begun and its first line sets its indentation
    indents: tuple[int, ...] = (0,)  # columns of the open blocks
    trying: tuple[int, ...] = ()  # columns of each `try` without an `except` or `finally` yet
    brackets: int = 0  # open ones
    strings: tuple[tuple[bool, int], ...] = ()  # open: whether of one line, brackets around it

    @property
    def in_short_string(self) -> bool:
        """Whether what comes next is text of a string that ends with its line."""
        return bool(self.strings) and self.strings[-1] == (True, self.brackets)


class PythonRules:
    """Strictness rules for tree-sitter-python; see `automaton.Rules`."""

    start = Line()

    def __init__(self, tables: LanguageTables):
        def symbols(*names: str) -> frozenset[int]:
            return frozenset(symbol for symbol, name in tables.terminals if name in names)

        self._try = symbols("try")
        self._handlers = symbols(*HANDLERS)
        self._newline = symbols("_newline")
        self._indent = symbols("_indent")
        self._dedent = symbols("_dedent")
        self._comment = symbols("comment")
        self._continuation = symbols("line_continuation")
        self._colon = symbols(":")
        self._semicolon = symbols(";")
        self._comma = symbols(",")
        self._walrus = symbols(":=")
        self._equals = symbols("=")
        self._augmented = symbols(*(f"{sign}=" for sign in OPERATORS))
        self._opening = symbols(*OPENING)
        self._closing = symbols(*CLOSING)
        self._import = symbols("import", "from")
        self._name = symbols("identifier")
        self._statement_words = symbols("print", "exec")
        self._operands = symbols(*OPERAND_STARTS)
        self._string_start = symbols("string_start")
        self._string_end = symbols("string_end")
        self._string_text = symbols("_string_content")

    def take(
        self, memory: Line, token: Lexed, text: str, gap: str, line: str, decided: bool
    ) -> Line | None:
        """The line after `token`, or None where Python refuses it."""
        symbol = token.symbol
        if symbol in self._newline:
            unfinished = memory.first in self._import and memory.last in self._comma
            if memory.last in self._colon or unfinished:
                return None
            return memory._replace(at_start=True, first=0, last=0, assigned=False)
        if symbol in self._indent:
            return memory._replace(at_start=True, first=0, last=0, deeper=True)
        if symbol in self._dedent:
            return memory._replace(at_start=True, last=0, indents=memory.indents[:-1] or (0,))
        if symbol in self._comment or token.start == token.end:
            return memory
        if symbol in self._continuation:
            return memory._replace(at_start=False)
        if symbol in self._string_text:
            return memory if self.may_grow(memory, text) else None
        indents, trying = memory.indents, memory.trying
        if memory.at_start:
            column = _column(line)
            if memory.deeper:
                indents = (*indents, column)
            elif column != indents[-1] and not line.strip():
                return None
            if memory.first == 0:
                handles = symbol in self._handlers or (not decided and _may_handle(text))
                if trying and trying[-1] >= indents[-1] + handles:
                    return None
                trying = trying[:-1] if trying and trying[-1] == indents[-1] else trying
                trying = (*trying, indents[-1]) if symbol in self._try else trying
        elif memory.brackets == 0 and "\n" in JOINED.sub("", gap):
            return None
        if self._wrong(memory, symbol, decided):
            return None
        begins = memory.first == 0 or memory.last in self._semicolon
        apart = symbol in self._colon or symbol in self._semicolon
        assigns = memory.brackets == 0 and (symbol in self._equals or symbol in self._augmented)
        return Line(
            at_start=False,
            first=symbol if begins else memory.first,
            last=symbol,
            alone=begins,
            assigned=assigns or (memory.assigned and (memory.brackets > 0 or not apart)),
            indents=indents,
            trying=trying,
            brackets=self._depth(memory.brackets, symbol),
            strings=self._open_strings(memory, symbol, text),
        )

    def may_grow(self, memory: Line, text: str) -> bool:
        """Whether `text` may be the start of what comes next, or all of it."""
        return not (memory.in_short_string and "\n" in text and "\n" in ESCAPED.sub("", text))

    def may_end(self, memory: Line) -> bool:
        """Whether no `try` is left without what it needs."""
        return not memory.trying

    def _wrong(self, memory: Line, symbol: int, decided: bool) -> bool:
        """Whether the token can't follow the last one, or can't stand in this statement."""
        if memory.alone and decided:
            if memory.first in self._statement_words and symbol in self._operands:
                return True
            if memory.first in self._name and symbol in self._walrus:
                return True
        if symbol in self._comma and memory.last in self._opening:
            return True
        again = memory.assigned and memory.brackets == 0
        return again and decided and symbol in self._augmented

    def _open_strings(self, memory: Line, symbol: int, text: str) -> tuple[tuple[bool, int], ...]:
        if symbol in self._string_start:
            return (*memory.strings, (not text.endswith(TRIPLE_QUOTES), memory.brackets))
        return memory.strings[:-1] if symbol in self._string_end else memory.strings

    def _depth(self, brackets: int, symbol: int) -> int:
        if symbol in self._opening:
            return brackets + 1
        return max(0, brackets - 1) if symbol in self._closing else brackets


def _may_handle(text: str) -> bool:
    """Whether a word that is not over may become one that handles a `try`."""
    return any(word.startswith(text) for word in HANDLERS)


def _column(indentation: str) -> int:
    """The column that the grammar's scanner counts for leading whitespace."""
    column = 0
    for character in indentation:
        if character in "\r\f":
            column = 0
        else:
            column += 8 if character == "\t" else 1
    return column
