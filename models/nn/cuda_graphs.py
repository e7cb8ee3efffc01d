"""CUDA graphs of forward passes over a few tokens, which cost little per launch: decoding,
verifying a draft, the tokens of an edit, the end of a refresh.

The number of tokens is rounded up to a bucket. For each bucket there is one attention whose tables
stay in place, and for each bucket and range of layers one recording with its own input. Results are
copied out, so a caller may keep them.

`Recording` is work that is recorded once and then replayed on the same memory.

A CUDA graph launches a whole forward pass at the cost of one kernel, which is what a small model at
batch one waits for otherwise. What it reads and writes stays in one place, so whatever changes from
replay to replay must be in memory that the work reads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ...cache.pool import Arena
from ...cache.segment import Part, Segment, Step
from .segment_attention import StepAttention
from .transformer import Transformer

WARM_UP = 2  # runs before recording: kernels are compiled and workspaces allocated in them


class Recording(Protocol):
    output: Tensor

    def replay(self) -> None:
        """Do the work again; `output` then holds its result."""
        ...


class Recorder(Protocol):
    def record(self, work: Callable[[], Tensor]) -> Recording:
        """`work` must do the same each time that it is called: it is run a few times now."""
        ...


class Rerun:
    """The readable one: replaying is doing it again. For devices without graphs, and for tests."""

    def __init__(self, work: Callable[[], Tensor]):
        self.work = work
        with torch.inference_mode(False):
            self.output = work().clone()

    def replay(self) -> None:
        self.output.copy_(self.work())


class Reruns:
    def record(self, work: Callable[[], Tensor]) -> Rerun:
        return Rerun(work)


class Graph:
    def __init__(self, graph: torch.cuda.CUDAGraph, output: Tensor):
        self.graph = graph
        self.output = output

    def replay(self) -> None:
        self.graph.replay()


class Graphs:
    """CUDA graphs that share one pool of memory, because only one runs at a time and results are
    copied out before the next one."""

    def __init__(self) -> None:
        self.pool = torch.cuda.graph_pool_handle()

    def record(self, work: Callable[[], Tensor]) -> Graph:
        ours = torch.cuda.current_stream()
        aside = torch.cuda.Stream()
        aside.wait_stream(ours)
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                work()
        ours.wait_stream(aside)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            output = work()
        return Graph(graph, output)


BUCKETS = (1, 2, 4, 8, 16, 32)  # tokens
MOST_RECORDINGS = 64  # ranges of layers differ where drafters exit early


class BucketAttention(StepAttention, Protocol):
    """An attention for up to a bucket's number of tokens, in memory that stays."""

    segments: int  # as many as it has room for

    def show(self, step: Step, arena: Arena) -> StepAttention:
        """Mean this step from now on."""
        ...


@dataclass(frozen=True)
class Stage:
    """One recording and the memory that it reads."""

    input: Tensor
    recording: Recording

    def __call__(self, x: Tensor) -> Tensor:
        """The result for `x` (tokens, features), of at most as many tokens as the input has."""
        self.input[: len(x)].copy_(x)
        self.recording.replay()
        return self.recording.output[: len(x)].clone()


class FewTokens:
    """`transformer.Shortcut` for one model."""

    def __init__(
        self,
        model: Transformer,
        attention: Callable[[int], BucketAttention],
        recorder: Recorder,
        buckets: tuple[int, ...] = BUCKETS,
    ):
        """`attention` makes one for a bucket."""
        self.model = model
        self.recorder = recorder
        self.buckets = buckets
        self._attentions = {bucket: attention(bucket) for bucket in buckets}
        self.stages: dict[tuple[int, int, int], Stage] = {}  # (bucket, first layer, last layer)
        self._heads: dict[int, Stage] = {}

    def takes(self, step: Step) -> bool:
        bucket = self.bucket(len(step))
        return bucket is not None and len(step.visible) <= self._attentions[bucket].segments

    def run(self, hidden: Tensor, step: Step, arena: Arena, layers: range) -> Tensor:
        bucket = self.bucket(len(hidden))
        assert bucket is not None, len(hidden)
        assert len(hidden) == len(step), (len(hidden), len(step))
        attention = self._attentions[bucket]
        attention.show(step, arena)
        key = (bucket, layers.start, layers.stop)
        if key not in self.stages:
            while len(self.stages) >= MOST_RECORDINGS:
                del self.stages[next(iter(self.stages))]
            self.stages[key] = self._record(
                bucket, lambda x: self.model.through(x, attention, layers)
            )
        return self.stages[key](hidden)

    def attention(self, step: Step, arena: Arena) -> StepAttention | None:
        return None

    def logits(self, hidden: Tensor) -> Tensor | None:
        bucket = self.bucket(len(hidden))
        if bucket is None:
            return None
        if bucket not in self._heads:
            self._heads[bucket] = self._record(bucket, self.model.head_of)
        return self._heads[bucket](hidden)

    def prepare(self, cancelled: Callable[[], bool]) -> bool:
        """Record every bucket's pass through all layers; one between two looks at `cancelled`."""
        layers = range(self.model.config.layers)
        for bucket in self.buckets:
            if (bucket, layers.start, layers.stop) in self.stages and bucket in self._heads:
                continue
            if cancelled():
                return False
            arena = self.model.new_arena(bucket)
            step = Step((Part(range(bucket), 0),), (Segment(0, bucket, 0),))
            with torch.inference_mode():
                hidden = self.model.embed(self.model.ids([0] * bucket))
                self.logits(self.run(hidden, step, arena, layers))
        return True

    def bucket(self, tokens: int) -> int | None:
        """The smallest that holds so many tokens; None if there is none."""
        return next((bucket for bucket in self.buckets if tokens <= bucket), None)

    def _record(self, bucket: int, work: Callable[[Tensor], Tensor]) -> Stage:
        model = self.model
        with torch.inference_mode(False):
            x = torch.zeros(bucket, model.config.hidden, dtype=model.dtype, device=model.device)
        with torch.inference_mode():
            return Stage(x, self.recorder.record(lambda: work(x)))
