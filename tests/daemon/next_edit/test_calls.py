"""Calls that have to follow when a function, or another call of it, was changed."""

import pytest

from support.next_edit import Edited

TEXT = """def scaled(value, factor):
    return value * factor


class Shop:
    def price(self, item):
        return scaled(item, 2)

    def prices(self, items):
        return [self.price(item) for item in items]


def main(shop):
    print(scaled(1, 3), "scaled(1, 3)")  # not scaled(1, 3)
    return scaled(scaled(1, 2), (3, 4)[0])
"""


def test_a_parameter_that_is_gone_is_passed_no_more() -> None:
    found = Edited(TEXT).replace("scaled(value, factor)", "scaled(value)").follow()
    assert "scaled(item)" in found
    assert 'print(scaled(1), "scaled(1, 3)")  # not scaled(1, 3)' in found
    assert "return scaled(scaled(1))" in found


@pytest.mark.parametrize(
    ("language", "head", "new", "call", "expected"),
    [
        ("c", "int f(int a, int b)", "int f(int a)", "f(1, 2)", "f(1)"),
        ("c", "int f(int a, char *b)", "int f(char *b, int a)", "f(1, c)", "f(c, 1)"),
        ("java", "int f(int a, int b)", "int f(int b)", "f(1, 2)", "f(2)"),
        ("go", "func f(a int, b int)", "func f(b int)", "f(1, 2)", "f(2)"),
        ("typescript", "function f(a: A, b: B)", "function f(b: B)", "f(1, 2)", "f(2)"),
        ("rust", "fn f(a: i32, b: i32)", "fn f(a: i32)", "f(1, 2)", "f(1)"),
        ("php", "function f(int $a, int $b)", "function f(int $b)", "f(1, 2)", "f(2)"),
    ],
)  # fmt: skip
def test_parameters_are_told_apart_wherever_their_types_stand(
    language: str, head: str, new: str, call: str, expected: str
) -> None:
    before, after = {"java": ("class A { ", "}"), "php": ("<?php\n", "")}.get(language, ("", ""))
    body = {"go": "func g() { %s }", "rust": "fn g() { %s; }", "php": "%s;"}.get(language)
    body = body or ("int g() { return %s; }" if language != "typescript" else "%s;")
    text = before + head + " { }\n" + body % call + "\n" + after
    found = Edited(text, language).replace(head, new).follow()
    assert found == text.replace(head, new).replace(call, expected)


def test_who_refuses_one_place_is_still_told_of_another_change() -> None:
    text = "def f(a):\n    return a + a + a\n\n\ndef g(b):\n    return b\n"
    edited = Edited(text).replace("g(b)", "g(two)").replace("f(a)", "f(one)")
    refused = edited.next()
    assert refused is not None
    found = edited.next({refused.refusal})
    assert found is not None
    assert found.new == "two"


def test_no_comment_goes_with_an_argument() -> None:
    text = "def f(a, b):\n    pass\n\n\nf(1,\n  2)\nf(\n    1,  # the first\n    2,\n)\n"
    found = Edited(text).replace("(a, b)", "(a)").follow()
    assert found == "def f(a):\n    pass\n\n\nf(1)\nf(\n    1,  # the first\n    2,\n)\n"


def test_arguments_with_a_comment_among_them_are_not_put_in_another_order() -> None:
    text = "def f(a, b):\n    pass\n\n\nf(1, 2)\nf(\n    1,  # the first\n    2,\n)\n"
    found = Edited(text).replace("(a, b)", "(b, a)").follow()
    assert found == text.replace("(a, b)", "(b, a)").replace("(1, 2)", "(2, 1)")


def test_parameters_in_another_order_are_passed_in_that_order() -> None:
    found = Edited(TEXT).replace("(value, factor)", "(factor, value)").follow()
    assert "scaled(2, item)" in found
    assert "print(scaled(3, 1)," in found
    assert "return scaled((3, 4)[0], scaled(" in found


def test_a_new_parameter_is_passed_as_in_the_first_call_that_passes_it() -> None:
    edited = Edited(TEXT).replace("(value, factor)", "(value, factor, digits)")
    assert edited.all() == []  # nobody knows what to pass
    found = edited.replace("scaled(item, 2)", "scaled(item, 2, 0)").follow()
    assert "print(scaled(1, 3, 0)," in found
    assert "return scaled(scaled(1, 2, 0), (3, 4)[0], 0)" in found


def test_a_parameter_with_a_default_changes_no_call() -> None:
    assert Edited(TEXT).replace("(value, factor)", "(value, factor, digits=0)").all() == []


def test_one_call_alone_changes_no_other() -> None:
    text = TEXT.replace("value, factor", "value, factor, digits=0", 1)
    assert Edited(text).replace("scaled(item, 2)", "scaled(item, 2, 1)").all() == []


def test_what_was_done_in_two_calls_is_meant() -> None:
    text = "run('a')\nrun('b')\nrun('c')\nrun('d', 1)\n"
    edited = Edited(text).replace("run('a')", "run('a', check=True)")
    assert edited.all() == []
    found = edited.replace("run('b')", "run('b', check=True)").follow()
    assert found.splitlines()[2:] == ["run('c', check=True)", "run('d', 1, check=True)"]


REPEATED = [
    ("a value", "a(timeout=10)\nb(timeout=10)\nc(timeout=10)\nd(size=10)\n", "10", "30",
     "a(timeout=30)\nb(timeout=30)\nc(timeout=30)\nd(size=10)\n"),
    ("what is called", "print(a)\nprint(b)\nprint(c)\nprint\n", "print", "log.info",
     "log.info(a)\nlog.info(b)\nlog.info(c)\nprint\n"),
    ("a form", "x: Optional[int]\ny: Optional[str]\nz: Optional[Size]\n", None, None,
     "x: int | None\ny: str | None\nz: Size | None\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("why", "text", "old", "new", "expected"), REPEATED, ids=[each[0] for each in REPEATED]
)
def test_the_same_change_twice_is_proposed_elsewhere(
    why: str, text: str, old: str | None, new: str | None, expected: str
) -> None:
    edited = Edited(text)
    if old is None or new is None:
        edited.replace("Optional[int]", "int | None")
        assert edited.all() == []
        edited.replace("Optional[str]", "str | None")
    else:
        edited.replace(old, new)
        assert edited.all() == []
        edited.replace(old, new)
    assert edited.follow() == expected


def test_nothing_is_proposed_that_would_break_the_program() -> None:
    text = "if (a) { b(1); }\nif (c) { b(1); }\nif (d) { b(1); }\n"
    edited = (
        Edited(text, "javascript").replace("{ b(1); }", "{ b(1);").replace("{ b(1); }", "{ b(1);")
    )
    assert edited.next() is None


@pytest.mark.parametrize(
    "text",
    ["", "\n", "def", "a b c", "((((", ")", "x = '", "def f(a, a): pass", "\u00e9 = \u00e9\n" * 3],
)
def test_whatever_stands_there_nothing_goes_wrong(text: str) -> None:
    edited = Edited(text)
    for at in range(len(text) + 1):
        edited.edit(min(at, len(edited.text)), min(at, len(edited.text)), "n(")
        edited.all()
