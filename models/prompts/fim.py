"""Fill-in-the-middle prompts: one template per family, three orders, token ids out.

A family is recognised by the special tokens that the tokenizer really has. Special tokens enter a
prompt by id, and only where a template puts them: the user's text is tokenised apart, by an
`encode` that never yields one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..errors import UnsupportedModel
from .healing import LAST_PIECE, LAST_WORD, hold_back
from .templates import TEMPLATES, Order, Template
from .truncate import CHARACTERS_PER_TOKEN, Encoder, fit


class Span(NamedTuple):
    """A run of tokens, `start` included and `stop` not."""

    start: int
    stop: int


class Tokenizer(Encoder, Protocol):
    """What a prompt asks of a tokenizer."""

    def special(self, text: str) -> int | None: ...


@dataclass(frozen=True, slots=True)
class File:
    """Another file of the repository, shown to models that were trained on whole repositories."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids that a model continues with the code at the cursor."""

    tokens: tuple[int, ...]
    prefix: Span
    suffix: Span
    order: Order
    pending: bytes = b""  # end of the prefix that is not in `tokens`: generation starts with it

    @property
    def sides(self) -> tuple[Span, Span]:
        """What it has of the text left and right of the cursor."""
        return self.prefix, self.suffix


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

    def build(
        self,
        prefix: str,
        suffix: str,
        options: PromptOptions,
        path: str = "",
        repository: str = "",
        files: Sequence[File] = (),
    ) -> Prompt:
        """The prompt for the cursor between `prefix` and `suffix`, within `options.budget_tokens`.

        The current file is served first; `files`, best first, get what it leaves, each whole or
        not at all, the best nearest to the current file. Paths, files and the repository's name
        are left out for families that were not trained on them.

        Raises `UnsupportedModel` for an order that the family does not know.
        """
        order = self._order(options)
        if self.template.file is None or not path:
            path, repository, files = "", "", ()
        begin = self._id(self.template.begin)
        around = self._around(order, path)
        room = options.budget_tokens - len(begin) - sum(map(len, around))
        window = fit(self._tokenizer, prefix, suffix, max(0, room), options.prefix_share)
        left, right, pending = window.prefix, window.suffix, b""
        header = begin + self._header(repository, files, room - len(left) - len(right))
        if options.heal:
            # where a token ends the prompt, training cut there too; a word is left whole even so
            last = LAST_PIECE if order is Order.SUFFIX_FIRST else LAST_WORD
            left, pending = hold_back(self._tokenizer, left, last)
        return _join(order, header, around, left, right, pending)

    def room_tokens(self, options: PromptOptions, path: str = "") -> int:
        """How many tokens of text fit beside what a prompt without other files always has."""
        path = path if self.template.file else ""
        around = self._around(self._order(options), path)
        begin = self._id(self.template.begin)
        return max(0, options.budget_tokens - len(begin) - sum(map(len, around)))

    def assemble(
        self, left: Sequence[int], right: Sequence[int], options: PromptOptions, path: str = ""
    ) -> Prompt:
        """As `build`, from tokens of the prefix and the suffix that fit `room_tokens`."""
        order, pending = self._order(options), b""
        around = self._around(order, path if self.template.file else "")
        if options.heal:
            # where a token ends the prompt, training cut there too; a word is left whole even so
            last = LAST_PIECE if order is Order.SUFFIX_FIRST else LAST_WORD
            left, pending = hold_back(self._tokenizer, left, last)
        return _join(order, self._id(self.template.begin), around, left, right, pending)

    def _order(self, options: PromptOptions) -> Order:
        order = options.order or self.template.orders[0]
        if order not in self.template.orders:
            known = ", ".join(self.template.orders)
            raise UnsupportedModel(
                f"{self.template.family} models have no prompt order {order}: use one of {known}"
            )
        return order

    # region Parts
    def _id(self, special: str | None) -> list[int]:
        return [self._ids[special]] if special in self._ids else []

    def _around(self, order: Order, path: str) -> tuple[list[int], list[int], list[int]]:
        """What stands before the first text, between the two, and after the second."""
        template, encode = self.template, self._tokenizer.encode
        name = [*self._id(template.file), *encode(path + "\n")] if path else []
        lead = encode(template.lead)
        if template.path_inside:
            head, lead = name[:1], name[1:] + lead
        else:
            head = name
        pre, suf, mid = map(
            self._id, (template.before_prefix, template.before_suffix, template.middle)
        )
        match order:
            case Order.PSM:
                return [*head, *pre, *lead], suf, mid
            case Order.SUFFIX_FIRST:
                return [*head, *pre, *suf], [*mid, *lead], []
            case Order.SPM:
                return [*head, *suf], [*pre, *lead], mid

    def _header(self, repository: str, files: Sequence[File], room_tokens: int) -> list[int]:
        """The repository's name and those of its files that fit, the best one last."""
        encode = self._tokenizer.encode
        name = [*self._id(self.template.repository), *encode(repository + "\n")]
        if not repository or len(name) > room_tokens:
            name = []
        room_tokens -= len(name)
        body: list[int] = []
        for file in files:
            if len(file.text) > room_tokens * CHARACTERS_PER_TOKEN:
                continue
            block = [*self._id(self.template.file), *encode(f"{file.path}\n{file.text.rstrip()}\n")]
            if len(block) <= room_tokens:
                body[:0] = block
                room_tokens -= len(block)
        return name + body

    # endregion


def _join(
    order: Order,
    header: list[int],
    around: tuple[list[int], list[int], list[int]],
    left: Sequence[int],
    right: Sequence[int],
    pending: bytes,
) -> Prompt:
    before, between, after = around
    first, second = (left, right) if order is Order.PSM else (right, left)
    start = len(header) + len(before)
    one = Span(start, start + len(first))
    start = one.stop + len(between)
    two = Span(start, start + len(second))
    prefix, suffix = (one, two) if order is Order.PSM else (two, one)
    tokens = (*header, *before, *first, *between, *second, *after)
    return Prompt(tokens, prefix, suffix, order, pending)
