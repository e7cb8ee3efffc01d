"""One model made ready to complete code: a request in, the finished suggestion out.

A sequence keeps its last prompt, so that a request that starts like the one before pays only for
what is new. The engine owns one; whoever serves several files brings one for each. Not for two
threads at once.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..cache.sequence import CachedSequence
from ..models.context import CHARACTERS_PER_TOKEN
from ..models.decode import Decoder, Interrupted, shared
from ..models.fim import Order, Prompt, PromptBuilder, PromptOptions
from ..models.loader import Loaded
from .candidates import INTERRUPTED, Candidates, Job
from .completion import Candidate, Completion, Request, Timings, distinct
from .surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What holds for every request of one engine."""

    context_tokens: int = 2048  # prompt and completion together; the model's own limit also counts
    prefix_share: float = 0.75
    order: Order | None = None  # the model's default
    heal: bool = True


def never() -> bool:
    return False


def ignore(text: str) -> None:
    """Takes streamed text and does nothing with it."""


class Engine:
    """Completes with one loaded model."""

    def __init__(self, loaded: Loaded, options: EngineOptions) -> None:
        self.loaded = loaded
        self.options = options
        self._builder = PromptBuilder(loaded.tokenizer)
        self._decoder = Decoder(loaded.model, loaded.tokenizer)
        self._sequence = self.new_sequence()
        self._context_tokens = min(options.context_tokens, loaded.config.context_tokens)

    def complete(
        self,
        request: Request,
        cancelled: Callable[[], bool] = never,
        stream: Callable[[str], None] = ignore,
        sequence: CachedSequence | None = None,
    ) -> Completion:
        """Answer `request`, in the engine's own sequence or in that given. `stream` gets the first
        candidate's text in pieces, each as soon as it is certain, and all of it by the return.

        A cancel or the deadline ends the work within a step; what there is by then is returned,
        and `finish` says so. At most half of the context is generated.
        """
        clock = Clock()
        sequence = self._sequence if sequence is None else sequence
        job = self._job(request, cancelled, stream)
        reused = min(shared(sequence.tokens, job.prompt.tokens), len(job.prompt.tokens) - 1)
        timings = Timings(tokenise=clock.lap_ms())
        tried: list[Candidate] = []
        try:
            logits = self._decoder.prefill(sequence, job.prompt.tokens, job.stops(), cancelled)
            timings = replace(timings, prefill=clock.lap_ms())
            tried = Candidates(self._decoder, sequence, job).generate(logits)
            timings = replace(timings, decode=clock.lap_ms())
            finish = next((t.finish for t in tried if t.finish in INTERRUPTED), tried[0].finish)
        except Interrupted as interrupted:
            timings = replace(timings, prefill=clock.lap_ms())
            finish = interrupted.finish
        return Completion(
            candidates=distinct(tried),
            finish=finish,
            prompt_tokens=len(job.prompt.tokens),
            reused_tokens=reused,
            generated_tokens=sum(candidate.tokens for candidate in tried),
            timings=timings,
        )

    def new_sequence(self) -> CachedSequence:
        """An empty one, of this model's shape."""
        return CachedSequence(self.loaded.model.new_arena())

    def _job(
        self, request: Request, cancelled: Callable[[], bool], stream: Callable[[str], None]
    ) -> Job:
        limit = min(request.max_tokens, self._context_tokens // 2)
        bound = self._context_tokens * CHARACTERS_PER_TOKEN
        near = Surroundings.of(request.prefix, request.suffix, bound)
        prompt = self._prompt(near, self._context_tokens - limit)
        return Job(request, near, prompt, self._builder.stops, limit, cancelled, stream)

    def _prompt(self, near: Surroundings, budget_tokens: int) -> Prompt:
        options = PromptOptions(
            budget_tokens, self.options.prefix_share, self.options.order, self.options.heal
        )
        return self._builder.build(near.prefix, near.suffix, options)


class Clock:
    """Wall time since the last lap."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap_ms(self) -> float:
        now = time.perf_counter()
        lap, self._last = (now - self._last) * 1000, now
        return lap
