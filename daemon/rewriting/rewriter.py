"""A next-edit model at work: it is asked to write a window again, and what differs is proposed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ...api.report import Finish
from ...api.request import Sampling, SpeculationMode
from ...cache.sequence import CachedSequence
from ...models.decoding.decode import Decoder, Stops
from ...models.decoding.sampler import Sampler
from ...models.device import give_back
from ...models.errors import UnsupportedModel
from ...models.loading.loader import Loaded
from ...models.prompts.fim import Prompt, Span
from ...models.prompts.next_edit.question import Control, Format, Piece, Question
from ...models.prompts.templates import Order
from ...models.speculative.draft import Scene
from ...models.speculative.pass_cost import CPU_SHAPE, GPU_SHAPE, Pace
from ...models.speculative.prompt_lookup import Lookup
from ...models.speculative.speculator import Speculator
from ..next_edit.proposal import Proposal
from ..next_edit.recent_edits import Hunk
from .differences import Difference, differences
from .judge import Judge, Verdict, pausing
from .places import questions
from .rewritten import Rewritten

MORE_TOKENS = 128  # of a window than it has now
LEAST_GAIN = 0.7  # of a change, to be proposed (judge.Verdict): twice as likely
LEAST_CHANCE = 0.6


def is_believed(verdict: Verdict) -> bool:
    return verdict.gain >= LEAST_GAIN and verdict.chance >= LEAST_CHANCE


class Rewriter:
    """Owns the cache of one model's prompts. One thread's."""

    def __init__(
        self,
        loaded: Loaded,
        kind: Format,
        is_believed: Callable[[Verdict], bool] = is_believed,
    ) -> None:
        """`is_believed` says which changes are proposed. Raises `UnsupportedModel` where the
        tokenizer lacks what the format is made of."""
        self.name = loaded.name
        self.kind = kind
        self.asked = self.proposed = 0  # windows, and changes
        self.tokens = self.passes = 0  # of answers
        self._is_believed = is_believed
        self._model = loaded.model
        self._tokenizer = loaded.tokenizer
        self._decoder = Decoder(loaded.model, loaded.tokenizer)
        self._most_tokens = loaded.config.context_tokens
        self._sequence = CachedSequence(loaded.model.new_arena(), most_tokens=self._most_tokens)
        self._judge = Judge(loaded.model, self._decoder, self._sequence)
        shape = GPU_SHAPE if loaded.model.device.type == "cuda" else CPU_SHAPE
        self._speculator = Speculator([Lookup()], Pace(shape))
        self._ends = frozenset(self._control(each) for each in kind.controls)

    def proposals(
        self,
        path: str,
        text: str,
        hunks: Sequence[Hunk],
        cursor: int,
        pause: Callable[[], None],
    ) -> Iterator[Proposal]:
        """What it would change in a text in which `hunks` were changed, the newest first. `pause`
        is called between two passes, and may raise."""
        for question in questions(self.kind, path, text, hunks, cursor):
            answer = self._answered(question, text, hunks, cursor, pause)
            if answer is not None:
                yield from answer

    def ids(self, pieces: Sequence[Piece]) -> list[int]:
        """Tokens of a prompt. Text between control tokens is tokenised as one."""
        tokens: list[int] = []
        for piece in pieces:
            if isinstance(piece, Control):
                tokens.append(self._control(piece))
            else:
                tokens += self._tokenizer.encode(piece)
        return tokens

    def close(self) -> None:
        """Give the cache back, and the model if nobody else has it."""
        device = self._model.device
        self._sequence.clear()
        del self._model, self._decoder, self._judge, self._sequence
        give_back(device)

    def status(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "format": self.kind.name,
            "asked": self.asked,
            "proposed": self.proposed,
            "tokens_a_pass": round(self.tokens / self.passes, 1) if self.passes else None,
        }

    def _answered(
        self,
        question: Question,
        text: str,
        hunks: Sequence[Hunk],
        cursor: int,
        pause: Callable[[], None],
    ) -> list[Proposal] | None:
        """None where there is no answer: it is too long."""
        tokens = self.ids(self.kind.prompt(question))
        limit = len(self._tokenizer.encode("\n".join(question.current))) + MORE_TOKENS
        if len(tokens) + limit > self._most_tokens:
            return None
        self.asked += 1

        def is_enough(lines: Sequence[str]) -> bool:
            return any(True for _ in differences(question, text, lines, hunks, cursor))

        rule = Rewritten(self.kind, question.current, is_enough)
        if not self._write(tokens, Stops(self._ends, limit, rule), pause):
            return None
        rule.end()
        found: list[Proposal] = []
        for each in differences(question, text, rule.lines, hunks, cursor):
            verdict = self._verdict(tokens, question, rule.lines, each, pause)
            if self._is_believed(verdict):
                found.append(replace(each.proposal, confidence=round(verdict.chance, 3)))
        self.proposed += len(found)
        return found

    def _write(self, tokens: Sequence[int], stops: Stops, pause: Callable[[], None]) -> bool:
        """Have the rule of `stops` see an answer, and whether that came to its end."""
        cancelled = pausing(pause)
        prompt = Prompt(tuple(tokens), Span(0, 0), Span(0, 0), Order.PSM)
        logits = self._decoder.prefill(self._sequence, tokens, stops, cancelled)
        speculation = self._speculator.speculation(
            SpeculationMode.AUTO, Scene(self.kind.name, tokens)
        )
        speculation.begin()
        sampler, finish = Sampler(Sampling()), None
        for token in self._decoder.generate(
            self._sequence, prompt, logits, sampler, stops, cancelled, guesser=speculation
        ):
            finish = token.finish
            self.tokens += 1
        self.passes += speculation.passes
        return finish is not Finish.TOKENS

    def _verdict(
        self,
        tokens: Sequence[int],
        question: Question,
        written: Sequence[str],
        difference: Difference,
        pause: Callable[[], None],
    ) -> Verdict:
        """Of lines, with the one behind them: whether the change ends there is a part of it."""
        old, new = difference.old, difference.new
        before = self.kind.opening + "".join(line + "\n" for line in written[: new.start])
        changed = "\n".join(written[new.start : new.stop + 1])
        unchanged = "\n".join(question.current[old.start : old.stop + 1])
        encode = self._tokenizer.encode
        return self._judge.verdict(
            [*tokens, *encode(before)], encode(changed), encode(unchanged), pause
        )

    def _control(self, text: Control) -> int:
        found = self._tokenizer.special(text)
        if found is None:
            raise UnsupportedModel(
                f"{self.name} has no token {text}: it is not asked in the format {self.kind.name}"
            )
        return found
