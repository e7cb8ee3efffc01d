"""One file's tokens with their keys and values: what is cached, and where each token stands."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .correction import Correction, materialise, turn_query
from .errors import ContextOverflow, OverBudget
from .plan import EditPlan, Insert, Target, batches
from .pool import Arena
from .quantised import QuantisedRows
from .rows import in_order, place
from .segment import Part, Segment, Step, check_tiling, cut_at, joined

NO_LABEL = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens with the keys and values that they have wherever they stand."""

    tokens: Sequence[int]
    labels: Sequence[int]
    rows: QuantisedRows


class CachedSequence:
    """The single owner of one arena. Holds tokens in order of position, and the segments they form.

    Whatever adds tokens reserves rows and returns the `Step` that the forward pass needs to fill
    them; the caller must run every layer over it, or drop the tokens again. Edits before a token
    change its segment's offset, and no key or value.
    """

    def __init__(
        self,
        arena: Arena,
        correction: Correction = turn_query,
        most_tokens: int | None = None,
        most_rows: int | None = None,
    ):
        """`most_tokens`: the model's context. `most_rows`: the budget; None for no limit."""
        self.arena = arena
        self.correction = correction
        self.most_tokens = most_tokens
        self.most_rows = most_rows
        self.tokens: list[int] = []
        self.labels: list[int] = []
        self.segments: list[Segment] = []

    def __len__(self) -> int:
        return len(self.tokens)

    # region Adding

    def append(self, tokens: Sequence[int], labels: Sequence[int] = ()) -> Step:
        """Put `tokens` at the end."""
        return self.insert([Insert(len(self), tokens, labels)])

    def insert(self, inserts: Sequence[Insert]) -> Step:
        """Put tokens at several places, given in ascending order and as indices of the result.

        Raises `ContextOverflow` or `OverBudget`, before anything has changed.
        """
        self.require(len(self) + sum(len(insert.tokens) for insert in inserts))
        for insert in inserts:
            self._insert(insert)
        return self._step([range(i.index, i.index + len(i.tokens)) for i in inserts])

    def place(self, index: int, pieces: Sequence[Piece]) -> None:
        """Put tokens at `index` whose keys and values were computed elsewhere: they have not seen
        what is here, and what stands behind them has not seen them.

        Raises `ContextOverflow` or `OverBudget`, before anything has changed.
        """
        tokens = [token for piece in pieces for token in piece.tokens]
        labels = [label for piece in pieces for label in piece.labels]
        if not tokens:
            return
        self.require(len(self) + len(tokens))
        self._insert(Insert(index, tokens, labels))
        row, place = self._row(range(index, index + len(tokens))), index
        for piece in pieces:
            piece.rows.write(self.arena, row, place)
            row, place = row + len(piece.tokens), place + len(piece.tokens)
        self.changed(index)

    def _insert(self, insert: Insert, row: int | None = None) -> None:
        count = len(insert.tokens)
        assert count > 0 <= insert.index <= len(self), (insert, len(self))
        if row is None:
            row = self._rows_for(insert.index, count)
        before, after = self._cut(insert.index)
        exact = all(segment.exact for segment in before)
        new = Segment(row, count, first=insert.index, exact=exact)
        self.segments = joined([*before, new, *(s.shifted(count) for s in after)])
        self.tokens[insert.index : insert.index] = insert.tokens
        labels = insert.labels or [NO_LABEL] * count
        assert len(labels) == count, insert
        self.labels[insert.index : insert.index] = labels

    def _rows_for(self, index: int, count: int) -> int:
        for _ in range(2):
            own = [(s.start, s.stop) for s in self.segments]
            before = self._cut(index)[0]
            after = before[-1].stop if before else None
            row = place(own, count, after, self.most_rows)
            if row is not None:
                self.arena.reserve(row + count, self.most_rows)
                return row
            self.compact()
        raise AssertionError("a compacted arena has its free rows in one run")

    def _step(self, spans: Sequence[range]) -> Step:
        visible = self._visible(spans[-1].stop)
        return Step(tuple(Part(span, self._row(span)) for span in spans), visible)

    def _visible(self, stop: int) -> tuple[Segment, ...]:
        """What a step that ends before `stop` sees, its keys corrected where that is done early."""
        if any(s.offset for s in self.segments):
            self.segments = joined(
                [
                    self.correction(self.arena, s) if s.offset and s.position < stop else s
                    for s in self.segments
                ]
            )
        return tuple(s for s in self.segments if s.position < stop)

    def _row(self, span: range) -> int:
        for segment in self.segments:
            if segment.position <= span.start < segment.end_position:
                assert span.stop <= segment.end_position, (span, segment)
                return segment.start + span.start - segment.position
        raise AssertionError(span)

    # endregion
    # region Removing

    def drop(self, start: int, stop: int) -> None:
        """Remove tokens `start .. stop`; those after them move up, and nothing else happens."""
        assert 0 <= start <= stop <= len(self), (start, stop, len(self))
        if start == stop:
            return
        before, after = self._cut(start)[0], self._cut(stop)[1]
        self.segments = joined([*before, *(s.shifted(start - stop) for s in after)])
        del self.tokens[start:stop]
        del self.labels[start:stop]

    def truncate(self, length: int) -> None:
        """Drop every token from index `length` on."""
        self.drop(length, len(self))

    # endregion
    # region Edits

    def apply(
        self,
        plan: EditPlan,
        target: Target,
        most: int | Callable[[], int] = 512,
        edits: int = 1,
    ) -> Generator[Step]:
        """Make the sequence `target`: drops and moves at once, then a step for every `most` tokens
        that have to be encoded; a function is asked anew for each. Each step must have been run
        when the next one is asked for; an iterator that is closed early leaves a consistent part
        of the target behind. `edits`: as how many the change counts for what has not seen it.

        Raises `ContextOverflow` or `OverBudget`, before anything has changed.
        """
        self.require(len(target.tokens))
        for span in reversed(plan.drops):
            self.drop(span.start, span.stop)
        if plan.seen is not None:
            self.changed(plan.seen, edits)
        for spans in batches(plan.encode, most if callable(most) else lambda: most):
            step = self.insert([target.insert(span) for span in spans])
            ran = False
            try:
                yield step
                ran = True
            finally:
                if not ran:
                    self.forget(step)

    def reencode(self, *spans: range) -> Step:
        """Encode tokens again where they are, over what stands before them now."""
        for span in spans:
            tokens = self.tokens[span.start : span.stop]
            labels = self.labels[span.start : span.stop]
            inside = self._cut(span.start)[1][0]
            in_place = inside.end_position >= span.stop
            self.drop(span.start, span.stop)
            self._insert(Insert(span.start, tokens, labels), inside.start if in_place else None)
        return self._step(spans)

    def seen_before(self, index: int) -> tuple[Segment, ...]:
        """What a token at `index` sees before itself."""
        seen = cut_at(self._visible(index), index)
        return tuple(segment for segment in seen if segment.position < index)

    def probe(self, span: range) -> Step:
        """A step that encodes tokens again into free rows, and leaves the sequence as it is."""
        row = self._rows_for(span.start, len(span))
        again = Segment(row, len(span), first=span.start)
        return Step((Part(span, row),), (*self.seen_before(span.start), again))

    def forget(self, step: Step) -> None:
        """Drop the tokens of a step that was not run."""
        for part in reversed(step.parts):
            self.drop(part.positions.start, part.positions.stop)

    def require(self, count: int) -> None:
        """Raises `ContextOverflow` or `OverBudget` if `count` tokens can never be held."""
        if self.most_tokens is not None and count > self.most_tokens:
            raise ContextOverflow(
                f"{count} tokens do not fit the model's context of {self.most_tokens}"
            )
        if self.most_rows is not None and count > self.most_rows:
            raise OverBudget(
                f"{count} tokens do not fit the cache's budget of {self.most_rows}: raise it"
            )

    # endregion
    # region History

    def changed(self, index: int, edits: int = 1) -> None:
        """Something before token `index` is not what the tokens from there on have seen; it counts
        as so many edits."""
        before, after = self._cut(index)
        self.segments = joined([*before, *(s.unseeing(edits) for s in after)])

    def inexact(self) -> list[tuple[range, int]]:
        """Spans of tokens that a fresh prefill would encode differently, with the number of edits
        that they have not seen."""
        return [(range(s.position, s.end_position), s.edits) for s in self.segments if not s.exact]

    # endregion
    # region Rows

    def values(self, span: range, layer: int) -> Tensor:
        """What one layer has cached of some tokens: (kv_heads, tokens, head_dim)."""
        inside = [
            s for s in cut_at(cut_at(self.segments, span.start), span.stop) if s.position in span
        ]
        parts = [self.arena.read(layer, s.start, s.stop)[1] for s in inside]
        return torch.cat(parts, dim=1)

    def compact(self, room_at: int | None = None, room: int = 0) -> None:
        """Turn what has an offset, once, and put the rows in order of position from row 0 on.

        Leaves `room` free rows before the token `room_at`, where typing goes on.
        """
        segments = [materialise(self.arena, self.correction(self.arena, s)) for s in self.segments]
        placed, moves, rows = in_order(segments, room_at, room)
        self.arena.reserve(rows)
        if moves:
            self.arena.permute(moves)
        self.segments = joined(placed)

    def shrink(self, tokens: int = 0) -> None:
        """Give rows back that neither what is cached nor `tokens` tokens need."""
        rows = max(tokens, len(self))
        if rows < self.arena.rows:
            self.compact()
            self.arena.resize(rows)

    def clear(self) -> None:
        """Forget everything, and give all rows back."""
        self.truncate(0)
        self.arena.resize(0)

    # endregion

    def _cut(self, index: int) -> tuple[list[Segment], list[Segment]]:
        """The segments before token `index` and those from it on."""
        segments = cut_at(self.segments, index)
        count = sum(s.position < index for s in segments)
        return segments[:count], segments[count:]

    def check_integrity(self) -> None:
        """Our own bugs only: segments tile the positions, rows do not overlap."""
        assert len(self.tokens) == len(self.labels), (len(self.tokens), len(self.labels))
        check_tiling(self.segments, len(self.tokens), self.arena.rows)
