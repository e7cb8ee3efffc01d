"""The `keyturn` command: a group whose subcommands are imported only when they are used."""

import errno
import os
import sys
from importlib import import_module
from typing import Any

import click

from ..cache.errors import KeyturnError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
SUBCOMMANDS = {
    "lsp": "Serve an editor over standard input and output (the language server).",
    "complete": "Complete the code at a position of a file read from standard input.",
    "daemon": "Run, start, stop and inspect the process that holds the model.",
    "config": "Show the settings in force and where each came from.",
    "serve": "Serve completions to other machines, from this one.",
    "model": "List, fetch, inspect and remove models.",
    "project": "Show or remove what was read of a project's files.",
    "feedback": "Show or forget what was learnt from accepted and rejected suggestions.",
    "exits": "Train the early exits that a model drafts its own tokens with.",
    "doctor": "Say what was found on this machine, and what is missing.",
    "bench": "Measure this machine: one benchmark per subcommand.",
}


class LazyGroup(click.Group):
    """Lists subcommands from `SUBCOMMANDS`, so that `keyturn --help` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        return import_module(f".commands.{cmd_name}", __package__).command

    def invoke(self, ctx: click.Context) -> Any:
        """One line and the right code for what we raise on purpose, and for an interrupt, of which
        click's is 1, whichever command it meets."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            from .commands._exit_codes import INTERRUPTED

            click.echo("keyturn: interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except KeyturnError as error:
            from .commands._exit_codes import exit_code

            click.echo(f"keyturn: {error}", err=True)
            ctx.exit(exit_code(error))
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            from .commands._exit_codes import UNAVAILABLE

            if sys.stdout is not None:  # what is left is not tried again
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            where = f"{error.filename}: " if error.filename else "the output: "
            click.echo(f"keyturn: cannot write {where}{error.strerror}", err=True)
            ctx.exit(UNAVAILABLE)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="keyturn")
def main() -> None:
    """Code completion on your own machine."""
    # OpenMP threads that spin for long at barriers slow a busy machine down many times over,
    # themselves included; those that sleep at once take as long to wake as a small product does.
    # So they spin from one kernel to the next, and no longer (GNU's OpenMP; others do not spin).
    # Read when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")


if __name__ == "__main__":
    main()
