"""Statements behind a jump are not worth showing."""

import pytest

from keyturn.models.decoding.trim import certain, decided, trim


@pytest.mark.parametrize(
    ("prefix", "generated", "shown", "language"),
    [
        ("def f(x):\n    return x + 1\n", "    return x + 2\n    return x + 3", "", "python"),
        ("def f(x):\n    ", "return x\n    print(x)", "return x", "python"),
        ("def f(x):\n    ", "return x\n    # next\n    print(x)", "return x", "python"),
        ("for x in y:\n    ", "break\n    x()", "break", "python"),
        ("    raise Error(\n", "        'no'\n    )", "        'no'\n    )", "python"),
        ("def f(x):\n", "    if x:\n        return 1\n    return 2",
         "    if x:\n        return 1\n    return 2", "python"),
        ("int f() {\n  ", "return 1;\n  g();\n}", "return 1;", "c"),
        ("int f() {\n  ", "return 1;\n}", "return 1;\n}", "c"),
        ("  switch (x) {\n  ", "case 1:\n    break;\n  case 2:\n    break;",
         "case 1:\n    break;\n  case 2:\n    break;", "c"),
        ("  return 0 if x.nil?\n  ", "x * 2", "x * 2", "ruby"),
        ("  return a\n  ", "+ b", "+ b", "javascript"),
        ("f() {\n  return g();\n  ", "function g() {}", "function g() {}", "javascript"),
        ("return to sender\n", "break the news", "break the news", "plaintext"),
        ("    return x\n    pri", "nt(x)", "nt(x)", "python"),  # the user has begun it
    ],
)  # fmt: skip
def test_statements_that_are_never_reached_are_not_shown(
    prefix: str, generated: str, shown: str, language: str
) -> None:
    assert trim(generated, prefix, "", language=language) == shown
    assert shown.startswith(certain(generated, prefix, "", language))


def test_a_line_that_nothing_can_follow_is_known_when_it_ends() -> None:
    prefix = "def f(x):\n    "
    assert not decided("return x\n", prefix, "", "python")
    assert not decided("return x\n    print(x)", prefix, "", "python")
    assert decided("return x\n    print(x)\n", prefix, "", "python")
