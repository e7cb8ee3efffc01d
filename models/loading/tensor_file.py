"""Safetensors files: memory-mapped for reading, and written tensor by tensor as they come."""

import ctypes
import hashlib
import json
import mmap
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import ModelError

HEADER_BYTES = 1 << 20  # padded with spaces: written last, in front, when all shapes are known
ALIGNMENT_BYTES = 64
PADDING = "padding."  # tensors that only keep the next one aligned
DTYPE_NAMES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.int32: "I32",
    torch.int64: "I64",
}


def open_tensors(path: Path, device: str = "cpu") -> safe_open:
    """Memory-map a safetensors file. Raises `ModelError` when header and length disagree."""
    try:
        return safe_open(path, framework="pt", device=device)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot read {path}: {error}; delete it and fetch it again") from error


class MappedTensors(Mapping[str, Tensor]):
    """The tensors of one file; on the CPU each is a view of the mapped file."""

    def __init__(self, path: Path, device: str):
        self._path = path.resolve()
        self._file = open_tensors(path, device)
        self._names = [name for name in self._file.keys() if not name.startswith(PADDING)]  # noqa: SIM118
        self._known = frozenset(self._names)

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._known:
            raise KeyError(name)
        return self._file.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def drop_pages(self) -> None:
        """Give back the memory that reading the file took; a tensor read again is read from the
        file, or from the system's cache of it. Does nothing where it can't (not Linux)."""
        if sys.platform != "linux":
            return
        madvise = ctypes.CDLL(None).madvise
        for mapping in psutil.Process().memory_maps(grouped=False):
            if mapping.path == str(self._path):
                start, stop = (int(part, 16) for part in mapping.addr.split("-"))
                madvise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), mmap.MADV_DONTNEED)


def write_tensors(path: Path, tensors: Iterable[tuple[str, Tensor]]) -> tuple[int, str]:
    """Write a safetensors file in one pass, holding one tensor at a time.

    Returns its size in bytes and its SHA-256.
    """
    header: dict[str, Any] = {}
    end = 0

    def place(name: str, dtype: str, shape: list[int], length_bytes: int) -> None:
        nonlocal end
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + length_bytes]}
        end += length_bytes

    with path.open("w+b") as file:
        file.seek(HEADER_BYTES)
        for name, tensor in tensors:
            if missing := -end % ALIGNMENT_BYTES:
                place(f"{PADDING}{len(header)}", "U8", [missing], missing)
                file.write(bytes(missing))
            data = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
            place(name, DTYPE_NAMES[tensor.dtype], list(tensor.shape), data.nbytes)
            file.write(data.data)
        text = json.dumps(header).encode()
        assert len(text) <= HEADER_BYTES - 8
        file.seek(0)
        file.write((HEADER_BYTES - 8).to_bytes(8, "little") + text.ljust(HEADER_BYTES - 8))
        file.flush()
        file.seek(0)
        return HEADER_BYTES + end, hashlib.file_digest(file, "sha256").hexdigest()
