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
        f"{found['suggestions']:,} suggestions, of which the first line was right in"
        f" {found['right']:,} and was expected to be in {found['expected']:,.0f}"
    )
    click.echo(f"what was thought to be right in 50 % is now expected in {found['half']:.0%}")
    click.echo(f"kept in {path}: two numbers each, no text")


@command.command()
def forget() -> None:
    """Remove it all, without asking. A daemon that is running forgets it, too."""
    with one_line_errors():
        path = daemon_paths().feedback
        known = Calibration(path).summary()["suggestions"]
        calibration.forget(path)
    click.echo(f"forgot {known:,} suggestions" if known else "there was nothing")
