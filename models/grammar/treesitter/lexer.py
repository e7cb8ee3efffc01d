"""Drives a grammar's own lexing functions over a text, and watches whether they saw its end.

A token is *decided* only if neither the external scanner nor the generated lexer looked at the end
of the text: then no further byte can change it. Everything else is undecided, and what it says
about the text is only a hint.
"""

import ctypes
import string
from enum import Enum, auto
from typing import NamedTuple

from .tables import (
    END_SYMBOL,
    ERROR_STATE,
    NO_LOOKAHEAD,
    SCANNER_BUFFER_BYTES,
    AdvanceFn,
    BoolFn,
    CLexer,
    ColumnFn,
    LanguageTables,
    LexMode,
    LogFn,
    MarkEndFn,
)

# Some scanners wait for a closing character without asking whether the text has ended. After this
# many steps past the end they get to see every printable character in turn until they stop; what
# they return then does not matter, because they have looked at the end.
PATIENCE = 512
BAIT = string.printable


class Sight(Enum):
    """How sure we are of what was lexed."""

    DECIDED = auto()  # this token, whatever follows
    UNDECIDED = auto()  # this token if the text ended here; more text may change it
    PARTIAL = auto()  # no token yet, but the text ended while one was being read
    END_OF_EXTRA = auto()  # no token: a non-terminal extra ends in this state
    NOTHING = auto()  # no token starts here, whatever follows


class Lexed(NamedTuple):
    """One token: text[start:end], and the external scanner's state behind it."""

    sight: Sight
    symbol: int
    start: int
    end: int
    scanner: bytes
    keyword: bool  # read by the keyword lexer; may also stand as an ordinary word


