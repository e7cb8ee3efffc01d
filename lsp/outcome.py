"""The suggestion that was shown: how it came to be, and its outcome, read from the edits that
followed.

Editors tell a server nothing about partial accepts and rejections, and only some of them about
accepts; the edits tell everything. An edit that puts several characters of the suggestion in at
once is an accept, one character is typing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from ..api.report import Completion, CompletionMeta
from .backend import Feedback, Outcome, TextEdit


@dataclass(slots=True)
class Shown:
    """The suggestion on the screen, or held back from it: `progress` characters of `text` stand at
    `anchor`."""

    anchor: int
    text: str
    replaced: int
    visible: bool
    likely: float | None  # that its first line is right, as was estimated
    others: tuple["Shown", ...] = ()  # beside it at the same place, for who chooses
    progress: int = 0

    @property
    def cursor(self) -> int:
        return self.anchor + self.progress

    @property
    def line(self) -> int:
        """Where its first line ends that is not blank."""
        text = self.text
        blank = len(text) - len(text.lstrip())
        end = text.find("\n", blank)
        return len(text[: end if end >= 0 else len(text)].rstrip())

    def chosen(self, after: str) -> "Shown":
        """The one of those beside it that `after` stands at the anchor of; itself if it is none."""
        found = next((each for each in self.others if each.text.startswith(after)), None)
        return self if found is None else replace(found, progress=self.progress)

    def feedback(self, uri: str, outcome: Outcome, characters: int) -> Feedback:
        """What has become of it; only at its end it is known whether it was right."""
        right = None if outcome is Outcome.PARTIAL else self.progress >= self.line
        return Feedback(uri, outcome, characters, self.visible, self.likely, right)


@dataclass(frozen=True, slots=True)
class Account:
    """How a suggestion came to be that was shown, or might have been."""

    meta: CompletionMeta
    known: bool  # already when it was asked for: typed along, gone back to, or computed ahead
    likely: float | None = None  # that its first line is right
    shown: bool = True  # False: it was held back, since that is not likely


class Outcomes:
    """At most one suggestion on show or held back per document, and the account of the last one."""

    def __init__(self) -> None:
        self._shown: dict[str, Shown] = {}
        self._accounts: dict[str, Account] = {}

    def show(
        self,
        uri: str,
        completion: Completion,
        known: bool = False,
        visible: bool = True,
        others: Sequence[Completion] = (),
    ) -> None:
        """`completion`, an insertion, is on the screen, or held back from it: a new one, or the
        rest of one that was. `others` are there for who chooses."""
        text, confidence = completion.text, completion.confidence
        likely = None if confidence is None else confidence.first_line(text)
        self._accounts[uri] = Account(completion.meta, known, likely, visible)
        shown = self._shown.get(uri)
        if (
            shown is not None
            and shown.cursor == completion.start
            and shown.text[shown.progress :] == text
        ):
            shown.visible = shown.visible or visible
            shown.others = shown.others or _shown(others, visible)
            return
        (self._shown[uri],) = _shown([completion], visible)
        self._shown[uri].others = _shown(others, visible)

    def standing(self, uri: str, offset: int) -> str:
        """What is left on the screen at `offset` of a suggestion that is being typed along."""
        shown = self._shown.get(uri)
        if shown is None or not shown.visible or shown.cursor != offset:
            return ""
        return shown.text[shown.progress :]

    def edit(self, uri: str, edit: TextEdit) -> Feedback | None:
        """Follow one edit; the feedback if it settles anything."""
        shown = self._shown.get(uri)
        if shown is None:
            return None
        if edit.end < shown.anchor:
            shown.anchor += len(edit.text) - (edit.end - edit.start)
            return None
        if edit.start > shown.cursor + shown.replaced:
            return None
        return self._touched(uri, shown, edit)

    def accepted(self, uri: str, number: int = 0) -> Feedback | None:
        """The editor says that it, or the `number`-th of those beside it, was accepted in full,
        before or after sending the edit."""
        shown = self._shown.pop(uri, None)
        if shown is None:
            return None
        if 0 < number <= len(shown.others):
            shown = shown.others[number - 1]
        shown.progress = len(shown.text)
        return shown.feedback(uri, Outcome.ACCEPTED, len(shown.text))

    def account(self, uri: str) -> Account | None:
        """Of the last suggestion shown in a document, whatever became of it."""
        return self._accounts.get(uri)

    def forget(self, uri: str) -> None:
        self._shown.pop(uri, None)
        self._accounts.pop(uri, None)

    def _touched(self, uri: str, shown: Shown, edit: TextEdit) -> Feedback | None:
        standing = shown.text[: shown.progress]
        inside = shown.anchor <= edit.start <= shown.cursor
        after = standing[: edit.start - shown.anchor] + edit.text
        goes_on = inside and edit.end >= shown.cursor
        if goes_on and not shown.text.startswith(after):
            shown = self._shown[uri] = shown.chosen(after)
        if not (goes_on and shown.text.startswith(after)):
            del self._shown[uri]
            characters = shown.progress
            if goes_on:  # as far as what was written is the same
                shown.progress = _shared(shown.text, after)
            return shown.feedback(uri, Outcome.REJECTED, characters)
        gained = len(after) - shown.progress
        shown.progress = len(after)
        if shown.progress == len(shown.text):
            del self._shown[uri]
            outcome = Outcome.ACCEPTED if gained > 1 else Outcome.TYPED
            return shown.feedback(uri, outcome, len(shown.text))
        return shown.feedback(uri, Outcome.PARTIAL, gained) if gained > 1 else None


def _shown(completions: Iterable[Completion], visible: bool) -> tuple[Shown, ...]:
    return tuple(
        Shown(
            each.start,
            each.text,
            each.end - each.start,
            visible,
            each.confidence and each.confidence.uncorrected().first_line(each.text),
        )
        for each in completions
    )


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
