"""Compile our Triton kernels for GPUs that need not be there; run by a test in its own process.

python compile_kernels.py CAPABILITY HEAD_DIM TYPE GROUP ROWS
"""

import sys
from typing import Any

import triton
from triton.backends.compiler import GPUTarget

from keyturn.models.nn.triton_attention import (
    BLOCK_KEYS,
    HEADER,
    LAUNCH,
    SEGMENT,
    TOKEN,
    _attend,
    _merge,
    _store,
)


def main(capability: int, head_dim: int, kind: str, group: int, rows: int) -> None:
    shape = {"HEADS": 2 * group, "KV_HEADS": 2, "DIM": head_dim}
    columns = {"HEADER_": HEADER, "TOKEN_": TOKEN, "SEGMENT_": SEGMENT}
    sizes = {"ROOM": 16, "SPLITS": 64, "BLOCK_ROWS": rows, "BLOCK_KEYS": BLOCK_KEYS}
    raw, ints, floats = f"*{kind}", "*i64", "*fp32"
    kernels: list[tuple[Any, dict[str, str], dict[str, int]]] = [
        (_store, {"raw": raw, "ints": ints, "layer": "i32"}, shape | columns),
        (
            _attend,
            {"raw": raw, "ints": ints, "partials": floats, "sums": floats, "layer": "i32",
             "scale": "fp32", "rows": "i32"},
            shape | columns | sizes,
        ),
        (
            _merge,
            {"partials": floats, "sums": floats, "result": raw, "rows": "i32"},
            {**shape, "SPLITS": 64},
        ),
    ]  # fmt: skip
    for kernel, signature, constants in kernels:
        signature = signature | dict.fromkeys(constants, "constexpr")
        source = triton.compiler.ASTSource(kernel, signature, constants)
        compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=LAUNCH)
        print(kernel.__name__, len(compiled.asm["ptx"]), compiled.metadata.shared)


if __name__ == "__main__":
    capability, head_dim, kind, group, rows = sys.argv[1:]
    main(int(capability), int(head_dim), kind, int(group), int(rows))
