"""Reading GGUF files: every tensor type, the Hugging Face view of every family, and damage."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, dequantize, quantize
from gguf.constants import GGML_QUANT_SIZES
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from transformers import AutoModelForCausalLM

from keyturn.cache.sequence import CachedSequence
from keyturn.models.errors import ModelError, UnsupportedModel
from keyturn.models.hub.download import ModelFiles
from keyturn.models.loading.checkpoint import open_checkpoint
from keyturn.models.loading.gguf import GgufFile
from keyturn.models.loading.gguf_weights import GgufWeights, hf_config
from keyturn.models.loading.loader import load
from support.models.tiny import FAMILIES, oracle, oracle_logits, random_tokens
from support.models.tiny_gguf import add_tokenizer, finish, write_model

WRITTEN = ("F32", "F16", "BF16", "Q8_0", "Q5_0", "Q4_0")  # the gguf package can quantise to these
PACKED = ("Q4_K", "Q5_K", "Q6_K")  # these it can only decode
ROWS, COLUMNS = 6, 512
CONVERTED = ("qwen2", "qwen2-tied-yarn", "llama", "deepseek-coder", "starcoder2", "granite")


def write_one(path: Path, data: np.ndarray, kind: GGMLQuantizationType) -> GgufFile:
    writer = GGUFWriter(path, "llama")
    writer.add_tensor("first.weight", np.arange(3, dtype=np.float32))
    writer.add_tensor("w.weight", data, raw_dtype=kind)
    finish(writer)
    return GgufFile(path)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_tensor_reads_as_the_gguf_package_decodes_it(name: str, tmp_path: Path) -> None:
    kind = GGMLQuantizationType[name]
    values = np.random.default_rng(1).normal(size=(ROWS, COLUMNS)).astype(np.float32)
    data = quantize(values, kind)
    tensor = write_one(tmp_path / "a.gguf", data, kind).tensor("w.weight")
    assert tensor.dtype == torch.float32
    assert_close(tensor.numpy(), dequantize(data, kind), rtol=0, atol=0)
    assert np.abs(tensor.numpy() - values).max() < 0.4  # a 4-bit step of about 3 sigma / 8


@pytest.mark.parametrize("name", PACKED)
def test_a_k_quant_reads_as_the_gguf_package_decodes_it(name: str, tmp_path: Path) -> None:
    kind = GGMLQuantizationType[name]
    block, size = GGML_QUANT_SIZES[kind]
    data = np.random.default_rng(1).integers(0, 256, (ROWS, COLUMNS // block, size), np.uint8)
    scales = slice(208, 210) if name == "Q6_K" else slice(0, 4)  # halves: keep them finite
    data[..., scales] = np.full(data[..., scales].shape[-1] // 2, 0.01, np.float16).view(np.uint8)
    data = data.reshape(ROWS, -1)
    tensor = write_one(tmp_path / "a.gguf", data, kind).tensor("w.weight")
    assert tensor.shape == (ROWS, COLUMNS)
    assert_close(tensor.numpy(), dequantize(data, kind), rtol=0, atol=0)


def test_another_tensor_type_is_refused_by_name(tmp_path: Path) -> None:
    kind = GGMLQuantizationType.Q4_1
    data = quantize(np.ones((ROWS, COLUMNS), np.float32), kind)
    with pytest.raises(UnsupportedModel, match=r"w\.weight is of type Q4_1.*Q4_K"):
        write_one(tmp_path / "a.gguf", data, kind)


def test_metadata_reads_as_the_gguf_package_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    writer = GGUFWriter(path, "qwen2")
    add_tokenizer(writer)
    writer.add_float32("a.small", 1e-6)
    writer.add_int32("a.negative", -5)
    writer.add_uint64("a.large", 1 << 40)
    writer.add_array("a.numbers", [1, 2, 3])
    writer.add_array("a.words", ["é", "", "x"])
    writer.add_tensor("w.weight", np.zeros((2, 3), np.float32))
    finish(writer)
    read = GgufFile(path).metadata
    theirs = {
        key: field.contents()
        for key, field in GGUFReader(path).fields.items()
        if not key.startswith("GGUF.")
    }
    assert read.pop("a.small") == 1e-6
    assert theirs.pop("a.small") == pytest.approx(1e-6)
    assert read == theirs


@pytest.mark.parametrize("family", CONVERTED)
def test_a_gguf_model_says_what_the_original_says(family: str, tmp_path: Path) -> None:
    reference = oracle(family, vocab_size=300)
    path = tmp_path / "model.gguf"
    write_model(path, reference)
    loaded = load(str(path), device="cpu", dtype="float32", cache=tmp_path / "cache")
    tokens = random_tokens(24)
    arena = loaded.model.new_arena()
    step = CachedSequence(arena).append(tokens)
    hidden = loaded.model.run(loaded.model.embed(torch.tensor(tokens)), step, arena)
    logits = loaded.model.logits(hidden)
    assert_close(logits, oracle_logits(reference, tokens), atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("family", ["qwen2", "llama", "starcoder2"])
@pytest.mark.filterwarnings("ignore")
def test_tensors_read_as_transformers_reads_them(family: str, tmp_path: Path) -> None:
    write_model(tmp_path / "model.gguf", oracle(family, vocab_size=300, head_dim=16))
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="model.gguf").state_dict()
    ours = GgufWeights(GgufFile(tmp_path / "model.gguf"))
    assert set(ours) <= set(theirs)
    for name, tensor in ours.items():
        assert_close(tensor, theirs[name], rtol=0, atol=0)


def test_the_config_is_the_original_one(tmp_path: Path) -> None:
    reference = oracle("granite", vocab_size=300)
    write_model(tmp_path / "model.gguf", reference)
    config = hf_config(GgufFile(tmp_path / "model.gguf"))
    expected = reference.config.to_dict()
    same = ("hidden_size", "num_hidden_layers", "num_key_value_heads", "vocab_size", "rms_norm_eps")
    granite = ("embedding_multiplier", "residual_multiplier", "attention_multiplier")
    for key in (*same, *granite, "logits_scaling", "tie_word_embeddings", "attention_bias"):
        assert config[key] == pytest.approx(expected[key]), key


def test_another_architecture_is_refused_by_name(tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "a.gguf", "mamba")
    writer.add_tensor("w.weight", np.zeros((2, 3), np.float32))
    finish(writer)
    with pytest.raises(UnsupportedModel, match=r"architecture 'mamba'.*qwen2"):
        open_checkpoint(tmp_path / "a.gguf")


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "model.gguf"
    write_model(whole, oracle("qwen2", vocab_size=300))
    data = whole.read_bytes()
    cut = tmp_path / "cut.gguf"
    for size in (0, 3, 20, 200, 5_000, len(data) // 2, len(data) - 1):
        cut.write_bytes(data[:size])
        with pytest.raises(ModelError, match=r"cut\.gguf"):
            GgufFile(cut)


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with every kind of metadata and hardly any weights."""
    path = tmp_path_factory.mktemp("header") / "a.gguf"
    write_model(path, oracle("qwen2", vocab_size=300, hidden_size=4, intermediate_size=2))
    return path.read_bytes()


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6))
@settings(deadline=None, max_examples=150)
def test_damage_anywhere_is_noticed_or_harmless(
    header: bytes, tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[float, int]]
) -> None:
    data = bytearray(header)
    for place, byte in damage:
        data[int(place * (len(data) - 1))] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.gguf"
    path.write_bytes(data)
    message = ""
    try:
        open_checkpoint(path).vocabulary()
    except ModelError as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize("size", [8, 16, 24])
