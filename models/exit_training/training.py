"""Training a model's exits from its own reading of code: collect, learn, judge, write.

Everything on the way is kept in one folder per model and plan, so that a run that was interrupted,
or one that is to be improved, goes on where the last one stopped.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from ...cache.rope import RotaryTable
from ..errors import TrainingFailed
from ..hub.cache_folder import cache_errors, require_space
from ..hub.progress import Progress
from ..loading.loader import Loaded
from ..nn.config import ModelConfig
from ..speculative.early_exit.file import ExitFile, ExitRecord, ExitShape, cached_path, write_exits
from ..speculative.early_exit.head import cut, floats, most_frequent
from .baselines import Baselines, baselines
from .corpus import Window, require_windows, windows
from .features import WINDOWS_PER_SHARD, FeaturePlan, FeatureStore, batches
from .learning import Head, Learning, Row
from .student import Student

COUNTED_TOKENS = 500_000  # of the corpus, to find the most frequent ones
READING_SHARE = 0.5  # of the time; the rest is for learning


@dataclass(frozen=True)
class TrainingPlan:
    """What to train. `exits`: numbers of layers after which an exit comes."""

    exits: tuple[int, ...]
    attended: int
    heads: int
    intermediate: int
    rows: int = 16_384  # of the head
    window_tokens: int = 384

    @classmethod
    def default(cls, config: ModelConfig, exits: Sequence[int] = ()) -> "TrainingPlan":
        """For a model's shape: an exit after a sixth of the layers, whose cache four fifths up it
        attends to with half of the heads."""
        return cls(
            exits=tuple(sorted(set(exits))) or (max(1, config.layers // 6),),
            attended=config.layers * 4 // 5,
            heads=config.kv_heads * max(1, config.heads // config.kv_heads // 2 + 1),
            intermediate=max(64, config.hidden // 7 * 8),
            rows=min(16_384, config.vocabulary),
        )

    def shapes(self, config: ModelConfig) -> tuple[ExitShape, ...]:
        """Raises `TrainingFailed` for an exit that the model cannot have."""
        for after in self.exits:
            if not 0 < after < config.layers:
                raise TrainingFailed(
                    f"there is no exit after layer {after}: the model has {config.layers} layers,"
                    f" so use 1 to {config.layers - 1}"
                )
        return tuple(
            ExitShape(
                after, self.attended, config.hidden, self.heads, config.kv_heads, config.head_dim,
                self.intermediate,
            )
            for after in self.exits
        )  # fmt: skip

    @property
    def key(self) -> str:
        """Names what can be gone on with."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class TrainingRequest:
    files: Sequence[Path]
    minutes: float
    command: str  # for the record
    corpus: str  # in words, for the record
    read: bool = True  # more code, and not only learn from what earlier runs have read


@dataclass(frozen=True)
class Trained:
    """One exit, and what it is worth on held-out code."""

    learning: Learning
    judged_tokens: int
    acceptance: tuple[float, ...]  # at each distance from 1 on
    without: Baselines


