"""One or several completions from one prefill.

The first is what the model likes best (or the first sample). The others are the next best, written
beside it, or are other samples; what does the same as an earlier one does not count. Where one is
wanted and comes to nothing worth showing,
the next best is tried, unless the model itself would rather add nothing, or says the word again
that the cursor is inside of.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from torch import Tensor

from ...api.report import Finish
from ...api.request import Extent
from ...cache.sequence import CachedSequence
from ...models.confidence.evidence import Said
from ...models.constrained.alternatives import Alternatives
from ...models.constrained.guide import Guide
from ...models.constrained.guided_decoder import GuidedDecoder
from ...models.decoding.circles import Endless
from ...models.decoding.decode import Decoder, Interrupted, Stops, Token
from ...models.decoding.in_time import InTime, always
from ...models.decoding.sampler import Sampler
from ...models.decoding.stops import stop_rule
from ...models.decoding.trim import certain, decided, trim
from ...models.decoding.until_it_fits import UntilItFits
from ...models.decoding.word import says_word_again
from ...models.prompts.fim import Prompt
from ...models.prompts.healing import consume
from ...models.speculative.speculator import Speculation
from ..workspace.language import Language
from .request import Candidate, InfillRequest, Near

QUOTES_ALIKE = frozenset(  # of what is between them
    {"dart", "javascript", "javascriptreact", "lua", "python", "typescript", "typescriptreact"}
)
TRIES_PER_CANDIDATE = 3  # before fewer are given
CUT_SHORT = (Finish.TOKENS, Finish.DEADLINE, Finish.CANCELLED)
INTERRUPTED = (Finish.DEADLINE, Finish.CANCELLED)


@dataclass(frozen=True, slots=True)
class Brief:
    """All that the candidates of one request have in common."""

    request: InfillRequest
    language: Language  # at the cursor
    near: Near
    prompt: Prompt
    stop_tokens: frozenset[int]
    limit_tokens: int

    def stops(self, guide: Guide | None = None) -> Stops:
        """Fresh ones, for one candidate; `guide` says where it may end."""
        comments = self.language.comments
        options = self.request.options
        rule = stop_rule(options.extent, self.near.prefix, self.near.suffix, comments)
        if guide is not None and options.extent not in (Extent.LINE, Extent.ALL):
            rule = UntilItFits(rule, guide.enough)
        rule = Endless(rule, self.decided)
        if options.line_ms is not None:
            fits = always if guide is None else guide.follows
            rule = InTime(rule, options.line_ms / 1e3, fits)
        return Stops(self.stop_tokens, self.limit_tokens, rule, self.request.deadline)

    def decided(self, text: str) -> bool:
        """Whether what is generated after the lines of `text` will not be shown anyway."""
        return decided(text, self.near.prefix, self.near.suffix, self.language.id)

    def trimmed(self, text: str, finish: Finish) -> str:
        """What is shown of a generated text."""
        near, cut_short = self.near, finish in CUT_SHORT
        return trim(text, near.prefix, near.suffix, cut_short, self.language.id)

    def candidate(
        self,
        guide: Guide,
        text: str,
        tokens: int,
        finish: Finish,
        generated: str,
        said: Sequence[Said],
    ) -> Candidate:
        """Of `text` as it is shown: `Brief.cut`."""
        ends = None
        if self.request.is_automatic and guide.constrains:
            ends = tuple(len(self.near.restored(text[:end])) for end in guide.ends(text))
        return Candidate(self.near.restored(text), tokens, finish, generated, tuple(said), ends)

    def cut(self, guide: Guide, text: str, finish: Finish) -> str:
        """What is shown of a generated text, as far as the grammar lets it end."""
        text = self.trimmed(text, finish)
        if text and guide.constrains:
            return (guide.longest if finish in CUT_SHORT else guide.kept)(text)
        return text

    def distinct(self, candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
        """Those with text that do something else than all before them: what differs in space only,
        in comments beside code or in the kind of its quotes, does the same."""
        found: dict[str, Candidate] = {}
        for candidate in candidates:
            if candidate.text:
                found.setdefault(self._essence(candidate.text), candidate)
        return tuple(found.values())

    def _essence(self, text: str) -> str:
        marks = "|".join(map(re.escape, self.language.comments))
        code = re.sub(rf"(?:^|(?<=\s))(?:{marks})[^\n]*", "", text) if marks else text
        code = "".join((code if code.strip() else text).split())
        return code.replace("'", '"') if self.language.id in QUOTES_ALIKE else code

    def adds_nothing(self, candidate: Candidate) -> bool:
        """Whether the model would leave the text as it is, and not only a search that gave up."""
        text, near = candidate.generated, self.near
        said = candidate.said[-1].odds if candidate.said else None
        wished = said is None or said.chance >= said.rival
        done = text == "" and candidate.finish is Finish.EOS and wished
        return done or says_word_again(text, near.prefix, near.suffix)


class Candidates:
    """Generates the candidates of one brief in a sequence that holds exactly its prompt."""

    def __init__(
        self,
        decoder: Decoder,
        sequence: CachedSequence,
        brief: Brief,
        guide: Guide,
        speculation: Speculation,
    ) -> None:
        self._decoder = decoder
        self._guide = guide
        self._speculation = speculation
        self._sequence = sequence
        self._brief = brief

    def generate(self, logits: Tensor) -> list[Candidate]:
        """Everything tried, from the `logits` (vocabulary,) after the prompt; never empty."""
        options = self._brief.request.options
        if options.candidates > 1 and options.sampling.temperature == 0:
            return self._side_by_side(logits, options.candidates)
        return self._in_turn(logits, options.candidates)

    def _side_by_side(self, logits: Tensor, wanted: int) -> list[Candidate]:
        """The greedy one, and the best of those that part from it."""
        brief, decoder = self._brief, self._decoder
        cancelled, stops = brief.request.cancelled, self._stops()
        together = decoder.side_by_side(
            self._sequence, logits, stops, cancelled, self._speculation, brief.prompt.pending
        )
        found = Alternatives(decoder, together, brief.prompt, stops, cancelled, self._guide)
        tried: list[Candidate] = []
        try:
            for tokens in islice(found, TRIES_PER_CANDIDATE * wanted):
                tried.append(self._candidate(tokens, None if tried else brief.request.stream))
                if len(brief.distinct(tried)) == wanted:
                    break
        except Interrupted as interrupted:
            tried.append(Candidate("", 0, interrupted.finish))
        finally:
            together.end()
        return [tried[0], *sorted(tried[1:], key=lambda each: each.likelihood, reverse=True)]

    def _in_turn(self, logits: Tensor, wanted: int) -> list[Candidate]:
        """The first that is worth showing, or samples."""
        tried: list[Candidate] = []
        for sampler, first in islice(self._starts(logits), TRIES_PER_CANDIDATE * wanted):
            self._sequence.truncate(len(self._brief.prompt.tokens))
            tried.append(self._one(logits, sampler, first, shown=bool(self._brief.distinct(tried))))
            last = tried[-1]
            if last.finish in INTERRUPTED or len(self._brief.distinct(tried)) == wanted:
                break
            if wanted == 1 and self._brief.adds_nothing(last):
                break
        return tried

    def _starts(self, logits: Tensor) -> Iterator[tuple[Sampler, int | None]]:
        """A sampler for every candidate that could be tried, and a first token for where no grammar
        finds the next best."""
        sampling = self._brief.request.options.sampling
        yield Sampler(sampling), None
        if sampling.temperature > 0:
            stream = 0
            while stream := stream + 1:
                yield Sampler(sampling, stream), None
        possible = self._decoder.permitted(logits, self._brief.prompt.pending)
        best = possible.topk(min(len(possible), 64)).indices.tolist()
        yield from ((Sampler(sampling), token) for token in best[1:])

    def _one(self, logits: Tensor, sampler: Sampler, first: int | None, shown: bool) -> Candidate:
        """`shown`: an earlier one is worth showing."""
        stream = None if shown else self._brief.request.stream
        tokens = self._tokens(logits, sampler, first, stream is not None, not shown)
        return self._candidate(tokens, stream)

    def _candidate(self, found: Iterable[Token], stream: Callable[[str], None] | None) -> Candidate:
        """What `found` says; `stream` gets its text in pieces."""
        brief, near, language = self._brief, self._brief.near, self._brief.language.id
        text, sent, tokens, finish = "", "", 0, None
        said: list[Said] = []
        pending = brief.prompt.pending
        try:
            for token in found:
                if token.odds is not None:
                    pending, data = consume(pending, self._decoder.token_bytes(token.id))
                    said.append(Said(data, token.odds))
                text, tokens, finish = text + token.text, tokens + 1, token.finish
                known = certain(text, near.prefix, near.suffix, language) if stream else ""
                if len(known) > len(sent) and self._guide.constrains:
                    known = self._guide.lasting(known)
                if stream and len(known) > len(sent):
                    stream(near.restored(known[len(sent) :]))
                    sent = known
        except Interrupted as interrupted:
            finish = interrupted.finish
        assert finish is not None, "decoding ends with a reason"
        generated, text = text, brief.cut(self._guide, text, finish)
        if stream and text:
            stream(near.restored(text[len(sent) :]))
        return brief.candidate(self._guide, text, tokens, finish, generated, said)

    def _stops(self) -> Stops:
        return self._brief.stops(self._guide if self._guide.constrains else None)

    def _tokens(
        self, logits: Tensor, sampler: Sampler, first: int | None, settles: bool, apart: bool
    ) -> Iterator[Token]:
        brief, decoder, guesser = self._brief, self._decoder, self._speculation
        where = (
            self._sequence,
            brief.prompt,
            logits,
            sampler,
            self._stops(),
            brief.request.cancelled,
        )
        self._speculation.begin()
        if not self._guide.constrains:
            return decoder.generate(*where, first, guesser)
        return GuidedDecoder(decoder).generate(*where, self._guide, guesser, settles, apart)
