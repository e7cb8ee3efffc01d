"""Likeness: the excerpts of other files that are most like what is being written."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from ..passages import COMPARED, LINES, MOST_COLUMNS, SHOWN, Excerpt
from ..words import names_in
from .candidates import Query, family
from .surroundings import Surroundings
from .view import View

MOST = 6  # excerpts
MOST_COMPARED = 40
LEAST_SHARED = 2  # names
CALLED = 0.3  # for a call of what is being called: more than any likeness but of copies
HELD = 0.05  # for what the model is shown already: no change without a reason
CALL = r"(?<!\w)(?<!def )(?<!function )(?<!fn )(?<!func )(?<!fun )(?<!class ){}\s*[(<{{]"
AT_CURSOR = re.compile(r"(?<!\w)[^\W\d]\w*\Z")
MOST_AT_CURSOR = 200  # characters, in which the identifier at the cursor begins


def excerpts(query: Query, around: Surroundings, view: View) -> list[Excerpt]:
    """The best first, by the Jaccard index of their names and those of the lines before the cursor
    (the identifier at the cursor left out); none that overlap."""
    names = _before(query)
    calling = around.calls[0].name if around.calls else ""
    found = view.alike(names, family(query.language), MOST_COMPARED, calling)
    call = re.compile(CALL.format(re.escape(calling))) if calling else None
    scored: list[tuple[float, str, int, Excerpt]] = []
    for each in found:
        shared = len(each.names & names.keys())
        is_called = call is not None and call.search(_compared(each)) is not None
        if shared < LEAST_SHARED and not is_called:
            continue
        score = shared / len(each.names | names.keys())
        score += CALLED * is_called
        score += HELD * ((each.path, each.line) in query.held)
        scored.append((-score, each.path, each.line, each))
    return list(islice(_apart(each for *_, each in sorted(scored)), MOST))


def _before(query: Query) -> dict[str, None]:
    """The names in the last lines before the cursor, the nearest first."""
    text, cursor = query.text, query.cursor
    at_cursor = AT_CURSOR.search(text, max(0, cursor - MOST_AT_CURSOR), cursor)
    stop = at_cursor.start() if at_cursor else cursor
    start = max(0, stop - COMPARED * LINES * MOST_COLUMNS)
    lines = text[start:stop].rsplit("\n", COMPARED * LINES)[-COMPARED * LINES :]
    return dict.fromkeys(reversed(names_in("\n".join(lines))))


def _compared(excerpt: Excerpt) -> str:
    return "\n".join(excerpt.text.split("\n")[: COMPARED * LINES])


def _apart(found: Iterable[Excerpt]) -> Iterator[Excerpt]:
    """Those that neither overlap a better one nor say the same."""
    kept: list[Excerpt] = []
    for each in found:
        near = any(
            each.text == other.text
            or (each.path == other.path and abs(each.line - other.line) < SHOWN * LINES)
            for other in kept
        )
        if not near:
            kept.append(each)
            yield each
