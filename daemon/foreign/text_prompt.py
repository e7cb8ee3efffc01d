"""Fill-in-the-middle prompts as text, for a server that has the tokenizer.

What stands first stays the same from key to key (the window moves in strides, and where a family
knows that order the text behind the cursor comes first), so that the server finds it in its cache.
"""

import re
from dataclasses import dataclass

from ...models.prompts.templates import Order, Template

STRIDE = 2_048  # characters by which the window moves
SUFFIX_SHARE = 0.25
WORD = re.compile(r"(?:\w{1,40}|[ \t]{1,80})\Z")


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """`prefix` and `suffix` as they are sent; an answer repeats `pending` first, the part of a word
    or of blanks before the cursor, which a tokenizer would cut otherwise than the model expects."""

    prefix: str
    suffix: str
    pending: str

    @classmethod
    def of(cls, prefix: str, suffix: str, characters: int, heal: bool = True) -> "TextPrompt":
        """Around the cursor, of so many characters at most."""
        suffix = suffix[: int(SUFFIX_SHARE * characters)]
        start = max(0, len(prefix) - (characters - len(suffix)))
        if start:
            start = prefix.find("\n", -(-start // STRIDE) * STRIDE) + 1
            start = start or prefix.rfind("\n") + 1
        prefix = prefix[start:]
        found = WORD.search(prefix) if heal else None
        pending = found.group() if found else ""
        return cls(prefix[: len(prefix) - len(pending)], suffix, pending)

    def written(self, template: Template, said: str = "") -> str:
        """With a family's marks; `said` is what the answer has begun with."""
        t = template
        prefix = t.lead + self.prefix
        if Order.SUFFIX_FIRST in t.orders:
            return f"{t.before_prefix}{t.before_suffix}{self.suffix}{t.middle}{prefix}{said}"
        return f"{t.before_prefix}{prefix}{t.before_suffix}{self.suffix}{t.middle}{said}"
