"""Prompts: every family's own tokens where its template puts them, and the user's text exactly."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyturn.models.errors import UnsupportedModel
from keyturn.models.prompts.fim import Prompt, PromptBuilder, PromptOptions, choose
from keyturn.models.prompts.templates import TEMPLATES, Order
from keyturn.models.tokenizer.bpe import Tokenizer
from support.models.tiny_tokenizer import BY_FAMILY, PAGE, tiny_tokenizer

FAMILIES = sorted(BY_FAMILY)
WHOLE = PromptOptions(budget_tokens=100_000, heal=False)


def written(tokenizer: Tokenizer, prompt: Prompt) -> str:
    """The prompt as its family's documentation writes it."""
    names = {token: text for text, token in tokenizer.added.items()}
    return "".join(names.get(t) or tokenizer.decode([t]) for t in prompt.tokens)


def build(family: str, order: Order) -> str:
    tokenizer = tiny_tokenizer(family)
    options = PromptOptions(budget_tokens=1000, order=order, heal=False)
    prompt = PromptBuilder(tokenizer).build("def f(", "):\n    pass\n", options)
    return written(tokenizer, prompt)


@pytest.mark.parametrize(
    ("family", "order", "text"),
    [
        (
            "qwen",
            Order.PSM,
            "<|fim_prefix|>def f(<|fim_suffix|>):\n    pass\n<|fim_middle|>",
        ),
        (
            "qwen",
            Order.SUFFIX_FIRST,
            "<|fim_prefix|><|fim_suffix|>):\n    pass\n<|fim_middle|>def f(",
        ),
        ("qwen", Order.SPM, "<|fim_suffix|>):\n    pass\n<|fim_prefix|>def f(<|fim_middle|>"),
        (
            "deepseek",
            Order.PSM,
            "<｜begin▁of▁sentence｜><｜fim▁begin｜>def f(<｜fim▁hole｜>):\n    pass\n<｜fim▁end｜>",
        ),
        ("starcoder2", Order.PSM, "<fim_prefix>def f(<fim_suffix>):\n    pass\n<fim_middle>"),
        ("granite", Order.PSM, "<fim_prefix>def f(<fim_suffix>):\n    pass\n<fim_middle>"),
        (
            "granite4",
            Order.PSM,
            "<|fim_prefix|>def f(<|fim_suffix|>):\n    pass\n<|fim_middle|>",
        ),
        ("codellama", Order.PSM, "<s>▁<PRE> def f(▁<SUF>):\n    pass\n▁<MID>"),
        ("codellama", Order.SUFFIX_FIRST, "<s>▁<PRE>▁<SUF>):\n    pass\n▁<MID> def f("),
    ],
)
def test_a_prompt_reads_as_its_family_documents_it(family: str, order: Order, text: str) -> None:
    assert build(family, order) == text


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.family)
def test_the_family_is_known_by_the_tokens_it_has(template) -> None:
    assert choose(tiny_tokenizer(template.family)) is template


def test_a_tokenizer_without_fill_in_the_middle_tokens_is_refused_by_name() -> None:
    class Plain(Tokenizer):
        def __init__(self) -> None:
            pass

        def special(self, text: str) -> int | None:
            return None

    with pytest.raises(UnsupportedModel, match=r"no fill-in-the-middle tokens.*qwen"):
        choose(Plain())


def test_an_order_that_a_family_was_not_trained_for_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match=r"deepseek models have no prompt order spm"):
        build("deepseek", Order.SPM)


def test_every_token_of_the_template_stops_a_completion() -> None:
    tokenizer = tiny_tokenizer("qwen")
    stops = PromptBuilder(tokenizer).stops
    for text in ("<|fim_prefix|>", "<|fim_pad|>", "<|endoftext|>", "<|im_end|>", "<|file_sep|>"):
        assert tokenizer.special(text) in stops


@pytest.mark.parametrize(
    ("order", "prefix", "pending"),
    [
        (Order.SUFFIX_FIRST, "x = conf", " conf"),
        (Order.SUFFIX_FIRST, "def f(", "("),
        (Order.SUFFIX_FIRST, "\n    ", "    "),
        (Order.PSM, "x = conf", " conf"),
        (Order.PSM, "def f(", ""),  # MID follows, and training cut prefixes anywhere
        (Order.PSM, "\n    ", ""),
    ],
)
def test_what_the_cursor_cuts_is_left_to_the_model(order: Order, prefix: str, pending: str) -> None:
    prompt = PromptBuilder(tiny_tokenizer()).build(prefix, "", PromptOptions(order=order))
    assert prompt.pending.decode() == pending


# region Properties
SPECIALS = [text for template in TEMPLATES for text in template.specials]
PIECES = st.sampled_from([*SPECIALS, *PAGE.splitlines(keepends=True), "\n", " ", "x", "\t", "日本"])
TEXT = st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join)


def spelled(tokenizer: Tokenizer, tokens) -> bytes:
    return b"".join(map(tokenizer.token_bytes, tokens))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(FAMILIES), st.sampled_from(Order), TEXT, TEXT, st.booleans())
