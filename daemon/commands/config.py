"""`keyturn config`: the settings in force, each with its source."""

import json

import click


@click.group(name="config")
def command() -> None:
    """The settings in force."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(as_json: bool) -> None:
    """Show every setting, its value and where the value came from."""
    from ..config import load_config

    config = load_config()
    values = config.values()
    if as_json:
        rows = {key: {"value": v, "source": config.sources[key]} for key, v in values.items()}
        click.echo(json.dumps({"settings": rows, "problems": config.problems}))
        return
    for key, value in values.items():
        click.echo(f"{key} = {_toml(value)}  ({config.sources[key]})")
    for problem in config.problems:
        click.echo(problem, err=True)


def _toml(value: object) -> str:
    """A value as it would be written in `config.toml`."""
    return json.dumps(value, ensure_ascii=False)


@command.command()
def path() -> None:
    """Print where the user's own file is looked for."""
    import os

    from ..config import USER_FILE, user_folder_of

    click.echo(user_folder_of(os.environ) / USER_FILE)


@command.command()
def token() -> None:
    """Print where the token for a server is looked for, beside KEYTURN_TOKEN."""
    import os

    from ..remote.token import token_path

    click.echo(token_path(os.environ))
