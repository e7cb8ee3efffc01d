"""Files driven through edits from outside: open, edit, complete, refresh, close, a message each.

What an editor would do, without one: for scripts, tests and benchmarks.
"""

import time
from typing import Any

from ...cache.errors import EditOutOfRange, InputError
from ..cursor import checked
from .in_process import Headless
from .question import Wishes, question_of
from .time_limit import time_limit

REFRESH_TOKENS = 64


class Replay:
    """Owns the texts of the open files, by name."""

    def __init__(self, headless: Headless, defaults: Wishes):
        self._headless = headless
        self._defaults = defaults
        self._texts: dict[str, str] = {}

    def reply(self, given: dict[str, Any], started: float | None = None) -> dict[str, Any]:
        """Carry out one message and say what came of it.

        Raises `InputError` or `EditOutOfRange` for one that makes no sense, with nothing changed;
        `TimeUp`, `ModelError`.
        """
        operation, name = given.pop("op"), given.pop("filename", "")
        if not isinstance(name, str):
            raise InputError("the field 'filename' must be text")
        if operation == "open":
            self._texts[name] = checked(_field(given, "text", str))
            return {"op": operation, "characters": len(self._texts[name])}
        if name not in self._texts:
            raise InputError(f"no file {name!r} is open")
        match operation:
            case "edit":
                return self._edit(name, given)
            case "complete":
                return self._complete(name, given, started)
            case "refresh":
                return self._refresh(name, given.get("tokens"))
            case "close":
                del self._texts[name]
                self._headless.forget(name)
                return {"op": operation}
        raise InputError(f"unknown op {operation!r}: use open, edit, complete, refresh or close")

    def _edit(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        start, end = _field(given, "start", int), _field(given, "end", int)
        new, text = checked(_field(given, "text", str)), self._texts[name]
        if not 0 <= start <= end <= len(text):
            raise EditOutOfRange(f"edit of characters {start} to {end} in a text of {len(text)}")
        self._texts[name] = text[:start] + new + text[end:]
        return {"op": "edit", "characters": len(self._texts[name])}

    def _complete(self, name: str, given: dict[str, Any], started: float | None) -> dict[str, Any]:
        question = question_of(
            {**given, "text": self._texts[name], "filename": name}, self._defaults
        )
        started = time.monotonic() if started is None else started
        with time_limit(question.wishes.timeout, started):
            session = self._headless.session(name)
            answer = self._headless.answer(question, started=started, session=session)
        return {"op": "complete", **answer.as_json()}

    def _refresh(self, name: str, most: int | None) -> dict[str, Any]:
        session, encoded = self._headless.session(name), 0
        while most is None or encoded < most:
            count = session.refresh(REFRESH_TOKENS if most is None else most - encoded)
            if not count:
                break
            encoded += count
        share = session.staleness().share
        return {"op": "refresh", "encoded": encoded, "stale_share": round(share, 4)}


def _field(given: dict[str, Any], name: str, kind: type) -> Any:
    value = given.get(name)
    if type(value) is not kind:
        raise InputError(
            f"the field {name!r} must be {'text' if kind is str else 'a whole number'}"
        )
    return value
