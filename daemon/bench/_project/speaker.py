"""What the model says at a cursor, with chunks in front of the file in one of three ways."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from torch import Tensor

from ....api.report import ChunkUse
from ....api.request import Sampling
from ....cache.sequence import CachedSequence
from ....models.decoding.decode import Decoder, Stops
from ....models.decoding.sampler import Sampler
from ....models.device import aside
from ....models.loading.loader import Loaded
from ....models.prompts.fim import Prompt, PromptBuilder, PromptOptions
from ...completion.bound_chunks import BoundChunk
from ...completion.chunk_encoder import ChunkEncoder
from ...completion.file_session import FileSession

NEW_TOKENS = 48
CONTEXT_TOKENS = 4096


class Binding(StrEnum):
    """How chunks come into the prompt."""

    TEXT = "text"  # encoded as part of it, each after the others: what idle time makes of the rest
    BOUND = "bound"  # encoded before, in eight bits, and then the file behind them
    LATE = "late"  # the same, and bound when the file had been encoded already


@dataclass(frozen=True, slots=True)
class Said:
    """The rest of a line. `first_ms`: until the model knew its first token."""

    text: str
    prompt_tokens: int
    first_ms: float


class Speaker:
    """Greedy, without a grammar, to the end of the line."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._builder = PromptBuilder(loaded.tokenizer)
        self._decoder = Decoder(loaded.model, loaded.tokenizer)
        self._options = PromptOptions(CONTEXT_TOKENS, prefix_share=0.9)
        sink = self._builder.sink(self._options)
        self._encoder = ChunkEncoder(loaded.model, sink, aside(loaded.model.device))

    def tokens(self, text: str) -> int:
        return len(self._loaded.tokenizer.encode(text))

    def say(self, prefix: str, suffix: str, chunks: Sequence[str], binding: Binding) -> Said:
        """What comes between `prefix` and `suffix`, the most relevant chunk last."""
        if binding is Binding.TEXT:
            sequence = CachedSequence(self._loaded.model.new_arena())
            started = time.perf_counter()
            prompt = self._prompt(prefix, suffix, chunks)
            stops = Stops(self._builder.stops, NEW_TOKENS)
            logits = self._decoder.prefill(sequence, prompt.tokens, stops, never)
        else:
            session = self.session(prefix, suffix, chunks, binding)
            sequence = session.sequence
            started = time.perf_counter()
            planned = session.plan(len(prefix), self._options)
            prompt, logits = planned.prompt, session.fill(planned)
        first_ms = (time.perf_counter() - started) * 1e3
        return Said(self._rest(sequence, prompt, logits), len(prompt.tokens), first_ms)

    def session(
        self, prefix: str, suffix: str, chunks: Sequence[str], binding: Binding
    ) -> FileSession:
        """A file's, with chunks bound before or after it was first encoded."""
        loaded = self._loaded
        sequence = CachedSequence(loaded.model.new_arena())
        session = FileSession(loaded.model, loaded.tokenizer, self._builder, sequence)
        session.show(prefix + suffix)
        if binding is Binding.LATE:
            session.fill(session.plan(len(prefix), self._options))
        session.chunks.bind(self.chunks(chunks))
        return session

    def after_a_key(
        self, prefix: str, suffix: str, shown: Sequence[Sequence[str]], keys: int
    ) -> list[float]:
        """Median milliseconds from a key at the cursor to the first token, for each of several sets
        of chunks that are bound and seen; in turns, so that the machine's other work falls on all.
        """
        sessions = [self.session(prefix, suffix, each, Binding.BOUND) for each in shown]
        for session in sessions:
            session.fill(session.plan(len(prefix), self._options))
        took_ms: list[list[float]] = [[] for _ in sessions]
        for cursor in range(len(prefix), len(prefix) + keys):
            for session, times in zip(sessions, took_ms, strict=True):
                started = time.perf_counter()
                session.edit(cursor, cursor, "x")
                session.fill(session.plan(cursor + 1, self._options))
                times.append((time.perf_counter() - started) * 1e3)
        return [statistics.median(times) for times in took_ms]

    def chunks(self, texts: Sequence[str]) -> list[BoundChunk]:
        """Chunks, each encoded behind those before it."""
        found: list[BoundChunk] = []
        for text in texts:
            tokens = self._loaded.tokenizer.encode(text)
            rows = self._encoder.encode(tokens, never, [each.piece for each in found])
            assert rows is not None, "nobody interrupts"
            found.append(BoundChunk(ChunkUse("", 1, ""), text, tuple(tokens), rows))
        return found

    def _prompt(self, prefix: str, suffix: str, chunks: Sequence[str]) -> Prompt:
        encode = self._loaded.tokenizer.encode
        shown = [token for each in chunks for token in encode(each)]
        return self._builder.assemble(encode(prefix), encode(suffix), self._options, shown)

    def _rest(self, sequence: CachedSequence, prompt: Prompt, logits: Tensor) -> str:
        said, stops = "", Stops(self._builder.stops, NEW_TOKENS)
        sampler = Sampler(Sampling())
        for token in self._decoder.generate(sequence, prompt, logits, sampler, stops, never):
            said += token.text
            if "\n" in said:
                break
        return said.split("\n")[0]


def never() -> bool:
    return False
