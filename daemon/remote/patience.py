"""How long a server's answer is waited for, learnt from how long its answers took."""

from collections import deque

FIRST_SECONDS = 2.5  # before anything is known
LEAST_SECONDS = 0.4
MOST_SECONDS = 4.0
TIMES = 3.0  # what nine answers in ten took
REMEMBERED = 50
STRIKES = 2  # answers that did not come in time, one after the other: the server is slow
REST_SECONDS = (2.0, 60.0)  # in which it is not asked, doubled each time


class Patience:
    """Of one server. Times in seconds."""

    def __init__(self) -> None:
        self._took: deque[float] = deque(maxlen=REMEMBERED)
        self._strikes = 0
        self._rest = REST_SECONDS[0]

    @property
    def seconds(self) -> float:
        """From the question to when something else is better."""
        if len(self._took) < 5:
            return FIRST_SECONDS
        slow = sorted(self._took)[int(0.9 * (len(self._took) - 1))]
        return min(MOST_SECONDS, max(LEAST_SECONDS, TIMES * slow))

    def answered(self, took: float) -> None:
        """An answer came, in time or not."""
        self._took.append(took)

    def in_time(self) -> None:
        """It came in time."""
        self._strikes = 0
        self._rest = REST_SECONDS[0]

    def waited(self) -> bool:
        """It did not. Whether the server is to be left alone for `rest` seconds."""
        self._strikes += 1
        return self._strikes >= STRIKES

    def rest(self) -> float:
        """For how long a server that is away or slow is left alone; longer each time."""
        now, self._rest = self._rest, min(REST_SECONDS[1], 2 * self._rest)
        return now