class Lexer:
    """The lexing functions of one language, with one text loaded at a time. Not thread-safe."""

    def __init__(self, tables: LanguageTables):
        self._tables = tables
        self._c = tables.c
        self._scanner_states = tables.c.scanner.states or 0
        self._external_tokens = tables.c.external_token_count
        self._buffer = ctypes.create_string_buffer(SCANNER_BUFFER_BYTES)
        self._payload = None
        if tables.has_scanner and tables.c.scanner.create:
            self._payload = tables.c.scanner.create()
        self.text = ""
        self.column = 0  # of the text's first character, in code points
        self._length = self._at = self._start = self._furthest = 0
        self._end: int | None = None
        self._beyond = 0  # advances past the end of the text
        self._view = CLexer()
        self._reference = ctypes.byref(self._view)
        self._callbacks = self._make_callbacks()

    def __del__(self):
        if getattr(self, "_payload", None) and self._c.scanner.destroy:
            self._c.scanner.destroy(self._payload)

    def load(self, text: str, column: int) -> None:
        """Look at `text` from now on; its first character stands in `column` (code points)."""
        self.text = text
        self._length = len(text)
        self.column = column

    def next_token(self, state: int, scanner: bytes, at: int, final: bool = False) -> Lexed:
        """The token at offset `at` for parse state `state`.

        With `final` the end of the text is the end of the file, and every token is decided.
        """
        mode = self._tables.modes[state]
        if mode.internal == NO_LOOKAHEAD:
            return Lexed(Sight.END_OF_EXTRA, END_SYMBOL, at, at, scanner, False)
        self._furthest = -1
        if mode.external and self._tables.has_scanner:
            found = self._scan(state, mode, scanner, at, final)
            if found is not None:
                return found
        return self._lex(state, mode, scanner, at, final)

    def recovered_token(self, state: int, scanner: bytes, at: int, final: bool) -> Lexed:
        """The token that tree-sitter would look for after `state`'s own mode found nothing."""
        self._furthest = -1
        mode = self._tables.modes[ERROR_STATE]
        if mode.external and self._tables.has_scanner:
            found = self._scan(ERROR_STATE, mode, scanner, at, final)
            if found is not None:
                return found
        return self._lex(state, mode, scanner, at, final)

    def keyword_prefix(self, word: str) -> tuple[int, bool]:
        """(keyword symbol or 0, whether the keyword lexer could read on after `word`)."""
        if not self._tables.word_symbol:
            return 0, False
        kept, kept_column = self.text, self.column
        self.load(word, 0)
        self._furthest = -1
        self._place(0)
        matched = self._c.keyword_lex(self._reference, 0)
        symbol = self._view.result_symbol if matched and self._token_end() == len(word) else 0
        # The lexer leaves its last state either by advancing or by looking at the end in vain:
        # both touch the end, so only a read past every character tells that it is still going.
        alive = self._at == len(word)
        self.load(kept, kept_column)
        return symbol, alive

    # region the two lexers

    def _scan(
        self, state: int, mode: LexMode, scanner: bytes, at: int, final: bool
    ) -> Lexed | None:
        functions = self._c.scanner
        self._place(at)
        functions.deserialize(self._payload, scanner or None, len(scanner))
        row = self._scanner_states + mode.external * self._external_tokens
        matched = functions.scan(self._payload, self._reference, row)
        if self._furthest >= self._length and not final:
            # Its decision may rest on bytes that are not written yet.
            return Lexed(Sight.PARTIAL, END_SYMBOL, at, self._length, scanner, False)
        if not matched:
            return None
        size = functions.serialize(self._payload, self._buffer)
        after = self._buffer.raw[:size]
        end = self._token_end()
        symbol = functions.symbol_map[self._view.result_symbol]
        if end <= at and after == scanner and self._tables.next_state(state, symbol) == state:
            return None  # an empty extra would be found for ever
        return Lexed(Sight.DECIDED, symbol, min(self._start, end), end, after, False)

    def _lex(self, state: int, mode: LexMode, scanner: bytes, at: int, final: bool) -> Lexed:
        tables = self._tables
        self._place(at)
        matched = self._c.lex(self._reference, mode.internal)
        touched = self._furthest >= self._length and not final
        if not matched:
            sight = Sight.PARTIAL if touched else Sight.NOTHING
            return Lexed(sight, END_SYMBOL, at, self._length, scanner, False)
        symbol, end = self._view.result_symbol, self._token_end()
        start = min(self._start, end)
        keyword = False
        if symbol == tables.word_symbol and symbol:
            self._place(start)
            if self._c.keyword_lex(self._reference, 0) and self._token_end() == end:
                keyword = True
                as_keyword = self._view.result_symbol
                if tables.entry(state, as_keyword) or tables.is_reserved(state, as_keyword):
                    symbol = as_keyword
        sight = Sight.UNDECIDED if touched else Sight.DECIDED
        return Lexed(sight, symbol, start, end, scanner, keyword)

    def _place(self, at: int) -> None:
        self._at = self._start = at
        self._end = None
        self._beyond = 0
        if at > self._furthest:
            self._furthest = at
        self._view.lookahead = ord(self.text[at]) if at < self._length else 0
        self._view.result_symbol = 0

    def _token_end(self) -> int:
        return self._at if self._end is None else self._end

    # endregion

    def _make_callbacks(self) -> list[object]:
        view = self._view

        def advance(_: int, skip: bool) -> None:
            at = self._at
            if at < self._length:
                at += 1
                self._at = at
                view.lookahead = ord(self.text[at]) if at < self._length else 0
                if at > self._furthest:
                    self._furthest = at
            else:
                self._beyond += 1
                if self._beyond > PATIENCE:
                    view.lookahead = ord(BAIT[self._beyond % len(BAIT)])
            if skip:
                self._start = at

        def mark_end(_: int) -> None:
            self._end = self._at

        def column(_: int) -> int:
            newline = self.text.rfind("\n", 0, self._at)
            return self._at - newline - 1 if newline >= 0 else self.column + self._at

        def at_range_start(_: int) -> bool:
            return False

        def eof(_: int) -> bool:
            return self._at >= self._length

        def log(_: int, message: bytes) -> None:
            return None

        view.advance, view.mark_end = AdvanceFn(advance), MarkEndFn(mark_end)
        view.get_column = ColumnFn(column)
        view.is_at_included_range_start, view.eof = BoolFn(at_range_start), BoolFn(eof)
        view.log = LogFn(log)
        return [view.advance, view.mark_end, view.get_column, view.eof, view.log]
