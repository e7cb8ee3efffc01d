"""One model made ready to complete code: a request in, the finished suggestion out.

A file's session keeps its last prompt in the cache, so that a request pays only for what differs
(file_session.py); whoever serves files makes one for each. Without a session, a request pays for
all that comes after the first difference, and nothing that came before can be seen in its answer.
Not for two threads at once.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from ...api.report import CacheUse, CompletionMeta, Finish, ProjectUse
from ...cache.plan import Repair
from ...cache.sequence import CachedSequence
from ...models.confidence.estimator import Estimates, fitted
from ...models.decoding.decode import Decoder, Interrupted, raise_if_cancelled
from ...models.loading.loader import Loaded
from ...models.prompts.fim import Prompt, PromptBuilder, PromptOptions
from ...models.prompts.templates import Order
from ...models.prompts.truncate import CHARACTERS_PER_TOKEN
from ...models.speculative.draft import Scene, Tokens
from ...models.speculative.drafters import speculator
from ...models.speculative.round import shared
from ..workspace.json_schemas import SchemaRule, schema_of
from ..workspace.language import language_of
from .candidates import INTERRUPTED, Brief, Candidates
from .file_session import FileSession
from .grammars import Grammars
from .growth import MOST_TOKENS, NARROW_TOKENS
from .nothing_said import says_nothing
from .regions import region_at
from .request import Candidate, Found, InfillRequest, Near
from .weighed import weighed

STRIDE_TOKENS = 512  # windows that the cache has no room for get narrower by so many
MOST_CHARACTERS = 1_000_000  # of a file with a session, which tokenises all of it


@dataclass(frozen=True, slots=True)
class CompleterOptions:
    """What holds for every request of one engine."""

    context_tokens: int = 2048  # prompt and completion together; the model's own limit also counts
    project_tokens: int = 0  # beside them, of the project's other files; within the model's limit
    prefix_share: float = 0.75
    order: Order | None = None  # the model's default
    heal: bool = True
    repair: Repair = field(default_factory=Repair)  # of what edits make stale
    memory: Path | None = None  # folder of exits that were trained, and of what drafters learn
    remembers: bool = True  # whether what they learn of texts is kept there
    json_schemas: tuple[SchemaRule, ...] = ()


class Completer:
    """Completes with one loaded model."""

    def __init__(self, loaded: Loaded, options: CompleterOptions) -> None:
        self.loaded = loaded
        self.options = options
        self._builder = PromptBuilder(loaded.tokenizer)
        self._decoder = Decoder(loaded.model, loaded.tokenizer)
        self._sequence = CachedSequence(loaded.model.new_arena())  # of what has no session
        self._grammars = Grammars(options.json_schemas)
        self.speculator = speculator(loaded, options.memory, options.remembers)
        self.estimator: Estimates = fitted()
        most_tokens = loaded.config.context_tokens
        self.context_tokens = min(options.context_tokens, most_tokens)
        self.project_tokens = min(options.project_tokens, most_tokens - self.context_tokens)

    def complete(
        self,
        request: InfillRequest,
        session: FileSession | None = None,
        others: Sequence[Tokens] = (),
    ) -> Found:
        """Answer `request`. Its `stream` gets the first candidate's text in pieces, each as soon
        as it is certain, and all of it by the return.

        `others` are tokens of other texts, best last, that it may repeat.
        A cancel or the deadline ends the work within a step; what there is by then is returned,
        and `finish` says so. At most half of the context is generated. Where the text says
        nothing yet, the model is not asked.
        """
        meta = CompletionMeta(self.loaded.name, str(self.loaded.model.device))
        schema = schema_of(request.path, self.options.json_schemas)  # which says what is to come
        if says_nothing(request.prefix, request.suffix) and not schema:
            return Found((), replace(meta, finish=Finish.EOS))
        clock = Clock()
        limit = self._limit_tokens(request.options.max_tokens)
        near = request.near(self.context_tokens * CHARACTERS_PER_TOKEN)
        if len(request.prefix) + len(request.suffix) > MOST_CHARACTERS:
            session = None
        if session is None:
            ready = self._exact(request, near, limit)
        else:
            ready = self._by_difference(request, limit, session)
        region = region_at(request.path, request.prefix, request.suffix)
        brief = Brief(
            request=request,
            language=region.language,
            near=near,
            prompt=ready.prompt,
            stop_tokens=self._builder.stops,
            limit_tokens=limit,
        )
        followed = None if session is None else session.grammar
        # While the model reads too.
        guided = self._grammars.begin(request, region, brief.trimmed, followed)
        scene = replace(ready.scene, others=(*others, *ready.scene.others))
        speculation = self.speculator.speculation(request.options.speculation, scene)
        meta = replace(meta, tokenise_ms=clock.lap_ms())
        tried: list[Candidate] = []
        try:
            logits = ready.fill(brief)
            meta = replace(meta, prefill_ms=clock.lap_ms())
            brief = replace(brief, request=request.decoding_now())
            guide = guided()
            tried = Candidates(self._decoder, ready.sequence, brief, guide, speculation).generate(
                logits
            )
            meta = replace(meta, decode_ms=clock.lap_ms(), grammar=guide.use)
            best = next((each for each in tried if each.text), tried[0])
            finish = next((t.finish for t in tried if t.finish in INTERRUPTED), best.finish)
        except Interrupted as interrupted:
            meta = replace(meta, prefill_ms=clock.lap_ms())
            finish = interrupted.finish
        meta = replace(
            meta,
            finish=finish,
            prompt_tokens=len(ready.prompt.tokens),
            reused_tokens=ready.reused_tokens,
            generated_tokens=sum(candidate.tokens for candidate in tried),
            cache=ready.use(),
            project=ready.project,
            speculation=speculation.use,
        )
        return Found(weighed(self.estimator, brief.distinct(tried)), meta)

    @property
    def sink(self) -> list[int]:
        """What every prompt begins with: chunks of other files are encoded behind it."""
        return self._builder.sink(self._prompt_options(0))

    def more_tokens(self, limit_tokens: int) -> int:
        """How many a session's cache may need beside what it has, to answer with so many, if its
        window may grow later."""
        return MOST_TOKENS + self.project_tokens + self._limit_tokens(limit_tokens)

    def forget(self) -> None:
        """Start anew, whatever state an interrupt from outside has left the own sequence in."""
        self._sequence = CachedSequence(self.loaded.model.new_arena())

    def new_session(self) -> FileSession:
        """An empty one, for one file."""
        model = self.loaded.model
        most_tokens = self.context_tokens + self.project_tokens
        sequence = CachedSequence(model.new_arena(0), most_tokens=most_tokens)
        return FileSession(
            model, self.loaded.tokenizer, self._builder, sequence, self.options.repair
        )

    # region Two ways to have a prompt in a cache
    def _exact(self, request: InfillRequest, near: Near, limit_tokens: int) -> "Ready":
        prompt = self._builder.build(near.prefix, near.suffix, self._prompt_options(limit_tokens))
        sequence = self._sequence
        reused = min(shared(sequence.tokens, prompt.tokens), len(prompt.tokens) - 1)

        def fill(brief: Brief) -> Tensor:
            return self._decoder.prefill(sequence, prompt.tokens, brief.stops(), request.cancelled)

        before, after = (prompt.tokens[span.start : span.stop] for span in prompt.sides)
        held = self.loaded.tokenizer.encode(prompt.pending.decode(errors="ignore"))
        scene = Scene(language_of(request.path).id, before, after, held=held)
        return Ready(prompt, sequence, reused, scene, fill, lambda: None)

    def _by_difference(
        self, request: InfillRequest, limit_tokens: int, session: FileSession
    ) -> "Ready":
        if not session.shows(request.prefix, request.suffix):
            session.show(request.prefix + request.suffix)
        most_rows = session.sequence.most_rows
        options = self._prompt_options(limit_tokens, most_rows)
        planned = session.plan(len(request.prefix), options)
        plan = planned.plan

        def fill(brief: Brief) -> Tensor:
            return session.fill(
                planned, partial(raise_if_cancelled, request.deadline, request.cancelled)
            )

        def use() -> CacheUse:
            share = session.staleness().share
            spans = tuple((span.start, span.stop) for span in plan.encode)
            return CacheUse(session.encoded_tokens, plan.carried, plan.repaired, share, spans)

        reused = len(planned.prompt.tokens) - plan.encoded
        scene = session.scene(len(request.prefix), planned.prompt, language_of(request.path).id)
        return Ready(planned.prompt, session.sequence, reused, scene, fill, use, session.project)

    def _limit_tokens(self, asked: int) -> int:
        return min(asked, self.context_tokens // 2)

    def _prompt_options(self, limit_tokens: int, most_rows: int | None = None) -> PromptOptions:
        """`most_rows`: of the cache, where that has less room than a whole context takes."""
        options = self.options
        budget = self.context_tokens - limit_tokens
        if most_rows is not None and most_rows < budget + self.project_tokens + limit_tokens:
            room = most_rows - self.project_tokens - limit_tokens
            budget = min(budget, max(NARROW_TOKENS, room // STRIDE_TOKENS * STRIDE_TOKENS))
        return PromptOptions(budget, options.prefix_share, options.order, options.heal)

    # endregion


@dataclass(frozen=True, slots=True)
class Ready:
    """A prompt and how to get it into its sequence."""

    prompt: Prompt
    sequence: CachedSequence
    reused_tokens: int
    scene: Scene
    fill: Callable[[Brief], Tensor]
    use: Callable[[], CacheUse | None]
    project: ProjectUse | None = None


class Clock:
    """Wall time since the last lap."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap_ms(self) -> float:
        now = time.perf_counter()
        lap, self._last = (now - self._last) * 1000, now
        return lap
