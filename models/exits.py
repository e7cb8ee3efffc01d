"""The drafters of a loaded model that run its own first layers."""

import logging
from pathlib import Path

from .del_drafter import DelDrafter
from .draft import Drafter
from .errors import BadExits, UnsupportedModel
from .exit_block import ExitBlock
from .exit_drafter import ExitDrafter
from .exit_file import find_exits
from .exit_head import cut
from .exit_reader import RawReader
from .fim import choose
from .loader import Loaded

log = logging.getLogger(__name__)


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
        log.warning("decoding without a trained exit: %s", error)
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
