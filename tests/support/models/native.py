"""Our kernels for processors, for this one and for others whose code it can run."""

from functools import cache

from keyturn.models.hub.cache_folder import cache_folder
from keyturn.models.nn.cpu.machine_code import load
from keyturn.models.nn.cpu.native import Native, missing
from keyturn.models.nn.cpu.processor import Processor
from keyturn.models.nn.cpu.team import team

KEPT = cache_folder() / "kernels"  # keyturn's own, before a test names another folder
OTHERS = {  # what is seldom asked for by a test, and runs on most that have AVX-512
    "haswell": ("avx2", "fma", "f16c", "bmi", "bmi2", "avx", "sse4.2", "popcnt"),
    "alderlake": ("avx2", "fma", "f16c", "bmi", "bmi2", "avx", "sse4.2", "popcnt", "avxvnni"),
}


def processors() -> list[str]:
    """Names for `native`: this one first. Empty where our kernels cannot be had."""
    here = Processor.here()
    if missing(here):
        return []
    narrow = here.registers < 32
    others = [name for name, features in OTHERS.items() if here.has(*features)]
    return ["here", *(name for name in others if not (narrow and name == "haswell"))]


@cache
def native(name: str = "here") -> Native:
    """Kept where keyturn keeps its own, so that they are compiled once on a machine."""
    processor = Processor.here()
    if name != "here":
        processor = Processor(name, frozenset(f"+{feature}" for feature in OTHERS[name]))
    threads = team()
    assert threads is not None
    code = load(KEPT, print, processor, lambda code: True)
    assert code is not None
    return Native(code, threads, processor)
