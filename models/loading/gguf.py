"""A GGUF file: its metadata and, by their GGUF names, its tensors.

The layout is parsed here because the `gguf` package's reader builds an object per array element,
which takes seconds for a 152k-token vocabulary; this one takes a tenth of a second. The packed
blocks are decoded by `gguf.quants`, imported only when a packed tensor is asked for.

Layout (little-endian): magic, version, tensor count, key count; per key its name, type and value;
per tensor its name, dimensions (fastest first), type and offset; padding; tensor data.
"""

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelError, UnsupportedModel

# GGUF type number: (name, elements per block, bytes per block)
TENSOR_TYPES = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    6: ("Q5_0", 32, 22),
    8: ("Q8_0", 32, 34),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    30: ("BF16", 1, 2),
}
PLAIN_TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}

SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
STRING, ARRAY = 8, 9
DEFAULT_ALIGNMENT_BYTES = 32
# what reading the header as if it were sound can raise: nonsense lengths, types, nesting, text
DAMAGE = (struct.error, ValueError, ArithmeticError, TypeError, MemoryError, RecursionError)


@dataclass(frozen=True)
class TensorInfo:
    """Where one tensor lies; `shape` is in torch order, (out, in) for a linear weight."""

    name: str
    shape: tuple[int, ...]
    type_name: str
    start_bytes: int
    length_bytes: int


class GgufFile:
    """An open, memory-mapped GGUF file. Damaged or foreign files raise `ModelError`."""

    def __init__(self, path: Path):
        self.path = path
        try:
            with path.open("rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
            raise ModelError(f"cannot read {path}: {error}") from error
        try:
            self.metadata, self.tensors = _parse(self._data)
        except DAMAGE as error:
            raise ModelError(f"{path} is not a readable GGUF file: {error}") from error
        except UnsupportedModel as error:
            raise UnsupportedModel(f"{path}: {error}") from error
        end = max(
            (info.start_bytes + info.length_bytes for info in self.tensors.values()), default=0
        )
        if end > len(self._data):
            raise ModelError(
                f"{path} is cut short: {len(self._data)} of {end} bytes;"
                " delete it and fetch it again"
            )

    def tensor(self, name: str) -> Tensor:
        """The tensor in float32, decoded now; a float32 one is a view of the mapped file."""
        info = self.tensors[name]
        if dtype := PLAIN_TYPES.get(info.type_name):
            plain = torch.frombuffer(
                self._data, dtype=dtype, count=prod(info.shape), offset=info.start_bytes
            )
            return plain.view(info.shape).float()
        from gguf.constants import GGMLQuantizationType
        from gguf.quants import dequantize

        packed = np.frombuffer(
            self._data, dtype=np.uint8, count=info.length_bytes, offset=info.start_bytes
        )
        rows = packed.reshape(prod(info.shape[:-1]), -1)
        values = dequantize(rows, GGMLQuantizationType[info.type_name])
        return torch.from_numpy(values).view(info.shape)


# region parsing


class _Cursor:
    """Reads values off the front of the mapped file; past the end is a ValueError."""

    def __init__(self, data: mmap.mmap):
        self.data = data
        self.position = 0

    def scalars(self, codes: str) -> tuple[Any, ...]:
        layout = struct.Struct("<" + codes)
        values = layout.unpack_from(self.data, self.position)
        self.position += layout.size
        return values

    def string(self) -> str:
        (length,) = self.scalars("Q")
        end = self.position + length
        if end > len(self.data):
            raise ValueError("a string runs past the end of the file")
        text = self.data[self.position : end].decode("utf-8")
        self.position = end
        return text

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            item, count = self.scalars("IQ")
            if item in SCALARS:
                return list(self.scalars(f"{count}{SCALARS[item]}"))
            read: Callable[[], Any] = self.string if item == STRING else lambda: self.value(item)
            return [read() for _ in range(count)]
        if kind not in SCALARS:
            raise ValueError(f"unknown value type {kind}")
        (value,) = self.scalars(SCALARS[kind])
        # a float32 such as 1e-6 was a short decimal before it was stored: give that back
        return float(str(np.float32(value))) if SCALARS[kind] == "f" else value


def _parse(data: mmap.mmap) -> tuple[dict[str, Any], dict[str, TensorInfo]]:
    cursor = _Cursor(data)
    if cursor.scalars("4s") != (b"GGUF",):
        raise ValueError("it does not start with GGUF")
    version, tensor_count, key_count = cursor.scalars("IQQ")
    if version not in (2, 3):
        raise ValueError(f"GGUF version {version} (2 and 3 are known)")
    metadata: dict[str, Any] = {}
    for _ in range(key_count):
        key, (kind,) = cursor.string(), cursor.scalars("I")
        metadata[key] = cursor.value(kind)
    heads = []
    for _ in range(tensor_count):
        name, (dimensions,) = cursor.string(), cursor.scalars("I")
        heads.append((name, cursor.scalars(f"{dimensions}Q"), *cursor.scalars("IQ")))
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT_BYTES)
    data_start = -(-cursor.position // alignment) * alignment
    tensors = {}
    for name, sizes, kind, offset in heads:
        tensors[name] = _tensor_info(name, tuple(reversed(sizes)), kind, data_start + offset)
    return metadata, tensors


def _tensor_info(name: str, shape: tuple[int, ...], kind: int, start_bytes: int) -> TensorInfo:
    if kind not in TENSOR_TYPES:
        supported = ", ".join(type_name for type_name, _, _ in TENSOR_TYPES.values())
        raise UnsupportedModel(
            f"tensor {name} is of type {_foreign_name(kind)}, which is not supported;"
            f" supported: {supported}"
        )
    type_name, block_elements, block_bytes = TENSOR_TYPES[kind]
    row = shape[-1] if shape else 1
    if row % block_elements:
        raise ValueError(f"tensor {name} has rows of {row}, not a multiple of {block_elements}")
    return TensorInfo(
        name, shape, type_name, start_bytes, prod(shape) // block_elements * block_bytes
    )


def _foreign_name(kind: int) -> str:
    from gguf.constants import GGMLQuantizationType

    return next((known.name for known in GGMLQuantizationType if known == kind), str(kind))


# endregion
