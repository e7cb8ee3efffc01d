"""Fill-in-the-middle prompts: one template per family, three orders, token ids out.

A family is recognised by the special tokens that the tokenizer really has. Special tokens enter a
prompt by id, and only where a template puts them: the user's text is tokenised apart, by an
`encode` that never yields one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, Protocol

from ..errors import UnsupportedModel
from .healing import LAST_PIECE, LAST_WORD, hold_back
from .templates import TEMPLATES, Order, Template
from .truncate import Encoder, fit


class Span(NamedTuple):
    """A run of tokens, `start` included and `stop` not."""

    start: int
    stop: int


NOWHERE = Span(0, 0)


class Tokenizer(Encoder, Protocol):
    """What a prompt asks of a tokenizer."""

    def special(self, text: str) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids that a model continues with the code at the cursor."""

    tokens: tuple[int, ...]
    prefix: Span
    suffix: Span
    order: Order
    pending: bytes = b""  # end of the prefix that is not in `tokens`: generation starts with it
    chunks: Span = NOWHERE  # of other texts

    @property
    def sides(self) -> tuple[Span, Span]:
        """What it has of the text left and right of the cursor."""
        return self.prefix, self.suffix


class Part(Enum):
    """What varies in a prompt."""

    PREFIX = auto()
    SUFFIX = auto()
    CHUNKS = auto()


@dataclass(frozen=True, slots=True)
class PromptOptions:
    """Limits and choices of a prompt; `order=None` is the template's own default."""

    budget_tokens: int = 2048
    prefix_share: float = 0.75
    order: Order | None = None
    heal: bool = True  # what the cursor cuts: see healing.py


def choose(tokenizer: Tokenizer) -> Template:
    """The first template whose special tokens the tokenizer has. Raises `UnsupportedModel`."""
    for template in TEMPLATES:
        if all(tokenizer.special(text) is not None for text in template.required):
            return template
    raise UnsupportedModel(
        "the model's tokenizer has no fill-in-the-middle tokens that keyturn knows: "
        "use a code model of one of the families " + ", ".join(t.family for t in TEMPLATES)
    )


class PromptBuilder:
    """Writes the prompts of one tokenizer's family."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.template = choose(tokenizer)
        self._tokenizer = tokenizer
        self._ids = {
            text: token
            for text in self.template.specials
            if (token := tokenizer.special(text)) is not None
        }
        self.stops = frozenset(self._ids.values())

    def build(self, prefix: str, suffix: str, options: PromptOptions) -> Prompt:
        """The prompt for the cursor between `prefix` and `suffix`, within `options.budget_tokens`.

        Raises `UnsupportedModel` for an order that the family does not know.
        """
        room = self.room_tokens(options)
        found = fit(self._tokenizer, prefix, suffix, room, options.prefix_share)
        return self.assemble(found.prefix, found.suffix, options)

    def room_tokens(self, options: PromptOptions) -> int:
        """How many tokens of text fit beside what a prompt always has."""
        always = sum(
            len(run) for run in self._layout(self._order(options)) if not isinstance(run, Part)
        )
        return max(0, options.budget_tokens - always)

    def sink(self, options: PromptOptions) -> list[int]:
        """What stands before chunks in every prompt."""
        first = self._layout(self._order(options))[0]
        assert not isinstance(first, Part), first
        return first

    def assemble(
        self,
        left: Sequence[int],
        right: Sequence[int],
        options: PromptOptions,
        chunks: Sequence[int] = (),
    ) -> Prompt:
        """As `build`, from tokens of the prefix and the suffix that fit `room_tokens`. `chunks` are
        tokens of other texts, beside what fits."""
        order, pending = self._order(options), b""
        if options.heal:
            # where a token ends the prompt, training cut there too; a word is left whole even so
            last = LAST_PIECE if order is Order.SUFFIX_FIRST else LAST_WORD
            left, pending = hold_back(self._tokenizer, left, last)
        parts = {Part.PREFIX: left, Part.SUFFIX: right, Part.CHUNKS: chunks}
        tokens: list[int] = []
        spans: dict[Part, Span] = {}
        for run in self._layout(order):
            start = len(tokens)
            if isinstance(run, Part):
                tokens += parts[run]
                spans[run] = Span(start, len(tokens))
            else:
                tokens += run
        prefix, suffix, shown = (spans[part] for part in (Part.PREFIX, Part.SUFFIX, Part.CHUNKS))
        return Prompt(tuple(tokens), prefix, suffix, order, pending, shown)

    def _order(self, options: PromptOptions) -> Order:
        order = options.order or self.template.orders[0]
        if order not in self.template.orders:
            known = ", ".join(self.template.orders)
            raise UnsupportedModel(
                f"{self.template.family} models have no prompt order {order}: use one of {known}"
            )
        return order

    def _id(self, special: str | None) -> list[int]:
        return [self._ids[special]] if special in self._ids else []

    def _layout(self, order: Order) -> list[list[int] | Part]:
        """What a prompt is made of. Chunks stand at the beginning of the first text, so that what
        they have in front of them is always the same."""
        template, lead = self.template, self._tokenizer.encode(self.template.lead)
        begin, pre, suf, mid = map(
            self._id,
            (template.begin, template.before_prefix, template.before_suffix, template.middle),
        )
        prefix, suffix, chunks = Part.PREFIX, Part.SUFFIX, Part.CHUNKS
        match order:
            case Order.PSM:
                return [[*begin, *pre, *lead], chunks, prefix, suf, suffix, mid]
            case Order.SUFFIX_FIRST:
                return [[*begin, *pre], chunks, suf, suffix, [*mid, *lead], prefix]
            case Order.SPM:
                return [[*begin, *suf], chunks, suffix, [*pre, *lead], prefix, mid]
