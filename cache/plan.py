"""The plan of an edit, in plain Python: which tokens of a new prompt to keep, carry and encode.

- keep: the common beginning with what is cached, exactly as a fresh prefill would give it;
- encode: what is new, what lies between a change and the cursor, and what is repaired;
- carry: what is cached but stands behind a change: it moves, and has not seen the change.

Any number of edits, cursor moves and window moves between two prompts make one plan.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .align import Match, align

SHORTEST_CARRIED = 8  # tokens; fewer are encoded again, which is cheaper than a segment


@dataclass(frozen=True, slots=True)
class Insert:
    """Tokens to encode at `index`. A label is a token's identity from one prompt to the next."""

    index: int
    tokens: Sequence[int]
    labels: Sequence[int] = field(default=())


@dataclass(frozen=True, slots=True)
class Target:
    """The prompt that is wanted: its tokens, each one's label (0: none), and where the text is.
    Chunks of other texts are in the cache before they are planned."""

    tokens: Sequence[int]
    labels: Sequence[int]
    prefix: range  # the text before the cursor; the cursor is at its end
    suffix: range  # the text after the cursor
    chunks: range = range(0)

    def markers(self) -> list[range]:
        """What stands around the text."""
        text = (span for span in (self.prefix, self.suffix, self.chunks) if span)
        text = sorted(text, key=lambda span: span.start)
        return _gaps(text, len(self.tokens))

    def insert(self, span: range) -> Insert:
        return Insert(
            span.start, self.tokens[span.start : span.stop], self.labels[span.start : span.stop]
        )


@dataclass(frozen=True, slots=True)
class Repair:
    """How much of what could be carried is encoded again at once. All sizes in tokens.

    `exact`: a change in the prefix no further than this from the cursor is followed by exact
    tokens up to the cursor; one that is further away is carried over.
    `tail`: the end of the prompt, right before the completion. `head`: the beginning of the suffix.
    `related`: lines (not tokens) of the suffix that share a name with the edit.
    `behind`: so many tokens right behind every change, and the markers around the text.
    `deviating`: so many carried tokens, those that the first layer says have changed most, among
    the first `probed` behind every change and the markers around the text.
    `most_edits`, `most_seconds`: staler than that, everything that is stale is encoded again.
    `carry` off is plain prefix caching: everything behind the first change is encoded.
    """

    exact: int = 64
    tail: int = 0
    head: int = 0
    related: int = 0
    behind: int = 32
    deviating: int = 0
    probed: int = 64
    most_edits: int = 256
    most_seconds: float = 600.0
    carry: bool = True


@dataclass(frozen=True, slots=True)
class EditPlan:
    """`drops`: spans of the cached tokens, `encode`: spans of the prompt's; both ascending.

    Between them, what is left of the cache is the prompt's other tokens in order. `seen` of these
    are as they were; those behind it have not seen the change (None: nothing changed before any).
    """

    drops: tuple[range, ...]
    encode: tuple[range, ...]
    seen: int | None
    carried: int  # tokens that are kept behind a change
    repaired: int  # tokens that could have been carried, and are encoded again

    @property
    def encoded(self) -> int:
        return sum(map(len, self.encode))


def plan_edit(
    old: Sequence[int],
    old_labels: Sequence[int],
    target: Target,
    repair: Repair,
    unseeing: Sequence[range] = (),
    related: Sequence[range] = (),
) -> EditPlan:
    """`unseeing`: spans of the cached tokens that have missed earlier edits. `related`: spans of
    the prompt that are to be encoded again if they have missed an edit. The prompt's last token is
    always encoded: the completion starts from what the model says about it."""
    size = len(target.tokens)
    assert size == len(target.labels) > 0, target
    matches = align(old, target.tokens, old_labels, target.labels, SHORTEST_CARRIED)
    start = _first_change(matches, len(old), size)
    if not repair.carry:
        matches = [m for m in matches if m.old == m.new == 0]
    fresh = _gaps([range(m.new, m.new_stop) for m in matches], size)
    changes = [span.start for span in fresh] + [
        b.new for a, b in pairwise(matches) if a.old_stop != b.old
    ]
    if matches and matches[0].old > 0:
        changes.append(0)
    missing = [] if start is None else [range(start, size)]
    missing += [r for m in matches for r in _moved(unseeing, m)]
    wanted = [
        *(r for r in (_exact_span(changes, target.prefix, repair.exact),) if r),
        range(max(0, size - repair.tail), size),
        range(target.suffix.start, min(target.suffix.start + repair.head, target.suffix.stop)),
        *related,
        *(_behind(matches, target, repair.behind) if repair.behind else ()),
    ]
    repaired = [part for span in wanted for part in _overlaps(span, missing)]
    encode = merge([*fresh, *repaired, range(size - 1, size)], SHORTEST_CARRIED, start or 0)
    kept = [part for m in matches for part in _without(m, encode)]
    encoded = sum(map(len, encode))
    before = None if start is None else sum(min(max(start - m.new, 0), m.length) for m in kept)
    total = sum(m.length for m in kept)
    return EditPlan(
        drops=tuple(_gaps([range(m.old, m.old_stop) for m in kept], len(old))),
        encode=tuple(encode),
        seen=None if before == total else before,
        carried=0 if before is None else total - before,
        repaired=encoded - sum(map(len, fresh)),
    )


