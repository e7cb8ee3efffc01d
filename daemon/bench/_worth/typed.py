"""Suggestions at the pauses of a typist, and which of their lines are right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from ....api.confidence import Confidence
from ....lsp.extent import wants_block
from ....lsp.options import Options
from ....models.confidence.estimator import Estimates
from ....models.confidence.evidence import Said, Step, steps
from ....models.loading.loader import Loaded
from ...completion.completer import Completer, CompleterOptions
from ...completion.file_session import FileSession
from ...completion.request import InfillRequest
from ...project.reading.syntax import GRAMMARS, Stopwatch, parse
from ...workspace.language import language_of
from .._typing.strokes import Gaps, Pause

PARSING_SECONDS = 10.0  # of a file
IDLE_STEPS, IDLE_TOKENS = 4, 64  # of refreshing, while somebody looks at a suggestion


@dataclass(frozen=True, slots=True)
class Suggested:
    """What one pause brought; `text` is empty where nothing was suggested."""

    file: str
    language: str
    pause: int
    text: str
    left: str  # what belongs there: the rest of what is typed
    confidence: Confidence | None
    steps: tuple[Step, ...]
    parses: bool | None = None  # the file with it, where it has several lines and the file parsed

    def right_lines(self) -> int:
        """How many of its lines are right, with all before them."""
        said, wanted = _lines(self.text), _lines(self.left)
        pairs = zip(said, wanted, strict=False)
        return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(said), len(wanted)))

    def is_right(self) -> bool:
        """Whether its first line is that is not blank."""
        first = next((n for n, line in enumerate(_lines(self.text)) if line), None)
        return first is not None and self.right_lines() > first

    def judged(self) -> Iterator[tuple[Step, bool]]:
        """Each step that can be judged, since all before it is right: whether its line is."""
        right, text = self.right_lines(), self.text
        for step in self.steps:
            before = text[: step.start]
            if not before.strip() or self.left.startswith(before):
                yield step, text.count("\n", 0, step.start) < right


class Recorder:
    """An estimator that remembers the evidence for the last suggestion."""

    def __init__(self, estimator: Estimates) -> None:
        self._estimator = estimator
        self.last: tuple[Step, ...] = ()

    def confidence(self, text: str, said: Sequence[Said]) -> Confidence | None:
        self.last = tuple(steps(text, said))
        return self._estimator.confidence(text, said)


class Typist:
    """Types stretches of files again, and looks at what an editor would be given."""

    def __init__(self, loaded: Loaded, options: CompleterOptions) -> None:
        self._completer = Completer(loaded, options)
        self._recorder = Recorder(self._completer.estimator)
        self._completer.estimator = self._recorder

    def types(self, path: Path, name: str, stretches: int) -> Iterator[Suggested]:
        """Every pause; none in a file that is too short."""
        gaps = Gaps(path.read_text(encoding="utf-8"), stretches, Random(name))
        session, number = self._completer.new_session(), 0
        for stretch in range(len(gaps.typed)):
            for pause in gaps.pauses(stretch):
                yield self._look(pause, session, path, name, number)
                number += 1

    def _look(
        self, pause: Pause, session: FileSession, path: Path, name: str, number: int
    ) -> Suggested:
        text = pause.before + pause.after
        block = wants_block(text, len(pause.before))
        options = replace(Options().completion(block, invoked=False), line_ms=None)
        request = InfillRequest(pause.before, pause.after, str(path), options)
        self._recorder.last = ()
        found = self._completer.complete(request, session)
        best = found.candidates[0] if found.candidates else None
        for _ in range(IDLE_STEPS):
            session.refresh(IDLE_TOKENS)
        return Suggested(
            file=name,
            language=language_of(path.name).id,
            pause=number,
            text=best.text if best else "",
            left=pause.left,
            confidence=best.confidence if best else None,
            steps=self._recorder.last if best else (),
            parses=_parses(pause, best.text, path) if best else None,
        )


def _parses(pause: Pause, text: str, path: Path) -> bool | None:
    language = language_of(path.name).id
    several_lines = "\n" in text.strip("\n")
    if several_lines and _is_whole(language, pause.before + pause.left + pause.after):
        return _is_whole(language, pause.before + text + pause.after)
    return None


def _is_whole(language: str, text: str) -> bool:
    watch = Stopwatch(lambda: None, PARSING_SECONDS)
    return language in GRAMMARS and not parse(language, text.encode(), watch).has_error


def rest(text: str, left: str) -> str:
    """What is to be written where `text` is suggested: as many lines of `left`."""
    count = text.strip("\n").count("\n") + 1
    return "\n".join(left.lstrip("\n").split("\n")[:count])


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.split("\n")]
