"""One large file in parts small enough to carry, and back: for machines that no hub can reach.

<file>.part-01-of-09 … and <file>.parcels.json, which has the whole's size and SHA-256
"""

import hashlib
import json
import re
import shutil
from pathlib import Path

from ..errors import ModelError
from .cache_folder import cache_errors, require_space
from .checksums import Checksums
from .download import ModelFiles, files_folder
from .progress import Progress
from .registry import MODELS

BLOCK_BYTES = 1 << 20
MANIFEST = ".parcels.json"


def split(source: Path, folder: Path, most_bytes: int, progress: Progress) -> list[Path]:
    """Write `source` into `folder` in pieces of `most_bytes` at the most; all paths written."""
    assert most_bytes > 0, most_bytes
    size = source.stat().st_size
    count = max(1, -(-size // most_bytes))
    whole, written = hashlib.sha256(), []
    with cache_errors(folder), source.open("rb") as file:
        folder.mkdir(parents=True, exist_ok=True)
        require_space(folder, size, source.name)
        with progress.transfer(f"splitting {source.name}", size) as transfer:
            for number in range(1, count + 1):
                piece = folder / f"{source.name}.part-{number:02}-of-{count:02}"
                written.append(piece)
                left = most_bytes
                with piece.open("wb") as target:
                    while left and (block := file.read(min(BLOCK_BYTES, left))):
                        target.write(block)
                        whole.update(block)
                        left -= len(block)
                        transfer.advance(len(block))
        manifest = folder / (source.name + MANIFEST)
        facts = {"file": source.name, "bytes": size, "sha256": whole.hexdigest()}
        manifest.write_text(json.dumps(facts | {"pieces": [p.name for p in written]}, indent=1))
    return [*written, manifest]


def join(folder: Path, cache: Path, progress: Progress) -> ModelFiles:
    """Put the pieces in `folder` together: in the cache if it is a model known by name, which can
    then be used by it, else in `folder`. Raises `ModelError` for what is missing or damaged."""
    facts = _manifest(folder)
    name, sha256 = facts["file"], facts["sha256"]
    known = next((model for model in MODELS if model.sha256 == sha256), None)
    target = files_folder(known, cache) / known.filename if known else folder / name
    pieces = [folder / piece for piece in facts["pieces"]]
    if missing := [piece.name for piece in pieces if not piece.is_file()]:
        raise ModelError(f"{folder} lacks {', '.join(missing)}: bring them too")
    unfinished = target.with_name(target.name + ".joining")
    with cache_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        require_space(target.parent, facts["bytes"], name)
        with (
            progress.transfer(f"joining {name}", facts["bytes"]) as transfer,
            unfinished.open("wb") as file,
        ):
            for piece in pieces:
                with piece.open("rb") as source:
                    shutil.copyfileobj(source, file, BLOCK_BYTES)
                transfer.advance(piece.stat().st_size)
    if Checksums.digest(unfinished) != sha256:
        unfinished.unlink()
        raise ModelError(
            f"the pieces in {folder} do not make {name}: one is damaged, bring it again"
        )
    unfinished.replace(target)
    Checksums(cache).remember(target, sha256)
    return ModelFiles(known.name if known else str(target), target, sha256)


def _manifest(folder: Path) -> dict:
    found = sorted(folder.glob("*" + MANIFEST))
    if len(found) != 1:
        raise ModelError(f"{folder} has {len(found)} files *{MANIFEST}, and needs one: "
                         "what `keyturn model split` writes belongs together")  # fmt: skip
    try:
        facts = json.loads(found[0].read_text(encoding="utf-8"))
        names = [facts["file"], *facts["pieces"]]
        plain = all(isinstance(n, str) and Path(n).name == n for n in names)
        if (
            plain
            and isinstance(facts["bytes"], int)
            and re.fullmatch("[0-9a-f]{64}", facts["sha256"])
        ):
            return facts
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise ModelError(f"{found[0]} is not what `keyturn model split` writes: split the model again")
