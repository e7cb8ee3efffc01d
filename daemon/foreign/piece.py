"""A piece of a streamed answer, and reading such streams."""

import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...models.decoding.odds import Odds


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text, mostly of one token. `others`: what might have come instead, the likeliest first,
    where the server says so. `ended`: the model ended its answer here."""

    text: str
    odds: Odds | None = None
    others: tuple[str, ...] = ()
    ended: bool = False


def odds_of(token: str, logprob: Any, top: Sequence[tuple[str, Any]]) -> Odds | None:
    """From logarithms of probabilities; None for what is none. A rival that is not named is taken
    to have half of what the token has not."""
    try:
        chance = math.exp(min(0.0, float(logprob)))
        rivals = (math.exp(min(0.0, float(p))) for text, p in top if text != token)
        rival = max(rivals, default=(1.0 - chance) / 2)
    except (TypeError, ValueError):
        return None
    return Odds(chance, rival) if math.isfinite(chance) and math.isfinite(rival) else None


async def events(lines: AsyncIterator[str]) -> AsyncGenerator[Mapping[str, Any]]:
    """The objects of a stream of server-sent events, until its end or `[DONE]`."""
    async for line in lines:
        name, _, data = line.partition(":")
        if name.strip() != "data":
            continue
        if data.strip() == "[DONE]":
            return
        try:
            found = json.loads(data)
        except ValueError:
            continue
        if isinstance(found, Mapping):
            yield found
