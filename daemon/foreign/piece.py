"""A piece of a streamed answer, and what a server says of its tokens."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...models.decoding.odds import Odds

ROUNDING = 1e-3  # by which a logarithm of a probability may be above zero


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text, mostly of one token. `others`: what might have come instead, the likeliest first,
    where the server says so. `ended`: the model ended its answer here."""

    text: str
    odds: Odds | None = None
    others: tuple[str, ...] = ()
    ended: bool = False

    def before(self, marks: Sequence[str]) -> "Piece":
        """As far as one of a model's marks, which is an end."""
        ends = [at for mark in marks if (at := self.text.find(mark)) >= 0]
        return replace(self, text=self.text[: min(ends)], ended=True) if ends else self


def text_of(said: Any) -> str:
    """What a server says is text, as text that can be passed on. Nothing for anything else."""
    text = said if isinstance(said, str) else ""
    return text.encode("utf-8", "replace").decode()


def odds_of(token: str, logprob: Any, top: Sequence[tuple[str, Any]]) -> Odds | None:
    """From logarithms of probabilities; None for what is none. A rival that is not named is taken
    to have half of what the token has not."""
    try:
        logs = [float(logprob), *(float(p) for text, p in top if text != token)]
    except (TypeError, ValueError):
        return None
    if not all(-math.inf <= each <= ROUNDING for each in logs):  # also of NaN
        return None
    chance, *rivals = (math.exp(min(0.0, each)) for each in logs)
    return Odds(chance, max(rivals, default=(1.0 - chance) / 2))


def piece_of(text: str, known: Mapping[str, Any]) -> Piece:
    """Of one token, with its probabilities as llama.cpp and Ollama write them."""
    listed = known.get("top_logprobs") or ()
    top = [(str(each.get("token", "")), each.get("logprob")) for each in listed]
    token = str(known.get("token", text))
    return Piece(text, odds_of(token, known.get("logprob"), top), _others(token, top))


def pieces_of(text: str, tokens: Sequence[tuple[str, Any, Any]]) -> list[Piece]:
    """Of several tokens that came together, each with its logarithm and those of others, by token.
    Where they do not spell the text (half a character is none), it is one piece, as likely as the
    least likely of them."""
    known = [_known(*each) for each in tokens]
    if not known:
        return [Piece(text)] if text else []
    if "".join(each.text for each in known) == text:
        return [each for each in known if each.text]
    if not text:
        return []
    odds = [each.odds for each in known if each.odds is not None]
    least = min(odds, key=lambda each: each.chance) if len(odds) == len(known) else None
    return [Piece(text, least, known[0].others if len(known) == 1 else ())]


def _known(token: str, logprob: Any, others: Any) -> Piece:
    top = list(others.items()) if isinstance(others, Mapping) else []
    return Piece(token, odds_of(token, logprob, top), _others(token, top))


def _others(token: str, top: Sequence[tuple[str, Any]]) -> tuple[str, ...]:
    """The likeliest first, without what is no text: half a character, however it is written."""
    known = [(text, p) for text, p in top if text != token and isinstance(p, int | float)]
    known.sort(key=lambda each: -each[1])
    return tuple(text for text, _ in known if not any(map(_is_broken, text)))


def _is_broken(character: str) -> bool:
    return character == "\ufffd" or "\x7f" <= character <= "\x9f"
