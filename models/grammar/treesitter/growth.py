"""The growth of an unfinished token: what may it still become?

The lexer says what the text's last token is if the text ended there. If the stack can't take that
token, a longer one may still fit: `ret` is a name now and `return` later, `1` an integer and then
`1.5`. This module names every terminal that the undecided text may grow into, so that a prefix of
valid code is never refused. It errs on the side of naming too many.
"""

import string
from typing import NamedTuple

from .lexer import Lexer, Sight
from .tables import LanguageTables

PROBES = string.printable.rstrip("\r\x0b\x0c") + "é"
WORD_CHARACTERS = string.ascii_lowercase + string.ascii_uppercase + string.digits + "_-?!"
PROBE_DEPTH = 3  # characters; `>` to `>>>=` needs them, nothing known needs more
KEYWORD_READS = 4_000  # keyword lexer calls before we give up and allow anything
REMEMBERED = 4_096  # undecided texts


class Growth(NamedTuple):
    """Terminals that an undecided text may become; `anything` when we cannot tell."""

    anything: bool
    symbols: frozenset[int]


ANYTHING = Growth(True, frozenset())


class GrowthTable:
    """Answers by probing the language's own lexers; remembers its answers."""

    def __init__(self, tables: LanguageTables, lexer: Lexer):
        self._tables = tables
        self._lexer = lexer
        self._known: dict[tuple[int, bytes, str], Growth] = {}

    def of(self, state: int, scanner: bytes, padded: str, column: int, word: str) -> Growth:
        """What `word`, the undecided end of `padded` read in `state`, may become.

        `padded` starts where the token's whitespace starts, in `column`. The lexer's text is
        unchanged afterwards.
        """
        key = (state, scanner, padded)
        growth = self._known.get(key)
        if growth is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            kept, kept_column = self._lexer.text, self._lexer.column
            growth = self._known[key] = self._probe_all(state, scanner, padded, column, word)
            self._lexer.load(kept, kept_column)
        return growth

    def _probe_all(self, state: int, scanner: bytes, padded: str, column: int, word: str) -> Growth:
        symbols = {s for s, name in self._tables.terminals if name.startswith(word)}
        keywords = self._keywords_from(word)
        if keywords is None:
            return ANYTHING
        symbols |= keywords
        pending = [(padded, 0)]
        seen_symbols: set[int] = set()
        for text, depth in pending:  # grows while we walk it
            for probe in PROBES:
                longer = text + probe
                self._lexer.load(longer, column)
                token = self._lexer.next_token(state, scanner, 0)
                if token.sight is Sight.PARTIAL:
                    return ANYTHING
                if token.sight is Sight.UNDECIDED and token.end < len(longer):
                    return ANYTHING
                if token.end < len(longer) or token.sight is Sight.NOTHING:
                    continue
                symbols.add(token.symbol)
                if token.keyword:
                    symbols.add(self._tables.word_symbol)
                new = token.symbol not in seen_symbols
                seen_symbols.add(token.symbol)
                is_word = token.keyword or token.symbol == self._tables.word_symbol
                if new and not is_word and depth + 1 < PROBE_DEPTH:
                    pending.append((longer, depth + 1))
        return Growth(False, frozenset(symbols))

    def _keywords_from(self, word: str) -> set[int] | None:
        """Keywords that start with `word`; None if there are too many to list."""
        symbols: set[int] = set()
        pending = [word]
        reads = 0
        for text in pending:  # grows while we walk it
            symbol, alive = self._lexer.keyword_prefix(text)
            reads += 1
            if symbol:
                symbols.add(symbol)
            if not alive:
                continue
            for character in WORD_CHARACTERS:
                reads += 1
                if reads > KEYWORD_READS:
                    return None
                longer, goes_on = self._lexer.keyword_prefix(text + character)
                if longer or goes_on:
                    pending.append(text + character)
        return symbols
