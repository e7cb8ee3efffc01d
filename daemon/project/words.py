"""The names in code: its identifiers without the words of programming languages."""

import re

IDENTIFIER = re.compile(r"[^\W\d]\w*")
SHORTEST = 2  # characters of a name that says something
BEFORE_BRACKETS = """
if elif for foreach while switch match catch return and or not in is await yield with except assert
print super function fn func typeof sizeof lambda new using lock when
"""
OTHER_WORDS = """
abstract any as async auto bool boolean break byte case chan char class const continue crate def
default defer del delete do double dyn else enum export extends extern false False final finally
float from fun global go goto impl implements import include instanceof int interface internal
let long map mod module move mut namespace native nil None nonlocal null number object operator
override package pass private protected pub public raise range readonly record ref register self
Self short signed static str string struct sub synchronized template this throw throws trait true
True try type typedef undefined union unknown unsafe unsigned use val var virtual void volatile
where
"""
NO_CALLEE = frozenset(BEFORE_BRACKETS.split())
KEYWORDS = NO_CALLEE | frozenset(OTHER_WORDS.split())


def names_in(text: str) -> dict[str, None]:
    """Each once, in their order."""
    found = dict.fromkeys(IDENTIFIER.findall(text))
    return {name: None for name in found if len(name) >= SHORTEST and name not in KEYWORDS}
