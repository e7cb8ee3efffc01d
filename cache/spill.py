"""Spilling: keys and values of files that gave way wait in the host's memory, or in a folder.

A folder holds two files for each: the tensors (safetensors) and an index (msgpack) with the
tokens, the segments and the checksum of the tensors, and its own. Whatever is wrong is a miss.
"""

import hashlib
import os
import zlib
from collections.abc import Hashable
from dataclasses import astuple, dataclass
from pathlib import Path

import msgpack
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from .segment import Segment
from .sequence import CachedSequence

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A sequence with its rows in order from 0 on; the tensors are (layers, heads, rows, dim)."""

    tokens: list[int]
    labels: list[int]
    segments: list[Segment]
    keys: Tensor
    values: Tensor

    @classmethod
    def of(cls, sequence: CachedSequence, device: str | torch.device) -> "Snapshot":
        sequence.compact()
        rows = len(sequence)
        arena = sequence.arena
        return cls(
            list(sequence.tokens),
            list(sequence.labels),
            list(sequence.segments),
            arena.keys[:, :, :rows].to(device, copy=True).contiguous(),
            arena.values[:, :, :rows].to(device, copy=True).contiguous(),
        )

    def put_into(self, sequence: CachedSequence) -> bool:
        """Fill an empty sequence of the same shape; False, and nothing done, if it is another."""
        assert not sequence.tokens, "a sequence that is in use"
        layers, heads, rows, size = self.keys.shape
        like = sequence.arena.keys
        if (layers, heads, size, self.keys.dtype) != (*like.shape[:2], like.shape[3], like.dtype):
            return False
        if sequence.most_rows is not None and rows > sequence.most_rows:
            return False
        sequence.arena.reserve(rows)
        sequence.arena.keys[:, :, :rows] = self.keys.to(like.device)
        sequence.arena.values[:, :, :rows] = self.values.to(like.device)
        sequence.tokens[:] = self.tokens
        sequence.labels[:] = self.labels
        sequence.segments[:] = self.segments
        return True


class HostSpill:
    """The host's memory, for caches that live on another device."""

    def __init__(self, most_bytes: int):
        self.most_bytes = most_bytes
        self._snapshots: dict[Hashable, Snapshot] = {}

    def store(self, key: Hashable, sequence: CachedSequence) -> None:
        snapshot = Snapshot.of(sequence, "cpu")
        self._snapshots.pop(key, None)
        self._snapshots[key] = snapshot
        while self._bytes() > self.most_bytes:
            del self._snapshots[next(iter(self._snapshots))]

    def restore(self, key: Hashable, sequence: CachedSequence) -> bool:
        snapshot = self._snapshots.pop(key, None)
        return snapshot is not None and snapshot.put_into(sequence)

    def forget(self, key: Hashable) -> None:
        self._snapshots.pop(key, None)

    def _bytes(self) -> int:
        return sum(s.keys.nbytes + s.values.nbytes for s in self._snapshots.values())


class DiskSpill:
    """A folder, for one model: `model` is part of every index, and another model's is a miss."""

    def __init__(self, folder: Path, model: str):
        self.folder = folder
        self.model = model

    def store(self, key: Hashable, sequence: CachedSequence) -> None:
        """A full disk or a folder that cannot be written loses the snapshot, and nothing else."""
        snapshot = Snapshot.of(sequence, "cpu")
        data = save({"keys": snapshot.keys, "values": snapshot.values})
        index = {
            "format": FORMAT,
            "model": self.model,
            "tokens": snapshot.tokens,
            "labels": snapshot.labels,
            "segments": [list(astuple(segment)) for segment in snapshot.segments],
            "checksum": zlib.crc32(data),
        }
        tensors, described = self._paths(key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            described.unlink(missing_ok=True)
            _write(tensors, data)
            body = bytes(msgpack.packb(index) or b"")
            _write(described, zlib.crc32(body).to_bytes(4) + body)
        except OSError:
            self.forget(key)

    def restore(self, key: Hashable, sequence: CachedSequence) -> bool:
        snapshot = self._read(key)
        self.forget(key)
        return snapshot is not None and snapshot.put_into(sequence)

    def forget(self, key: Hashable) -> None:
        for path in self._paths(key):
            try:
                path.unlink(missing_ok=True)
            except OSError:
                continue

    def _read(self, key: Hashable) -> Snapshot | None:
        tensors, described = self._paths(key)
        try:
            checksum, body = _halved(described.read_bytes())
            if zlib.crc32(body) != checksum:
                return None
            index = msgpack.unpackb(body)
            data = tensors.read_bytes()
            if index["format"] != FORMAT or index["model"] != self.model:
                return None
            if zlib.crc32(data) != index["checksum"]:
                return None
            stored = load(data)
            segments = [Segment(*fields) for fields in index["segments"]]
            snapshot = Snapshot(
                index["tokens"], index["labels"], segments, stored["keys"], stored["values"]
            )
        except (OSError, ValueError, KeyError, TypeError, SafetensorError, msgpack.UnpackException):
            return None
        return snapshot

    def _paths(self, key: Hashable) -> tuple[Path, Path]:
        name = hashlib.sha256(f"{self.model}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()
        return self.folder / f"{name}.safetensors", self.folder / f"{name}.msgpack"


def _halved(data: bytes) -> tuple[int, bytes]:
    return int.from_bytes(data[:4]), data[4:]


def _write(path: Path, data: bytes) -> None:
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_bytes(data)
    os.replace(partial, path)
