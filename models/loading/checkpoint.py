"""A model as it was published: one view for a GGUF file and for a folder of safetensors."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from ..errors import ModelError
from ..tokenizer import vocabulary
from ..tokenizer.vocabulary import Vocabulary
from .gguf import GgufFile
from .gguf_weights import GgufWeights, hf_config
from .tensor_file import open_tensors


@dataclass(frozen=True)
class Checkpoint:
    """`config` is config.json; `tensors` go by their Hugging Face names, read when asked for."""

    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    vocabulary: Callable[[], Vocabulary]


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a .gguf file, or a folder with config.json, tokenizer.json and *.safetensors.

    Raises `ModelError` when something is missing or damaged.
    """
    if path.is_file():
        file = GgufFile(path)
        return Checkpoint(
            hf_config(file), GgufWeights(file), partial(vocabulary.from_gguf, file.metadata)
        )
    if not path.is_dir():
        raise ModelError(f"{path} is neither a file nor a folder")
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {path / 'config.json'}: {error}") from error
    read_vocabulary = partial(vocabulary.from_tokenizer_json, path / "tokenizer.json", config)
    return Checkpoint(config, FolderWeights(path), read_vocabulary)


class FolderWeights(Mapping[str, Tensor]):
    """The tensors of every *.safetensors file of a folder, memory-mapped, in their own dtype."""

    def __init__(self, folder: Path):
        self._files: dict[str, safe_open] = {}
        paths = sorted(folder.glob("*.safetensors"))
        if not paths:
            raise ModelError(f"{folder} holds no *.safetensors file")
        for path in paths:
            file = open_tensors(path)
            self._files |= dict.fromkeys(file.keys(), file)

    def __getitem__(self, name: str) -> Tensor:
        return self._files[name].get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)
