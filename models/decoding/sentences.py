"""Repeated sentences, in prose of any kind: comments, docstrings, letters.

What has no code in it, and four words, is a sentence; how its lines are broken and marked does not
matter. One that was said before ends the text, and of three in a row that begin alike the first
stays. A line of code ends what has been said: two functions may well return the same, two messages
ask to try again.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

LEAST_WORDS = 4  # of a sentence that is worth comparing
ALIKE_WORDS = 5  # at the start, and half of the sentence, in sentences that begin alike
ROUNDS = 3  # of those
PARAGRAPH_CHARACTERS = 1000  # before the cursor, of which what is said counts as said
LINE = re.compile(r"[^\n]*\n|[^\n]+")
START = re.compile(r"[\s#/*;%>\"'“”‘’()-]*+")  # with the marks of comments and strings
NOTHING_SAID = re.compile(rf"(?:(?<![^\n]){START.pattern}|(?<!\s)\s++)\Z")  # marks alone, blanks
CODE = re.compile(
    r"""[^\w\s,:;.!?'’‘"“”()/#*%&>–—-] | \w\(
      | \A\s*["'](?!["']) | :\s*["'] | ["'][ \t]*+[,;]?+[ \t]*+\n  # a string's line
      | \*/
    """,
    re.VERBOSE,
)
PART = re.compile(r"(?:[^.!?]|[.!?](?![\s\"')”’]|\Z))+(?P<end>[.!?]*)")  # of a line
WORD = re.compile(r"\w(?:[\w'’.-]*\w)?")


class Sentence(NamedTuple):
    """One of a text, with four words if it is `whole`."""

    start: int  # characters before it
    words: tuple[str, ...]
    whole: bool  # the last one may not be


def said_once(text: str, before: str = "") -> int:
    """How many characters of `text` to keep so that none of its sentences says again what was said
    in it, or in the paragraph `before` it."""
    whole, start = _with_paragraph(text, before)
    for said, sentence in _with_said(whole):
        cut = sentence if any(_again(other, sentence) for other in said) else None
        if len(sentence.words) < LEAST_WORDS:
            cut = None
        alike = _alike(said, sentence, start)
        if cut is None and alike >= ROUNDS - 1:
            cut = said[1 - alike]
        if cut is not None and sentence.start >= start:
            return len(NOTHING_SAID.sub("", whole[start : cut.start]))
    return len(text)


def surely_said_once(text: str, before: str = "") -> int:
    """How many characters of `text` to keep so that `said_once` could not take one of them
    later."""
    whole, start = _with_paragraph(text, before)
    for said, sentence in _with_said(whole):
        perhaps = any(_again(other, sentence) for other in said) or _alike(said, sentence, start)
        if perhaps and sentence.start >= start:
            return len(NOTHING_SAID.sub("", whole[start : sentence.start]))
    return len(NOTHING_SAID.sub("", text))


def _with_paragraph(text: str, before: str) -> tuple[str, int]:
    before = before[-PARAGRAPH_CHARACTERS:].rpartition("\n\n")[2]
    return before + text, len(before)


def _with_said(text: str) -> Iterator[tuple[list[Sentence], Sentence]]:
    """Each sentence behind those said before it since the last line of code."""
    said: list[Sentence] = []
    for sentence in _sentences(text):
        if sentence is None:
            said = []
        else:
            yield said, sentence
            said.append(sentence)


def _sentences(text: str) -> Iterator[Sentence | None]:
    """Those that are whole, None for a line of code, and what is begun at the end of the text."""
    start, words = 0, ()
    for line in LINE.finditer(text):
        code = CODE.search(line[0])
        if code or not line[0].strip():
            words = ()
            if code:
                yield None
            continue
        for part in PART.finditer(line[0]):
            begin = START.match(part[0])
            assert begin is not None, "matches also nothing"
            if not words:
                start = line.start() + part.start() + begin.end()
            words += tuple(word.lower() for word in WORD.findall(part[0]))
            if part["end"]:
                if len(words) >= LEAST_WORDS:
                    yield Sentence(start, words, True)
                words = ()
    if words:
        yield Sentence(start, words, False)


def _again(one: Sentence, other: Sentence) -> bool:
    """Whether the second says what the first has said, or has begun to."""
    ours, theirs = " ".join(one.words), " ".join(other.words)
    return ours == theirs if other.whole else ours.startswith(theirs)


def _alike(said: Sequence[Sentence], sentence: Sentence, start: int) -> int:
    """How many sentences of those just said, from character `start` on, begin as this one does."""
    count = 0
    for other in reversed(said):
        pairs = list(zip(other.words, sentence.words, strict=False))
        same = next((at for at, (a, b) in enumerate(pairs) if a != b), len(pairs))
        alike = same >= ALIKE_WORDS and 2 * same >= min(len(other.words), len(sentence.words))
        if not alike or other.start < start:
            break
        count += 1
    return count
