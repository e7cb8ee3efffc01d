"""A GGUF file seen as a Hugging Face checkpoint: its config.json as a dict, its tensors renamed.

Facts about the format: llama.cpp's converter writes Llama and Granite query and key rows in
interleaved rotary order, so those are put back into the half-split order that HF weights use.
A missing `output.weight` means that the head is tied to the embedding.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ..errors import ModelError, UnsupportedModel
from .gguf import GgufFile

MODEL_TYPES = {"qwen2": "qwen2", "llama": "llama", "starcoder2": "starcoder2", "granite": "granite"}
INTERLEAVED = {"llama", "granite"}

OUTER_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
STARCODER2_NAMES = LAYER_NAMES | {"ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"}
LAYER = re.compile(r"blk\.(\d+)\.([a-z_]+)\.(weight|bias)")
OUTER = re.compile(r"([a-z_]+)\.(weight|bias)")
ROPE_FACTORS = "rope_freqs.weight"  # Llama 3's scaling, as a divisor per dimension


class GgufWeights(Mapping[str, Tensor]):
    """Tensors by their HF names, each decoded to float32 when asked for."""

    def __init__(self, file: GgufFile):
        model_type = _model_type(file)
        self._file = file
        self._config = hf_config(file)
        self._interleaved = model_type in INTERLEAVED
        layer_names = STARCODER2_NAMES if model_type == "starcoder2" else LAYER_NAMES
        self._gguf_names = {_hf_name(name, layer_names): name for name in file.tensors}

    def __getitem__(self, name: str) -> Tensor:
        tensor = self._file.tensor(self._gguf_names[name])
        if self._interleaved and (".q_proj." in name or ".k_proj." in name):
            return half_split(tensor, self._config["head_dim"])
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._gguf_names)

    def __len__(self) -> int:
        return len(self._gguf_names)


def half_split(rows: Tensor, head_dim: int) -> Tensor:
    """Rows of a projection (or its bias) from pairs (0,1),(2,3).. to pairs (0,half),(1,half+1).."""
    heads = rows.shape[0] // head_dim
    pairs = rows.view(heads, head_dim // 2, 2, *rows.shape[1:])
    return pairs.transpose(1, 2).reshape(rows.shape)


def hf_config(file: GgufFile) -> dict[str, Any]:
    """What config.json would say. Raises `UnsupportedModel` for another architecture."""
    model_type = _model_type(file)
    try:
        return _config(model_type, file)
    except KeyError as error:
        raise ModelError(f"{file.path} lacks {error}, which its architecture needs") from error
    except (TypeError, ArithmeticError, IndexError) as error:
        raise ModelError(f"{file.path} does not describe a model: {error}") from error


def _config(model_type: str, file: GgufFile) -> dict[str, Any]:
    architecture = file.metadata["general.architecture"]
    keys = {name.removeprefix(architecture + "."): value for name, value in file.metadata.items()}
    heads, hidden = keys["attention.head_count"], keys["embedding_length"]
    tensors = file.tensors
    config = {
        "model_type": model_type,
        "hidden_size": hidden,
        "num_hidden_layers": keys["block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": keys.get("attention.head_count_kv", heads),
        "head_dim": keys.get("attention.key_length", hidden // heads),
        "intermediate_size": keys["feed_forward_length"],
        "vocab_size": tensors["token_embd.weight"].shape[0],
        "max_position_embeddings": keys["context_length"],
        "rope_theta": keys.get("rope.freq_base", 10_000.0),
        "rope_scaling": _rope_scaling(keys, file),
        "sliding_window": keys.get("attention.sliding_window"),
        "tie_word_embeddings": "output.weight" not in tensors,
        "attention_bias": "blk.0.attn_q.bias" in tensors,
        "mlp_bias": "blk.0.ffn_up.bias" in tensors,
        "bos_token_id": keys.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": keys.get("tokenizer.ggml.eos_token_id"),
    }
    if model_type == "starcoder2":
        config["norm_epsilon"] = keys["attention.layer_norm_epsilon"]
        config["use_bias"] = config["attention_bias"]
        config["hidden_act"] = "gelu_pytorch_tanh"
    else:
        config["rms_norm_eps"] = keys["attention.layer_norm_rms_epsilon"]
        config["hidden_act"] = "silu"
    if model_type == "granite":
        config["embedding_multiplier"] = keys.get("embedding_scale", 1.0)
        config["residual_multiplier"] = keys.get("residual_scale", 1.0)
        config["attention_multiplier"] = keys.get("attention.scale", config["head_dim"] ** -0.5)
        config["logits_scaling"] = keys.get("logit_scale", 1.0)
    return config


def _rope_scaling(keys: dict[str, Any], file: GgufFile) -> dict[str, Any] | None:
    if ROPE_FACTORS in file.tensors:
        raise UnsupportedModel(
            f"{file.path} scales its rotary embedding by a table (Llama 3), which is not supported:"
            " use the model's safetensors instead"
        )
    kind = keys.get("rope.scaling.type", "none")
    if kind == "none":
        return None
    scaling = {"rope_type": kind, "factor": keys["rope.scaling.factor"]}
    if original := keys.get("rope.scaling.original_context_length"):
        scaling["original_max_position_embeddings"] = original
    return scaling


def _model_type(file: GgufFile) -> str:
    architecture = file.metadata.get("general.architecture")
    if architecture not in MODEL_TYPES:
        raise UnsupportedModel(
            f"{file.path}: architecture {architecture!r} is not supported"
            f" ({', '.join(MODEL_TYPES)} are)"
        )
    return MODEL_TYPES[architecture]


def _hf_name(name: str, layer_names: Mapping[str, str]) -> str:
    if (match := LAYER.fullmatch(name)) and match[2] in layer_names:
        return f"model.layers.{match[1]}.{layer_names[match[2]]}.{match[3]}"
    if (match := OUTER.fullmatch(name)) and match[1] in OUTER_NAMES:
        return f"{OUTER_NAMES[match[1]]}.{match[2]}"
    raise UnsupportedModel(f"tensor {name} belongs to no part of a model that keyturn knows")
