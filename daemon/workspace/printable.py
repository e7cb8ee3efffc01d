"""Names that a repository brings, as one printable line: no terminal's commands, no line breaks, no
half characters."""

import logging
from typing import Any


def printable(text: str) -> str:
    """`text` with spaces for its line breaks, and a sign for each other character that cannot be
    printed."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)


class PrintableFormatter(logging.Formatter):
    """Log lines that are printable; those of tracebacks are indented, so that none looks like
    another message."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        return "\n".join(
            "  " + printable(line) for line in super().formatException(ei).splitlines()
        )