class Training:
    """One run. Owns the model's folder of features and checkpoints; `Loaded` is given."""

    def __init__(self, loaded: Loaded, plan: TrainingPlan, cache: Path, progress: Progress) -> None:
        self.loaded = loaded
        self.plan = plan
        self.shapes = plan.shapes(loaded.config)
        self.result = cached_path(cache, loaded.files.sha256)
        self.folder = cache / "exits" / f"{loaded.files.sha256[:16]}-training-{plan.key}"
        self.store = FeatureStore(self.folder, FeaturePlan(plan.exits, (plan.attended,)))
        self._progress = progress

    def run(self, request: TrainingRequest) -> ExitFile:
        """Read, learn, judge, and write the result. Raises `ModelError`; then, and when it is
        interrupted, the former result is untouched."""
        with memory_errors():
            with cache_errors(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
            began = time.monotonic()
            layers = ", ".join(str(shape.after) for shape in self.shapes)
            self._progress.note(
                f"training exits after layer {layers} for {request.minutes:g} minutes,"
                f" on {len(request.files)} files"
            )
            ids = self._ids(request.files)
            self._read(request, ids, began)
            rows, held_out = self._rows()
            left_s = max(1.0, request.minutes * 60 - (time.monotonic() - began))
            trained = [
                self._learn(shape, ids, rows, held_out, left_s / len(self.shapes))
                for shape in self.shapes
            ]
        exits = ExitFile(
            self.loaded.files.sha256,
            self.shapes,
            tuple(each.learning.student.weights() for each in trained),
            ids,
            ExitRecord(
                model=self.loaded.name,
                command=request.command,
                corpus=request.corpus,
                trained_tokens=sum(len(r["tokens"]) - int(r["first"]) - 1 for r in rows),
                seen_tokens=sum(each.learning.seen_tokens for each in trained),
                minutes=round((time.monotonic() - began) / 60, 2),
                held_out_tokens=trained[0].judged_tokens,
                acceptance=tuple(each.acceptance for each in trained),
                raw=tuple(each.without.raw for each in trained),
                mapped=tuple(each.without.mapped for each in trained),
            ),
        )
        write_exits(self.result, exits)
        return exits

    # region Collecting

    def _ids(self, files: Sequence[Path]) -> Tensor:
        """The tokens that exits can say, found once."""
        path = self.folder / "ids.pt"
        if path.exists():
            return torch.load(path, weights_only=True)
        tokenizer = self.loaded.tokenizer
        counts = torch.zeros(self.loaded.config.vocabulary, dtype=torch.long)
        bar = self._progress.count("counting tokens", COUNTED_TOKENS)
        with bar:
            for file in files:
                ids = tokenizer.encode(file.read_text(encoding="utf-8", errors="ignore"))
                counts += torch.bincount(torch.tensor(ids), minlength=len(counts))
                bar.to(min(COUNTED_TOKENS, int(counts.sum())))
                if bar.done >= COUNTED_TOKENS:
                    break
        ids = most_frequent(counts, self.plan.rows)
        with cache_errors(self.folder):
            unfinished = path.with_suffix(".partial")
            torch.save(ids, unfinished)
            unfinished.replace(path)
        return ids

    def _read(self, request: TrainingRequest, ids: Tensor, began: float) -> None:
        """Shards until the time for reading is over, or the corpus."""
        enough = self._least_windows() // WINDOWS_PER_SHARD
        if not request.read and len(self.store) >= enough:
            return
        found = windows(request.files, self.loaded.tokenizer, self.plan.window_tokens)
        ahead = list(islice(found, self._least_windows()))
        require_windows(len(ahead))
        model, store = self.loaded.model, self.store
        small = cut(model.head, ids.to(model.device))
        limit_s = request.minutes * 60 * READING_SHARE
        with self._progress.count("reading code", round(limit_s)) as bar:
            for index, batch in enumerate(batches(_chain(ahead, found), len(store)), len(store)):
                store.write(index, model, small, batch)
                if index == 0:
                    shard_bytes = store.path(0).stat().st_size
                    require_space(self.folder, 8 * shard_bytes, "what the exits learn from")
                done_s = time.monotonic() - began
                bar.to(min(round(limit_s), round(done_s)), f"{index + 1} shards")
                if done_s > limit_s and index + 1 >= enough:
                    break

    @staticmethod
    def _least_windows() -> int:
        return 4 * WINDOWS_PER_SHARD

    def _rows(self) -> tuple[list[Row], list[Row]]:
        """Windows to learn from, and those to judge by."""
        kept: list[Row] = []
        for index in range(len(self.store)):
            shard = self.store.load(index)
            count = len(shard["tokens"])
            kept += [{name: t[n] for name, t in shard.items()} for n in range(count)]
        held_out = [row for row in kept if row["held_out"]]
        return [row for row in kept if not row["held_out"]], held_out

    # endregion

    def _learn(
        self, shape: ExitShape, ids: Tensor, rows: list[Row], held_out: list[Row], seconds: float
    ) -> "Trained":
        model = self.loaded.model
        torch.manual_seed(0)
        # a table of its own: what the model's holds was made in inference mode
        table = RotaryTable(model.config.rope, model.device)
        student = Student(shape, table, model.scale).to(model.device)
        norm, weight = floats(model.head, ids.to(model.device))
        head = Head(norm, weight.to(model.device), ids.to(model.device))
        learning = Learning(student, head, self.folder / f"exit-{shape.after}.pt")
        if not learning.resume():
            learning.solve_entrance(rows)
        with self._progress.count(f"exit after layer {shape.after}", round(seconds)) as bar:
            learning.learn(rows, seconds, lambda s, loss: bar.to(round(s), f"loss {loss:.3f}"))
        tokens, acceptance = learning.judge(held_out)
        self._progress.note(
            f"exit after layer {shape.after}: of {tokens} held-out tokens "
            + ", ".join(f"{share:.1%} at distance {n}" for n, share in enumerate(acceptance, 1))
            + " are what the model says"
        )
        without = baselines(shape.after, rows, held_out, head)
        self._progress.note(
            f"exit after layer {shape.after} without its block: {without.raw:.1%} by the layer as"
            f" it is, {without.mapped:.1%} by a linear map"
        )
        return Trained(learning, tokens, acceptance, without)


def _chain(first: list[Window], rest: Iterator[Window]) -> Iterator[Window]:
    yield from first
    yield from rest


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn running out of memory into a `TrainingFailed` that says what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "memory" in text:
            raise TrainingFailed(
                "training exits ran out of memory; what was there before is as it was:"
                " close other programs, or use --device cpu"
            ) from error
        raise
