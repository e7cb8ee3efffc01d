"""Fixtures of the daemon's tests."""

from pathlib import Path

import pytest

from support.models.measured import remember_kernels
from support.models.tiny import oracle
from support.models.tiny_tokenizer import tiny_tokenizer, tokenizer_json


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of safetensors with a tiny random model, as anybody could have downloaded it."""
    folder = tmp_path_factory.mktemp("tiny")
    model = oracle("qwen2", vocab_size=tiny_tokenizer().vocabulary, max_position_embeddings=2048)
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def scratch_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return remember_kernels(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def own_cache_folder(scratch_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here needs the real model: what is remembered of tiny ones stays out of the user's
    cache folder."""
    monkeypatch.setenv("KEYTURN_CACHE", str(scratch_cache))
