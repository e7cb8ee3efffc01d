"""How suggestions were received on this machine, and what that says of the confidence in new ones.

Of each suggestion, two things are kept: how likely its first line was thought to be right, and
whether it was what came to be written. A correction of the estimate is fitted to the newest of them
(Platt scaling: a slope and a shift of the logarithm of the odds, held near one and zero). No text
is kept, and nothing leaves the machine. The file may be removed at any time: then all is forgotten.
"""

import errno
import logging
import os
import stat
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...api.confidence import Correction, log_odds, probability
from ...api.report import Completion
from ...cache.errors import KeyturnError
from ...lsp.backend import Feedback

logger = logging.getLogger(__name__)

MOST_KEPT = 1_000
MOST_BYTES = 100_000  # of the file that are read: its newest lines
PRIOR = 20.0  # how strongly the shift is held near none: in suggestions, roughly
SLOPE_PRIOR = 80.0  # and the slope, which counts as much as four shifts at usual odds
MOST_SCORE = 4.0  # of one outcome: a line that nobody had expected is not the measure of all
STEPS = 8  # of Newton's method
SLOPES, SHIFTS = (0.5, 2.0), (-1.5, 1.5)


@dataclass(frozen=True, slots=True)
class Received:
    """One suggestion."""

    likely: float  # that its first line is right, as it was estimated
    right: bool


class NotForgotten(KeyturnError):
    """What was learnt could not be removed."""


def forget(path: Path) -> None:
    """Remove what was learnt. A daemon that is running notices. Raises `NotForgotten`."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise NotForgotten(f"{path} cannot be removed: {error.strerror}") from error


class Calibration:
    """Owned by one thread. Nothing is kept beyond the process without a path, or where it is not to
    be kept."""

    def __init__(self, path: Path | None = None, keep: bool = True) -> None:
        self._file = path
        self._path = path if keep else None
        self._begin()

    def keep(self, wanted: bool) -> None:
        """Whether what is learnt is to outlive this process, from now on. If not, what earlier ones
        learnt does not count either."""
        path = self._file if wanted else None
        if path != self._path:
            self._path = path
            self._begin()

    def _begin(self) -> None:
        try:
            found = _read(self._path)
        except OSError as error:
            logger.warning(
                "what suggestions became is not kept: %s: %s", self._path, error.strerror
            )
            self._path, found = None, _File()
        self._kept: deque[Received] = deque(found.received, MOST_KEPT)
        self._lines = found.lines  # in the file
        self._sound = found.is_sound
        self.correction = correction_for(self._kept)

    def judged(self, completions: Iterable[Completion]) -> tuple[Completion, ...]:
        """The same, with what is known by now of how far their confidence can be trusted."""
        self._notice_forgetting()
        return tuple(
            replace(each, confidence=replace(each.confidence, correction=self.correction))
            if each.confidence
            else each
            for each in completions
        )

    def saw(self, feedback: Feedback) -> None:
        """Learn from what became of a suggestion."""
        if feedback.likely is None or feedback.right is None:
            return
        self._notice_forgetting()
        self._kept.append(Received(feedback.likely, feedback.right))
        self.correction = correction_for(self._kept)
        self._write()

    def summary(self) -> dict[str, Any]:
        """Plain data. `tenth` and `half`: what was thought to be right in 10 % and in 50 % is
        expected to be now."""
        return {
            "suggestions": len(self._kept),
            "right": sum(each.right for each in self._kept),
            "expected": round(sum(each.likely for each in self._kept), 1),
            "tenth": round(self.correction.of(0.1), 3),
            "half": round(self.correction.of(0.5), 3),
            "slope": round(self.correction.slope, 3),
            "shift": round(self.correction.shift, 3),
        }

    def _notice_forgetting(self) -> None:
        """Whoever removes the file wants all of it forgotten."""
        if self._path is not None and self._lines and _is_gone(self._path):
            self._kept.clear()
            self._lines = 0
            self.correction = Correction()

    def _write(self) -> None:
        """Add the newest to the file, or write it anew where it has become too long."""
        if self._path is None:
            return
        anew = self._lines >= 2 * MOST_KEPT or not self._lines or not self._sound
        lines = self._kept if anew else [self._kept[-1]]
        text = "".join(f"{each.likely:.4f} {int(each.right)}\n" for each in lines)
        target = self._path.with_name(f"{self._path.name}.{os.getpid()}") if anew else self._path
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(target, "w" if anew else "a", opener=_private) as file:
                file.write(text)
            if anew:
                target.replace(self._path)
        except OSError as error:  # what is learnt then lasts as long as the process
            logger.warning("what suggestions became is not kept: %s: %s", target, error.strerror)
            return
        self._lines, self._sound = (len(lines) if anew else self._lines + 1), True


def correction_for(received: Iterable[Received]) -> Correction:
    """The likeliest one, given that it is probably small."""
    slope, shift = 1.0, 0.0
    most = MOST_SCORE
    pairs = [(_within(log_odds(each.likely), (-most, most)), each.right) for each in received]
    for _ in range(STEPS if pairs else 0):
        g_slope, g_shift = SLOPE_PRIOR * (slope - 1.0), PRIOR * shift
        h_slope, h_both, h_shift = SLOPE_PRIOR, 0.0, PRIOR
        for score, right in pairs:
            likely = probability(slope * score + shift)
            off, weight = likely - right, likely * (1.0 - likely)
            g_slope, g_shift = g_slope + off * score, g_shift + off
            h_slope += weight * score * score
            h_both += weight * score
            h_shift += weight
        size = h_slope * h_shift - h_both * h_both
        slope -= (h_shift * g_slope - h_both * g_shift) / size
        shift -= (h_slope * g_shift - h_both * g_slope) / size
        slope, shift = _within(slope, SLOPES), _within(shift, SHIFTS)
    return Correction(slope, shift)


def _within(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])


def _is_gone(path: Path) -> bool:
    """Removed, and not only out of reach."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _at_once(path: str, flags: int) -> int:
    """Also of a pipe that nobody writes to."""
    return os.open(path, flags | os.O_NONBLOCK)


@dataclass(frozen=True, slots=True)
class _File:
    """What a file says; damaged lines say nothing."""

    received: tuple[Received, ...] = ()
    lines: int = 0
    is_sound: bool = True  # it can be added to


def _read(path: Path | None) -> _File:
    """Raises `OSError` for what is no file, or cannot be read."""
    if path is None:
        return _File()
    if _is_gone(path):
        return _File()
    with open(path, "rb", opener=_at_once) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        start = max(0, found.st_size - MOST_BYTES)
        file.seek(start)
        data = file.read(MOST_BYTES)
    lines = data.decode("ascii", "replace").splitlines()
    received = tuple(each for line in lines if (each := _received(line)) is not None)
    return _File(received, len(lines), not start and data.endswith(b"\n"))


def _received(line: str) -> Received | None:
    likely, _, right = line.partition(" ")
    try:
        value = float(likely)
    except ValueError:
        return None
    return Received(value, right == "1") if 0 <= value <= 1 and right in ("0", "1") else None
