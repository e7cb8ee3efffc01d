"""Python's own rules that tree-sitter's grammar leaves out on purpose.

Four of them, each refusing only what CPython's parser refuses too: a block has a body; a logical
line starts exactly at its block's indentation; a line break outside brackets ends the statement;
`print x` is not a statement. Indentation is counted the way the grammar's scanner counts it (a tab
is eight columns, a form feed starts again), so that both agree on every block.
"""

import re
from typing import NamedTuple

from .lexer import Lexed
from .tables import LanguageTables

JOINED = re.compile(r"\\\r?\n")  # the scanner skips a joined line like a space
OPENING, CLOSING = ("(", "[", "{"), (")", "]", "}")
OPERAND_STARTS = ("identifier", "integer", "float", "string_start", "none", "true", "false")


class Line(NamedTuple):
    """What the rules remember of the text on the left."""

    at_start: bool = True  # no token of this logical line was seen
    after_colon: bool = False  # the last token was a colon
    deeper: bool = False  # a block has begun and its first line sets its indentation
    indents: tuple[int, ...] = (0,)  # columns of the open blocks
    brackets: int = 0  # open ones
    after_print: bool = False  # the logical line so far is `print` or `exec`


class PythonRules:
    """Strictness rules for tree-sitter-python; see `automaton.Rules`."""

    start = Line()

    def __init__(self, tables: LanguageTables):
        def symbols(*names: str) -> frozenset[int]:
            return frozenset(symbol for symbol, name in tables.terminals if name in names)

        self._newline = symbols("_newline")
        self._indent = symbols("_indent")
        self._dedent = symbols("_dedent")
        self._comment = symbols("comment")
        self._continuation = symbols("line_continuation")
        self._colon = symbols(":")
        self._opening = symbols(*OPENING)
        self._closing = symbols(*CLOSING)
        self._statement_words = symbols("print", "exec")
        self._operands = symbols(*OPERAND_STARTS)

    def take(self, memory: Line, token: Lexed, gap: str, line: str, decided: bool) -> Line | None:
        """The line after `token`, or None where Python refuses it."""
        symbol = token.symbol
        if symbol in self._newline:
            return None if memory.after_colon else memory._replace(at_start=True, after_print=False)
        if symbol in self._indent:
            return memory._replace(at_start=True, after_colon=False, deeper=True)
        if symbol in self._dedent:
            inner = memory.indents[:-1] or (0,)
            return memory._replace(at_start=True, after_colon=False, indents=inner)
        if symbol in self._comment or token.start == token.end:
            return memory
        if symbol in self._continuation:
            return memory._replace(at_start=False)
        indents = memory.indents
        if memory.at_start:
            column = _column(line)
            if memory.deeper:
                indents = (*indents, column)
            elif column != indents[-1] and not line.strip():
                return None
        elif memory.brackets == 0 and "\n" in JOINED.sub("", gap):
            return None
        if memory.after_print and decided and symbol in self._operands:
            return None
        return Line(
            at_start=False,
            after_colon=symbol in self._colon,
            indents=indents,
            brackets=self._depth(memory.brackets, symbol),
            after_print=memory.at_start and symbol in self._statement_words,
        )

    def _depth(self, brackets: int, symbol: int) -> int:
        if symbol in self._opening:
            return brackets + 1
        return max(0, brackets - 1) if symbol in self._closing else brackets


def _column(indentation: str) -> int:
    """The column that the grammar's scanner counts for leading whitespace."""
    column = 0
    for character in indentation:
        if character in "\r\f":
            column = 0
        else:
            column += 8 if character == "\t" else 1
    return column
