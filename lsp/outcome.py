"""The suggestion that was shown: how it came to be, and its outcome, read from the edits that
followed.

Editors tell a server nothing about partial accepts and rejections, and only some of them about
accepts; the edits tell everything. An edit that puts several characters of the suggestion in at
once is an accept, one character is typing.
"""

from dataclasses import dataclass

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
        self, uri: str, completion: Completion, known: bool = False, visible: bool = True
    ) -> None:
        """`completion`, an insertion, is on the screen, or held back from it: a new one, or the
        rest of one that was."""
        text, confidence, likely, estimated = completion.text, completion.confidence, None, None
        if confidence is not None:
            likely = confidence.first_line(text)
            estimated = confidence.uncorrected().first_line(text)
        self._accounts[uri] = Account(completion.meta, known, likely, visible)
        shown = self._shown.get(uri)
        if (
            shown is not None
            and shown.cursor == completion.start
            and shown.text[shown.progress :] == text
        ):
            shown.visible = shown.visible or visible
            return
        replaced = completion.end - completion.start
        self._shown[uri] = Shown(completion.start, text, replaced, visible, estimated)

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

    def accepted(self, uri: str) -> Feedback | None:
        """The editor says that it was accepted in full, before or after sending the edit."""
        shown = self._shown.pop(uri, None)
        if shown is None:
            return None
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
        if not (inside and edit.end >= shown.cursor and shown.text.startswith(after)):
            del self._shown[uri]
            return shown.feedback(uri, Outcome.REJECTED, shown.progress)
        gained = len(after) - shown.progress
        shown.progress = len(after)
        if shown.progress == len(shown.text):
            del self._shown[uri]
            outcome = Outcome.ACCEPTED if gained > 1 else Outcome.TYPED
            return shown.feedback(uri, outcome, len(shown.text))
        return shown.feedback(uri, Outcome.PARTIAL, gained) if gained > 1 else None
