"""Every drafter of one model."""

from pathlib import Path

from .exits import exit_drafters
from .forced import Forced
from .loader import Loaded
from .lookup import Lookup
from .pace import CPU_SHAPE, GPU_SHAPE, Pace
from .recycle import Recycle
from .recycle_store import RecycleStore
from .speculator import Speculator


def speculator(loaded: Loaded, cache: Path | None = None) -> Speculator:
    """With all drafters that the loaded model can have. `cache` is the folder in which they keep
    what they learn; without one they start anew."""
    on_gpu = loaded.model.device.type == "cuda"
    store = (
        None
        if cache is None
        else RecycleStore(cache, loaded.files.sha256, loaded.config.vocabulary)
    )
    drafters = [Forced(), Lookup(), Recycle(store), *exit_drafters(loaded, cache)]
    return Speculator(drafters, Pace(GPU_SHAPE if on_gpu else CPU_SHAPE))
