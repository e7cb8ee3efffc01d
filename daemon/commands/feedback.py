"""`keyturn feedback`: status and forget."""

import json

import click

from ..paths import daemon_paths
from ..server import calibration
from ..server.calibration import Calibration
from ._exit_codes import one_line_errors


@click.group(name="feedback")
def command() -> None:
    """What keyturn has learnt from suggestions that were accepted or rejected on this machine."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:
    """Show how many suggestions it knows the outcome of, and what follows from that."""
    with one_line_errors():
        path = daemon_paths().feedback
    found = Calibration(path).summary()
    if as_json:
        click.echo(json.dumps({"path": str(path), **found}))
        return
    if not found["suggestions"]:
        click.echo(f"nothing yet; it will be kept in {path}")
        return
    click.echo(
        f"{_suggestions(found['suggestions'])}: the first line was right in {found['right']:,}, and"
        f" was expected to be in {found['expected']:,.1f}"
    )
    click.echo(
        f"what was thought to be right in 50 % is now expected in {100 * found['half']:.0f} %,"
        f" in 10 % in {100 * found['tenth']:.0f} %"
    )
    click.echo(f"kept in {path}: two numbers each, no text")


@command.command()
def forget() -> None:
    """Remove it all, without asking. A daemon that is running forgets it, too."""
    with one_line_errors():
        path = daemon_paths().feedback
        known = Calibration(path).summary()["suggestions"]
        calibration.forget(path)
    click.echo(f"forgot {_suggestions(known)}" if known else "there was nothing")


def _suggestions(count: int) -> str:
    return f"{count:,} suggestion" + ("" if count == 1 else "s")
