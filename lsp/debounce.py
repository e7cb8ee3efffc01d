"""The debounce delay of a request, learned from the user's typing and the backend's speed.

Asking at every key is right while an answer fits between two keys. When it doesn't, the answer to
a key in the middle of a word is thrown away, so it pays to wait until a pause is likely: a little
longer than this user's usual gap between keys. What is learned is capped by a setting.
"""

PAUSE_MS = 1_000.0  # a longer gap is the user thinking, not typing
MEMORY = 0.8  # weight of the past in the running means


class Debounce:
    """Running means of the time between keys and of the backend's answers, in milliseconds."""

    def __init__(self) -> None:
        self._gap_ms: float | None = None
        self._answer_ms: float | None = None
        self._last_key_ms: float | None = None

    def key(self, now_ms: float) -> None:
        """The document was edited."""
        if self._last_key_ms is not None and now_ms - self._last_key_ms < PAUSE_MS:
            self._gap_ms = _mean(self._gap_ms, now_ms - self._last_key_ms)
        self._last_key_ms = now_ms

    def answered(self, took_ms: float) -> None:
        """The backend answered a request that was not cancelled."""
        self._answer_ms = _mean(self._answer_ms, took_ms)

    def delay_ms(self, now_ms: float, maximum_ms: float) -> float:
        """How long to wait, from now, before asking for a completion."""
        if self._gap_ms is None or self._answer_ms is None or self._last_key_ms is None:
            return 0.0
        if self._answer_ms <= 0.5 * self._gap_ms:
            return 0.0
        quiet_ms = now_ms - self._last_key_ms
        return min(maximum_ms, max(0.0, 1.25 * self._gap_ms - quiet_ms))


def _mean(past: float | None, new: float) -> float:
    return new if past is None else MEMORY * past + (1 - MEMORY) * new
