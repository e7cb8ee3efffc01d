"""What somebody gets who asks for suggestions: one, and several to choose from."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from random import Random
from statistics import median

from ....api.report import CompletionMeta
from ....lsp.extent import wants_block
from ....lsp.options import Options
from ....models.loading.loader import Loaded
from ...completion.completer import Completer, CompleterOptions
from ...completion.file_session import FileSession
from ...completion.request import InfillRequest
from .._typing.strokes import Gaps, Pause
from .typed import IDLE_STEPS, IDLE_TOKENS, rest

SEVERAL = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """Texts for one pause, `left` to be written there, and what they took, in milliseconds."""

    texts: tuple[str, ...]
    left: str
    took_ms: float
    decode_ms: float

    @property
    def similarity(self) -> float:
        """Of the best of them to what is to be written in its place: 0 to 1."""
        return max((_similarity(text, self.left) for text in self.texts), default=0.0)

    @property
    def distinct(self) -> int:
        """How many differ in more than space."""
        return len({"".join(text.split()) for text in self.texts})


@dataclass(frozen=True, slots=True)
class Asked:
    """At one pause."""

    one: Answer
    several: Answer


class Asker:
    """Asks at one pause of each stretch of a file. Two completers that learn from the same
    requests, so that neither has seen the other's answers; in turns, which of them is first."""

    def __init__(self, loaded: Loaded, options: CompleterOptions) -> None:
        self._one = _Side(Completer(loaded, options), 1)
        self._several = _Side(Completer(loaded, options), SEVERAL)
        self._turn = False

    def asks(self, path: Path, name: str, stretches: int) -> Iterator[Asked]:
        """None where nothing is left to be written on the line."""
        draw = Random(f"{name} asked")
        gaps = Gaps(path.read_text(encoding="utf-8"), stretches, draw)
        for side in (self._one, self._several):
            side.session = side.completer.new_session()
        for stretch in range(len(gaps.typed)):
            pauses = [pause for pause in gaps.pauses(stretch) if pause.rest.strip()]
            if not pauses:
                continue
            pause, self._turn = draw.choice(pauses), not self._turn
            sides = [self._one, self._several][:: 1 if self._turn else -1]
            answers = {side.candidates: side.answer(pause, path) for side in sides}
            yield Asked(answers[1], answers[SEVERAL])


@dataclass
class _Side:
    completer: Completer
    candidates: int
    session: FileSession | None = None

    def answer(self, pause: Pause, path: Path) -> Answer:
        """With the file in the cache as it was before the keys of the last burst."""
        before = pause.before[: len(pause.before) - sum(map(len, pause.keys))]
        session = self.session
        assert session is not None
        self._complete(before, pause.after, path, 1, max_tokens=1)
        for _ in range(IDLE_STEPS):
            session.refresh(IDLE_TOKENS)
        began = time.perf_counter()
        texts, meta = self._complete(pause.before, pause.after, path, self.candidates)
        took_ms = (time.perf_counter() - began) * 1e3
        return Answer(tuple(texts), pause.left, took_ms, meta.decode_ms)

    def _complete(
        self, before: str, after: str, path: Path, candidates: int, max_tokens: int | None = None
    ) -> tuple[Sequence[str], CompletionMeta]:
        options = Options().completion(wants_block(before + after, len(before)), invoked=True)
        options = replace(options, candidates=candidates, deadline_ms=None)
        if max_tokens is not None:
            options = replace(options, max_tokens=max_tokens)
        request = InfillRequest(before, after, str(path), options)
        found = self.completer.complete(request, self.session)
        return [candidate.text for candidate in found.candidates], found.meta


def _similarity(text: str, left: str) -> float:
    said, wanted = (" ".join(part.split()) for part in (text, rest(text, left)))
    return SequenceMatcher(None, said, wanted, autojunk=False).ratio()


def best_of(asked: Sequence[Asked]) -> dict[str, float | int | None]:
    """What several candidates give over one, and what they cost: `k3_time` is the median of how
    many times as long they take, for the whole answer."""
    if not asked:
        return {"asked": 0, "k3_time": None}
    one, several = [each.one for each in asked], [each.several for each in asked]
    count = len(asked)
    return {
        "asked": count,
        "similarity": round(sum(each.similarity for each in one) / count, 3),
        "best_of_3": round(sum(each.similarity for each in several) / count, 3),
        "distinct": round(sum(each.distinct for each in several) / count, 2),
        "k3_time": _ratio([(e.several.took_ms, e.one.took_ms) for e in asked]),
        "k3_decoding": _ratio([(e.several.decode_ms, e.one.decode_ms) for e in asked]),
    }


def _ratio(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Median, of those where neither is nothing."""
    ratios = [many / one for many, one in pairs if many and one]
    return round(median(ratios), 2) if ratios else None
