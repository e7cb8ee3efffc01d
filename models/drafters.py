"""Every drafter of one model."""

from .loader import Loaded
from .lookup import Lookup
from .pace import CPU_SHAPE, GPU_SHAPE, Pace
from .recycle import Recycle
from .speculator import Speculator


def speculator(loaded: Loaded) -> Speculator:
    """With all drafters that the loaded model can have."""
    on_gpu = loaded.model.device.type == "cuda"
    return Speculator([Lookup(), Recycle()], Pace(GPU_SHAPE if on_gpu else CPU_SHAPE))