def probed(stale: range, most: int, markers: Sequence[range]) -> list[range]:
    """What of a stale span is looked at: its first `most` tokens, and markers that are in it."""
    first = stale[:most]
    return [first, *_overlaps(stale[most:], markers)]


def merge(spans: Iterable[range], bridge: int = 0, bridge_from: int = 0) -> list[range]:
    """The union of spans, ascending. Gaps shorter than `bridge` behind `bridge_from` are filled."""
    result: list[range] = []
    for span in sorted((s for s in spans if s), key=lambda s: s.start):
        gap = bridge if result and result[-1].stop >= bridge_from else 1
        if result and span.start - result[-1].stop < gap:
            result[-1] = range(result[-1].start, max(result[-1].stop, span.stop))
        else:
            result.append(span)
    return result


def batches(spans: Iterable[range], most: Callable[[], int]) -> Iterator[list[range]]:
    """The same tokens in order, in batches of `most()` at the most, which is asked for each; a
    batch may hold many spans."""
    batch: list[range] = []
    room = 0
    for span in spans:
        while span:
            if not room:
                if batch:
                    yield batch
                batch, room = [], most()
            piece = span[:room]
            batch.append(piece)
            room -= len(piece)
            span = span[len(piece) :]
    if batch:
        yield batch


def _first_change(matches: Sequence[Match], old_size: int, new_size: int) -> int | None:
    """Index in the prompt from which on tokens stand behind something that was not there."""
    head = matches[0].length if matches and matches[0].old == matches[0].new == 0 else 0
    return None if head in (new_size, old_size) else head


def _exact_span(changes: Sequence[int], prefix: range, exact: int) -> range:
    """From the first change that is near enough to the cursor, up to the cursor."""
    near = [c for c in changes if max(prefix.start, prefix.stop - exact) <= c < prefix.stop]
    return range(min(near), prefix.stop) if near else range(0)


def _behind(matches: Sequence[Match], target: Target, tokens: int) -> list[range]:
    """What a change reaches most: the tokens right behind it, and the markers around the text."""
    runs = [range(m.new, min(m.new + tokens, m.new_stop)) for m in matches]
    return [*runs, *target.markers()]


def _gaps(spans: Sequence[range], size: int) -> list[range]:
    """What `spans` (ascending, disjoint) leave out of `0 .. size`."""
    edges = [0, *(edge for span in spans for edge in (span.start, span.stop)), size]
    return [range(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]


def _moved(spans: Sequence[range], match: Match) -> list[range]:
    """Parts of spans of the cached tokens that lie in `match`, as spans of the prompt."""
    by = match.new - match.old
    inside = _overlaps(range(match.old, match.old_stop), spans)
    return [range(span.start + by, span.stop + by) for span in inside]


def _overlaps(span: range, others: Iterable[range]) -> list[range]:
    parts = [range(max(span.start, o.start), min(span.stop, o.stop)) for o in others]
    return [part for part in parts if part]


def _without(match: Match, spans: Sequence[range]) -> list[Match]:
    """What is left of a match when `spans` of the prompt are taken out."""
    inside = _overlaps(range(match.new, match.new_stop), spans)
    shifted = [range(s.start - match.new, s.stop - match.new) for s in inside]
    left = _gaps(shifted, match.length)
    return [Match(match.old + s.start, match.new + s.start, len(s)) for s in left]
