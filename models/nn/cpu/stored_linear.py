"""A `Linear` by our kernels for int8 and five-bit weights: read as they are stored, with the norm
and the sums around the product in the same launches."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..linear import Int8Weight, Norm, RmsNorm
from .int5_weight import GROUP, Int5Weight
from .launch import ROW_MULTIPLE, TOGETHER, room_floats
from .native import Native
from .team import LEAST_PRODUCTS, bits, numbers

LEAST_NUMBERS = 2**14  # for each thread to turn into codes; what is less is not worth one
BLOCKS_PER_THREAD = 4
INS_MULTIPLE = 64


class Codes(NamedTuple):
    """Activations as a kernel reads them. `codes` (tokens, in) uint8, or with as many rows more as
    there must be to be laid together; `steps` (tokens,): float32, between two codes of a token;
    `group_sums`: int32, of laid codes."""

    tokens: int
    codes: Tensor
    steps: Tensor
    group_sums: Tensor | None = None


class StoredLinear:
    """`norm(x) @ weight.T + bias` for float32 activations, quantised token by token."""

    def __init__(
        self, weight: Int8Weight | Int5Weight, bias: Tensor | None, norm: Norm | None,
        native: Native,
    ):  # fmt: skip
        assert self.takes(weight), weight.shape
        self.weight, self.bias, self.norm, self.native = weight, bias, norm, native
        self.out_features, self.in_features = weight.shape
        self.scales = weight.scales.float().contiguous()
        self._prepare = native.code.address("prepare")
        self._sums: Tensor | None = None  # of each row of int8 weights
        self.laid = isinstance(weight, Int5Weight)
        if isinstance(weight, Int5Weight):
            self.values = weight.packed.contiguous()
            self._multiply = native.code.address("multiply int5")
        else:
            self.values = weight.values.contiguous()
            self._multiply = native.code.address("multiply int8")
            self._add_up = native.code.address("add up int8")

    @staticmethod
    def takes(weight: Int8Weight | Int5Weight) -> bool:
        outs, ins = weight.shape
        return isinstance(weight, Int5Weight) or (outs >= ROW_MULTIPLE and ins % INS_MULTIPLE == 0)

    def __call__(self, x: Tensor) -> Tensor:
        return self._product(x, 0)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        residual = residual.contiguous()
        return self._product(x, residual.data_ptr())

    def _product(self, x: Tensor, residual: int) -> Tensor:
        result = x.new_empty(len(x), self.out_features)
        sums = 0 if self.laid else self._row_sums().data_ptr()
        bias = 0 if self.bias is None else self.bias.data_ptr()
        self._launch(self._multiply, self._prepared(x), sums, bias, residual, result)
        return result

    def _prepared(self, x: Tensor) -> Codes:
        weight, eps = 0, 0.0
        if isinstance(self.norm, RmsNorm):
            weight, eps = self.norm.weight.data_ptr(), self.norm.eps
        elif self.norm is not None:
            x = self.norm(x)
        x = x.contiguous()
        assert (x.dtype, x.shape[1]) == (torch.float32, self.in_features), (x.dtype, x.shape)
        tokens, size = x.shape
        room = x.new_empty(tokens, room_floats(size))
        codes, steps = x.new_empty(tokens, size, dtype=torch.uint8), x.new_empty(tokens)
        found, laid, group_sums = Codes(tokens, codes, steps), 0, 0
        if self.laid:
            padded = -(-tokens // TOGETHER) * TOGETHER
            together = codes.new_empty(padded, size)
            sums = codes.new_empty(padded, size // GROUP, dtype=torch.int32)
            found = Codes(tokens, together, steps, sums)
            laid, group_sums = together.data_ptr(), sums.data_ptr()
        what = numbers(
            (0, tokens, size, x.data_ptr(), weight, bits(eps), room.data_ptr(), codes.data_ptr(),
             steps.data_ptr(), laid, group_sums)
        )  # fmt: skip
        self.native.team.run(self._prepare, what, 1 + tokens * size // LEAST_NUMBERS)
        return found

    def _row_sums(self) -> Tensor:
        if self._sums is None:
            sums = torch.empty(self.out_features, dtype=torch.int32)
            ones = torch.ones(1, self.in_features, dtype=torch.uint8)
            self._launch(self._add_up, Codes(1, ones, ones), 0, 0, 0, sums)
            self._sums = sums
        return self._sums

    def _launch(
        self, kernel: int, x: Codes, sums: int, bias: int, residual: int, result: Tensor
    ) -> None:
        outs, ins = self.out_features, self.in_features
        wanted = BLOCKS_PER_THREAD * torch.get_num_threads()
        block = max(ROW_MULTIPLE, outs // wanted // ROW_MULTIPLE * ROW_MULTIPLE)
        group_sums = 0 if x.group_sums is None else x.group_sums.data_ptr()
        what = numbers(
            (0, x.tokens, ins, outs, block, outs // block, x.codes.data_ptr(), x.steps.data_ptr(),
             self.values.data_ptr(), sums, self.scales.data_ptr(), bias, residual,
             result.data_ptr(), group_sums)
        )  # fmt: skip
        self.native.team.run(kernel, what, 1 + outs * ins // LEAST_PRODUCTS)
