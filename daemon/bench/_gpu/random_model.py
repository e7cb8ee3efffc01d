"""Models with random weights in the shape of real ones, for figures of speed: transformers' own and
keyturn's with the very same numbers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .._peers.decoding import Transformers

if TYPE_CHECKING:
    import torch

    from ....models.loading.loader import Loaded
    from ....models.tokenizer.bpe import Tokenizer

Form = Literal["bfloat16", "float32", "int8", "int4"]
SHAPES: dict[str, dict[str, Any]] = {
    "1.5b": {  # Qwen2.5-Coder-1.5B
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151_936,
        "tie_word_embeddings": True,
        "max_position_embeddings": 65_536,
        "rope_theta": 1e6,
    },
    "tiny": {  # to try everything out on a CPU
        "hidden_size": 128,
        "intermediate_size": 192,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "tie_word_embeddings": True,
        "max_position_embeddings": 65_536,
    },
}


class RandomTransformers(Transformers):
    """transformers' Qwen2 with random weights; a `Peer`."""

    def __init__(self, shape: str, vocabulary: int, device: str, dtype: str):
        import torch
        import transformers

        self.name = f"transformers {dtype}"
        self.torch = torch
        wanted = {"vocab_size": vocabulary, **SHAPES[shape]}
        wanted["vocab_size"] = max(wanted["vocab_size"], vocabulary)
        config = transformers.Qwen2Config(**wanted)
        torch.manual_seed(0)
        with torch.device(device):
            made = transformers.AutoModelForCausalLM.from_config(
                config, dtype=getattr(torch, dtype)
            )
        self.model = made.eval()


def loaded_like(
    reference: RandomTransformers,
    tokenizer: "Tokenizer",
    form: Form,
    attention: str = "auto",
) -> "Loaded":
    """keyturn's model with the weights of `reference`, on its device."""
    from ....models.hub.download import ModelFiles
    from ....models.loading.loader import Loaded
    from ....models.nn import kernels, weight_names
    from ....models.nn.attention_backends import choose
    from ....models.nn.config import ModelConfig
    from ....models.nn.kernels import KernelPlan
    from ....models.nn.transformer import assemble

    device: torch.device = reference.model.device
    plan = KernelPlan.floating(form) if form in ("bfloat16", "float32") else None
    plan = plan or KernelPlan(form, f"{form}-bfloat16")  # pyright: ignore[reportArgumentType]
    config = ModelConfig.from_hf(reference.model.config.to_dict())
    weights = reference.model.state_dict()
    tensors = dict(kernels.stored(form, weight_names.tensors(config, weights.__getitem__), config))
    chosen = choose(attention, device, plan.dtype, config)
    model = assemble(config, tensors, plan, chosen.partial, chosen.shortcut)
    model.settle()
    files = ModelFiles("random", Path("random"), "0" * 64)
    return Loaded("random", model, tokenizer, config, plan, files, chosen.name)
