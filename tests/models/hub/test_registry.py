"""What a model's name means."""

import re
from pathlib import Path

import pytest

from keyturn.models.errors import ModelError
from keyturn.models.hub.registry import (
    DEFAULT_MODEL,
    MODELS,
    HubModel,
    LocalModel,
    NamedModel,
    find,
)


def test_the_default_is_a_known_model() -> None:
    assert isinstance(find(DEFAULT_MODEL), NamedModel)


def test_names_are_known_in_any_case() -> None:
    assert find("Qwen2.5-Coder-0.5B") == find("qwen2.5-coder-0.5b")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_known_model_is_pinned(model: NamedModel) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", model.sha256)
    assert model.size_bytes > 100e6
    assert model.filename.endswith(".gguf")
    assert model.wheels
    assert len(set(model.wheels.requirements)) == model.wheels.count
    assert all("==" in requirement for requirement in model.wheels.requirements)


def test_a_gguf_file_is_a_model(tmp_path: Path) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(b"GGUF")
    assert find(str(path)) == LocalModel(str(path), path)


def test_a_relative_path_means_the_same_file_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.gguf").write_bytes(b"GGUF")
    monkeypatch.chdir(tmp_path)
    assert find("own.gguf") == LocalModel(str(tmp_path / "own.gguf"), tmp_path / "own.gguf")


def test_a_folder_with_a_config_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert find(str(tmp_path)) == LocalModel(str(tmp_path), tmp_path)


def test_owner_and_repository_are_a_hub_model() -> None:
    assert find("bigcode/starcoder2-3b") == HubModel("bigcode/starcoder2-3b")


@pytest.mark.parametrize("name", ["qwen", "", "a/b/c"])
def test_anything_else_is_an_error_that_lists_the_names(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        find(name)
    message = str(caught.value)
    assert repr(name) in message
    assert all(model.name in message for model in MODELS)
    assert "\n" not in message


@pytest.mark.parametrize("name", ["missing/model.gguf", "../x", "/no/such", "~/no\nsuch"])
def test_what_is_written_as_a_path_and_is_not_there_is_said_to_be_none(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")  # what lies beside a checkout is anybody's
    with pytest.raises(ModelError) as caught:
        find(name)
    assert str(caught.value) == f"there is no file or folder {name!r}"


def test_a_path_that_is_no_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither a \.gguf file nor a folder with config\.json"):
        find(str(tmp_path))
