"""Work that is recorded once and then replayed on the same memory.

A CUDA graph launches a whole forward pass at the cost of one kernel, which is what a small model at
batch one waits for otherwise. What it reads and writes stays in one place, so whatever changes from
replay to replay must be in memory that the work reads.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

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
