"""What takes a while to make and is not always needed, such as an engine for while a server is
away: made when it is first asked for, in a thread of its own, so that whoever asks meanwhile waits
no longer than he has.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from ..cache.errors import KeyturnError

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.01  # between looks at whether a request was cancelled
RETRY_SECONDS = 30.0  # after which one that could not be made is tried again
GIVE_BACK_SECONDS = 600.0  # without use, after which its memory is given back


class Closable(Protocol):
    def close(self) -> None: ...


Made = TypeVar("Made", bound=Closable)


class OnDemand(Generic[Made]):
    """Used in the engine thread. `changed` is called, from any thread, whenever there is one, or it
    is known that there is none; `what` it is, for the log."""

    def __init__(
        self, what: str, make: Callable[[], Made], changed: Callable[[], None] = lambda: None
    ) -> None:
        self._what = what
        self._make = make
        self._changed = changed
        self._lock = threading.Lock()
        self._made: Made | None = None
        self._making: threading.Thread | None = None
        self._is_over = False
        self._failed_at: float | None = None
        self._used = 0.0
        self.problem = ""  # why it could not be made

    @property
    def made(self) -> Made | None:
        """If there is one by now."""
        return self._made

    @property
    def is_being_made(self) -> bool:
        return self._making is not None

    def begin(self) -> None:
        """See to it that there is one before long."""
        with self._lock:
            failed = self._failed_at
            if self._made is not None or self._making is not None or self._is_over:
                return
            if failed is not None and time.monotonic() - failed < RETRY_SECONDS:
                return
            self._making = threading.Thread(target=self._run, name=self._what, daemon=True)
        self._making.start()

    def ready(self, until: float, is_cancelled: Callable[[], bool]) -> Made | None:
        """It, as soon as it is there, to be used at once; None if that is not so `until`
        then (`time.monotonic()`)."""
        self.begin()
        while self._made is None and self._making is not None:
            if is_cancelled() or time.monotonic() >= until:
                return None
            self._making.join(LOOK_SECONDS)
        self._used = time.monotonic()
        return self._made

    def rest(self) -> None:
        """It is not needed for now."""
        if self._made is not None and time.monotonic() - self._used > GIVE_BACK_SECONDS:
            self._give_back()

    def close(self) -> None:
        with self._lock:
            self._is_over = True
        self._give_back()

    def _give_back(self) -> None:
        made, self._made = self._made, None
        if made is not None:
            made.close()

    def _run(self) -> None:
        made, problem = None, ""
        try:
            made = self._make()
        except KeyturnError as error:
            problem = str(error)
        except Exception as error:
            logger.exception("%s", self._what)
            problem = str(error) or type(error).__name__
        with self._lock:
            self._failed_at = None if made is not None else time.monotonic()
            self.problem, self._making = problem, None
            if not self._is_over:
                self._made, made = made, None
        if made is not None:
            made.close()  # nobody waits for it any more
        if problem:
            logger.warning("there is no %s: %s", self._what, problem)
        self._changed()
