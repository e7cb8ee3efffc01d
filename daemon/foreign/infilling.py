"""One completion from somebody else's server: its stream, ended, held to the grammar and trimmed as
ours are.

A server cannot be told what the grammar refuses. Where it says something that is, the stream is
closed, and it is asked again behind what may stand and the likeliest of what it had named instead;
where it names nothing, what may stand is all.
"""

import math
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from ...api.report import Finish
from ...api.request import Sampling
from ...models.confidence.evidence import Said
from ...models.constrained.guide import Guide
from ...models.decoding.stops import StopRule, line_feeds
from ..completion.candidates import Brief
from ..completion.request import Candidate
from .api import Api
from .piece import Piece
from .text_prompt import TextPrompt

MOST_AGAIN = 4  # times that a completion is asked for again behind a refusal
CHARACTERS_PER_TOKEN = 3


@dataclass(slots=True)
class Draft:
    """What was said so far, without what repeats the prompt's end."""

    raw: str = ""
    kept: str = ""  # of it, by the stop rule
    said: list[Said] = field(default_factory=list)
    tokens: int = 0
    finish: Finish | None = None


class Infilling:
    """Asks one server, for one request."""

    def __init__(self, api: Api, brief: Brief, guide: Guide, characters: int) -> None:
        """`characters`: of the prompt."""
        self._api = api
        self._brief = brief
        self._guide = guide
        self._characters = characters
        self._until = math.inf if brief.request.deadline is None else brief.request.deadline

    async def candidate(self, sampling: Sampling) -> Candidate:
        """The likeliest completion, or one drawn at random. Raises `ServerError`."""
        near = self._brief.near
        for heal in (True, False):
            prompt = TextPrompt.of(near.prefix, near.suffix, self._characters, heal)
            draft = await self._draft(prompt, sampling)
            if draft is not None:
                return self._shown(draft, sampling.temperature == 0)
        raise AssertionError("without a pending word every answer begins well")

    async def _draft(self, prompt: TextPrompt, sampling: Sampling) -> Draft | None:
        """None where the answer does not repeat the prompt's end."""
        draft, rule = Draft(), self._fresh_rule()
        for _ in range(1 + MOST_AGAIN):
            said = (prompt.pending if draft.raw else "") + draft.raw
            left = self._brief.limit_tokens - draft.tokens
            if left <= 0:
                draft.finish = Finish.TOKENS
                break
            pending = "" if draft.raw else prompt.pending
            stream = self._api.stream(prompt, said, left, sampling)
            refused = await self._follow(stream, pending, draft, rule)
            if draft.finish is None and refused is None:
                return None
            if refused is None:
                break
            forced = self._instead(draft, refused)
            if not forced:
                draft.finish = Finish.TOKENS  # cut short: there is no better way to go on
                break
            self._take(draft, rule, Piece(forced))
            if draft.finish is not None:
                break
        else:
            draft.finish = Finish.TOKENS
        return draft

    def _fresh_rule(self) -> StopRule:
        return self._brief.stops(self._guide if self._guide.constrains else None).rule

    async def _follow(
        self, stream: AsyncGenerator[Piece], pending: str, draft: Draft, rule: StopRule
    ) -> Piece | None:
        """Take what comes; the piece that the grammar refuses, or None once the stream is over.
        Without a `finish` it has not repeated what is pending."""
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                text = piece.text
                draft.tokens += bool(text)
                if pending:
                    if not (text.startswith(pending) or pending.startswith(text)):
                        return None
                    text, pending = text[len(pending) :], pending[len(text) :]
                    piece = Piece(text, piece.odds, ended=piece.ended)
                if text and not self._may_stand(draft.raw + text):
                    return piece
                self._take(draft, rule, piece)
                if draft.finish is None and time.monotonic() > self._until:
                    draft.finish = Finish.DEADLINE  # with what there is by then
                if draft.finish is not None:
                    return None
        if not pending:
            draft.finish = Finish.TOKENS
        return None

    def _take(self, draft: Draft, rule: StopRule, piece: Piece) -> None:
        draft.raw += piece.text
        if piece.odds is not None:
            draft.said.append(Said(piece.text.encode("utf-8", "replace"), piece.odds))
        kept, over = rule.feed(line_feeds(piece.text))
        draft.kept += kept
        if over:
            draft.finish = Finish.LINES
        elif piece.ended:
            draft.finish = Finish.EOS

    def _may_stand(self, raw: str) -> bool:
        if not self._guide.constrains:
            return True
        return self._guide.start.feed(line_feeds(raw).encode("utf-8", "replace")) is not None

    def _instead(self, draft: Draft, refused: Piece) -> str:
        """The likeliest other text that may stand there; nothing if none is known."""
        self._guide.count(refused=1, restarts=1)
        return next((each for each in refused.others if self._may_stand(draft.raw + each)), "")

    def _shown(self, draft: Draft, greedy: bool) -> Candidate:
        """As the user will see it."""
        brief, guide = self._brief, self._guide
        assert draft.finish is not None, "every draft ends with a reason"
        text = brief.cut(guide, draft.kept, draft.finish)
        said = draft.said if greedy else ()
        return brief.candidate(guide, text, draft.tokens, draft.finish, draft.raw, said)
