"""The name of an engine that is somebody else's server: `KIND+URL?family=FAMILY#MODEL`."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit

from ...cache.errors import InputError
from ...models.prompts.templates import (
    CODELLAMA,
    DEEPSEEK,
    GRANITE,
    GRANITE4,
    QWEN,
    STARCODER2,
    Template,
)

FAMILIES = (  # what a model's name says of its template, the first that does
    ("qwen", QWEN),
    ("starcoder", STARCODER2),
    ("deepseek", DEEPSEEK),
    ("codellama", CODELLAMA),
    ("code-llama", CODELLAMA),
    ("granite-4", GRANITE4),
    ("granite4", GRANITE4),
    ("granite", GRANITE),
)


class Kind(StrEnum):
    """What a server understands."""

    OPENAI = "openai"  # /v1/completions, of vLLM, SGLang, llama.cpp and others
    LLAMA_CPP = "llama.cpp"  # /infill
    OLLAMA = "ollama"  # /api/generate


@dataclass(frozen=True, slots=True)
class Address:
    """`model` is empty where the server has one only; `family` where the model's name says it."""

    kind: Kind
    url: str
    model: str
    family: str = ""

    @classmethod
    def of(cls, name: str) -> "Address":
        """Raises `InputError` for what is no such name."""
        kind, _, rest = name.partition("+")
        try:
            parts = urlsplit(rest)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname)
            _ = parts.port
        except ValueError:
            usable = False
        if kind not in [*Kind] or not usable:
            raise InputError(
                f"{name!r:.120} is no server's address: openai+http://host:port/v1#model,"
                " llama.cpp+http://host:port or ollama+http://host:port#model"
            )
        url, _, model = rest.partition("#")
        url, _, query = url.partition("?")
        (family,) = parse_qs(query).get("family", [""])[-1:]
        return cls(Kind(kind), url.rstrip("/"), model, family)


def template_of(model: str) -> Template:
    """Of the family that a model's name says. Raises `InputError` where it says none."""
    small = model.lower()
    for word, template in FAMILIES:
        if word in small:
            return template
    known = ", ".join(dict.fromkeys(template.family for _, template in FAMILIES))
    raise InputError(
        f"nobody knows how {model!r:.80} wants to be asked for what stands between two texts: name"
        f" a code model of one of the families {known}, or say which it is: http://host:port/v1"
        "?family=qwen#name"
    )