def test_the_text_comes_back_exactly_and_specials_stand_only_where_the_template_puts_them(
    family: str, order: Order, prefix: str, suffix: str, heal: bool
) -> None:
    tokenizer, template = tiny_tokenizer(family), BY_FAMILY[family]
    if order not in template.orders:
        return
    options = PromptOptions(budget_tokens=100_000, order=order, heal=heal)
    prompt = PromptBuilder(tokenizer).build(prefix, suffix, options)
    left = prompt.tokens[slice(*prompt.prefix)]
    right = prompt.tokens[slice(*prompt.suffix)]
    lead = spelled(tokenizer, _lead(tokenizer, template.lead, prompt))
    assert (lead + spelled(tokenizer, left) + prompt.pending).decode() == template.lead + prefix
    assert spelled(tokenizer, right).decode() == suffix
    specials = set(tokenizer.added.values())
    assert not specials & {*left, *right}
    assert sum(token in specials for token in prompt.tokens) == 3 + bool(template.begin)
    if not heal:
        assert prompt.pending == b""


def _lead(tokenizer: Tokenizer, lead: str, prompt: Prompt) -> tuple[int, ...]:
    count = len(tokenizer.encode(lead))
    return prompt.tokens[prompt.prefix.start - count : prompt.prefix.start]


LINES = st.lists(st.sampled_from(["", "x", "    return self", "日本 = 😀", "y" * 60]), max_size=30)


@settings(max_examples=100, deadline=None)
@given(
    LINES.map("\n".join),
    LINES.map("\n".join),
    st.integers(8, 120),
    st.sampled_from([0.0, 0.25, 0.75, 1.0]),
    st.sampled_from(["qwen", "codellama"]),
)
def test_a_prompt_never_exceeds_its_budget_and_keeps_what_is_nearest_the_cursor(
    prefix: str, suffix: str, budget: int, share: float, family: str
) -> None:
    tokenizer = tiny_tokenizer(family)
    options = PromptOptions(budget, share, Order.PSM, heal=False)
    prompt = PromptBuilder(tokenizer).build(prefix, suffix, options)
    assert len(prompt.tokens) <= budget
    left = spelled(tokenizer, prompt.tokens[slice(*prompt.prefix)]).decode()
    right = spelled(tokenizer, prompt.tokens[slice(*prompt.suffix)]).decode()
    assert prefix.endswith(left)
    assert suffix.startswith(right)


@settings(max_examples=60, deadline=None)
@given(st.integers(400, 900), st.sampled_from([0.25, 0.5, 0.75]))
def test_text_is_cut_at_line_ends_and_the_budget_is_used(budget: int, share: float) -> None:
    tokenizer = tiny_tokenizer()
    options = PromptOptions(budget, share, Order.PSM, heal=False)
    prompt = PromptBuilder(tokenizer).build(PAGE * 6, PAGE * 6, options)
    left = spelled(tokenizer, prompt.tokens[slice(*prompt.prefix)]).decode()
    right = spelled(tokenizer, prompt.tokens[slice(*prompt.suffix)]).decode()
    assert (PAGE * 6)[: -len(left)].endswith("\n")
    assert right.endswith("\n")
    longest_line = max(len(tokenizer.encode(line + "\n")) for line in PAGE.split("\n"))
    assert len(prompt.tokens) > budget - 2 * longest_line - 4


def test_what_one_side_does_not_need_the_other_gets() -> None:
    tokenizer = tiny_tokenizer()
    builder = PromptBuilder(tokenizer)
    options = PromptOptions(100, 0.75, Order.PSM, heal=False)
    start, stop = builder.build(PAGE, "", options).prefix
    assert stop - start > 80
    start, stop = builder.build("", PAGE, options).suffix
    assert stop - start > 80
    both = builder.build(PAGE, PAGE, options)
    assert 55 < both.prefix.stop - both.prefix.start <= 73
    assert 10 < both.suffix.stop - both.suffix.start <= 25


def test_a_line_longer_than_the_budget_is_cut_inside_and_never_inside_a_character() -> None:
    tokenizer = tiny_tokenizer()
    line = "x = [" + "'日本', " * 25_000
    options = PromptOptions(100, 0.5, Order.PSM, heal=False)
    prompt = PromptBuilder(tokenizer).build(line, line, options)
    left = spelled(tokenizer, prompt.tokens[slice(*prompt.prefix)]).decode()
    right = spelled(tokenizer, prompt.tokens[slice(*prompt.suffix)]).decode()
    assert line.endswith(left)
    assert line.startswith(right)
    assert 90 <= len(prompt.tokens) <= 100


def test_only_the_text_near_the_cursor_is_tokenised() -> None:
    class Counting(Tokenizer):
        def __init__(self) -> None:
            self.__dict__ = dict(tiny_tokenizer().__dict__)
            self.characters = 0

        def encode(self, text: str) -> list[int]:
            self.characters += len(text)
            return super().encode(text)

    tokenizer = Counting()
    big = PAGE * 9000  # 5 MB
    PromptBuilder(tokenizer).build(big, big, PromptOptions(budget_tokens=500))
    assert tokenizer.characters < 50_000


# endregion
