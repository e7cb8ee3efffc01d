"""`keyturn project`: status and forget."""

import json
import os
import sys
from pathlib import Path

import click

from ...models.hub.cache_folder import cache_folder
from ..config import load_config
from ..project.encoded import forget_encoded
from ..project.index import ProjectIndex
from ..project.place import Place
from ..project.summary import PATIENCE_SECONDS, Summary, no_project, root_of
from ._exit_codes import NOTHING, USAGE, one_line_errors

WHAT_TO_GIVE = "give a folder of a git repository, or make a keyturn.toml in one that is none"
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
    if root is None or not os.path.lexists(path):
        none = f"{no_project(path)}; {WHAT_TO_GIVE}"
        click.echo(json.dumps({"project": None}) if as_json else none, err=not as_json)
        sys.exit(NOTHING)
    with one_line_errors():
        config = load_config(workspace=root)
        tokens = config.model.project_tokens
        found = Summary.of(root, cache_folder(), config.completion, tokens)
    click.echo(json.dumps(found.as_dict()) if as_json else "\n".join(found.lines()))
    for problem in config.problems:
        click.echo(problem, err=True)


@command.command()
@click.option("--all", "everything", is_flag=True, help="The indexes of all projects.")
@PATH
def forget(everything: bool, path: Path | None) -> None:
    """Remove what was kept of the project around PATH (here, if none is given), without asking: its
    index, and what was computed from it. A daemon that is at work there begins anew, unless the
    setting `project` is off."""
    if everything and path is not None:
        click.echo("keyturn: give a path, or --all", err=True)
        sys.exit(USAGE)
    with one_line_errors():
        cache = cache_folder()
        root = root_of(path or Path())
        if everything:
            places = list(Place.all(cache))
        elif root is None:
            click.echo(f"{no_project(path or Path())}; {WHAT_TO_GIVE}", err=True)
            sys.exit(NOTHING)
        else:
            places = [Place.of(root, cache)]
        found = [place for place in places if place.bytes()]
        for place in found:
            _forget(place)
        for path, count in forget_encoded(cache, None if everything else root):
            click.echo(f"removed {count:,} chunks from {path}")
    if not found:
        click.echo("there was no index")


def _forget(place: Place) -> None:
    index = ProjectIndex(place, PATIENCE_SECONDS)
    status = index.status()
    index.close()
    place.forget()
    problem = f"; {status.problem}" if status.problem else ""
    click.echo(f"removed {place.folder} ({status.bytes / 1e6:,.1f} MB{problem})")
