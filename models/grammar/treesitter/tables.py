"""Read-only view of the parse tables that a compiled tree-sitter grammar carries.

A `tree-sitter-<lang>` wheel hands out a capsule around `const TSLanguage *`. Its layout is what
tree-sitter's `parser.h` declares for the ABI number in the first field; fields were only ever
appended, so one structure serves ABI 13 to 15 as long as the later fields are left alone on the
earlier ABIs. Anything else is refused by name. Tables are read through the pointers on first use
and remembered; the symbols, names and lex modes are copied once.
"""

import ctypes
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, NamedTuple

from ..errors import GrammarError

SUPPORTED_ABI = (13, 14, 15)
END_SYMBOL = 0
ERROR_STATE = 0
START_STATE = 1
NO_LOOKAHEAD = 0xFFFF  # the lex state in which a non-terminal extra has just ended
SCANNER_BUFFER_BYTES = 1024

# region the C structures, in the order of parser.h


class CLexer(ctypes.Structure):
    """`TSLexer`: what a lexing function sees of the text."""


AdvanceFn = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_bool)
MarkEndFn = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
ColumnFn = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p)
BoolFn = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p)
LogFn = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
LexFn = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.POINTER(CLexer), ctypes.c_uint16)

CLexer._fields_ = [
    ("lookahead", ctypes.c_int32),
    ("result_symbol", ctypes.c_uint16),
    ("advance", AdvanceFn),
    ("mark_end", MarkEndFn),
    ("get_column", ColumnFn),
    ("is_at_included_range_start", BoolFn),
    ("eof", BoolFn),
    ("log", LogFn),
]


class CScanner(ctypes.Structure):
    """The external scanner's functions, hand-written C in the grammar's package."""

    _fields_ = [
        ("states", ctypes.c_void_p),  # bool[external lex state][external token]
        ("symbol_map", ctypes.POINTER(ctypes.c_uint16)),
        ("create", ctypes.CFUNCTYPE(ctypes.c_void_p)),
        ("destroy", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        (
            "scan",
            ctypes.CFUNCTYPE(
                ctypes.c_bool, ctypes.c_void_p, ctypes.POINTER(CLexer), ctypes.c_void_p
            ),
        ),
        ("serialize", ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_void_p, ctypes.c_char_p)),
        (
            "deserialize",
            ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint),
        ),
    ]


