"""transformers' own speculation, on the same completions, against its own plain decoding."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from .._cases import SAMPLED, Case
from .._peers.decoding import Transformers
from .arm_rows import Row

if TYPE_CHECKING:
    from ....models.loading.loader import Loaded

PEER = "transformers"


def peer_rows(
    loaded: "Loaded",
    dtype: str,
    places: Mapping[str, Sequence[Case]],
    context: int,
    new_tokens: int,
) -> Iterator[Row]:
    """A row for each class and way. A way that this version does not run is told and left out.
    Of decoding alone: less what the prompt and one token take."""
    import torch

    from ....models.prompts.fim import PromptBuilder, PromptOptions

    model = Transformers(loaded, dtype).model
    builder = PromptBuilder(loaded.tokenizer)
    ways = ways_of(loaded.config.layers)
    for kind, some in places.items():
        if kind == SAMPLED:
            continue
        took_s = dict.fromkeys(ways, 0.0)
        tokens = 0
        for place in some:
            options = PromptOptions(context - new_tokens)
            prompt = list(builder.build(place.prefix, place.suffix, options).tokens)
            tokens += new_tokens
            prompt_s = _seconds(model, prompt, 1, {})
            for way in list(ways):
                try:
                    all_s = _seconds(model, prompt, new_tokens + 1, ways[way])
                    took_s[way] += max(all_s - prompt_s, 1e-9)
                except Exception as error:  # theirs: whatever it is, it does not run
                    click.echo(f"{way} does not run: {error}", err=True)
                    del ways[way]
        for way in ways:
            rate, ratio = tokens / took_s[way], took_s[PEER] / took_s[way]
            threads = torch.get_num_threads()
            yield Row(context, threads, kind, way, len(some), 0, round(rate, 2), 0.0, None,
                      round(ratio, 3))  # fmt: skip


def ways_of(layers: int) -> dict[str, dict[str, Any]]:
    """Plain and both ways to speculate without a second model, as arguments of `generate`."""
    return {
        PEER: {},
        f"{PEER} prompt lookup": {"prompt_lookup_num_tokens": 10},
        f"{PEER} early exit": {"assistant_early_exit": max(1, layers // 2)},
    }


def _seconds(model: Any, prompt: list[int], tokens: int, way: dict[str, Any]) -> float:
    """To read the prompt and say so many tokens."""
    import torch

    ids = torch.tensor([prompt], device=model.device)
    began = time.perf_counter()
    model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        do_sample=False,
        pad_token_id=0,
        **way,
    )
    return time.perf_counter() - began
