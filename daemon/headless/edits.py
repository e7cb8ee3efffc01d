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
FIELDS: dict[str, dict[str, type]] = {
    "open": {"text": str},
    "edit": {"start": int, "end": int, "text": str},
    "complete": {},  # a question's, see there
    "refresh": {"tokens": int},
    "close": {},
}


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
        if not isinstance(operation, str) or operation not in FIELDS:
            raise InputError(f"unknown op {operation!r:.40}: use {', '.join(FIELDS)}")
        if operation != "open" and name not in self._texts:
            raise InputError(f"no file {name!r} is open")
        if operation == "complete":
            return self._complete(name, given, started)
        fields = _checked(given, FIELDS[operation])
        match operation:
            case "open":
                self._texts[name] = checked(fields["text"])
                return {"op": operation, "characters": len(self._texts[name])}
            case "edit":
                return self._edit(name, **fields)
            case "refresh":
                return self._refresh(name, fields.get("tokens"))
            case _:
                del self._texts[name]
                self._headless.forget(name)
                return {"op": operation}

    def _edit(self, name: str, start: int, end: int, text: str) -> dict[str, Any]:
        new, old = checked(text), self._texts[name]
        if not 0 <= start <= end <= len(old):
            raise EditOutOfRange(f"edit of characters {start} to {end} in a text of {len(old)}")
        self._texts[name] = old[:start] + new + old[end:]
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


def _checked(given: dict[str, Any], kinds: dict[str, type]) -> dict[str, Any]:
    """The fields of a message, each of its kind. Raises `InputError`."""
    unknown = given.keys() - kinds.keys()
    if unknown:
        raise InputError(f"unknown field {min(unknown)!r:.40}")
    for name, kind in kinds.items():
        if type(given.get(name)) is not kind and not (name == "tokens" and name not in given):
            what = "text" if kind is str else "a whole number"
            raise InputError(f"the field {name!r} must be {what}")
    if given.get("tokens", 0) < 0:
        raise InputError("the field 'tokens' must not be negative")
    return given
