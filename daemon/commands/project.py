"""`keyturn project`: status and forget."""

import json
import sys
from pathlib import Path

import click

from ...models.hub.cache_folder import cache_folder
from ..config import options_in
from ..project.place import Place
from ..project.summary import Summary, no_project, root_of
from ._exit_codes import NOTHING, USAGE, one_line_errors

PATH = click.argument("path", required=False, type=click.Path(path_type=Path))


@click.group(name="project")
def command() -> None:
    """What keyturn has read of a project's files, and keeps in an index on this machine."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@PATH
def status(as_json: bool, path: Path | None) -> None:
    """Show what was read of the project around PATH (here, if none is given), where that is kept,
    and what is left out. Ends with 1 where there is no project."""
    path = path or Path()
    root = root_of(path)
    if root is None:
        click.echo(json.dumps({"project": None}) if as_json else no_project(path), err=not as_json)
        sys.exit(NOTHING)
    with one_line_errors():
        options, problems = options_in(root)
        found = Summary.of(root, cache_folder(), options)
    click.echo(json.dumps(found.as_dict()) if as_json else "\n".join(found.lines()))
    for problem in problems:
        click.echo(problem, err=True)


@command.command()
@click.option("--all", "everything", is_flag=True, help="The indexes of all projects.")
@PATH
def forget(everything: bool, path: Path | None) -> None:
    """Remove the index of the project around PATH (here, if none is given), without asking. A
    daemon that is at work there begins anew, unless the setting `project` is off."""
    if everything and path is not None:
        click.echo("keyturn: give a path, or --all", err=True)
        sys.exit(USAGE)
    with one_line_errors():
        cache = cache_folder()
        root = root_of(path or Path())
        if everything:
            places = list(Place.all(cache))
        elif root is None:
            click.echo(no_project(path or Path()), err=True)
            sys.exit(NOTHING)
        else:
            places = [Place.of(root, cache)]
        forgotten = [
            (size, place) for place in places if (size := place.bytes()) and place.forget()
        ]
    for size, place in forgotten:
        click.echo(f"removed {place.folder} ({size / 1e6:,.1f} MB)")
    if not forgotten:
        click.echo("there was no index")
