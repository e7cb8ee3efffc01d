"""The real model through edits, at length: refreshed, the cache is that of a fresh prefill."""

from itertools import islice
from pathlib import Path
from random import Random

import pytest
import torch
from torch.testing import assert_close

from keyturn.cache.sequence import CachedSequence
from keyturn.cache.tokens import TokenisedText
from keyturn.daemon.completion.file_session import FileSession
from keyturn.models.hub.download import ModelFiles
from keyturn.models.loading.loader import Loaded, load
from keyturn.models.nn.reencode import encode
from keyturn.models.prompts.fim import Order, PromptBuilder, PromptOptions
from support.random_edits import random_edit

from ..bench.edit_quality import cases

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
ROOT = Path(__file__).parents[2] / "daemon"


@pytest.fixture(scope="module")
def loaded(real_model: ModelFiles) -> Loaded:
    """In float32: with int8 activations, cutting a prefill differently moves logits by more."""
    return load(real_model.name, "cpu", "float32")


@pytest.mark.parametrize("order", [Order.PSM, Order.SUFFIX_FIRST])
def test_a_refreshed_cache_predicts_what_a_fresh_prefill_predicts(
    loaded: Loaded, order: Order
) -> None:
    options = PromptOptions(budget_tokens=2048, order=order, heal=False)
    for case in islice(cases([ROOT], seed=4, most_lines=40), 2):
        sequence = CachedSequence(loaded.model.new_arena(0))
        file = FileSession(
            loaded.model, loaded.tokenizer, PromptBuilder(loaded.tokenizer), sequence
        )
        file.show(case.before)
        file.fill(file.plan(case.old_cursor, options))
        file.show(case.after)
        file.fill(file.plan(case.cursor, options))
        while file.refresh(64):
            pass
        planned = file.plan(case.cursor, options)
        ours = file.fill(planned)
        assert file.staleness().share == 0
        fresh = CachedSequence(loaded.model.new_arena(0))
        with torch.inference_mode():
            hidden = encode(loaded.model, fresh, fresh.append(planned.prompt.tokens))
            theirs = loaded.model.logits(hidden[-1:])[0]
        assert_close(ours, theirs, atol=1e-2, rtol=1e-2)


def test_the_real_tokenizer_agrees_with_itself_over_random_edits(loaded: Loaded) -> None:
    random, plain = Random(11), (ROOT / "config.py").read_text()[:3000]
    text = TokenisedText(loaded.tokenizer, plain)
    for _ in range(3000):
        start, stop, new = random_edit(random, plain)
        plain = plain[:start] + new + plain[stop:]
        text.edit(start, stop, new)
        assert list(text.ids) == loaded.tokenizer.encode(plain)
        if len(plain) > 5000:
            text.edit(2000, len(plain) - 1000, "")
            plain = plain[:2000] + plain[-1000:]
