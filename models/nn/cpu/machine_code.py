"""Our kernels as machine code: compiled once for a processor, and kept in the cache folder.

numba makes LLVM's code of the kernels, LLVM makes machine code of that. What is kept is named by
all that it depends on and carries its own checksum; from then on only LLVM's loader is needed. Code
that was found to be wrong is kept as no code at all.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path

import llvmlite.binding as llvm

from .processor import Processor

PACKAGES = ("numba", "llvmlite")
SOURCES = ("keyturn.models.nn.cpu", "keyturn.models.nn.cpu.kernels")
DIGEST = 32  # bytes before the code


class MachineCode:
    """Loaded code: good as long as this object. `address(kernel)` is 0 for one that it has not.
    `name` is another for any other code."""

    def __init__(self, name: str, code: bytes, processor: Processor):
        self.name = name
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), processor.target())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self.address: Callable[[str], int] = cache(self._engine.get_function_address)


def load(
    folder: Path,
    note: Callable[[str], None],
    processor: Processor,
    sound: Callable[[MachineCode], bool],
) -> MachineCode | None:
    """The code for a processor from `folder`, or compiled now, and kept there if it can be. None
    where it was not found `sound` when it was made."""
    name = _name(processor)
    path = folder / f"{name}.o"
    code = _read(path)
    if code is None:
        from .compiling import compiled  # numba takes long to import, and is done with then

        note("compiling kernels for this processor, once")
        code = compiled(processor)
        if not sound(MachineCode(name, code, processor)):
            note("the kernels that were compiled are wrong on this processor: doing without them")
            code = b""
        _write(path, code)
    return MachineCode(name, code, processor) if code else None


def _name(processor: Processor) -> str:
    """Of all that the code depends on."""
    return hashlib.sha256("\0".join(_depends_on(processor)).encode()).hexdigest()[:DIGEST]


def _depends_on(processor: Processor) -> Iterator[str]:
    yield from (processor.name, *sorted(processor.features))
    yield from (f"{package} {version(package)}" for package in PACKAGES)
    for package in SOURCES:
        files = resources.files(package).iterdir()
        for file in sorted(files, key=lambda file: file.name):
            if file.name.endswith(".py"):
                yield file.read_text(encoding="utf-8")


def _read(path: Path) -> bytes | None:
    try:
        found = path.read_bytes()
    except OSError:
        return None
    digest, code = found[:DIGEST], found[DIGEST:]
    return code if hashlib.sha256(code).digest() == digest else None


def _write(path: Path, code: bytes) -> None:
    """Kept if it can be, and nothing of it if it cannot."""
    partial = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.write_bytes(hashlib.sha256(code).digest() + code)
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
