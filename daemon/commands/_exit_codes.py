"""Exit codes of the commands, and errors as one line on standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ...cache.errors import EditOutOfRange, InputError, KeyturnError
from ...models.grammar.errors import GrammarError
from ..headless.time_limit import TimeUp

NOTHING = 1  # nothing to suggest
USAGE = 2
UNAVAILABLE = 3  # the model or the daemon
TIMEOUT = 4
INTERRUPTED = 130


def exit_code(error: KeyturnError) -> int:
    """How a command ends that met `error`."""
    match error:
        case InputError() | EditOutOfRange() | GrammarError():
            return USAGE
        case TimeUp():
            return TIMEOUT
    return UNAVAILABLE


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End the process with one line and the right code for what we raise on purpose."""
    try:
        yield
    except KeyturnError as error:
        click.echo(f"keyturn: {error}", err=True)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        click.echo("keyturn: interrupted", err=True)
        sys.exit(INTERRUPTED)
