"""Git's patterns for paths, matched without trying again what has been tried.

Between two stars, and between two `**`, the first fit is as good as any, and is taken for good: no
pattern can be made that takes longer than its length times the name's. Names are bytes, as for git.
"""

import re
from collections.abc import Iterator, Sequence
from enum import Enum, auto

LONGEST = 4_096  # bytes of a pattern: no path is longer

TOKEN = re.compile(
    rb"(?P<slash>/)|(?P<star>\*)|(?P<any>\?)|\\(?P<escaped>.)|(?P<byte>[^\\\[])"
    rb"|\[(?P<negated>[!^]?)(?P<set>(?>\]?(?:\[:[a-z]*:\]|\\.|[^\]\\])*))\]",
    re.DOTALL,
)
ELEMENT = re.compile(
    rb"\[:(?P<name>[a-z]*):\]|\\?(?P<first>.)(?:-\\?(?P<last>.))?", re.DOTALL
)  # of a set
CLASSES = {
    b"alnum": rb"0-9A-Za-z", b"alpha": rb"A-Za-z", b"blank": rb" \t", b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9", b"graph": rb"\x21-\x7e", b"lower": rb"a-z", b"print": rb"\x20-\x7e",
    b"punct": rb"!-/:-@\[-`{-~", b"space": rb"\t-\r ", b"upper": rb"A-Z", b"xdigit": rb"0-9A-Fa-f",
}  # fmt: skip


class Folders(Enum):
    """`**`: any number of parts of a path, none included."""

    ANY = auto()


Part = bytes | re.Pattern[bytes] | Folders


class BadPattern(ValueError):
    """It is for no path at all."""


def parts_of(pattern: bytes) -> tuple[Part, ...]:
    """What stands between the slashes. Raises `BadPattern`."""
    if len(pattern) > LONGEST:
        raise BadPattern("it is longer than any path")
    parts = list(_parts(pattern))
    if parts[-1] is Folders.ANY:  # what is in the folder, not the folder itself
        parts.append(re.compile(b".*", re.DOTALL))
    return tuple(parts)


def matches(parts: Sequence[Part], path: Sequence[bytes]) -> bool:
    """Whether the pattern is for all of the path, given by what stands between its slashes."""
    at = place = 0
    again: tuple[int, int] | None = None  # the part behind the last `**`, and where it was tried
    while place < len(path):
        if at < len(parts) and parts[at] is Folders.ANY:
            at += 1
            again = at, place
        elif at < len(parts) and _is(parts[at], path[place]):
            at, place = at + 1, place + 1
        elif again is not None:
            at, place = again[0], again[1] + 1
            again = at, place
        else:
            return False
    return all(part is Folders.ANY for part in parts[at:])


def _is(part: Part, name: bytes) -> bool:
    if isinstance(part, bytes):
        return part == name
    return isinstance(part, re.Pattern) and part.fullmatch(name) is not None


def _parts(pattern: bytes) -> Iterator[Part]:
    chunks, literal = [b""], b""  # regular expressions between stars; the part as it is written
    at = 0
    while at < len(pattern):
        token = TOKEN.match(pattern, at)
        if token is None:
            raise BadPattern("a bracket is not closed, or nothing follows a backslash")
        at = token.end()
        literal += token[0]
        if token["slash"]:
            yield _part(chunks, literal[:-1])
            chunks, literal = [b""], b""
        elif token["star"]:
            chunks.append(b"")
        elif token["any"]:
            chunks[-1] += b"."
        elif token["set"] is not None:
            chunks[-1] += _set(token["set"], bool(token["negated"]))
        else:
            chunks[-1] += re.escape(token["escaped"] or token["byte"])
    yield _part(chunks, literal)


def _part(chunks: Sequence[bytes], literal: bytes) -> Part:
    if literal == b"**":
        return Folders.ANY
    first, *between = chunks
    if not between:
        return literal if re.escape(literal) == first else re.compile(first, re.DOTALL)
    middle = b"".join(b"(?>.*?" + chunk + b")" for chunk in between[:-1] if chunk)
    return re.compile(first + middle + b".*" + between[-1], re.DOTALL)


def _set(body: bytes, negated: bool) -> bytes:
    """What is in brackets, as a regular expression."""
    inside = b""
    for element in ELEMENT.finditer(body):
        name, first, last = element["name"], element["first"], element["last"]
        if name is not None:
            if name not in CLASSES:
                raise BadPattern("there is no such class of characters")
            inside += CLASSES[name]
        elif last is None:
            inside += re.escape(first)
        elif first <= last:
            inside += re.escape(first) + b"-" + re.escape(last)
    if not inside:
        return b"." if negated else b"(?!)"
    return b"[" + (b"^" if negated else b"") + inside + b"]"
