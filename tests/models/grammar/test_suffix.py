"""A completion may end only where the suffix still parses."""

import pytest

from keyturn.models.grammar.fillers import Fillers
from keyturn.models.grammar.languages import open_oracle
from keyturn.models.grammar.oracle import Opening
from keyturn.models.grammar.suffix import RightContext
from support.corpus import infilling

LEFT = "def total(items):\n    return sum("
DEFINED, LOOP, TEST = "def f(s):\n", "    for x in s:", "        if x:\n            x = 1"
RIGHT = ")\n\n\ndef other():\n    return 1\n"


def opened(left: str = LEFT) -> Opening:
    opening = open_oracle("python").open(left)
    assert opening.constrained
    return opening


def right_of(left: str, right: str, lines: int = 40) -> RightContext:
    return RightContext(opened(left).state, right, lines, left[left.rfind("\n") + 1 :])


def fits(middle: str, right: str = RIGHT) -> bool:
    state = opened().state.feed(middle.encode())
    return state is not None and right_of(LEFT, right).fits(state)


@pytest.mark.parametrize("middle", ["items", "i for i in items", "items, 1", "(items)"])
def test_a_middle_that_joins_both_sides_may_end(middle: str):
    assert fits(middle)


@pytest.mark.parametrize("middle", ["items)", "(items", "items +", "lambda", "[items"])
def test_a_middle_that_breaks_the_suffix_may_not_end(middle: str):
    assert not fits(middle)


def test_the_end_of_the_file_counts_when_the_suffix_reaches_it():
    left = "def f():\n"
    state = opened(left).state
    assert not right_of(left, "").fits(state)
    assert not right_of(left, "\n").fits(state)
    body = state.feed(b"    pass")
    assert body is not None
    assert right_of(left, "").fits(body)
    assert right_of(left, "\n").fits(body)


def test_only_so_many_lines_of_the_suffix_count():
    state = opened("x = ").state.feed(b"1")
    assert state is not None
    assert right_of("x = ", "\ny = 2\n)\n", lines=1).fits(state)
    right = right_of("x = ", "\ny = 2\n)\n", lines=2)
    assert right.fits(state)
    assert right.relaxed  # nothing fits the last line


@pytest.mark.parametrize(
    ("left", "right", "wrong", "sound"),
    [
        ("return ", "set(l)))\n", "sorted(", "sorted(list("),
        ("x = ", ", 2)\ny = 1\n", "(1, 1)", "foo(1"),
        ("if x:\n    y = 1\n", "else:\n    y = 2\n", "z = 3\n", "if y:\n    z = 3\n"),
        ("x = foo(a, b", "\ny = 2\n", "[", ")"),
        ("s = ", ' world"\n', "1", '"hello'),
        ("return ", "for i in range(n)]\n", "[n] + [i for i in n]", "[i "),
        ("return n % 2 == 0 and", "\n", " (n", " n > 8"),
        (DEFINED, "\n        if s:\n            return 1\n    return 2\n", "    pass", LOOP),
        (DEFINED, "        if s:\n            return 1\n    return 2\n", "    pass\n", LOOP + "\n"),
        (DEFINED, " int(s)):\n        return 1\n    return 2\n", "    s =", "    if (s =="),
        (DEFINED + "    my", "\n        else:\n            y = 1\n", " = s", f"\n{LOOP}\n{TEST}"),
        (DEFINED, "\n    except E:\n        pass\n", "    pass", "    try:\n        pass"),
        (DEFINED + "    for x in (", "\n    return 2\n", "1", "1):\n        pass"),
    ],
)
def test_a_suffix_that_something_fits_is_never_blamed(
    left: str, right: str, wrong: str, sound: str
):
    judge = right_of(left, right)
    bad, good = (opened(left).state.feed(text.encode()) for text in (wrong, sound))
    assert bad is not None
    assert good is not None
    assert not any(judge.fits(bad) for _ in range(30))
    assert not judge.relaxed
    assert judge.fits(good)


def test_a_suffix_that_nothing_fits_is_trusted_up_to_where_it_breaks():
    right = right_of(LEFT, ")\ny = = 2\nz = 3\n")
    state, wrong = opened().state.feed(b"items"), opened().state.feed(b"items)")
    assert state is not None
    assert wrong is not None
    assert not right.fits(wrong)  # the first line counts
    assert right.relaxed
    assert right.fits(state)
    assert not right.fits(wrong)


def test_a_brace_that_is_missing_further_down_is_not_asked_of_the_cursor():
    left = "function f() {\n  let x = "
    opening = open_oracle("javascript").open(left)
    right = RightContext(opening.state, ";\n}\nfunction g() \n  return 1;\n}\n")
    state = opening.state.feed(b"1")
    assert state is not None
    assert right.fits(state)
    assert right.relaxed


def test_what_makes_a_comment_of_the_rest_of_the_line_does_not_fit():
    for text in ("items)  # all of them", "items,  #"):
        assert not fits(text)
    assert fits("items)  # all of them", "\n\n\ndef other():\n    return 1\n")
    assert fits("items[0]", ")  # the first\n")
    left = "x = '#"  # in a string, or in a comment, already
    inside = opened(left).state
    assert right_of(left, "'\n").fits(inside)
    commented = opened("x = 1  # a").state
    assert right_of("x = 1  # a", " b\n").fits(commented)
    string = opened("x = ").state.feed(b"'#")
    assert string is not None
    assert right_of("x = ", "a' + y\n").fits(string)


@pytest.mark.parametrize("name", ["SingleLineInfilling", "RandomSpanInfillingLight"])
def test_something_is_found_that_fits_the_suffix_of_a_file_that_parses(name: str):
    blamed = []
    for problem in infilling(name)[:: 40 if name.startswith("Single") else 5]:
        left, pieces = problem["prompt"], tuple(problem["suffix"].splitlines(keepends=True))
        fillers = Fillers(opened(left).state, left[left.rfind("\n") + 1 :], pieces, whole=True)
        if len(pieces) + 1 not in fillers.reaches():
            blamed.append(problem["task_id"])
    assert blamed == []
