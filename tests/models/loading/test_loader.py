"""From a name to logits: every source, every form, converted once."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.testing import assert_close

from keyturn.models.errors import ModelError, UnsupportedModel
from keyturn.models.hub.progress import Progress
from keyturn.models.loading.loader import load
from keyturn.models.loading.store import Store
from keyturn.models.nn.kernels import KernelPlan
from support.models.loaded import INT8, TOKENS, logits
from support.models.tiny import FAMILIES, oracle, oracle_logits
from support.models.tiny_gguf import tokens as tiny_tokens
from support.models.tiny_gguf import write_model

BF16 = KernelPlan.floating("bfloat16")
BYTE_LEVEL = ("add_prefix_space", "trim_offsets", "use_regex")


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_model(path, oracle("qwen2", vocab_size=300))
    return path


def write_folder(folder: Path, family: str) -> None:
    """A checkpoint folder as transformers writes it, with a small byte-level tokenizer."""
    model = oracle(family, vocab_size=300)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(model.config.to_dict()))
    state = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        del state["lm_head.weight"]
    half = sorted(state)[: len(state) // 2]
    save_file({name: state[name] for name in half}, folder / "model-00001-of-00002.safetensors")
    rest = {name: tensor for name, tensor in state.items() if name not in half}
    save_file(rest, folder / "model-00002-of-00002.safetensors")
    vocabulary = {text: i for i, text in enumerate(tiny_tokens())}
    tokenizer = {
        "added_tokens": [{"id": 0, "content": "<|endoftext|>", "special": True}],
        "pre_tokenizer": {"type": "ByteLevel", **dict.fromkeys(BYTE_LEVEL, True)},
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": [],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_says_what_transformers_says(family: str, tmp_path: Path) -> None:
    write_folder(tmp_path / "model", family)
    loaded = load(str(tmp_path / "model"), "cpu", "float32", cache=tmp_path / "cache")
    expected = oracle_logits(oracle(family, vocab_size=300), TOKENS)
    assert_close(logits(loaded), expected, atol=2e-4, rtol=2e-4)
    assert loaded.tokenizer.decode(loaded.tokenizer.encode("a = 1\n")) == "a = 1\n"


@pytest.mark.parametrize("plan", [INT8, BF16], ids=lambda plan: plan.form)
def test_the_second_load_reads_the_stored_form(
    plan: KernelPlan, gguf: Path, tmp_path: Path
) -> None:
    news = io.StringIO()
    first = load(str(gguf), "cpu", plan=plan, cache=tmp_path, progress=Progress(news))
    second = load(str(gguf), "cpu", plan=plan, cache=tmp_path, progress=Progress(news))
    assert news.getvalue().count(f"to {plan.form}, once") == 1
    assert_close(logits(first), logits(second), rtol=0, atol=0)
    exact = logits(load(str(gguf), "cpu", "float32", cache=tmp_path))
    agreement = torch.nn.functional.cosine_similarity(logits(second).float(), exact).min()
    assert agreement > 0.98


def test_a_changed_source_is_converted_again(gguf: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    shutil.copy(gguf, own)
    before = logits(load(str(own), "cpu", plan=INT8, cache=tmp_path / "cache"))
    write_model(
        own,
        oracle(
            "qwen2", vocab_size=300, rope_parameters={"rope_theta": 77.0, "rope_type": "default"}
        ),
    )
    after = logits(load(str(own), "cpu", plan=INT8, cache=tmp_path / "cache"))
    assert not torch.equal(before, after)


def test_a_damaged_stored_form_is_made_again(gguf: Path, tmp_path: Path) -> None:
    before = logits(load(str(gguf), "cpu", plan=INT8, cache=tmp_path))
    (entry,) = Store(tmp_path).entries()
    weights = entry.folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert_close(logits(load(str(gguf), "cpu", plan=INT8, cache=tmp_path)), before, rtol=0, atol=0)


LOAD = """
import sys
from pathlib import Path
from keyturn.models.nn.kernels import KernelPlan
from keyturn.models.loading.loader import load
from keyturn.models.hub.progress import Progress
plan = KernelPlan.floating("bfloat16")
load(sys.argv[1], "cpu", plan=plan, cache=Path(sys.argv[2]), progress=Progress(sys.stderr))
"""


def test_two_processes_convert_one_model_once(gguf: Path, tmp_path: Path) -> None:
    loads = [
        subprocess.Popen(
            [sys.executable, "-c", LOAD, str(gguf), str(tmp_path)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in loads]
    assert [process.returncode for process in loads] == [0, 0], said
    assert "".join(said).count("converting") == 1


def test_a_model_that_lacks_a_tensor_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "model", "llama")
    (tmp_path / "model" / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match=r"the model lacks model\.\S+, which its config asks for"):
        load(str(tmp_path / "model"), "cpu", "float32", cache=tmp_path / "cache")


def test_a_cut_off_safetensors_file_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "model", "llama")
    path = tmp_path / "model" / "model-00001-of-00002.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelError, match=r"cannot read .*00001.*fetch it again"):
        load(str(tmp_path / "model"), "cpu", "float32", cache=tmp_path / "cache")


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "model", "llama")
    (tmp_path / "model" / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"cannot read .*tokenizer\.json"):
        load(str(tmp_path / "model"), "cpu", "float32", cache=tmp_path / "cache")


def test_devices_and_types_that_are_not_there_are_refused(gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no device 'toaster'"):
        load(str(gguf), "toaster", "float32", cache=tmp_path)
    with pytest.raises(UnsupportedModel, match="dtype 'int3' does not exist on cpu"):
        load(str(gguf), "cpu", "int3", cache=tmp_path)


def test_a_model_that_is_not_there_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    news = io.StringIO()
    with pytest.raises(ModelError, match="there is no file or folder"):
        load(str(tmp_path / "no.gguf"), "cpu", cache=tmp_path, progress=Progress(news))
    assert news.getvalue() == ""


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_gpu_that_is_not_there_is_refused(gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no CUDA device was found here"):
        load(str(gguf), "cuda", cache=tmp_path)
