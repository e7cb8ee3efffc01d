"""Names that a repository brings, as one printable line: no terminal's commands, no line breaks, no
half characters."""

import logging


def printable(text: str) -> str:
    """`text` with spaces for its line breaks, and a sign for each other character that cannot be
    printed."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)


class PrintableFormatter(logging.Formatter):
    """Log lines whose messages are printable; tracebacks keep their lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = printable(record.message)
        return super().formatMessage(record)
