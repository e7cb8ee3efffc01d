"""Suggestions worth showing again: typing along one never asks the model, nor does going back.

A suggestion is remembered with the text around its anchor (as hashes). It fits wherever the
document equals that text with the first characters of the suggestion typed at the anchor. An
editor that closed a bracket by itself is seen through: the closing one is taken into the range.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..api.confidence import Confidence
from ..api.report import Completion, CompletionMeta, Finish
from .extent import fits_word

PAIRS = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'", "`": "`"}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`text` goes in at `anchor` and replaces `replaced` characters behind it."""

    anchor: int
    text: str
    replaced: int
    before: int  # hash of the document up to the anchor
    after: int  # hash of the document behind the anchor
    after_length: int
    meta: CompletionMeta
    confidence: Confidence | None

    def rest(self, document: str, offset: int) -> Completion | None:
        """What is left of it at `offset` of `document`; None if it doesn't fit there."""
        typed = offset - self.anchor
        if typed == 0 and self._is_early():
            return None
        if not 0 <= typed < len(self.text):
            return None
        closed = len(document) - offset - self.after_length
        if closed not in (0, 1) or not self.text.startswith(document[self.anchor : offset]):
            return None
        if closed and not self._closed_by_editor(document, offset, typed):
            return None
        if hash(document[offset + closed :]) != self.after:
            return None
        if hash(document[: self.anchor]) != self.before:
            return None
        end = offset + closed + self.replaced
        confidence = self.confidence and self.confidence.after(typed)
        return Completion(self.text[typed:], offset, end, self.meta, confidence)

    def _is_early(self) -> bool:
        """Whether there may be time for all of it now, or more of the project to show the model."""
        project = self.meta.project
        late = self.meta.finish is Finish.DEADLINE
        return late or (project is not None and not project.settled)

    def _closed_by_editor(self, document: str, offset: int, typed: int) -> bool:
        closer = document[offset]
        opened = any(PAIRS.get(character) == closer for character in self.text[:typed])
        return opened and closer in self.text[typed:]


class Suggestions:
    """The newest suggestions of every document, least recently used given up first."""

    def __init__(self, capacity: int = 256) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[tuple[str, Suggestion], None] = OrderedDict()

    def remember(
        self, uri: str, document: str, offset: int, completions: Iterable[Completion]
    ) -> list[Completion]:
        """Keep what was answered for `offset` of `document`; give it back as insertions there."""
        placed = [
            insertion
            for completion in completions
            if (insertion := as_insertion(document, offset, completion)) is not None
        ]
        before, after = hash(document[:offset]), hash(document[offset:])
        for completion in reversed(placed):  # the best one is the newest
            suggestion = Suggestion(
                anchor=offset,
                text=completion.text,
                replaced=completion.end - offset,
                before=before,
                after=after,
                after_length=len(document) - offset,
                meta=completion.meta,
                confidence=completion.confidence,
            )
            self._kept[uri, suggestion] = None
            self._kept.move_to_end((uri, suggestion))
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        return placed

    def fitting(self, uri: str, document: str, offset: int) -> list[Completion]:
        """What is known to fit at `offset`, best first, without duplicates."""
        found: dict[str, Completion] = {}
        for owner, suggestion in reversed(self._kept):
            if owner == uri and (rest := suggestion.rest(document, offset)) is not None:
                found.setdefault(rest.text, rest)
        return list(found.values())

    def forget(self, uri: str) -> None:
        """Drop everything known about a document (closed, or the user wants fresh ones)."""
        for key in [key for key in self._kept if key[0] == uri]:
            del self._kept[key]

    def forget_what_saw(self, uri: str) -> None:
        """A document has changed: drop what is known about others and may have seen it, which is
        what a project's other files were shown for."""
        for key in [k for k in self._kept if k[0] != uri and k[1].meta.project is not None]:
            del self._kept[key]


def as_insertion(document: str, offset: int, completion: Completion) -> Completion | None:
    """The same completion starting at the cursor; None if it changes what stands before it, or
    tears apart a word that the cursor is in.

    A healed token is answered with the part of the word that was already there; editors want only
    what is new.
    """
    standing = document[completion.start : offset]
    if completion.end < offset or not completion.text.startswith(standing):
        return None
    text = completion.text[len(standing) :]
    if not text or not fits_word(document, offset, text):
        return None
    confidence = completion.confidence and completion.confidence.after(len(standing))
    return replace(completion, text=text, start=offset, confidence=confidence)
