"""The roof of a device, measured: bandwidth and peak speed, of which the other figures
are shares."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from ....models.nn.config import ModelConfig
    from ....models.nn.kernels import KernelPlan
    from ....models.nn.transformer import Transformer

BITS = {"float32": 32, "bfloat16": 16, "float16": 16, "int8": 8, "int7": 8, "int5": 5.25,
        "int4": 4.5}  # fmt: skip


def wait(device: "torch.device") -> None:
    """Until the device has done all that it was given."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(device: "torch.device", work: Callable[[], Any], rounds: int) -> float:
    """The least time of `work` in a few rounds, after one that does not count."""
    best = float("inf")
    for number in range(rounds + 1):
        wait(device)
        started = time.perf_counter()
        work()
        wait(device)
        if number:
            best = min(best, time.perf_counter() - started)
    return best


def copy_gb_per_s(device: "torch.device", mib: int, rounds: int = 5) -> float:
    """Bytes read and written by a copy of so many MiB, which no cache holds."""
    import torch

    source = torch.ones(mib * 2**20, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / seconds(device, lambda: target.copy_(source), rounds) / 1e9


def matmul_tflops(device: "torch.device", size: int, dtype: str, rounds: int = 5) -> float:
    """A square product, which multiplies and adds size ** 3 times."""
    import torch

    a, b = (torch.randn(size, size, device=device, dtype=getattr(torch, dtype)) for _ in range(2))
    return 2 * size**3 / seconds(device, lambda: a @ b, rounds) / 1e12


def token_bytes(config: "ModelConfig", plan: "KernelPlan", context: int) -> float:
    """What decoding one token must read: every matrix once, and the keys and values before it."""
    kv_bytes = 4 if plan.dtype.itemsize == 4 else 2
    cached = 2 * config.layers * config.kv_heads * config.head_dim * kv_bytes * context
    head_bits = 8 if plan.form == "int4" else BITS[plan.form]
    layers = matrix_elements(config) * BITS[plan.form] / 8
    return layers + config.vocabulary * config.hidden * head_bits / 8 + cached


def matrix_elements(config: "ModelConfig") -> int:
    """Of all layers' matrices, which is how often a token is multiplied and added in them."""
    query, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
    mlp = config.hidden * config.intermediate * (3 if config.gated else 2)
    return config.layers * (config.hidden * (2 * query + 2 * keys) + mlp)


def pass_ms(model: "Transformer", tokens: int, context: int, rounds: int) -> float:
    """One forward pass over so many tokens after `context` others, logits included."""
    import torch

    from ....cache.sequence import CachedSequence

    sequence = CachedSequence(model.new_arena(context + tokens))
    sequence.append([0] * context)  # what is in the cache does not change the time
    ids = model.ids([1] * tokens)

    def once() -> None:
        with torch.inference_mode():
            step = sequence.append([1] * tokens)
            model.logits(model.run(model.embed(ids), step, sequence.arena))
        sequence.truncate(context)

    return seconds(model.device, once, rounds) * 1e3
