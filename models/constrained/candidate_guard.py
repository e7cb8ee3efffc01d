"""The trie's guard over one candidate: what the guide says of every prefix of its tokens."""

import codecs
import copy
from collections.abc import Callable
from dataclasses import dataclass

from ...api.report import Finish
from ..decoding.stops import StopRule, line_feeds
from ..grammar.oracle import State
from ..prompts.fim import Prompt
from ..prompts.healing import agrees, consume
from ..speculative.draft import Draft
from .guide import Guide


@dataclass(frozen=True, slots=True)
class GuideState:
    """After some tokens of a completion."""

    state: State
    rule: StopRule  # never fed again: copied first
    pending: bytes  # of the prompt, still to be repeated
    partial: bytes  # the start of a character
    text: str = ""  # kept so far
    piece: str = ""  # what the last token added to it
    over: bool = False  # the stop rule ends the completion


class CandidateGuard:
    """`trie.Guard` over the states of one candidate. Remembers what it has decided."""

    def __init__(
        self,
        guide: Guide,
        prompt: Prompt,
        rule: StopRule,
        token_bytes: Callable[[int], bytes],
        or_lines: bool = False,
    ):
        """`or_lines`: see `Guide.may_end`."""
        self._guide = guide
        self._or_lines = or_lines
        self._first = GuideState(guide.start, rule, prompt.pending, b"")
        self._token_bytes = token_bytes
        self._taken: dict[tuple[int, int], tuple[GuideState, GuideState | None]] = {}

    def start(self) -> GuideState:
        """Before the first token."""
        return self._first

    def take(self, place: GuideState, token: int) -> GuideState | None:
        """The place after `token`; None where the grammar or the prompt's end refuses it."""
        known = self._taken.get((id(place), token))
        if known is None:
            with self._guide.waiting():
                known = (place, self._after(place, token))  # holding the place keeps its id
            self._taken[id(place), token] = known
        return known[1]

    def over(self, place: GuideState) -> bool:
        """Whether the stop rule ends the completion here."""
        return place.over

    def may_stop(self, place: GuideState) -> bool:
        """Whether the completion may end here, by the stop rule or by the model's choice."""
        with self._guide.waiting():
            finish = Finish.LINES if place.over else Finish.EOS
            return self._guide.may_end(place.text, finish, self._or_lines)

    def may_be_cut(self, place: GuideState) -> bool:
        """Whether some start of the completion may stand if it can't go on here."""
        with self._guide.waiting():
            return self._guide.may_be_cut(place.text)

    def counts(self, place: GuideState) -> bool:
        """Not what only repeats the prompt's end."""
        return not place.pending

    def allowed(self, place: GuideState, stop_tokens: frozenset[int], draft: Draft) -> Draft:
        """The draft up to what the grammar refuses after `place`, or what ends the completion."""
        for index, token in enumerate(draft.tokens):
            following = None if token in stop_tokens else self.take(place, token)
            if following is None or following.over:
                return draft.first(index)
            place = following
        return draft

    def _after(self, place: GuideState, token: int) -> GuideState | None:
        data = self._token_bytes(token)
        if not data or (place.pending and not agrees(data, place.pending)):
            return None
        pending, data = consume(place.pending, data)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        decoder.setstate((place.partial, 0))
        text = line_feeds(decoder.decode(data))
        rule = copy.copy(place.rule)
        piece, over = rule.feed(text)
        state = place.state if over or not data else place.state.feed(data)
        if state is None:
            return None
        return GuideState(
            state, rule, pending, decoder.getstate()[0], place.text + piece, piece, over
        )
