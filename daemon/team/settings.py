"""What a team's server is told: by `keyturn serve`, or in the `args` of a Serve configuration."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ...cache.errors import InputError
from ..config import TEAM, ModelChoice, model_choice

MODEL = ModelChoice()
MOST_FILES = 256  # of one replica; the one used longest ago is forgotten first


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one user, at each ingress."""

    at_once: int = 3  # requests; others wait
    per_second: float = 10.0  # requests, edits among them, in the long run; who types makes six
    burst: int = 20  # requests in an instant, after a quiet while
    body_seconds: float = 5.0  # for a request's body to arrive


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """`tokens` is the file of users and their tokens; empty: anybody may ask, which is only for an
    address that nobody else can reach."""

    model: ModelChoice = MODEL
    tokens: str = ""
    forget_minutes: float = 30.0  # without a request, after which a file's text is forgotten
    limits: Limits = Limits()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "ServerSettings":
        """Raises `InputError` for what is not a setting."""
        _known(given, cls, "")
        model = _table(given, "model")
        limits = _table(given, "limits")
        _known(limits, Limits, "limits.")
        numbers = {name: _positive(f"limits.{name}", value) for name, value in limits.items()}
        tokens = given.get("tokens", "")
        if not isinstance(tokens, str):
            raise InputError("tokens must be the path of a file")
        minutes = _positive("forget_minutes", given.get("forget_minutes", 30.0))
        choice = model_choice(model)
        if choice.name.startswith(TEAM):
            raise InputError(f"{choice.name} is a team's server itself: name a model")
        return cls(choice, tokens, minutes, Limits(**numbers))

    def plain(self) -> dict[str, Any]:
        """As `of` takes it: what is not the default."""
        model = _changed(self.model, MODEL)
        limits = _changed(self.limits, Limits())
        own = _changed(self, ServerSettings())
        return {
            **own,
            **({"model": model} if model else {}),
            **({"limits": limits} if limits else {}),
        }

    @property
    def tokens_file(self) -> Path | None:
        return Path(self.tokens).expanduser() if self.tokens else None


def _table(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = given.get(name) or {}
    if not isinstance(table, Mapping):
        raise InputError(f"{name} must be a mapping of settings to values")
    return dict(table)


def _known(given: Mapping[str, Any], kind: Any, prefix: str) -> None:
    names = {field.name for field in fields(kind)}
    if unknown := [name for name in given if name not in names]:
        known = ", ".join(sorted(prefix + name for name in names))
        raise InputError(f"there is no setting {prefix}{unknown[0]}: there are {known}")


def _positive(name: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise InputError(f"{name} is {value!r:.40}, but must be a number above 0")
    return value


def _changed(settings: Any, default: Any) -> dict[str, Any]:
    names = [field.name for field in fields(settings)]
    present, usual = asdict(settings), asdict(default)
    return {
        name: present[name]
        for name in names
        if present[name] != usual[name] and not isinstance(present[name], dict)
    }