class CLanguage(ctypes.Structure):
    """`TSLanguage`; the last three fields exist from ABI 15 on and are not touched before."""

    _fields_ = [
        ("abi", ctypes.c_uint32),
        ("symbol_count", ctypes.c_uint32),
        ("alias_count", ctypes.c_uint32),
        ("token_count", ctypes.c_uint32),
        ("external_token_count", ctypes.c_uint32),
        ("state_count", ctypes.c_uint32),
        ("large_state_count", ctypes.c_uint32),
        ("production_id_count", ctypes.c_uint32),
        ("field_count", ctypes.c_uint32),
        ("max_alias_sequence_length", ctypes.c_uint16),
        ("parse_table", ctypes.POINTER(ctypes.c_uint16)),
        ("small_parse_table", ctypes.POINTER(ctypes.c_uint16)),
        ("small_parse_table_map", ctypes.POINTER(ctypes.c_uint32)),
        ("parse_actions", ctypes.POINTER(ctypes.c_uint64)),
        ("symbol_names", ctypes.POINTER(ctypes.c_char_p)),
        ("field_names", ctypes.c_void_p),
        ("field_map_slices", ctypes.c_void_p),
        ("field_map_entries", ctypes.c_void_p),
        ("symbol_metadata", ctypes.c_void_p),
        ("public_symbol_map", ctypes.c_void_p),
        ("alias_map", ctypes.c_void_p),
        ("alias_sequences", ctypes.c_void_p),
        ("lex_modes", ctypes.POINTER(ctypes.c_uint16)),
        ("lex", LexFn),
        ("keyword_lex", LexFn),
        ("keyword_capture_token", ctypes.c_uint16),
        ("scanner", CScanner),
        ("primary_state_ids", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("reserved_words", ctypes.POINTER(ctypes.c_uint16)),
        ("max_reserved_word_set_size", ctypes.c_uint16),
    ]


# endregion


class ActionKind(IntEnum):
    """`TSParseActionType`, without the error recovery that we never follow."""

    SHIFT = 0
    REDUCE = 1
    ACCEPT = 2


SHIFT, REDUCE, ACCEPT = int(ActionKind.SHIFT), int(ActionKind.REDUCE), int(ActionKind.ACCEPT)


class Action(NamedTuple):
    """One entry of the parse table: `target` is a state for a shift, a symbol for a reduction."""

    kind: int
    target: int
    children: int  # popped by a reduction
    extra: bool  # a shift that leaves the state alone: comments, whitespace tokens


@dataclass(frozen=True, slots=True)
class LexMode:
    """How tokens are recognised in a parse state; equal modes recognise the same tokens."""

    internal: int
    external: int
    reserved_set: int


class LanguageTables:
    """The tables of one language. Immutable to its users; remembers what it has read."""

    def __init__(self, capsule: Any):
        """Read the language in `capsule`; raise GrammarError for an ABI we do not know."""
        self.c = CLanguage.from_address(_address(capsule))
        if self.c.abi not in SUPPORTED_ABI:
            raise GrammarError(
                f"the grammar has ABI {self.c.abi}; keyturn reads {SUPPORTED_ABI}: "
                "install another version of its wheel"
            )
        self._capsule = capsule  # keeps the library's memory in use
        self.abi: int = self.c.abi
        self.symbol_count: int = self.c.symbol_count
        self.token_count: int = self.c.token_count
        self.names = [(self.c.symbol_names[i] or b"").decode() for i in range(self.symbol_count)]
        self.word_symbol: int = self.c.keyword_capture_token  # 0: the grammar has no keywords
        self.has_scanner = bool(self.c.scanner.states) and self.c.external_token_count > 0
        self.modes = self._lex_modes()
        self._rows: dict[int, dict[int, int]] = {}
        self._actions: dict[int, tuple[Action, ...]] = {}
        if not (0 < self.token_count <= self.symbol_count and self.c.state_count > START_STATE):
            raise GrammarError("the grammar's tables are not laid out as its ABI says")

    def actions(self, state: int, symbol: int) -> tuple[Action, ...]:
        """What may be done in `state` on terminal `symbol`; several entries are a GLR fork."""
        key = state << 16 | symbol
        found = self._actions.get(key)
        if found is None:
            found = self._actions[key] = self._read_actions(self.entry(state, symbol))
        return found

    def entry(self, state: int, symbol: int) -> int:
        """Raw table entry: a state for non-terminals (goto), an action index for terminals."""
        row = self._rows.get(state)
        if row is None:
            row = self._rows[state] = self._read_row(state)
        return row.get(symbol, 0)

    def next_state(self, state: int, symbol: int) -> int:
        """The state after `symbol`, as tree-sitter defines it for its empty-token rule."""
        if symbol >= self.token_count:
            return self.entry(state, symbol)
        actions = self.actions(state, symbol)
        if not actions or actions[-1].kind != SHIFT:
            return 0
        return state if actions[-1].extra else actions[-1].target

    def is_reserved(self, state: int, symbol: int) -> bool:
        """Whether keyword `symbol` may not be read as an ordinary word in `state` (ABI 15)."""
        reserved = self.modes[state].reserved_set
        return bool(reserved) and symbol in self._reserved_sets[reserved]

    @cached_property
    def terminals(self) -> list[tuple[int, str]]:
        """(symbol, name) of every terminal that has a name."""
        return [(i, self.names[i]) for i in range(1, self.token_count) if self.names[i]]

    # region reading

    def _lex_modes(self) -> list[LexMode]:
        width = 3 if self.abi >= 15 else 2
        raw = self.c.lex_modes[: self.c.state_count * width]
        return [
            LexMode(raw[i], raw[i + 1], raw[i + 2] if width == 3 else 0)
            for i in range(0, len(raw), width)
        ]

    @cached_property
    def _reserved_sets(self) -> dict[int, frozenset[int]]:
        size = self.c.max_reserved_word_set_size
        numbers = {mode.reserved_set for mode in self.modes}
        sets = {}
        for number in numbers:
            words = self.c.reserved_words[number * size : (number + 1) * size]
            end = words.index(0) if 0 in words else size
            sets[number] = frozenset(words[:end])
        return sets

    def _read_row(self, state: int) -> dict[int, int]:
        if state < self.c.large_state_count:
            start = state * self.symbol_count
            values = self.c.parse_table[start : start + self.symbol_count]
            return {symbol: value for symbol, value in enumerate(values) if value}
        table = self.c.small_parse_table
        at = self.c.small_parse_table_map[state - self.c.large_state_count]
        groups, at = table[at], at + 1
        row: dict[int, int] = {}
        for _ in range(groups):
            value, count = table[at], table[at + 1]
            for symbol in table[at + 2 : at + 2 + count]:
                row.setdefault(symbol, value)
            at += 2 + count
        return row

    def _read_actions(self, index: int) -> tuple[Action, ...]:
        if not index:
            return ()
        words = self.c.parse_actions
        count = words[index] & 0xFF
        actions = []
        for word in words[index + 1 : index + 1 + count]:
            kind = word & 0xFF
            if kind == SHIFT:
                if not word >> 40 & 0xFF:  # a shift inside a repetition is never taken on its own
                    extra = bool(word >> 32 & 0xFF)
                    actions.append(Action(SHIFT, word >> 16 & 0xFFFF, 0, extra))
            elif kind == REDUCE:
                actions.append(Action(REDUCE, word >> 16 & 0xFFFF, word >> 8 & 0xFF, False))
            elif kind == ACCEPT:
                actions.append(Action(ACCEPT, 0, 0, False))
        return tuple(actions)

    # endregion


def _address(capsule: Any) -> int:
    """The address inside a `tree_sitter.Language` capsule, or an old binding's plain integer."""
    if isinstance(capsule, int):
        return capsule
    get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    try:
        return get_pointer(capsule, b"tree_sitter.Language")
    except (ValueError, ctypes.ArgumentError) as error:
        raise GrammarError(f"not a tree-sitter language: {error}") from error
