"""`keyturn exits`, with a tiny random model from a folder: trained, shown, refused, interrupted."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from keyturn.daemon.__main__ import main
from keyturn.models.errors import BadExits
from keyturn.models.loading.loader import load
from keyturn.models.speculative.early_exit.file import cached_path, find_exits, read_exits
from support.models.measured import remember_kernels
from support.models.tiny_tokenizer import PAGE


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty files of code, no two alike."""
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(40):
        text = PAGE.replace("value", f"value{number}").replace("Stack", f"Stack{number}")
        (folder / f"module{number}.py").write_text(text * 8)
    return folder


def train(model: Path, corpus: Path, cache: Path, *more: str) -> Result:
    return CliRunner().invoke(
        main,
        ["exits", "train", "--model", str(model), "--only-corpus", "--corpus", str(corpus),
         "--minutes", "0.02", "--device", "cpu", *more],
        env={"KEYTURN_CACHE": str(cache)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(
    tiny_folder: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Result]:
    """A cache folder with exits after one and after two layers, and what the command said."""
    cache = remember_kernels(tmp_path_factory.mktemp("cache"))
    return cache, train(tiny_folder, corpus, cache, "--after", "1", "--after", "2")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return remember_kernels(tmp_path)


def test_training_says_how_often_each_exit_is_right(trained: tuple[Path, Result]) -> None:
    result = trained[1]
    assert result.exit_code == 0, result.output
    for layer in (1, 2):
        (line,) = [x for x in result.stderr.splitlines() if f"after layer {layer}: of" in x]
        assert "held-out tokens" in line
        assert "% at distance 1" in line
        (line,) = [x for x in result.stderr.splitlines() if f"layer {layer} without its" in x]
        assert "by a linear map" in line


def test_the_result_is_pinned_to_the_weights_and_says_what_made_it(
    trained: tuple[Path, Result], tiny_folder: Path, corpus: Path
) -> None:
    cache, result = trained
    path = Path(result.stdout.strip())
    loaded = load(str(tiny_folder), "cpu", "float32", cache=cache)
    assert path == cached_path(cache, loaded.files.sha256)
    exits = find_exits(cache, loaded.files.sha256, loaded.config)
    assert exits is not None
    assert [shape.after for shape in exits.shapes] == [1, 2]
    assert exits.record.trained_tokens > 0
    assert corpus.name in exits.record.corpus
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["weights_sha256"] == loaded.files.sha256


def test_info_shows_what_was_trained(trained: tuple[Path, Result], tiny_folder: Path) -> None:
    ask = ["exits", "info", "--model", str(tiny_folder)]
    env = {"KEYTURN_CACHE": str(trained[0])}
    shown = CliRunner().invoke(main, ask, env=env)
    assert "after layer 2: right" in shown.stdout
    assert "after layer 2 without a block: " in shown.stdout
    facts = json.loads(CliRunner().invoke(main, [*ask, "--json"], env=env).stdout)
    assert [shape["after"] for shape in facts["exits"]] == [1, 2]
    assert len(facts["acceptance"]) == len(facts["raw"]) == len(facts["mapped"]) == 2


def test_info_says_where_there_are_none(tiny_folder: Path, tmp_path: Path) -> None:
    ask = ["exits", "info", "--model", str(tiny_folder)]
    shown = CliRunner().invoke(main, ask, env={"KEYTURN_CACHE": str(tmp_path)})
    assert "has no exits: keyturn exits train" in shown.stdout


def test_a_layer_is_chosen_by_measurement(tiny_folder: Path, corpus: Path, cache: Path) -> None:
    result = train(tiny_folder, corpus, cache, "--probe")
    assert result.exit_code == 0, result.output
    told = [line for line in result.stderr.splitlines() if "right untrained" in line]
    assert len(told) >= 2
    path = Path(result.stdout.strip())
    with safe_open(path, framework="pt") as file:
        (shape,) = json.loads(file.metadata()["shapes"])
    assert any(f"after layer {shape['after']}:" in line for line in told)
    refused = train(tiny_folder, corpus, cache, "--probe", "--after", "1")
    assert refused.exit_code == 2


def test_training_again_goes_on_from_what_is_there(
    trained: tuple[Path, Result], tiny_folder: Path, corpus: Path
) -> None:
    cache = trained[0]
    loaded = load(str(tiny_folder), "cpu", "float32", cache=cache)
    before = find_exits(cache, loaded.files.sha256, loaded.config)
    shards = {p: p.stat().st_mtime_ns for p in cache.glob("exits/*/shard-*.safetensors")}
    assert train(tiny_folder, corpus, cache, "--after", "1", "--after", "2").exit_code == 0
    after = find_exits(cache, loaded.files.sha256, loaded.config)
    assert before is not None
    assert after is not None
    assert after.record.seen_tokens > before.record.seen_tokens
    assert all(path.stat().st_mtime_ns == time for path, time in shards.items())


def test_training_can_do_without_more_reading(
    trained: tuple[Path, Result], tiny_folder: Path, corpus: Path
) -> None:
    cache = trained[0]
    shards = set(cache.glob("exits/*/shard-*"))
    done = train(tiny_folder, corpus, cache, "--after", "1", "--after", "2", "--no-read")
    assert done.exit_code == 0, done.output
    assert "reading code" not in done.stderr
    assert set(cache.glob("exits/*/shard-*")) == shards


@pytest.mark.parametrize("files", [0, 3])
def test_a_corpus_that_is_too_small_is_refused(
    files: int, tiny_folder: Path, cache: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    for number in range(files):
        (folder / f"{number}.py").write_text(PAGE * 8)
    result = train(tiny_folder, folder, cache)
    assert result.exit_code == 3
    assert "windows of code and training needs 32" in result.stderr
    assert not list(cache.glob("exits/*.safetensors"))


def test_a_corpus_that_is_not_there_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    result = train(tiny_folder, tmp_path / "nowhere", tmp_path / "cache")
    assert result.exit_code == 3
    assert "nowhere: --corpus takes folders or files of code" in result.stderr


def test_an_exit_that_the_model_cannot_have_is_refused(
    tiny_folder: Path, corpus: Path, cache: Path
) -> None:
    result = train(tiny_folder, corpus, cache, "--after", "3")
    assert result.exit_code == 3
    assert "the model has 3 layers, so use 1 to 2" in result.stderr


def test_an_interrupted_training_leaves_the_former_exits_as_they_were(
    tiny_folder: Path, corpus: Path, cache: Path
) -> None:
    assert train(tiny_folder, corpus, cache).exit_code == 0
    (path,) = cache.glob("exits/*.safetensors")
    before = path.read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-m", "keyturn.daemon", "exits", "train", "--model", str(tiny_folder),
         "--only-corpus", "--corpus", str(corpus), "--minutes", "9", "--device", "cpu"],
        env={"KEYTURN_CACHE": str(cache), "PATH": "", "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert process.stderr
        assert process.stderr.readline() == (
            "training exits after layer 1 for 9 minutes, on 40 files\n"
        )
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert said.splitlines()[-1] == "keyturn: interrupted"
    assert path.read_bytes() == before
    assert not list(cache.glob("exits/**/*.partial"))


def test_running_out_of_memory_is_one_line_and_leaves_nothing(
    tiny_folder: Path, corpus: Path, cache: Path
) -> None:
    """The allocator's own refusal, in the middle of the first step.

    A limit on the process would not do: what earlier steps gave back to the
    allocator can be enough for a tiny model to go on with.
    """
    limited = (
        "import torch\n"
        "from keyturn.daemon.__main__ import main\n"
        "import keyturn.models.exit_training.learning as learning\n"
        "learning.Learning.learn = lambda *a, **k: torch.empty(1 << 62, dtype=torch.uint8)\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "exits", "train", "--model", str(tiny_folder),
         "--only-corpus", "--corpus", str(corpus), "--minutes", "0.02", "--device", "cpu"],
        env={"KEYTURN_CACHE": str(cache), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "training exits ran out of memory" in done.stderr.splitlines()[-1]
    assert not list(cache.glob("exits/*.safetensors"))
    assert not list(cache.glob("exits/**/*.partial"))


# region Files that are not what they seem


def test_exits_of_another_model_are_refused(
    trained: tuple[Path, Result], tiny_folder: Path
) -> None:
    loaded = load(str(tiny_folder), "cpu", "float32", cache=trained[0])
    path = cached_path(trained[0], loaded.files.sha256)
    with pytest.raises(BadExits, match=r"were trained for weights .* train it again"):
        read_exits(path, "0" * 64, loaded.config)


def test_a_cut_off_file_is_refused(
    trained: tuple[Path, Result], tiny_folder: Path, tmp_path: Path
) -> None:
    loaded = load(str(tiny_folder), "cpu", "float32", cache=trained[0])
    whole = cached_path(trained[0], loaded.files.sha256).read_bytes()
    for size in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:size])
        with pytest.raises(BadExits, match="cannot read the exits"):
            read_exits(tmp_path / "cut", loaded.files.sha256, loaded.config)


@pytest.mark.parametrize("damage", ["missing", "shape", "ids", "nan", "record"])
def test_a_file_that_does_not_fit_itself_is_refused(
    damage: str, trained: tuple[Path, Result], tiny_folder: Path, tmp_path: Path
) -> None:
    loaded = load(str(tiny_folder), "cpu", "float32", cache=trained[0])
    path = cached_path(trained[0], loaded.files.sha256)
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata())
    match damage:
        case "missing":
            del tensors["0.query.scales"]
        case "shape":
            tensors["1.out.values"] = tensors["1.out.values"][:, :-1].contiguous()
        case "ids":
            tensors["ids"][-1] = loaded.config.vocabulary
        case "nan":
            tensors["0.distances"][0, 0] = torch.nan
        case "record":
            metadata["record"] = "{}"
    save_file(tensors, tmp_path / "bad", metadata)
    with pytest.raises(BadExits, match="are damaged"):
        read_exits(tmp_path / "bad", loaded.files.sha256, loaded.config)


# endregion
