"""Runs a language's tables over text: a GLR parser that only asks whether the text can go on.

A *version* is one way to read the text so far: a stack, the external scanner's state and the
offset behind its last decided token. Versions that become equal are merged; the least advanced
moves first, as in tree-sitter, so that they get the chance.
"""

from collections.abc import Hashable
from typing import Any, NamedTuple, Protocol

from ..errors import GrammarError
from .growth import GrowthTable
from .lexer import Lexed, Lexer, Sight
from .stack import Reached, Stack, bottom, can_shift, end_extra, shift
from .tables import END_SYMBOL, LanguageTables

MAX_VERSIONS = 64
MAX_TOKENS_PER_CHARACTER = 24  # empty tokens come in bursts (dedents), but not without end


class TooAmbiguous(GrammarError):
    """More ways to read the text than we follow."""


class Rules(Protocol):
    """Strictness beyond the grammar's own; `memory` is whatever the rules need from the left."""

    @property
    def start(self) -> Any:
        """The memory before the first token."""
        ...

    def take(
        self, memory: Any, token: Lexed, text: str, gap: str, line: str, decided: bool
    ) -> Any | None:
        """The memory after `token`, or None to refuse it.

        `text` is the token's, `gap` what was skipped before it, `line` its line up to the token as
        far as we still have it, and `decided` tells whether the token's kind is final.
        """
        ...

    def may_grow(self, memory: Any, text: str) -> bool:
        """Whether `text`, of which no token is certain, may be the start of what comes next."""
        ...

    def may_end(self, memory: Any) -> bool:
        """Whether the file may end here."""
        ...


class NoRules:
    """The grammar's own rules and no others."""

    start = ()

    def take(
        self, memory: Any, token: Lexed, text: str, gap: str, line: str, decided: bool
    ) -> Any | None:
        """Everything is fine."""
        return memory

    def may_grow(self, memory: Any, text: str) -> bool:
        """So is every start."""
        return True

    def may_end(self, memory: Any) -> bool:
        """And every end."""
        return True


class Version(NamedTuple):
    """One way to read the text up to offset `at`."""

    stack: Stack
    scanner: bytes
    at: int
    memory: Hashable


