"""A package index in a folder: real wheels that hold the parts of a small model file."""

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path

from keyturn.models.hub.registry import NamedModel, WheelParts

DATA = bytes(range(256)) * 1200  # 300 kB of model
PROJECT = "keyturn-test-part"


def named_model(data: bytes = DATA, parts: int = 2) -> NamedModel:
    return NamedModel(
        name="tiny",
        repository="nobody/tiny",
        filename="tiny.gguf",
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        licence="Apache-2.0",
        wheels=WheelParts(PROJECT, parts, "1.0"),
    )


def cut(data: bytes, parts: int) -> list[bytes]:
    size = -(-len(data) // parts)
    return [data[start : start + size] for start in range(0, len(data), size)]


def write_wheels(folder: Path, contents: Iterable[bytes], first: int = 1) -> None:
    """One wheel per part, whose package would fail if it were ever imported."""
    folder.mkdir(exist_ok=True)
    for number, content in enumerate(contents, first):
        package = f"{PROJECT}{number}".replace("-", "_")
        info = f"{package}-1.0.dist-info"
        path = folder / f"{package}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr(f"{package}/__init__.py", "raise SystemExit('imported')")
            wheel.writestr(f"{package}/data/part{number}.bin", content)
            wheel.writestr(
                f"{info}/METADATA",
                f"Metadata-Version: 2.1\nName: {PROJECT}{number}\nVersion: 1.0\n",
            )
            wheel.writestr(
                f"{info}/WHEEL",
                "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            wheel.writestr(f"{info}/RECORD", "")
