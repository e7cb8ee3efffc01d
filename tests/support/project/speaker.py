"""What the model says at a case's cursor, with chunks in front of the file in one of three ways."""

from enum import StrEnum

from torch import Tensor

from keyturn.api.report import ChunkUse
from keyturn.api.request import Sampling
from keyturn.cache.sequence import CachedSequence
from keyturn.daemon.completion.bound_chunks import BoundChunk
from keyturn.daemon.completion.chunk_encoder import ChunkEncoder
from keyturn.daemon.completion.file_session import FileSession
from keyturn.models.decoding.decode import Decoder, Stops
from keyturn.models.decoding.sampler import Sampler
from keyturn.models.device import aside
from keyturn.models.loading.loader import load
from keyturn.models.prompts.fim import Prompt, PromptBuilder, PromptOptions

from .case import Case

NEW_TOKENS = 48
CONTEXT_TOKENS = 4096


class Binding(StrEnum):
    """How chunks come into the prompt."""

    TEXT = "text"  # encoded as part of it, each after the others: what binding can be at best
    BOUND = "bound"  # each encoded alone, and all of the file behind them: after some idle time
    LATE = "late"  # bound when the file had been encoded already, at once


class Speaker:
    """Greedy, without a grammar, to the end of the line."""

    def __init__(self, model: str) -> None:
        self._loaded = load(model, settle=True)
        self._builder = PromptBuilder(self._loaded.tokenizer)
        self._decoder = Decoder(self._loaded.model, self._loaded.tokenizer)
        self._options = PromptOptions(CONTEXT_TOKENS, prefix_share=0.9)
        there = aside(self._loaded.model.device)
        self._encoder = ChunkEncoder(self._loaded.model, self._builder.sink(self._options), there)

    def tokens(self, text: str) -> int:
        return len(self._loaded.tokenizer.encode(text))

    def say(self, case: Case, chunks: list[str], binding: Binding) -> tuple[str, int]:
        """The rest of the line, and how many tokens the prompt had."""
        sequence = CachedSequence(self._loaded.model.new_arena())
        how = self._as_text if binding is Binding.TEXT else self._bound
        prompt, logits = how(sequence, case, chunks, binding)
        said, stops = "", Stops(self._builder.stops, NEW_TOKENS)
        sampler = Sampler(Sampling())
        for token in self._decoder.generate(sequence, prompt, logits, sampler, stops, _never):
            said += token.text
            if "\n" in said:
                break
        return said.split("\n")[0], len(prompt.tokens)

    def _as_text(
        self, sequence: CachedSequence, case: Case, chunks: list[str], _: Binding
    ) -> tuple[Prompt, Tensor]:
        encode = self._loaded.tokenizer.encode
        shown = [token for each in chunks for token in encode(each)]
        left, right = encode(case.prefix), encode(case.suffix)
        prompt = self._builder.assemble(left, right, self._options, shown)
        stops = Stops(self._builder.stops, NEW_TOKENS)
        return prompt, self._decoder.prefill(sequence, prompt.tokens, stops, _never)

    def _bound(
        self, sequence: CachedSequence, case: Case, chunks: list[str], binding: Binding
    ) -> tuple[Prompt, Tensor]:
        loaded = self._loaded
        session = FileSession(loaded.model, loaded.tokenizer, self._builder, sequence)
        session.show(case.prefix + case.suffix)
        if binding is Binding.LATE:
            session.fill(session.plan(len(case.prefix), self._options))
        session.chunks.bind([self._chunk(each) for each in chunks])
        planned = session.plan(len(case.prefix), self._options)
        return planned.prompt, session.fill(planned)

    def _chunk(self, text: str) -> BoundChunk:
        tokens = self._loaded.tokenizer.encode(text)
        rows = self._encoder.encode(tokens, _never)
        assert rows is not None
        return BoundChunk(ChunkUse("", 1, ""), text, tuple(tokens), rows)


def _never() -> bool:
    return False
