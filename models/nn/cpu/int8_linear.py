"""A `Linear` by our kernel for int8 weights: read as they are stored, with the norm and the sums
around the product in the same launches."""

import torch
from torch import Tensor

from ..linear import Int8Weight, Norm, RmsNorm
from .launch import ROW_MULTIPLE, room_floats
from .native import Native
from .team import LEAST_PRODUCTS, bits, numbers

LEAST_NUMBERS = 2**14  # for each thread to turn into codes; what is less is not worth one
BLOCKS_PER_THREAD = 4
INS_MULTIPLE = 64


class StoredLinear:
    """`norm(x) @ weight.T + bias` for float32 activations, quantised token by token."""

    def __init__(self, weight: Int8Weight, bias: Tensor | None, norm: Norm | None, native: Native):
        assert self.takes(weight), weight.values.shape
        self.weight, self.bias, self.norm, self.native = weight, bias, norm, native
        self.out_features, self.in_features = weight.values.shape
        self.values = weight.values.contiguous()
        self.scales = weight.scales.float().contiguous()
        self._prepare, self._multiply, self._add_up = (
            native.code.address(kernel) for kernel in ("prepare", "multiply", "add up")
        )
        self._sums: Tensor | None = None  # of each row of weights

    @staticmethod
    def takes(weight: Int8Weight) -> bool:
        outs, ins = weight.values.shape
        return outs >= ROW_MULTIPLE and ins % INS_MULTIPLE == 0

    def __call__(self, x: Tensor) -> Tensor:
        return self._product(x, 0)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        residual = residual.contiguous()
        return self._product(x, residual.data_ptr())

    def _product(self, x: Tensor, residual: int) -> Tensor:
        codes, steps = self._prepared(x)
        result = x.new_empty(len(x), self.out_features)
        bias = 0 if self.bias is None else self.bias.data_ptr()
        sums = self._row_sums().data_ptr()
        self._launch(
            self._multiply, codes, steps.data_ptr(), sums, bias, residual, result.data_ptr()
        )
        return result

    def _prepared(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (tokens, in) uint8 and the step between two of each token's (tokens,) float32."""
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
        what = numbers(
            (0, tokens, size, x.data_ptr(), weight, bits(eps), room.data_ptr(), codes.data_ptr(),
             steps.data_ptr())
        )  # fmt: skip
        self.native.team.run(self._prepare, what, 1 + tokens * size // LEAST_NUMBERS)
        return codes, steps

    def _row_sums(self) -> Tensor:
        if self._sums is None:
            sums = torch.empty(self.out_features, dtype=torch.int32)
            ones = torch.ones(1, self.in_features, dtype=torch.uint8)
            self._launch(self._add_up, ones, 0, 0, 0, 0, sums.data_ptr())
            self._sums = sums
        return self._sums

    def _launch(
        self, kernel: int, codes: Tensor, steps: int, sums: int, bias: int, residual: int,
        result: int,
    ) -> None:  # fmt: skip
        outs, ins = self.out_features, self.in_features
        wanted = BLOCKS_PER_THREAD * torch.get_num_threads()
        block = max(ROW_MULTIPLE, outs // wanted // ROW_MULTIPLE * ROW_MULTIPLE)
        what = numbers(
            (0, len(codes), ins, outs, block, outs // block, codes.data_ptr(), steps,
             self.values.data_ptr(), sums, self.scales.data_ptr(), bias, residual, result)
        )  # fmt: skip
        self.native.team.run(kernel, what, 1 + outs * ins // LEAST_PRODUCTS)
