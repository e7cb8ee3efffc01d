"""Every drafter of one model."""

import logging
from pathlib import Path

from ..errors import BadExits, UnsupportedModel
from ..loading.loader import Loaded
from ..prompts.fim import choose
from .draft import Drafter
from .early_exit.block import ExitBlock
from .early_exit.del_drafter import DelDrafter
from .early_exit.drafter import ExitDrafter
from .early_exit.file import find_exits
from .early_exit.head import cut
from .early_exit.reader import RawReader
from .forced import Forced
from .pass_cost import CPU_SHAPE, GPU_SHAPE, Pace
from .prompt_lookup import Lookup
from .recycling_store import RecycleStore
from .speculator import Speculator
from .token_recycling import Recycle

logger = logging.getLogger(__name__)


def exit_drafters(loaded: Loaded, cache: Path | None) -> list[Drafter]:
    """DEL as published, and the model's trained exit if it has one.

    `cache`: where it may have been trained; without one only a shipped one is looked for. A file
    of exits that cannot be used is told to the log: it makes completions slower, not wrong.
    """
    ends = _ends(loaded)
    model = loaded.model
    layers = range(1, loaded.config.layers)
    drafters: list[Drafter] = []
    if layers:
        drafters.append(DelDrafter(model, layers, RawReader(model.head), ends=ends))
    try:
        found = find_exits(cache, loaded.files.sha256, loaded.config)
    except BadExits as error:
        logger.warning("decoding without a trained exit: %s", error)
        return drafters
    if found is not None:
        best = found.best()
        block = ExitBlock(found.shapes[best], found.weights[best], loaded.plan, model)
        ids = found.ids.to(model.device)
        head = cut(model.head, ids)
        drafters.append(ExitDrafter(model, block, head, ids, ends, right=found.right()))
    return drafters


def _ends(loaded: Loaded) -> frozenset[int]:
    """Tokens that end a completion."""
    try:
        texts = choose(loaded.tokenizer).specials
    except UnsupportedModel:
        texts = ()
    special = (loaded.tokenizer.special(text) for text in texts)
    return frozenset(token for token in special if token is not None)


def speculator(loaded: Loaded, cache: Path | None = None, remembers: bool = True) -> Speculator:
    """With all drafters that the loaded model can have. `cache` is the folder in which they keep
    what they learn, if it `remembers`; without one they start anew."""
    on_gpu = loaded.model.device.type == "cuda"
    store = (
        None
        if cache is None or not remembers
        else RecycleStore(cache, loaded.files.sha256, loaded.config.vocabulary)
    )
    drafters = [Forced(), Lookup(), Recycle(store), *exit_drafters(loaded, cache)]
    return Speculator(drafters, Pace(GPU_SHAPE if on_gpu else CPU_SHAPE))
