"""A next-edit model is asked for a window, and proposes what it has written otherwise."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.cache.sequence import CachedSequence
from keyturn.daemon.next_edit.proposal import Proposal
from keyturn.daemon.rewriting.judge import Judge
from keyturn.daemon.rewriting.places import questions
from keyturn.daemon.rewriting.rewriter import Rewriter
from keyturn.models.decoding.decode import Decoder
from keyturn.models.errors import UnsupportedModel
from keyturn.models.prompts.next_edit.instinct import Instinct
from keyturn.models.prompts.next_edit.question import Format
from keyturn.models.prompts.next_edit.sweep import Sweep
from keyturn.models.prompts.next_edit.zeta import Zeta
from support.daemon.model_engines import tiny_loaded
from support.models.tiny_tokenizer import tiny_tokenizer, tokenizer_json
from support.next_edit import GREETING, Edited

FORMATS = [Sweep(), Zeta(), Instinct("You predict edits.")]
each_format = pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)


class Overtaken(Exception):
    """Something more urgent is to be done."""


def nothing() -> None:
    """Go on."""


def renamed() -> Edited:
    return Edited(GREETING).replace("name", "person")


def asked(
    rewriter: Rewriter, edited: Edited, pause: Callable[[], None] = nothing
) -> list[Proposal]:
    hunks = list(edited.recent)
    return list(rewriter.proposals("greet.py", edited.text, hunks, hunks[0].stop, pause))


# region The prompt


@each_format
def test_a_prompt_has_the_tokens_that_its_text_has(kind: Format) -> None:
    """By the library that the models were trained with, which knows control tokens in a text."""
    rewriter = Rewriter(tiny_loaded(), kind)
    edited = renamed()
    hunks = list(edited.recent)
    oracle = tokenizers.Tokenizer.from_str(tokenizer_json())
    found = questions(kind, "greet.py", edited.text, hunks, hunks[0].stop)
    assert found
    for question in found:
        pieces = kind.prompt(question)
        assert rewriter.ids(pieces) == oracle.encode("".join(pieces)).ids


def test_text_that_looks_like_a_control_token_is_none() -> None:
    edited = Edited("a = '<|file_sep|>'\nb = a\n").replace("a =", "c =")
    hunks = list(edited.recent)
    rewriter = Rewriter(tiny_loaded(), Sweep())
    [question, *_] = questions(Sweep(), "a.py", edited.text, hunks, 1)
    tokens = rewriter.ids(Sweep().prompt(question))
    control = tiny_loaded().tokenizer.special("<|file_sep|>")
    assert control is not None
    assert tokens.count(control) == 4


@pytest.mark.parametrize("kind", FORMATS[1:], ids=lambda kind: kind.name)
def test_a_file_in_which_the_formats_marks_stand_is_not_shown(kind: Format) -> None:
    edited = Edited("a = '<|editable_region_end|>'\nb = a\n").replace("a =", "c =")
    assert not questions(kind, "a.py", edited.text, list(edited.recent), 1)


def test_the_original_is_the_window_before_the_last_change() -> None:
    edited = renamed().replace("return name", "return person")
    hunks = list(edited.recent)
    [question, *_] = questions(Sweep(), "greet.py", edited.text, hunks, hunks[0].stop)
    assert "    return name" in question.original
    assert "    return person" in question.current
    assert "def greet(person, greeting" in "\n".join(question.original)
    assert [change.after for change in question.changes] == [
        ('def greet(person, greeting="Hello"):',),
        ("    return person",),
    ]


def test_where_the_old_name_still_stands_is_the_second_window() -> None:
    filler = "\n".join(f"x{each} = {each}" for each in range(60))
    edited = Edited(f"count = 1\n{filler}\nprint(count)\n").replace("count", "number")
    first, second = questions(Sweep(), "a.py", edited.text, list(edited.recent), 6)
    assert first.current[0] == "number = 1"
    assert second.current[-1] == "print(count)"
    assert second.row == 61


def test_a_line_that_nobody_wrote_is_not_shown() -> None:
    edited = Edited("a = 1\nb = '" + 2_000 * "x" + "'\n").replace("a", "c")
    assert not questions(Sweep(), "a.py", edited.text, list(edited.recent), 1)


# endregion
# region A random model


@settings(max_examples=8)
@given(
    st.lists(st.sampled_from(["a = b\n", "\n", "f(a)\n", "    é = '𝒳'\n"]), min_size=1, max_size=9),
    st.data(),
    st.sampled_from(FORMATS),
)
def test_whatever_a_model_writes_every_proposal_fits_the_text(
    lines: list[str], data: st.DataObject, kind: Format
) -> None:
    edited = Edited("".join(lines))
    at = data.draw(st.integers(0, len(edited.text)))
    edited.edit(at, min(at + 2, len(edited.text)), "new")
    rewriter = Rewriter(tiny_loaded(), kind, lambda verdict: True)
    for found in asked(rewriter, edited):
        assert edited.text[found.start : found.stop] == found.old
        assert found.old != found.new


def test_it_can_be_interrupted_between_any_two_passes() -> None:
    edited = Edited("a = 1\nb = a\n").replace("a", "c")
    whole = Rewriter(tiny_loaded(), Sweep())
    for last in (0, 1, 2, 5):
        left = last

        def give_up() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Overtaken

        with pytest.raises(Overtaken):
            asked(whole, edited, give_up)
    assert asked(whole, edited) == asked(Rewriter(tiny_loaded(), Sweep()), edited)


def test_a_judge_says_what_a_fresh_pass_says() -> None:
    loaded = tiny_loaded()
    sequence = CachedSequence(loaded.model.new_arena())
    judge = Judge(loaded.model, Decoder(loaded.model, loaded.tokenizer), sequence)
    context, changed, unchanged = (
        [*range(at, at + count)] for at, count in ((3, 9), (20, 4), (40, 6))
    )

    def fresh(tokens: list[int]) -> float:
        again = CachedSequence(loaded.model.new_arena())
        step = again.append([*context, *tokens])
        ids = loaded.model.ids([*context, *tokens])
        hidden = loaded.model.run(loaded.model.embed(ids), step, again.arena)
        logs = loaded.model.logits(hidden).log_softmax(-1)
        rows = range(len(context) - 1, len(context) + len(tokens) - 1)
        return sum(float(logs[row, token]) for row, token in zip(rows, tokens, strict=True))

    for _ in range(2):  # whatever was asked before
        found = judge.verdict(context, changed, unchanged, nothing)
        assert found.gain == pytest.approx(fresh(changed) - fresh(unchanged), abs=1e-3)
        assert found.chance == pytest.approx(math.exp(fresh(changed) / 4), rel=1e-3)
        assert sequence.tokens == context


def test_a_model_without_the_formats_tokens_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="sweep"):
        Rewriter(replace(tiny_loaded(), tokenizer=tiny_tokenizer("codellama")), Sweep())


# endregion
