"""What a rewritten window does to a text: proposals, without those that nobody needs to be told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from ...models.grammar.overlap import common_prefix, common_suffix
from ...models.prompts.next_edit.question import Question, Rows, offset
from ..next_edit.proposal import Proposal
from ..next_edit.recent_edits import Hunk
from .changes import undone

WHY = "the next-edit model would change this"
MOST_LINES_LESS = 3  # a copy that leaves out more has lost its place
MOST_CHARACTERS = 1_000  # of what a proposal takes away, or brings


@dataclass(frozen=True, slots=True)
class Difference:
    """Lines `old` of a window became lines `new` of the one written in its place."""

    old: Rows
    new: Rows
    proposal: Proposal


def differences(
    question: Question, text: str, written: Sequence[str], hunks: Sequence[Hunk], cursor: int
) -> Iterator[Difference]:
    """Those worth a look, in their order in the `text` that is asked about."""
    start = offset(question.lines, question.window.start)
    for found in all_differences(text, start, question.current, written):
        if is_worth(text, found.proposal, hunks, cursor):
            yield found


def all_differences(
    text: str, start: int, lines: Sequence[str], written: Sequence[str]
) -> Iterator[Difference]:
    """What makes the `lines` of a text, from character `start` on, those `written`."""
    matcher = SequenceMatcher(None, lines, written, autojunk=False)
    for kind, old, old_stop, new, new_stop in matcher.get_opcodes():
        if kind == "equal":
            continue
        at = start + offset(lines, old)
        before, after = lines[old:old_stop], written[new:new_stop]
        edit = _edit(text, at, before, after, is_last=old_stop == len(lines))
        yield Difference(Rows(old, old_stop), Rows(new, new_stop), edit)


def is_worth(text: str, proposal: Proposal, hunks: Sequence[Hunk], cursor: int) -> bool:
    """Not what only adds at the cursor, which a completion does, nor blanks, nor what takes many
    lines away, or brings back what was just taken away."""
    if max(len(proposal.old), len(proposal.new)) > MOST_CHARACTERS:
        return False
    if proposal.old.count("\n") - proposal.new.count("\n") > MOST_LINES_LESS:
        return False
    if proposal.old.split() == proposal.new.split():
        return False
    if not proposal.old and proposal.start == cursor:
        return False
    return not any(_brings_back(text, proposal, hunk) for hunk in hunks)


def _brings_back(text: str, proposal: Proposal, hunk: Hunk) -> bool:
    """Whether the lines of a hunk would be more like what they were before it."""
    start = text.rfind("\n", 0, min(proposal.start, hunk.start)) + 1
    end = text.find("\n", max(proposal.stop, hunk.stop))
    stop = len(text) if end < 0 else end
    if proposal.start > hunk.stop or hunk.start > proposal.stop:
        between = sorted((proposal.start, proposal.stop, hunk.start, hunk.stop))[1:3]
        if "\n" in text[between[0] : between[1]]:
            return False
    former = undone(text, hunk, start, stop)
    present = text[start:stop]
    future = text[start : proposal.start] + proposal.new + text[proposal.stop : stop]
    return _likeness(future, former) > _likeness(present, former)


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _edit(
    text: str, at: int, before: Sequence[str], after: Sequence[str], is_last: bool
) -> Proposal:
    """Lines `before`, from character `at` on, become `after`: as few characters of them as differ,
    in whole words."""
    old, new = "\n".join(before), "\n".join(after)
    if bool(before) != bool(after):  # whole lines come or go, and a line end with them
        sides = ((old, before), (new, after))
        if is_last and at > 0:
            at -= 1
            old, new = ("\n" + each if lines else "" for each, lines in sides)
        else:
            old, new = (each + "\n" if lines else "" for each, lines in sides)
    head = common_prefix(old, new)
    tail = common_suffix(old, new, min(len(old), len(new)) - head)
    while head > 0 and _is_word(old[head - 1]) and _in_word(old, new, head):
        head -= 1
    while tail > 0 and _is_word(old[-tail]) and _in_word(old[::-1], new[::-1], tail):
        tail -= 1
    start, stop = at + head, at + len(old) - tail
    return Proposal(start, stop, text[start:stop], new[head : len(new) - tail], WHY)


def _in_word(old: str, new: str, at: int) -> bool:
    return any(at < len(each) and _is_word(each[at]) for each in (old, new))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
