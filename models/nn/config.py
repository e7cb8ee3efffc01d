"""One model's shape, read from a Hugging Face `config.json`; refuses by name what is not supported.

Supported: Qwen2/2.5, Llama (with DeepSeek-Coder and CodeLlama), StarCoder2 and Granite, with rotary
frequencies that are fixed per dimension. Anything that would make cached keys depend on more than
(token, position), such as frequencies that change with the length, is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...cache.rope import Rope, linear_rope, llama3_rope, plain_rope, yarn_rope
from ..errors import UnsupportedModel

Family = Literal["qwen2", "llama", "starcoder2", "granite"]
FAMILIES: tuple[Family, ...] = ("qwen2", "llama", "starcoder2", "granite")


@dataclass(frozen=True)
class ModelConfig:
    """Everything the forward pass must know. Sizes in elements; `rope` holds the frequencies."""

    family: Family
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    context_tokens: int
    rope: Rope
    norm: Literal["rms", "layer"] = "rms"
    norm_eps: float = 1e-6
    gated: bool = True  # gate and up projections around the activation; else one projection in
    activation: Literal["silu", "gelu_tanh"] = "silu"
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    tied_head: bool = False
    embedding_multiplier: float = 1.0  # the four multipliers are Granite's
    residual_multiplier: float = 1.0
    attention_multiplier: float | None = None  # None: head_dim ** -0.5
    logits_scaling: float = 1.0

    @property
    def attention_scale(self) -> float:
        return self.attention_multiplier or self.head_dim**-0.5

    @classmethod
    def from_hf(cls, config: Mapping[str, Any]) -> "ModelConfig":
        """Read a `config.json`. Raises `UnsupportedModel` naming the feature that is refused."""
        family = config.get("model_type")
        if family not in FAMILIES:
            raise UnsupportedModel(
                f"model_type {family!r} is not supported; supported: {', '.join(FAMILIES)}"
            )
        heads, hidden = config["num_attention_heads"], config["hidden_size"]
        head_dim = config.get("head_dim") or hidden // heads
        common: dict[str, Any] = {
            "family": family,
            "layers": config["num_hidden_layers"],
            "hidden": hidden,
            "heads": heads,
            "kv_heads": config.get("num_key_value_heads") or heads,
            "head_dim": head_dim,
            "intermediate": config["intermediate_size"],
            "vocabulary": config["vocab_size"],
            "context_tokens": context_tokens(config),
            "rope": read_rope(config, head_dim),
            "tied_head": config.get("tie_word_embeddings", family == "starcoder2"),
        }
        if family == "starcoder2":
            require(config, "hidden_act", ("gelu_pytorch_tanh",))
            bias = config.get("use_bias", True)
            return cls(
                **common,
                norm="layer",
                norm_eps=config.get("norm_epsilon", 1e-5),
                gated=False,
                activation="gelu_tanh",
                qkv_bias=bias,
                output_bias=bias,
                mlp_bias=bias,
            )
        require(config, "hidden_act", ("silu",))
        attention_bias = config.get("attention_bias", False)
        granite = family == "granite"
        return cls(
            **common,
            norm_eps=config.get("rms_norm_eps", 1e-6),
            qkv_bias=family == "qwen2" or attention_bias,
            output_bias=family != "qwen2" and attention_bias,
            mlp_bias=config.get("mlp_bias", False),
            embedding_multiplier=config.get("embedding_multiplier", 1.0) if granite else 1.0,
            residual_multiplier=config.get("residual_multiplier", 1.0) if granite else 1.0,
            attention_multiplier=config.get("attention_multiplier") if granite else None,
            logits_scaling=config.get("logits_scaling", 1.0) if granite else 1.0,
        )


def context_tokens(config: Mapping[str, Any]) -> int:
    """Longest context. A sliding window caps it: up to its length the window never acts, and past
    it an edit could bring back tokens whose keys are gone."""
    context = config.get("max_position_embeddings", 2048)
    window = config.get("sliding_window")
    used = config.get("use_sliding_window", config.get("model_type") == "starcoder2")
    return min(context, window) if used and window else context


def require(config: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> None:
    value = config.get(key, allowed[0])
    if value not in allowed:
        raise UnsupportedModel(f"{key} {value!r} is not supported; supported: {', '.join(allowed)}")


def read_rope(config: Mapping[str, Any], head_dim: int) -> Rope:
    """The rotary frequencies, from `rope_parameters` (transformers 5) or the older two keys."""
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = float(scaling.get("rope_theta") or config.get("rope_theta", 10_000.0))
    if float(config.get("partial_rotary_factor", 1.0)) != 1.0:
        raise UnsupportedModel("partial rotary embeddings are not supported")
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    match kind:
        case "default":
            return plain_rope(head_dim, theta)
        case "linear":
            return linear_rope(head_dim, theta, float(scaling["factor"]))
        case "llama3":
            return llama3_rope(
                head_dim,
                theta,
                factor=float(scaling["factor"]),
                low=float(scaling["low_freq_factor"]),
                high=float(scaling["high_freq_factor"]),
                trained_tokens=int(scaling["original_max_position_embeddings"]),
            )
        case "yarn":
            trained = scaling.get("original_max_position_embeddings")
            return yarn_rope(
                head_dim,
                theta,
                factor=float(scaling["factor"]),
                trained_tokens=int(trained or config["max_position_embeddings"]),
                beta_fast=float(scaling.get("beta_fast") or 32),
                beta_slow=float(scaling.get("beta_slow") or 1),
                attention_factor=scaling.get("attention_factor"),
                truncate=bool(scaling.get("truncate", True)),
            )
    raise UnsupportedModel(
        f"rope scaling {kind!r} is not fixed per dimension and is not supported; "
        "supported: default, linear, llama3, yarn"
    )
