"""The trie of one cursor, kept for the next request if the user has typed along with it.

Owned by an engine: one trie, of the last request that sampled. Where the next prompt is that one
and tokens of a path through its trie, the root moves down that path: what the model said there is
not asked again. Not thread-safe.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...api.request import Sampling
from .trie import Guard, Narrow, Trie

MOST_TOKENS = 4_000_000  # probabilities kept between two requests: 32 MB


@dataclass(frozen=True)
class _Last:
    sampling: tuple[float, float, float]
    prompt: tuple[int, ...]
    trie: Trie


class Remembered:
    """The last trie."""

    def __init__(self) -> None:
        self._last: _Last | None = None

    def trie(
        self,
        sampling: Sampling,
        prompt: Sequence[int],
        guard: Guard,
        narrow: Narrow,
        stop_tokens: frozenset[int],
    ) -> Trie:
        """The last one, moved to `prompt`, or a new one; it is the last one from now on."""
        last, self._last = self._last, None
        prompt, settings = tuple(prompt), (sampling.temperature, sampling.top_p, sampling.min_p)
        trie = None
        if last is not None and last.sampling == settings:
            start = len(last.prompt)
            if prompt[:start] == last.prompt and last.trie.follow(prompt[start:], guard, narrow):
                trie = last.trie
        trie = trie or Trie(guard, stop_tokens)
        self._last = _Last(settings, prompt, trie)
        return trie

    def tidy(self) -> None:
        """Forget a trie that is too large to wait for a request that may never come."""
        if self._last is not None and self._last.trie.size_tokens() > MOST_TOKENS:
            self._last = None
