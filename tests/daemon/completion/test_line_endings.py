"""Line ends and byte order marks: the model never sees them, the file always gets its own."""

import pytest

from keyturn.daemon.completion.line_endings import Surroundings


@pytest.mark.parametrize(
    ("prefix", "suffix", "newline"),
    [
        ("a\r\nb", "c\r\n", "\r\n"),
        ("a\nb", "c\n", "\n"),
        ("a\nb\r\nc", "", "\r\n"),  # the nearest above the cursor decides
        ("a\r\nb\nc", "\r\n", "\n"),
        ("a", "b\r\n", "\r\n"),
        ("a", "b\n\r\n", "\n"),
        ("", "", "\n"),
        ("a\r", "b", "\n"),
    ],
)
def test_a_completion_gets_the_files_line_ends(prefix: str, suffix: str, newline: str) -> None:
    assert Surroundings.of(prefix, suffix, 100).restored("x\ny") == f"x{newline}y"


def test_the_model_sees_line_feeds_and_no_byte_order_mark() -> None:
    near = Surroundings.of("\ufeffa\r\nb", "c\r\nd", 100)
    assert (near.prefix, near.suffix) == ("a\nb", "c\nd")


def test_only_what_is_near_is_looked_at() -> None:
    near = Surroundings.of("a" * 1000, "b" * 1000, 10)
    assert (near.prefix, near.suffix) == ("a" * 10, "b" * 10)
