"""What our kernels need to run: their machine code, and the threads that it runs on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .machine_code import MachineCode, load
from .processor import Processor
from .team import Team, team


@dataclass(frozen=True, slots=True)
class Native:
    code: MachineCode
    team: Team
    processor: Processor

    @classmethod
    def here(
        cls, folder: Path, note: Callable[[str], None], sound: Callable[["Native"], bool]
    ) -> "Native | None":
        """None where something is `missing`, or the code was not `sound`. `folder` keeps it; `note`
        is told when it has to be compiled first, which takes some seconds."""
        processor, threads = Processor.here(), team()
        if threads is None or missing(processor):
            return None
        if processor not in _loaded:
            code = load(folder, note, processor, lambda code: sound(cls(code, threads, processor)))
            _loaded[processor] = None if code is None else cls(code, threads, processor)
        return _loaded[processor]


def missing(processor: Processor | None = None) -> str:
    """Why this machine cannot have our kernels; empty if it can."""
    if not (processor or Processor.here()).has("avx2", "fma"):
        return "needs an x86 processor with AVX2 and FMA"
    return "" if team() is not None else "needs a torch whose threads are GNU OpenMP's"


_loaded: dict[Processor, Native | None] = {}  # one serves all models of a process
