"""The model of a command whose user names none: the configured one, named on standard error."""

import click

from .config import LOOKUP, SERVERS, load_config


def configured(context: click.Context, parameter: click.Parameter, named: str | None) -> str:
    """A click callback for `--model`: `named`, or the configured model's name."""
    if named is not None:
        return named
    config = load_config()
    for problem in config.problems:
        click.echo(f"keyturn: {problem}", err=True)
    if config.model.name == LOOKUP:
        raise click.UsageError(f"the configured {LOOKUP!r} is no model: name one with --model")
    if config.model.name.startswith(SERVERS):
        raise click.UsageError("the configured model is a server: name one of here with --model")
    click.echo(f"model: {config.model.name} ({config.sources['model.name']})", err=True)
    return config.model.name