class Automaton:
    """One language; stateless towards its callers, who keep the versions. Not thread-safe."""

    def __init__(self, tables: LanguageTables, rules: Rules | None = None):
        self._tables = tables
        self._rules: Rules = rules if rules is not None else NoRules()
        self._lexer = Lexer(tables)
        self._growth = GrowthTable(tables, self._lexer)

    def start(self) -> tuple[Version, ...]:
        """The only version of the empty text."""
        return (Version(bottom(), b"", 0, self._rules.start),)

    def advance(self, versions: tuple[Version, ...], text: str, column: int) -> tuple[Version, ...]:
        """Versions that can still go on after `text`, each behind its last decided token.

        Empty if the text can't be continued into anything. Raises TooAmbiguous.
        """
        return tuple(
            version
            for version, token in self._run(versions, text, column, final=False)
            if self._can_go_on(version, token)
        )

    def accepts(self, versions: tuple[Version, ...], text: str, column: int) -> bool:
        """Whether the file may end after `text`."""
        return any(self._run(versions, text, column, final=True))

    # region the loop

    def _run(
        self, versions: tuple[Version, ...], text: str, column: int, final: bool
    ) -> list[tuple[Version, Lexed]]:
        """Take every decided token; what is left is before an undecided one, or accepted."""
        self._lexer.load(text, column)
        waiting: list[tuple[Version, Lexed]] = []
        work = _Work(versions)
        budget = (len(text) + 8) * MAX_TOKENS_PER_CHARACTER
        while (version := work.take()) is not None:
            budget -= 1
            if budget < 0:
                raise TooAmbiguous("the grammar goes round in circles here")
            stack, scanner, at, memory = version
            token = self._lexer.next_token(stack.state, scanner, at, final)
            if token.sight is Sight.NOTHING:
                token = self._lexer.recovered_token(stack.state, scanner, at, final)
            match token.sight:
                case Sight.DECIDED:
                    if final and token.symbol == END_SYMBOL and token.end >= len(text):
                        accepted = shift(self._tables, stack, END_SYMBOL).accepted
                        if accepted and self._rules.may_end(memory):
                            waiting.append((version, token))
                        continue
                    after = self._remember(version, token, decided=True)
                    if after is None:
                        continue
                    reached = self._shift(stack, token)
                    for shifted in reached.shifted:
                        work.add(Version(shifted, token.scanner, token.end, after))
                    for reduced in reached.reduced:
                        if self._reads_differently(reduced, version, token):
                            work.add(Version(reduced, scanner, at, memory))
                case Sight.END_OF_EXTRA:
                    for ended in end_extra(self._tables, stack):
                        work.add(Version(ended, scanner, at, memory))
                case Sight.UNDECIDED | Sight.PARTIAL:
                    waiting.append((version, token))
                case Sight.NOTHING:
                    pass
        return waiting

    def _remember(self, version: Version, token: Lexed, decided: bool) -> Hashable | None:
        text = self._lexer.text
        line_start = text.rfind("\n", 0, token.start) + 1
        return self._rules.take(
            version.memory,
            token,
            text[token.start : token.end],
            text[version.at : token.start],
            text[line_start : token.start],
            decided,
        )

    def _shift(self, stack: Stack, token: Lexed) -> Reached:
        reached = shift(self._tables, stack, token.symbol)
        word = self._tables.word_symbol
        if (
            not reached.shifted
            and token.keyword
            and token.symbol != word
            and not self._tables.is_reserved(stack.state, token.symbol)
        ):
            return shift(self._tables, stack, word)
        return reached

    def _reads_differently(self, reduced: Stack, version: Version, token: Lexed) -> bool:
        """Whether a fork's own lex mode finds another token at the same place."""
        again = self._lexer.next_token(reduced.state, version.scanner, version.at)
        return (again.symbol, again.end, again.sight) != (token.symbol, token.end, token.sight)

    # endregion

    def _can_go_on(self, version: Version, token: Lexed) -> bool:
        """Whether the undecided end of the text may become something that the stack takes."""
        text = self._lexer.text
        padded = text[version.at :]
        if token.sight is Sight.PARTIAL:
            return self._rules.may_grow(version.memory, padded)
        if not padded.strip():
            return True
        if self._remember(version, token, decided=False) is None:
            return False
        if token.end < len(text):  # a longer token was still possible when the text ended
            return True
        stack, word = version.stack, self._tables.word_symbol
        if self._shift(stack, token).shifted:
            return True
        if token.keyword and can_shift(self._tables, stack, word):
            return True
        newline = text.rfind("\n", 0, version.at)
        column = version.at - newline - 1 if newline >= 0 else self._lexer.column + version.at
        growth = self._growth.of(stack.state, version.scanner, padded, column, text[token.start :])
        return growth.anything or any(
            can_shift(self._tables, stack, symbol) for symbol in growth.symbols
        )


class _Work:
    """Versions still to run, least advanced first, equal ones merged."""

    def __init__(self, versions: tuple[Version, ...]):
        self._queue: list[Version] = list(versions)
        self._seen: dict[tuple[int, bytes, int, Hashable], list[Stack]] = {}
        for version in versions:
            self._known(version)

    def add(self, version: Version) -> None:
        """Queue a version unless an equal one was queued before. Raises TooAmbiguous."""
        if not self._known(version):
            self._queue.append(version)
            if len(self._queue) > MAX_VERSIONS:
                raise TooAmbiguous(f"more than {MAX_VERSIONS} ways to read the text")

    def take(self) -> Version | None:
        """The least advanced version, or None when all have run."""
        queue = self._queue
        if not queue:
            return None
        if len(queue) == 1:
            return queue.pop()
        return queue.pop(min(range(len(queue)), key=lambda i: queue[i].at))

    def _known(self, version: Version) -> bool:
        key = (version.stack.state, version.scanner, version.at, version.memory)
        stacks = self._seen.setdefault(key, [])
        if any(version.stack.same(stack) for stack in stacks):
            return True
        stacks.append(version.stack)
        return False
