"""What only says the line above again is not suggested."""

import pytest

from keyturn.models.decoding.trim import trim


@pytest.mark.parametrize(
    ("language", "prefix", "generated", "shown"),
    [
        ("python", "# Returns the sum of two numbers.\n# ", "Returns the sum.", ""),
        ("python", "# the sum of two numbers\n", "# the sum of two numbers\nx = 1", ""),
        ("go", "// Sum adds numbers.\n", "func Sum()\n// Returns it.\n// Returns it", None),
        ("markdown", "This tool counts words.\n\n", "This tool counts words.", ""),
        ("markdown", "- Add a dark theme\n", "- Add a light theme\n- Add a theme", None),
    ],
)
def test_what_says_no_more_than_the_line_above(
    language: str, prefix: str, generated: str, shown: str | None
) -> None:
    first = generated.rpartition("\n")[0]
    assert trim(generated, prefix, "", language=language) == (first if shown is None else shown)


@pytest.mark.parametrize(
    ("language", "prefix", "generated"),
    [
        ("python", "x = f(a)\n", "x = f(a)"),
        ("python", "# Adds two numbers.\n", "# Returns the sum of two numbers."),
        ("python", "# add(a, b)\n", "add(a, b)"),
        ("javascript", "/**\n * Adds.\n", " */\nfunction add(a, b) {"),
        ("markdown", "# Demo\n\n", "Demo is small."),
    ],
)
def test_more_stays_and_so_does_code(language: str, prefix: str, generated: str) -> None:
    assert trim(generated, prefix, "", language=language) == generated
