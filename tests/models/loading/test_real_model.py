"""The real default model in float32 says, token for token, what transformers says."""

import pytest
import torch

from keyturn.cache.sequence import CachedSequence
from keyturn.daemon.bench._peers.decoding import Transformers
from keyturn.models.hub.download import ModelFiles
from keyturn.models.loading.loader import load
from keyturn.models.prompts.fim import Order, PromptBuilder, PromptOptions
from support.corpus import infilling

PROMPTS, NEW_TOKENS = 20, 16


@pytest.mark.slow
@pytest.mark.timeout(1200)
@torch.inference_mode()
def test_greedy_output_equals_transformers_on_twenty_prompts(real_model: ModelFiles) -> None:
    loaded = load(real_model.name, dtype="float32")
    theirs = Transformers(loaded, "float32").model
    builder = PromptBuilder(loaded.tokenizer)
    problems = infilling("SingleLineInfilling")[:: 1033 // PROMPTS][:PROMPTS]
    for number, problem in enumerate(problems):
        order = list(Order)[number % len(Order)]
        options = PromptOptions(1024, order=order)
        tokens = list(builder.build(problem["prompt"], problem["suffix"], options).tokens)
        expected = theirs.generate(
            torch.tensor([tokens]),
            attention_mask=torch.ones(1, len(tokens), dtype=torch.long),
            max_new_tokens=NEW_TOKENS,
            min_new_tokens=NEW_TOKENS,
            eos_token_id=None,
            do_sample=False,
            pad_token_id=0,
        )[0, len(tokens) :]
        assert greedy(loaded.model, tokens) == expected.tolist(), problem["task_id"]


def greedy(model, tokens: list[int]) -> list[int]:
    sequence = CachedSequence(model.new_arena())
    new: list[int] = []
    while len(new) < NEW_TOKENS:
        given = [new[-1]] if new else tokens
        hidden = model.run(model.embed(torch.tensor(given)), sequence.append(given), sequence.arena)
        new.append(int(model.logits(hidden[-1:]).argmax()))
    return new
