"""Fixtures of the daemon's tests."""

from pathlib import Path

import pytest

from ..models.tiny import oracle
from ..models.tiny_tokenizer import tiny_tokenizer, tokenizer_json


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of safetensors with a tiny random model, as anybody could have downloaded it."""
    folder = tmp_path_factory.mktemp("tiny")
    model = oracle("qwen2", vocab_size=tiny_tokenizer().vocabulary, max_position_embeddings=2048)
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")
    return folder
