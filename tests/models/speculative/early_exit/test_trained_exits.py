"""Trained exits: what runs is what was trained, and what they draft never changes a token."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from keyturn.cache.rope import RotaryTable
from keyturn.cache.sequence import CachedSequence
from keyturn.models.exit_training.baselines import baselines
from keyturn.models.exit_training.corpus import held_out, source_files, windows
from keyturn.models.exit_training.features import FeaturePlan, features
from keyturn.models.exit_training.learning import Head
from keyturn.models.exit_training.student import Student
from keyturn.models.hub.registry import DEFAULT_MODEL, MODELS
from keyturn.models.nn.config import ModelConfig
from keyturn.models.nn.kernels import KernelPlan
from keyturn.models.nn.transformer import Transformer
from keyturn.models.speculative.draft import Context, Draft
from keyturn.models.speculative.early_exit.block import ExitBlock
from keyturn.models.speculative.early_exit.drafter import ExitDrafter
from keyturn.models.speculative.early_exit.file import ExitShape, find_exits
from keyturn.models.speculative.early_exit.head import cut, floats, most_frequent
from keyturn.models.speculative.early_exit.reader import LinearMap, mapped, normed
from keyturn.models.speculative.round import Room
from support.models.one_drafter import Only, complete
from support.models.tiny import VOCABULARY, forward, oracle, ours, random_tokens
from support.models.tiny_tokenizer import PAGE, tiny_tokenizer

FLOAT = KernelPlan.floating("float32")
INTEGER = KernelPlan("int7", "int8-fbgemm")


@pytest.fixture(scope="module")
def model() -> Transformer:
    return ours(oracle("qwen2"))


@pytest.fixture(scope="module")
def student(model: Transformer) -> Student:
    """An exit after one layer with weights that use all of its parts."""
    c = model.config
    shape = ExitShape(1, 2, c.hidden, 4, c.kv_heads, c.head_dim, 72)
    torch.manual_seed(2)
    made = Student(shape, RotaryTable(c.rope, model.device), model.scale)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.15)
    return made


def block(student: Student, model: Transformer, plan: KernelPlan = FLOAT) -> ExitBlock:
    return ExitBlock(student.shape, student.weights(), plan, model)


@torch.no_grad()
def trained_says(student: Student, model: Transformer, tokens: list[int], gap: int) -> Tensor:
    """(tokens, hidden) by the student, over what the model thinks of all tokens."""
    got = features(model, tokens, FeaturePlan((1,), (2,)))
    names = ("exit.1", "top", "keys.2", "values.2")
    return student(*(got[name].float()[None] for name in names), gap=gap)[0]


@torch.inference_mode()
def running_says(
    block: ExitBlock, model: Transformer, sequence: CachedSequence, tokens: list[int], gap: int
) -> Tensor:
    """(1, hidden) by the block for the last token, the last `gap` of them not verified."""
    known = len(tokens) - gap
    top = model.embed(torch.tensor(tokens[len(sequence) : known]))
    top = model.run(top, sequence.append(tokens[len(sequence) : known]), sequence.arena)[-1]
    room = Room(sequence, tokens[known:], 0)
    step = room.step(0, gap)
    hidden = model.run(model.embed(torch.tensor(tokens[known:])), step, sequence.arena, range(1))
    return block(hidden[-1:], top, len(tokens) - 1, known - 1, step, sequence.arena)


# region What runs is what was trained


@pytest.mark.parametrize("gap", [1, 2, 5, 9])
def test_a_running_block_says_what_the_student_says(
    gap: int, student: Student, model: Transformer
) -> None:
    tokens = random_tokens(40)
    trained = trained_says(student, model, tokens, gap)[-1]
    sequence = CachedSequence(model.new_arena())
    running = running_says(block(student, model), model, sequence, tokens, gap)[0]
    torch.testing.assert_close(running, trained, atol=2e-2, rtol=2e-2)  # features are float16


def test_a_block_sees_a_cache_of_several_moved_segments(
    student: Student, model: Transformer
) -> None:
    """The same cached tokens, as they lie after an edit and turned once into one run."""
    made, fed = block(student, model), random_tokens(3, seed=9)
    said = []
    for compact in (False, True):
        sequence = CachedSequence(model.new_arena())
        with torch.inference_mode():
            forward(model, sequence, random_tokens(40))
            sequence.drop(5, 9)
            assert len(sequence.segments) == 2
            if compact:
                sequence.compact()
        said.append(running_says(made, model, sequence, [*sequence.tokens, *fed], 2))
    torch.testing.assert_close(said[0], said[1], atol=1e-4, rtol=1e-4)


def test_integer_kernels_stay_near_the_floats(student: Student, model: Transformer) -> None:
    tokens = random_tokens(40)
    one, other = (
        running_says(
            block(student, model, plan), model, CachedSequence(model.new_arena()), tokens, 1
        )
        for plan in (FLOAT, INTEGER)
    )
    assert torch.nn.functional.cosine_similarity(one, other).item() > 0.99


@pytest.mark.parametrize("plan", [FLOAT, INTEGER], ids=str)
def test_a_cut_head_gives_the_same_logits_for_its_rows(plan: KernelPlan) -> None:
    model = ours(oracle("qwen2"), plan)
    ids = torch.tensor([0, 3, 4, 50, VOCABULARY - 1])
    hidden = torch.randn(6, model.config.hidden)
    small, norm_and_weight = cut(model.head, ids), floats(model.head, ids)
    torch.testing.assert_close(small(hidden), model.head(hidden)[:, ids])
    norm, weight = norm_and_weight
    assert norm is not None
    near = norm(hidden) @ weight.T
    assert torch.nn.functional.cosine_similarity(near, small(hidden)).min() > 0.99


def test_the_most_frequent_tokens_come_in_ascending_order() -> None:
    counts = torch.tensor([5, 0, 9, 1, 7])
    assert most_frequent(counts, 3).tolist() == [0, 2, 4]
    assert most_frequent(counts, 99).tolist() == [0, 1, 2, 3, 4]


def test_a_layer_is_judged_as_it_is_and_through_the_map_that_makes_it_the_last_one() -> None:
    torch.manual_seed(0)
    turned = torch.linalg.qr(torch.randn(8, 8)).Q
    head = Head(None, torch.randn(40, 8), torch.arange(100, 140))

    def row() -> dict[str, Tensor]:
        top = normed(torch.randn(60, 8))
        said = head.ids[F.linear(top, head.weight).argmax(dim=-1)]
        return {
            "tokens": torch.zeros(60), "first": torch.tensor(4), "said": said,
            "exit.3": top @ turned, "top": top,
        }  # fmt: skip

    found = baselines(3, [row() for _ in range(9)], [row() for _ in range(3)], head)
    assert found.mapped > 0.97
    assert found.raw < 0.3


def test_a_linear_map_is_the_least_squares_solution() -> None:
    torch.manual_seed(0)
    states, last = torch.randn(200, 12), torch.randn(200, 12)
    found = LinearMap(12)
    for part in range(0, 200, 50):
        found.add(states[part : part + 50], last[part : part + 50])
    x = torch.cat((normed(states), torch.ones(200, 1)), dim=1)
    expected = torch.linalg.lstsq(x.double(), normed(last).double()).solution
    torch.testing.assert_close(found.solve(ridge=1e-9).double(), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(mapped(found.solve(), states).shape, states.shape)


# endregion
# region Drafting


def drafter(student: Student, model: Transformer, rows: int, least_likely: float) -> ExitDrafter:
    ids = torch.arange(rows)
    return ExitDrafter(
        model, block(student, model), cut(model.head, ids), ids, least_likely=least_likely
    )


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 1000),
    length=st.integers(1, 40),
    count=st.integers(1, 30),
    rows=st.integers(1, VOCABULARY),
    least_likely=st.sampled_from([0.0, 0.05, 0.5]),
)
def test_the_tokens_are_those_of_plain_decoding(
    model: Transformer,
    student: Student,
    temperature: float,
    seed: int,
    length: int,
    count: int,
    rows: int,
    least_likely: float,
) -> None:
    prompt = random_tokens(length, seed)
    only = Only(drafter(student, model, rows, least_likely), model.config.layers)
    plain = complete(model, prompt, count, temperature=temperature)
    assert complete(model, prompt, count, only, temperature) == plain


class Recorder(Only):
    """Remembers what was drafted from which place."""

    def __init__(self, drafter: ExitDrafter, layers: int) -> None:
        super().__init__(drafter, layers)
        self.seen: list[tuple[list[int], Draft]] = []

    def draft(self, context: Context, budget: int) -> tuple[str, Draft]:
        name, draft = super().draft(context, budget)
        self.seen.append(([*context.prompt, *context.path], draft))
        return name, draft


def test_drafts_are_the_tokens_that_the_student_would_say(
    model: Transformer, student: Student
) -> None:
    """Drafted token by token, each one further from the verified token."""
    made = drafter(student, model, VOCABULARY, 0.0)
    recorder = Recorder(made, model.config.layers)
    complete(model, random_tokens(30), 12, recorder)
    norm, weight = floats(model.head, torch.arange(VOCABULARY))
    assert norm is not None
    compared = 0
    for before, draft in recorder.seen:
        for at, token in enumerate(draft.tokens):
            fed = [*before, *draft.tokens[:at]]
            logits = norm(trained_says(student, model, fed, gap=at + 1)[-1:])[0] @ weight.T
            top = logits.topk(2)
            if float(top.values[0] - top.values[1]) > 0.05:  # features are float16
                assert token == int(top.indices[0])
                compared += 1
    assert compared > 10


def test_nothing_is_drafted_right_after_a_prompt(model: Transformer, student: Student) -> None:
    recorder = Recorder(drafter(student, model, VOCABULARY, 0.0), model.config.layers)
    complete(model, random_tokens(30), 6, recorder)
    assert recorder.seen[0][1].tokens == ()
    assert len(recorder.seen[1][1].tokens) >= 1


def test_a_draft_ends_where_it_is_not_likely_to_be_reached(
    model: Transformer, student: Student
) -> None:
    recorder = Recorder(drafter(student, model, VOCABULARY, 0.05), model.config.layers)
    complete(model, random_tokens(30), 12, recorder)
    for _, draft in recorder.seen:
        product = 1.0
        for confidence in draft.confidences:
            product *= confidence
        assert product >= 0.05


# endregion
# region The corpus


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for number in range(30):
        (tmp_path / f"m{number}.py").write_text(PAGE.replace("value", f"value{number}") * 8)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "x.js").write_text("let a;\n" * 900)
    (tmp_path / "notes.bin").write_text(PAGE * 8)
    (tmp_path / "short.py").write_text("x = 1\n")
    return source_files([tmp_path])


def test_the_corpus_is_code_each_file_once_in_a_fixed_order(
    files: list[Path], tmp_path: Path
) -> None:
    assert sorted(f.name for f in files) == sorted(f"m{n}.py" for n in range(30))
    assert files == source_files([tmp_path, tmp_path / "m3.py"])
    assert [f.name for f in files] != sorted(f.name for f in files)


def test_windows_are_prompts_with_what_follows_and_come_again_the_same(files: list[Path]) -> None:
    tokenizer = tiny_tokenizer()
    made = list(windows(files, tokenizer, 128))
    assert made == list(windows(files, tokenizer, 128))
    assert len(made) >= len(files)
    middle = tokenizer.special("<|fim_middle|>")
    for window in made:
        assert len(window.tokens) == 128
        assert window.tokens.count(middle) == 1
        assert window.tokens.index(middle) < window.first
    assert {window.held_out for window in made} == {held_out(file) for file in files}


# endregion


def test_the_default_model_comes_with_exits_pinned_to_its_weights() -> None:
    shape = {"num_hidden_layers": 24, "hidden_size": 896, "intermediate_size": 4864}
    heads = {"num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151936}
    config = ModelConfig.from_hf({"model_type": "qwen2", **shape, **heads})
    (default,) = [m for m in MODELS if m.name == DEFAULT_MODEL]
    shipped = find_exits(None, default.sha256, config)
    assert shipped is not None
    assert shipped.record.command.startswith("keyturn exits train")
    assert shipped.record.corpus
    assert all(0 < share[0] < 1 for share in shipped.record.acceptance)
    assert find_exits(None, "0" * 64, config) is None
