"""What a repository's names do to the log: nothing."""

import io
import logging

from hypothesis import given
from hypothesis import strategies as st

from keyturn.daemon.workspace.printable import PrintableFormatter, printable


def logged(message: str, *values: object, error: BaseException | None = None) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PrintableFormatter(logging.BASIC_FORMAT))
    record = logging.LogRecord("keyturn", logging.WARNING, "", 0, message, values, None)
    record.exc_info = error and (type(error), error, error.__traceback__)
    handler.handle(record)
    return stream.getvalue()


def test_a_name_with_a_terminals_commands_and_line_breaks_is_one_harmless_line() -> None:
    assert logged("%s read", "a\x1b[2J\nERROR b\udcff") == (
        "WARNING:keyturn:a\ufffd[2J ERROR b\ufffd read\n"
    )


@given(st.text(st.characters()))
def test_any_name_is_printable_in_any_encoding_of_unicode_and_as_long_as_it_was(name: str) -> None:
    line = printable(name)
    assert line.isprintable()
    assert len(line) == len(name)
    line.encode()
    assert line == name or not name.isprintable()


def test_a_traceback_keeps_its_lines_and_none_of_them_looks_like_a_message() -> None:
    try:
        raise ValueError("no\x1b[31m\nERROR:keyturn:\udcff")
    except ValueError as error:
        first, *lines = logged("failed", error=error).splitlines()
    assert first == "WARNING:keyturn:failed"
    assert lines[0] == "  Traceback (most recent call last):"
    assert lines[-2:] == ["  ValueError: no\ufffd[31m", "  ERROR:keyturn:\ufffd"]
