"""What repeats itself in the log is counted."""

import logging
from collections.abc import Iterator

import pytest

from keyturn.daemon.server import repeated
from keyturn.daemon.server.repeated import OnceHandler


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def log(lines: Lines) -> Iterator[logging.Logger]:
    log = logging.Logger("keyturn.of.its.own")
    handler = OnceHandler(lines)
    log.addHandler(handler)
    yield log
    handler.close()


def test_the_same_trouble_is_written_once_and_then_how_often_it_came(
    log: logging.Logger, lines: Lines, monkeypatch: pytest.MonkeyPatch
):
    for number in range(100):
        log.warning("client %d: %s", number, "malformed")
        log.info("client %d came", number)
    assert [line for line in lines.lines if "INFO" not in line] == ["WARNING client 0: malformed"]
    assert len(lines.lines) == 101
    now = repeated.time.monotonic()
    monkeypatch.setattr(repeated.time, "monotonic", lambda: now + repeated.WINDOW_SECONDS + 1)
    log.info("later")
    assert lines.lines[-2:] == [
        "WARNING 99 more like this: client 0: malformed",
        "INFO later",
    ]
    log.warning("client 7: malformed")
    assert lines.lines[-1] == "WARNING client 7: malformed"


def test_one_exception_raised_again_and_again_is_one_kind_whatever_is_said_about_it(
    log: logging.Logger, lines: Lines
):
    def fail(kind: type[Exception]) -> None:
        raise kind("a reason")

    for number in range(10):
        for kind in (ValueError, OverflowError):
            try:
                fail(kind)
            except kind:
                log.exception("in callback <Handle %s>", hex(id(object())) + "x" * number)
    assert len(lines.lines) == 2


def test_what_was_not_said_yet_is_said_at_the_end(lines: Lines):
    handler = OnceHandler(lines)
    log = logging.Logger("short")
    log.addHandler(handler)
    for _ in range(3):
        log.error("no")
    handler.close()
    assert lines.lines == ["ERROR no", "ERROR 2 more like this: no"]


def test_different_troubles_are_all_written(log: logging.Logger, lines: Lines):
    for letter in "abc" * 2:
        log.error("cannot load %s", letter)
    assert lines.lines == [f"ERROR cannot load {letter}" for letter in "abc"]
