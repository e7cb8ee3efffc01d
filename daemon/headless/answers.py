"""The two that answer headless questions: the daemon where it has the model asked for, or this
process.
"""

import sys
from collections.abc import Callable

from .answer import Answer
from .in_process import Headless
from .question import Question
from .remote import NotAsked, NotThisOne, RemoteHeadless
from .streamed import Streamed
from .time_limit import time_limit


class Answers:
    """Asks the daemon until that cannot be done, and this process from then on; what only the one
    question cannot be asked for, this process answers too. Use as a context manager."""

    def __init__(self, here: Headless, daemon: RemoteHeadless | None) -> None:
        self._here = here
        self._daemon = daemon

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def answer(
        self, question: Question, stream: Callable[[str], None] | None, started: float
    ) -> Answer:
        """Raises `TimeUp` when the question's time, counted from `started`, has passed; what else
        went wrong as another `KeyturnError`."""
        streamed = Streamed(stream)
        if self._daemon is not None:
            try:
                return self._daemon.answer(question, streamed, started)
            except NotAsked as error:
                if not isinstance(error, NotThisOne):
                    self._leave()
                if why := str(error):
                    print(f"keyturn: answered without the daemon: {why}", file=sys.stderr)
        with time_limit(question.wishes.timeout, started):
            streamed.begin()
            answer = self._here.answer(question, streamed.add if stream else None, started)
        streamed.end(answer.text)
        return answer

    def _leave(self) -> None:
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            daemon.__exit__()
