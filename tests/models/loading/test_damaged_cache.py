"""Files of the cache folder changed, cut or emptied behind our back: never another logit."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from keyturn.models.loading.loader import Loaded, load
from keyturn.models.loading.store import Store
from support.models.loaded import INT8, logits
from support.models.tiny import oracle
from support.models.tiny_gguf import write_model

Poison = Callable[[Path], None]


def changed(at: float) -> Poison:
    """One bit, `at` of the way to the file's end."""

    def poison(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[min(int(len(content) * at), len(content) - 1)] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(1, 1))  # not the time of writing, however coarse the clock

    return poison


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other_json(path: Path) -> None:
    path.write_text(json.dumps({"a": [1]}))


POISONS = {
    "first bit": changed(0.0),
    "middle bit": changed(0.5),
    "last bit": changed(1.0),
    "cut": cut,
    "empty": empty,
    "other JSON": other_json,
    "gone": Path.unlink,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_model(path, oracle("qwen2", vocab_size=300))
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def clean(model: Path, cache: Path) -> Loaded:
    return load(str(model), "cpu", plan=INT8, cache=cache)


@pytest.fixture(scope="module")
def said(clean: Loaded) -> Tensor:
    return logits(clean)  # before anything is done to the file that it is mapped from


@pytest.mark.parametrize("poison", POISONS)
@pytest.mark.parametrize(
    "name", ["weights.safetensors", "vocabulary.json", "entry.json", "sealed.json"]
)
def test_a_poisoned_form_is_made_again_and_says_the_same(
    model: Path, cache: Path, clean: Loaded, said: Tensor, name: str, poison: str
) -> None:
    [entry] = Store(cache).entries()
    POISONS[poison](entry.folder / name)
    assert Store(cache).entries() == []
    again = load(str(model), "cpu", plan=INT8, cache=cache)
    assert torch.equal(logits(again), said)
    assert again.tokenizer.encode("a = 1\n") == clean.tokenizer.encode("a = 1\n")
    assert len(Store(cache).entries()) == 1
