"""The sessions of recent files, within one budget; the file used longest ago gives way first.

A file that an editor has open has a session for as long. A file that is named to `keyturn complete`
has one for all its requests, whichever process they come from, until its cache gives way.
"""

from collections.abc import Callable, Iterator
from itertools import accumulate

from ...api.uris import KEPT_SCHEME
from ...cache.budget import Budget
from ...cache.sequence import CachedSequence
from ...models.speculative.draft import Tokens
from ..completion.file_session import FileSession
from ..server.jobs import FileKey

KEPT_CLIENT = 0  # whose the kept ones are; connections count from 1
KEPT_CHARACTERS = 4_000_000  # of their texts, in all


class Sessions:
    """Owns which file has which session."""

    def __init__(self, new: Callable[[], FileSession], budget: Budget, tokens: int) -> None:
        """`tokens`: of the longest prompt and its completion."""
        self._new = new
        self._budget = budget
        self._tokens = tokens
        self._sessions: dict[FileKey, FileSession] = {}  # the last one used comes last

    def __iter__(self) -> Iterator[tuple[FileKey, FileSession]]:
        return iter(self._sessions.items())

    def get(self, key: FileKey) -> FileSession | None:
        return self._sessions.get(_owner(key))

    def use(self, key: FileKey, more_tokens: int | None = None) -> FileSession:
        """The file's, with room for so many tokens more than are cached; without a number, for a
        whole context. Raises `OverBudget`."""
        key = _owner(key)
        session = self._sessions.pop(key, None) or self._new()
        self._sessions[key] = session
        self._budget.use(key, session.sequence, self._room(key, session.sequence, more_tokens))
        self._give_up(key)
        return session

    def confine(self, key: FileKey) -> FileSession | None:
        """The file's, for idle work: it takes nothing from other files. None if it has given its
        cache up."""
        return self.get(key) if self._budget.confine(_owner(key)) else None

    def _room(self, key: FileKey, sequence: CachedSequence, more_tokens: int | None) -> int:
        spilled = not sequence.tokens and key in self._budget
        if more_tokens is None or spilled:
            return self._tokens
        fit = self._budget.most_bytes // sequence.arena.bytes_per_row
        return min(self._tokens, max(more_tokens, min(len(sequence) + more_tokens, fit)))

    def others(self, key: FileKey) -> list[Tokens]:
        """The tokens of the other files in the same window, the last one used last."""
        key = _owner(key)
        found = [(other, session) for other, session in self._sessions.items() if other != key]
        return [session.tokens() for other, session in found if other.client == key.client]

    def close(self, key: FileKey) -> None:
        """The client has no more use for the file."""
        if _owner(key) == key:
            self._drop(key)

    def clear(self) -> None:
        for key in list(self._sessions):
            self._drop(key)

    def _give_up(self, used: FileKey) -> None:
        """Forget kept files whose caches are gone, and those beyond the limit."""
        kept = [key for key in reversed(self._sessions) if key.client == KEPT_CLIENT]
        sizes = accumulate(len(self._sessions[key].text.text) for key in kept)
        for key, characters in zip(kept, sizes, strict=True):
            gone = key not in self._budget or characters > KEPT_CHARACTERS
            if gone and key != used:
                self._drop(key)

    def _drop(self, key: FileKey) -> None:
        self._sessions.pop(key, None)
        self._budget.forget(key)


def _owner(key: FileKey) -> FileKey:
    """Under which key a file's session is: a kept one belongs to no single client."""
    return FileKey(KEPT_CLIENT, key.uri) if key.uri.startswith(KEPT_SCHEME) else key
