"""Small GGUF files, written with the `gguf` package the way llama.cpp's converter writes them."""

from pathlib import Path
from typing import Any

import numpy as np
from gguf import MODEL_ARCH, GGUFWriter, TensorNameMap, get_tensor_name_map
from transformers import PreTrainedModel

SPECIALS = ("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
WORDS = ("Ġr", "Ġre", "Ġret", "Ġreturn", "in", "int", "Ġ1", "ĊĠ", "ĊĠĠ")
MERGES = ("Ġ r", "Ġr e", "Ġre t", "i n", "in t", "Ġ 1", "Ċ Ġ", "ĊĠ Ġ")
TURNED = ("llama", "granite")  # architectures whose query and key rows the converter interleaves


def byte_characters() -> list[str]:
    """GPT-2's table, from its definition in `transformers`, which keyturn does not use."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    table = bytes_to_unicode()
    return [table[byte] for byte in range(256)]


def tokens() -> list[str]:
    middle = ["Ġretu", "Ġretur"]
    return [*SPECIALS, *byte_characters(), *WORDS, *middle]


def add_tokenizer(writer: GGUFWriter, pre: str = "qwen2", size: int | None = None) -> None:
    """A byte-level vocabulary with a few merges, padded with unused tokens to `size`."""
    texts = tokens()
    types = [3] * len(SPECIALS) + [1] * (len(texts) - len(SPECIALS))
    unused = [f"[PAD{i}]" for i in range(len(texts), size or len(texts))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([*texts, *unused])
    writer.add_token_types([*types, *[5] * len(unused)])
    merges = [*MERGES[:3], "Ġret u", "Ġretu r", "Ġretur n", *MERGES[3:]]
    writer.add_token_merges(merges)
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(0)
    writer.add_add_bos_token(False)


def finish(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_model(path: Path, model: PreTrainedModel) -> None:
    """A transformers model as a float32 GGUF file."""
    config = model.config
    architecture = config.model_type
    writer = GGUFWriter(path, architecture)
    _add_config(writer, architecture, config)
    add_tokenizer(writer, size=config.vocab_size)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    table = get_tensor_name_map(MODEL_ARCH[architecture.upper()], config.num_hidden_layers)
    tied = config.tie_word_embeddings
    for name, parameter in model.state_dict().items():
        if tied and name == "lm_head.weight":
            continue
        data = parameter.detach().float().numpy()
        if architecture in TURNED and (".q_proj." in name or ".k_proj." in name):
            data = interleave(data, head_dim)
        writer.add_tensor(gguf_name(name, table), np.ascontiguousarray(data))
    finish(writer)


def interleave(rows: np.ndarray, head_dim: int) -> np.ndarray:
    """Row i of each head's first half next to row i of its second half, index by index."""
    order = []
    for start in range(0, len(rows), head_dim):
        for i in range(head_dim // 2):
            order += [start + i, start + head_dim // 2 + i]
    return rows[order]


def _add_config(writer: GGUFWriter, architecture: str, config: Any) -> None:
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    if head_dim := getattr(config, "head_dim", None):
        writer.add_key_length(head_dim)
    rope = config.rope_parameters
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] in ("linear", "yarn"):
        writer.add_string(f"{architecture}.rope.scaling.type", rope["rope_type"])
        writer.add_rope_scaling_factor(rope["factor"])
    if original := rope.get("original_max_position_embeddings"):
        writer.add_rope_scaling_orig_ctx_len(original)
    if architecture == "starcoder2":
        writer.add_layer_norm_eps(config.norm_epsilon)
    else:
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if architecture == "granite":
        writer.add_embedding_scale(config.embedding_multiplier)
        writer.add_residual_scale(config.residual_multiplier)
        writer.add_attention_scale(config.attention_multiplier)
        writer.add_logit_scale(config.logits_scaling)


def gguf_name(name: str, table: TensorNameMap) -> str:
    """The converter's name for a transformers parameter."""
    stem, suffix = name.rsplit(".", 1)
    found = table.get_name(stem)
    assert found, name
    return f"{found}.{suffix}"
