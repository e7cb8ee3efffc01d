"""One file as the engine sees it: the single owner of its text, its tokens and its cached keys.

Edits are applied to the text and its tokens at once, and to the cache when a completion is asked
for: then the prompt that is wanted is compared with the one that is cached, and only the difference
is encoded. In idle time `refresh` makes the cache what a fresh prefill of that prompt would give.
Where too much would have to be encoded first (a file that was just opened, a jump), a narrow window
is answered from, and grows to the wide one in idle time.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...api.report import ProjectUse
from ...cache.errors import ContextOverflow, OverBudget
from ...cache.plan import Repair, plan_edit, probed
from ...cache.sequence import CachedSequence
from ...cache.staleness import Staleness, near_span, next_span, staleness
from ...cache.tokens import TokenisedText
from ...models.grammar.followed import Followed
from ...models.nn.reencode import encode, most_deviating
from ...models.nn.transformer import Transformer
from ...models.prompts.fim import Prompt, PromptBuilder, PromptOptions
from ...models.speculative.draft import Scene
from ...models.tokenizer.bpe import Tokenizer
from ..file_text import Edited
from .bound_chunks import BoundChunks
from .deleted_text import Scraps
from .diff import hunks
from .growth import Growth, Planned
from .related import Related
from .target import Shown, show
from .window import Windows, shifted

SCENE_TOKENS = 50_000  # left and right of the cursor, to be repeated
MANY_SEGMENTS = 12  # attention pays for each; beyond that, the rows are put in order


@dataclass(slots=True)
class FileSession:
    """Not for two threads at once."""

    model: Transformer
    tokenizer: Tokenizer
    builder: PromptBuilder
    sequence: CachedSequence
    repair: Repair = field(default_factory=Repair)
    clock: Callable[[], float] = time.monotonic  # seconds
    grammar: Followed = field(default_factory=Followed)
    narrow_first: bool = False  # whether there is idle time for a window to grow in
    text: TokenisedText = field(init=False)
    encoded_tokens: int = field(init=False, default=0)  # by the last `fill`
    asked_at: int = field(init=False, default=0)  # character before which the cursor was last
    chunks: BoundChunks = field(init=False)
    project: ProjectUse | None = field(init=False, default=None)  # as of the last look at it
    related: Related = field(init=False, default_factory=Related)
    scraps: Scraps = field(init=False, default_factory=Scraps)
    windows: Windows = field(init=False, default_factory=Windows)
    _growth: Growth = field(init=False, default_factory=Growth)
    _stale_since: float | None = field(init=False, default=None)
    _cursor: int = field(init=False, default=0)  # index in the cached prompt, for the refresh
    _tokens: NDArray[np.int32] | None = field(
        init=False, default=None
    )  # of all the text, as an array

    def __post_init__(self) -> None:
        self.text = TokenisedText(self.tokenizer, "")
        self.chunks = BoundChunks(self.model, self.sequence)

    # region Text

    def edit(self, start: int, stop: int, new: str, result: str | None = None) -> None:
        """Replace characters; `result` is the text after it, where the caller has it. Raises
        `EditOutOfRange`, with nothing changed."""
        old = self.text.text[max(0, start) : max(0, stop)]
        self.text.edit(start, stop, new, result)
        self.related.saw(self.text.text, start, old, new)
        self.scraps.saw(start, old, new)
        self.grammar.edited(start)
        self._tokens = None
        self.asked_at = shifted(self.asked_at, start, stop, new)
        self.windows.edited(start, stop, new)

    def tokens(self) -> NDArray[np.int32]:
        """Of the whole text, to be looked up by completions of other files."""
        if self._tokens is None:
            self._tokens = np.asarray(self.text.ids, np.int32)
        return self._tokens

    def follow(self, before: str, edits: Sequence[Edited]) -> None:
        """Edit as an editor did whose text was `before`. If that is not the string held here, the
        text is another by now, and `show` will compare."""
        if self.text.text is before:
            for edit, after, _ in edits:
                self._replace(edit.start, edit.end, edit.text, after)

    def shows(self, prefix: str, suffix: str) -> bool:
        """Whether the file's text is these two."""
        text, size = self.text.text, len(prefix) + len(suffix)
        return len(text) == size and text.startswith(prefix) and text.endswith(suffix)

    def show(self, text: str) -> None:
        """Make `text` the file's text, whatever edits that takes."""
        if self.text.text is not text:
            self._replace(0, len(self.text.text), text, text)

    def _replace(self, start: int, stop: int, new: str, after: str) -> None:
        """Edit only what differs between the new characters and the old: formatters replace a whole
        text to change a line."""
        found = hunks(self.text.text[start:stop], new)
        made = after if len(found) == 1 else None
        for hunk in found:
            self.edit(start + hunk.start, start + hunk.stop, hunk.new, made)
        self.text.text = after  # the very string: `follow` knows it by that

    # endregion
    # region Prompt

    def plan(self, cursor: int, options: PromptOptions) -> Planned:
        """What the prompt for the cursor before character `cursor` takes. Changes nothing in the
        cache, but for chunks in an empty one. Raises `EditOutOfRange`."""
        self.asked_at = cursor
        self.chunks.lay(self.builder.sink(options))
        planned = self._growth.choose(partial(self._plan, cursor), options, self.narrow_first)
        self.windows.last = planned.window
        return planned

    def _plan(self, cursor: int, options: PromptOptions, repair: Repair | None = None) -> Planned:
        room, share = self.builder.room_tokens(options), options.prefix_share
        window = self.windows.show(self.text, cursor, room, share)
        shown = show(self.builder, self.text, cursor, window, options, self.chunks.tokens)
        target, sequence = shown.target, self.sequence
        overdue = self._overdue()
        stale = [span for span, edits in sequence.inexact() if edits or overdue]
        # Chunks are left to idle time.
        stale = [range(max(span.start, target.chunks.stop), span.stop) for span in stale]
        if repair is None:
            repair = replace(self.repair, tail=len(target.tokens)) if overdue else self.repair
        related = self._related(window.stop, shown)
        plan = plan_edit(sequence.tokens, sequence.labels, target, repair, stale, related)
        whole = window == (0, len(self.text.text)) and len(self.text) <= room
        return Planned(shown.prompt, target, plan, window, whole)

    @property
    def shown(self) -> tuple[int, int]:
        """The characters that the last prompt showed."""
        return self.windows.last or (0, len(self.text.text))

    @torch.inference_mode()
    def fill(
        self, planned: Planned, raise_if_cancelled: Callable[[], None] = lambda: None
    ) -> Tensor:
        """Bring a planned prompt into the cache: logits (vocabulary,) after its last token.

        `raise_if_cancelled` is called between steps, and leaves a consistent part behind. Raises
        `ContextOverflow` or `OverBudget`, with nothing changed.
        """
        hidden, self.encoded_tokens = None, 0
        stride = self.model.stride
        apply = self.sequence.apply(planned.plan, planned.target, lambda: stride.tokens)
        with closing(apply) as steps:
            for step in steps:
                stride.keep_up()
                raise_if_cancelled()
                with stride.step(len(step)):
                    hidden = encode(self.model, self.sequence, step)
                self.encoded_tokens += len(step)
        if spans := self._deviating(planned):
            raise_if_cancelled()
            hidden = self._again(spans)
        self._tidy()
        self.related.clear()
        self._note_staleness()
        self._cursor = planned.prompt.prefix.stop
        assert hidden is not None, "the last token is always encoded"
        return self.model.logits(hidden[-1:])[0]

    def scene(self, cursor: int, prompt: Prompt, language: str) -> Scene:
        """What a completion of `prompt`, whose cursor is before character `cursor`, may repeat."""
        text = self.text
        before = text.part(0, cursor).ids[-SCENE_TOKENS:]
        held: list[int] = []
        missing = len(prompt.pending)
        while missing > 0:  # the prompt stops before its last tokens
            held.insert(0, before.pop())
            missing -= len(self.tokenizer.token_bytes(held[0]))
        after = text.part(cursor, len(text.text)).ids[:SCENE_TOKENS]
        others = (
            *(chunk.tokens for chunk in self.chunks.shown),
            *self.scraps.tokens(self.tokenizer),
        )
        return Scene(language, before, after, others, held)

    def _tidy(self) -> None:
        if len(self.sequence.segments) > MANY_SEGMENTS:
            self.sequence.compact()

    def _overdue(self) -> bool:
        """Whether idle time has not come for so long that what is stale must not wait for it."""
        if self._stale_since is None:
            return False
        late = self.clock() - self._stale_since > self.repair.most_seconds
        return late or self.staleness().edits >= self.repair.most_edits

    def _note_staleness(self) -> None:
        if not self.sequence.inexact():
            self._stale_since = None
        elif self._stale_since is None:
            self._stale_since = self.clock()

    def _deviating(self, planned: Planned) -> list[range]:
        """Carried tokens to encode again by what the first layer says, and the prompt's last.

        Looked at are those right behind a change, and the markers around the text: there they are.
        What earlier prompts have carried is not looked at again: typing on must not pay for it.
        """
        if not self.repair.deviating or planned.plan.seen is None:
            return []
        missing = [span for span, edits in self.sequence.inexact() if edits]
        markers = planned.target.markers()
        spans = [part for span in missing for part in probed(span, self.repair.probed, markers)]
        found = most_deviating(self.model, self.sequence, spans, self.repair.deviating)
        last = len(self.sequence) - 1
        return [*(s for s in found if s.start < last), range(last, last + 1)] if found else []

    def _again(self, spans: Sequence[range]) -> Tensor:
        step = self.sequence.reencode(*spans)
        try:
            hidden = encode(self.model, self.sequence, step)
        except BaseException:
            self.sequence.forget(step)
            raise
        self.encoded_tokens += len(step)
        return hidden

    def _related(self, stop: int, shown: Shown) -> list[range]:
        """What the suffix, up to character `stop` of the text, says of names that were edited."""
        text, suffix = self.text, shown.target.suffix
        found = self.related.lines(text.text, self.asked_at, stop, self.repair.related)
        by = shown.shift
        spans = [range(text.index(a) + by, text.index(b) + by) for a, b in found]
        inside = [range(max(s.start, suffix.start), min(s.stop, suffix.stop)) for s in spans]
        return [span for span in inside if span]

    # endregion
    # region Idle time

    def staleness(self) -> Staleness:
        return staleness(len(self.sequence), self.sequence.inexact())

    def refresh(self, most_tokens: int) -> int:
        """Encode the next few tokens that an edit near the cursor, a wider window or exactness
        needs; how many, 0 when the cache is what a fresh prefill of the wide window would give."""
        span = near_span(self.sequence.inexact(), self._cursor, most_tokens)
        if span is None and (grown := self._grow(most_tokens)):
            return grown
        span = span or next_span(self.sequence.inexact(), self._cursor, most_tokens)
        if span is None:
            return 0
        self._again([span])
        self._note_staleness()
        return len(span)

    def _grow(self, most_tokens: int) -> int:
        """Encode some of what the next wider window has and this one has not; how many."""
        carry = replace(self.repair, exact=0, tail=0, head=0, related=0, behind=0)
        planned = self._growth.next(partial(self._plan, self.asked_at, repair=carry))
        if planned is None:
            return 0
        try:
            # What is there already sees less for a while than it will, as it did before: no edit.
            apply = self.sequence.apply(planned.plan, planned.target, most_tokens, edits=0)
            with closing(apply) as steps:
                step = next(steps)
                encode(self.model, self.sequence, step)
                next(steps, None)  # that one has been run; another is not, and forgotten
        except (ContextOverflow, OverBudget):  # the wide prompt will say so when it is asked for
            self._growth.end()
            return 0
        self._tidy()  # every step leaves two segments, which an answer would have to attend to
        self._cursor = planned.prompt.prefix.stop
        self._note_staleness()
        return len(step)

    # endregion
