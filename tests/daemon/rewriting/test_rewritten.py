"""A window need not be written to its end: what comes after the copy has gone on is known."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from keyturn.daemon.rewriting.rewritten import Rewritten, rejoined
from keyturn.models.prompts.next_edit.sweep import Sweep

WINDOW = (
    "def total(values):",
    "    result = 0",
    "    for each in values:",
    "        result += each",
    "    return result",
)


def fed(answer: str, pieces: int = 3, is_enough: bool = True) -> tuple[Sequence[str], str]:
    """The lines, and how much of the answer was needed for them."""

    def enough(lines: Sequence[str]) -> bool:
        return is_enough

    rule = Rewritten(Sweep(), WINDOW, enough)
    for at in range(0, len(answer), pieces):
        if rule.feed(answer[at : at + pieces])[1]:
            return rule.lines, answer[: at + pieces]
    rule.end()
    return rule.lines, answer


def test_two_lines_as_they_were_are_a_copy_that_has_gone_on() -> None:
    written = ["def total(values):", "    result = 0.0", *WINDOW[2:]]
    lines, read = fed("\n" + "\n".join(written))
    assert list(lines) == written
    assert "return" not in read


def test_a_window_that_was_copied_to_its_end_is_over_whatever_the_model_adds() -> None:
    lines, read = fed("\n" + "\n".join(WINDOW) + "\n```\n\nThis code sums values.")
    assert tuple(lines) == WINDOW
    assert "This" not in read


def test_a_window_that_was_changed_is_over_with_its_last_lines() -> None:
    written = ["def sum_of(values):", *WINDOW[1:]]
    lines, read = fed("\n" + "\n".join(written) + "\n```\n\nThis code sums.", is_enough=False)
    assert list(lines) == written
    assert "This" not in read


def test_it_goes_on_while_what_has_changed_is_not_enough() -> None:
    written = ["def total(values):", "    result = 0.0", *WINDOW[2:4], "    return float(result)"]
    assert list(fed("\n" + "\n".join(written), is_enough=False)[0]) == written


def test_lines_that_stand_at_two_places_say_nothing() -> None:
    window = ["first()", "a = 1", "b = 2", "last()", "a = 1", "b = 2", "end()"]
    assert rejoined(["other()", "a = 1", "b = 2"], window) is None
    assert rejoined(["other()", "a = 1", "b = 2", "last()"], window) == ["other()", *window[1:]]


def test_brackets_and_blanks_say_nothing() -> None:
    assert rejoined(["x", "", "}"], ["y", "", "}", "z"]) is None


@given(
    st.lists(st.sampled_from(["one", "two", "three", "four"]), min_size=1, max_size=8), st.data()
)
def test_what_is_rejoined_begins_as_written_and_ends_as_it_was(
    window: list[str], data: st.DataObject
) -> None:
    written = data.draw(st.lists(st.sampled_from([*window, "new"]), max_size=8))
    whole = rejoined(written, window)
    if whole is not None:
        assert whole[: len(written)] == written
        rest = whole[len(written) :]
        assert window[len(window) - len(rest) :] == rest
        assert whole != window
