"""The prompt that shows one window of a file, and what the cache knows its tokens by."""

from collections.abc import Sequence
from typing import NamedTuple

from ...cache.plan import Target
from ...cache.tokens import TokenisedText
from ...models.prompts.fim import Prompt, PromptBuilder, PromptOptions, Span


class Shown(NamedTuple):
    """`shift`: from the index of a token of the suffix in the text to that in the prompt."""

    prompt: Prompt
    target: Target
    shift: int


def show(
    builder: PromptBuilder,
    text: TokenisedText,
    cursor: int,
    window: Span,
    options: PromptOptions,
    chunks: Sequence[int],
) -> Shown:
    """The prompt for the cursor before character `cursor`; `chunks` are tokens of other texts."""
    room = builder.room_tokens(options)
    left, right = text.part(window.start, cursor), text.part(cursor, window.stop)
    skipped = max(0, len(left.ids) - room)
    prompt = builder.assemble(
        left.ids[skipped:], right.ids[: max(0, room - len(left.ids))], options, chunks
    )
    prefix, suffix = range(*prompt.prefix), range(*prompt.suffix)
    labels = [0] * len(prompt.tokens)
    labels[prefix.start : prefix.stop] = left.labels[skipped : skipped + len(prefix)]
    # Negative: a token that changes sides has been encoded for the other role.
    labels[suffix.start : suffix.stop] = [-label for label in right.labels[: len(suffix)]]
    target = Target(list(prompt.tokens), labels, prefix, suffix, range(*prompt.chunks))
    return Shown(prompt, target, suffix.start + right.at - right.first)
