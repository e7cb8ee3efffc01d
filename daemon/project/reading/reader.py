"""The reading of one file: its text as an outline.

Broken code gives what can be read of it. What a file can make us do is bounded: in time, in the
number of definitions, and in the length of each of their texts.
"""

import re
from collections import Counter
from collections.abc import Callable

from ..outline import Outline
from .definitions import Definitions
from .shapes import SHAPES
from .statements import imports_below
from .syntax import Stopwatch, TooLong, parse

CPP = re.compile(r"^[ \t]*(?:class \w+|namespace \w*|template ?<)", re.MULTILINE)
NAME = re.compile(r"[^\W\d]\w*")
MOST_USES = 20_000  # different names


def outline(
    path: str,
    language: str,
    text: str,
    pause: Callable[[], None] = lambda: None,
    uses: bool = True,
) -> Outline:
    """What the file defines, imports and (if `uses`) names; nothing of a language without a grammar
    for that, or of a file that takes too long. `pause` is called between small steps."""
    nothing = Outline(path, language, text=text)
    if language not in SHAPES:
        return nothing
    data = text.encode("utf-8", "replace")
    watch = Stopwatch(pause)
    try:
        root = parse(grammar_of(language, text), data, watch)
        definitions = Definitions(path, language, data, watch).below(root)
        imports = tuple(imports_below(root, language, data, watch))
    except TooLong:
        return nothing
    names = Counter(NAME.findall(text)) if uses else Counter[str]()
    return Outline(path, language, definitions, imports, dict(names.most_common(MOST_USES)), text)


def grammar_of(language: str, text: str) -> str:
    """Headers are C by their names, whatever is in them."""
    return "cpp" if language == "c" and CPP.search(text) else language
