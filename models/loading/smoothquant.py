"""SmoothQuant: outliers of activations moved into the weights, exactly, so that both quantise well.

A few input features of a linear are much larger than the rest, and one scale per token then leaves
the others few codes. Dividing feature j by s_j in the norm (or projection) in front and multiplying
column j of the weight by s_j changes no product, and with s_j = sqrt(max |x_j| / max |w_j|) both
sides become equally hard (SmoothQuant, arXiv 2211.10438, section 4). The largest activations are
observed while the float model reads a short text, one layer in memory at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...cache.sequence import CachedSequence
from ..nn import weight_names
from ..nn.attention import PartialAttention
from ..nn.config import ModelConfig
from ..nn.kernels import KernelPlan, linears, read_norm
from ..nn.linear import Linear, Norm
from ..nn.transformer import Transformer

Named = dict[str, Tensor]  # tensors by their names within one layer: "qkv.weight", …
FLOAT = KernelPlan.floating("float32")


def smoothed(
    config: ModelConfig,
    tensors: Iterable[tuple[str, Tensor]],
    tokens: Sequence[int],
    attention: PartialAttention,
) -> Iterator[tuple[str, Tensor]]:
    """`weight_names.tensors` with the outliers moved; `tokens`: the text read meanwhile."""
    stream = iter(tensors)
    name, embedding = next(stream)
    assert name == "embed.weight", name
    yield name, embedding
    reader = Reader(config, embedding, tokens, attention)
    layer: Named = {}
    index = 0
    for name, tensor in stream:
        if index < config.layers and not name.startswith(f"layers.{index}."):
            yield from _smooth_layer(config, index, layer, reader.read(layer))
            layer, index = {}, index + 1
        layer[name.removeprefix(f"layers.{index}.")] = tensor
    yield from _smooth_head(config, layer, embedding, reader)


def _smooth_layer(
    config: ModelConfig, index: int, layer: Named, peaks: Named
) -> Iterator[tuple[str, Tensor]]:
    for linear in ("qkv", "up"):
        factors = balance(peaks[linear], layer[f"{linear}.weight"])
        norm = weight_names.norm_before(linear)
        for kind in ("weight", "bias"):
            if f"{norm}.{kind}" in layer:
                layer[f"{norm}.{kind}"] = layer[f"{norm}.{kind}"] / factors
        layer[f"{linear}.weight"] = layer[f"{linear}.weight"] * factors
    if config.gated:  # the up projection is a plain factor of what `down` reads
        factors = balance(peaks["down"], layer["down.weight"])
        layer["down.weight"] = layer["down.weight"] * factors
        rows = torch.cat((torch.ones_like(factors), factors))
        layer["up.weight"] = layer["up.weight"] / rows.unsqueeze(1)
        if "up.bias" in layer:
            layer["up.bias"] = layer["up.bias"] / rows
    for name, tensor in layer.items():
        yield f"layers.{index}.{name}", tensor


def _smooth_head(
    config: ModelConfig, last: Named, embedding: Tensor, reader: "Reader"
) -> Iterator[tuple[str, Tensor]]:
    norm = read_norm(config, last, "norm", torch.float32)
    head = last.pop("head.weight", embedding)
    factors = balance(reader.final_peaks(norm), head)
    for name, tensor in last.items():
        yield name, tensor / factors
    yield "head.weight", head * factors


def balance(peaks: Tensor, weight: Tensor) -> Tensor:
    """Factors (in,) that make the activations and the weight (out, in) equally hard to quantise;
    their geometric mean is 1. `peaks` (in,): the largest activation seen of each feature."""
    factors = (peaks.clamp_min(1e-5) / weight.float().abs().amax(dim=0).clamp_min(1e-5)).sqrt()
    return factors / factors.log().mean().exp()


class Reader:
    """Runs the text through one float32 layer after the other; keeps what the next one sees."""

    def __init__(
        self,
        config: ModelConfig,
        embedding: Tensor,
        tokens: Sequence[int],
        attention: PartialAttention,
    ):
        self.one = replace(config, layers=1)
        self.embedding = embedding
        self.tokens = list(tokens)
        self.attention = attention
        self.hidden: Tensor | None = None

    @torch.inference_mode()
    def read(self, layer: Named) -> Named:
        """The largest input of each linear of a layer: {"qkv": (in,), …}."""
        floats = {f"layers.0.{name}": tensor.float() for name, tensor in layer.items()}
        names = weight_names.layer_linears(0)
        norms = {
            n: read_norm(self.one, floats, weight_names.norm_before(n), FLOAT.dtype) for n in names
        }
        observed = {
            name: Observed(linear, norms[name])
            for name, linear in linears(self.one, floats, FLOAT, names).items()
        }
        head = {"head": observed[names[0]]}  # never asked
        model = Transformer(self.one, self.embedding, observed | head, self.attention, FLOAT.dtype)
        if self.hidden is None:
            self.hidden = model.embed(torch.tensor(self.tokens))
        sequence = CachedSequence(model.new_arena())
        self.hidden = model.run(self.hidden, sequence.append(self.tokens), sequence.arena)
        return {name.rpartition(".")[2]: linear.peaks() for name, linear in observed.items()}

    @torch.inference_mode()
    def final_peaks(self, norm: Norm | None) -> Tensor:
        assert norm is not None
        assert self.hidden is not None
        return norm(self.hidden).abs().amax(dim=0)


class Observed:
    """A linear that remembers what it was given."""

    def __init__(self, linear: Linear, norm: Norm | None):
        self.linear = linear
        self.norm = norm
        self.out_features = linear.out_features
        self.seen: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        self.seen = x if self.norm is None else self.norm(x)
        return self.linear(x)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        return residual + self(x)

    def peaks(self) -> Tensor:
        assert self.seen is not None
        return self.seen.abs().amax(dim=0)