def test_nonsense_counts_are_refused(size: int, tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "counts.gguf"
    path.write_bytes(header[:size] + b"\xff" * 8 + header[size + 8 :])
    with pytest.raises(ModelError, match="not a readable GGUF file"):
        GgufFile(path)


@pytest.mark.slow
def test_the_default_model_reads_as_the_gguf_package_reads_it(real_model: ModelFiles) -> None:
    ours, theirs = GgufFile(real_model.path), GGUFReader(real_model.path)
    assert set(ours.tensors) == {tensor.name for tensor in theirs.tensors}
    one_of_each = {tensor.tensor_type: tensor for tensor in theirs.tensors}
    assert len(one_of_each) == 5
    for tensor in one_of_each.values():
        expected = np.array(dequantize(tensor.data, tensor.tensor_type))  # not its memory map
        assert_close(ours.tensor(tensor.name).numpy(), expected, rtol=0, atol=0)


def test_something_else_is_not_taken_for_gguf(tmp_path: Path) -> None:
    path = tmp_path / "notes.gguf"
    path.write_bytes(b"not a model at all, just some text" * 10)
    with pytest.raises(ModelError, match="not a readable GGUF file"):
        GgufFile(path)


def test_every_family_of_the_forward_pass_has_a_gguf_test() -> None:
    known = {family.split("-")[0] for family in FAMILIES}
    assert known - {"deepseek"} == {family.split("-")[0] for family in CONVERTED} - {"deepseek"}
