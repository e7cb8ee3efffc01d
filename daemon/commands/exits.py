"""`keyturn exits`: train the early exits that a model drafts its own tokens with, and show them."""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..configured import configured
from ._exit_codes import one_line_errors

if TYPE_CHECKING:
    from ...models.hub.progress import Progress
    from ...models.loading.loader import Loaded

MODEL = click.option(
    "--model",
    callback=configured,
    help="Name, repository, folder or file; the configured one otherwise.",
)
DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")


@click.group()
def command() -> None:
    """Train and show early exits: small parts that guess tokens from a model's first layers."""


@command.command()
@MODEL
@click.option(
    "--corpus",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folders or files of code; several are allowed. They add to Python's library and the"
    " installed packages, unless --only-corpus.",
)
@click.option("--only-corpus", is_flag=True, help="Learn from --corpus alone.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=90.0,
    show_default=True,
    help="How long to go on. Running it again goes on from there.",
)
@click.option(
    "--after",
    multiple=True,
    type=int,
    help="Number of layers before an exit; several are allowed. Default: a sixth of the layers.",
)
@click.option(
    "--probe",
    is_flag=True,
    help="Measure first, for some minutes, after which layer an exit promises most.",
)
@click.option(
    "--read/--no-read",
    default=True,
    help="Whether to read more code, or only to learn from what earlier runs have read.",
)
@DEVICE
def train(
    model: str,
    corpus: tuple[Path, ...],
    only_corpus: bool,
    minutes: float,
    after: tuple[int, ...],
    probe: bool,
    read: bool,
    device: str,
) -> None:
    """Train a model's exits on code, and keep them in the cache folder for it alone.

    An exit never changes what is completed, only how fast. It learns what the model itself says
    next; nothing that it reads is kept in words. Interrupt it when you like.
    """
    if probe and after:
        raise click.UsageError("--probe chooses the layer that --after names: use one of them")
    with one_line_errors():
        from ...models.exit_training.corpus import default_folders, source_files
        from ...models.exit_training.training import Training, TrainingPlan, TrainingRequest
        from ...models.hub.cache_folder import cache_folder
        from ...models.hub.progress import Progress
        from ...models.loading.loader import load

        folders = [*([] if only_corpus else default_folders()), *corpus]
        files = source_files(folders)
        cache, progress = cache_folder(), Progress(sys.stderr)
        loaded = load(model, device, cache=cache, progress=progress, settle=True)
        if probe:
            after = (_probed(loaded, files, progress),)
        plan = TrainingPlan.default(loaded.config, after)
        training = Training(loaded, plan, cache, progress)
        names = [] if only_corpus else ["Python's standard library and the installed packages"]
        request = TrainingRequest(
            files,
            minutes,
            command=shlex.join(["keyturn", "exits", *sys.argv[sys.argv.index("exits") + 1 :]])
            if "exits" in sys.argv
            else "keyturn exits train",
            corpus=", ".join([*names, *(path.name for path in corpus)]) + f": {len(files)} files",
            read=read,
        )
        training.run(request)
    click.echo(training.result)


def _probed(loaded: "Loaded", files: Sequence[Path], progress: "Progress") -> int:
    """The layer that promises most, after telling what each does."""
    from itertools import islice

    from ...models.exit_training.corpus import windows
    from ...models.exit_training.probe import PROBED_WINDOWS, candidates, probe

    exits = candidates(loaded.config)
    found = list(islice(windows(files, loaded.tokenizer, 384), PROBED_WINDOWS))
    with progress.count("measuring layers", len(found)) as bar:
        probed = probe(loaded.model, found, exits, bar.to)
    for each in probed:
        progress.note(
            f"exit after layer {each.after}: {each.right:.1%} right untrained,"
            f" {each.promise:.2f} times plain decoding by that"
        )
    return max(probed, key=lambda each: each.promise).after


@command.command()
@MODEL
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def info(model: str, as_json: bool) -> None:
    """Show the exits that a model has, what made them, and how often they are right."""
    with one_line_errors():
        from ...models.hub.cache_folder import cache_folder
        from ...models.hub.download import obtain
        from ...models.hub.progress import Progress
        from ...models.hub.registry import find
        from ...models.loading.checkpoint import open_checkpoint
        from ...models.loading.loader import read_config
        from ...models.speculative.early_exit.file import find_exits
        from ...models.speculative.speculator import LEAST_RIGHT

        cache = cache_folder()
        files = obtain(find(model), cache, Progress(sys.stderr))
        config = read_config(open_checkpoint(files.path))
        exits = find_exits(cache, files.sha256, config)
    if exits is None:
        click.echo("null" if as_json else f"{files.name} has no exits: keyturn exits train")
        return
    facts = {
        "weights_sha256": exits.sha256,
        "head_rows": len(exits.ids),
        "exits": [asdict(shape) for shape in exits.shapes],
        **asdict(exits.record),
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(f"{exits.record.model}, {len(exits.ids):,} of {config.vocabulary:,} head rows")
    for shape, shares in zip(exits.shapes, exits.record.acceptance, strict=True):
        said = ", ".join(f"{share:.1%}" for share in shares)
        click.echo(f"after layer {shape.after}: right {said} of the time, 1, 2, … tokens ahead")
    record = exits.record
    if exits.right() < LEAST_RIGHT:
        click.echo(
            f"used with --speculate exit only: auto asks one that is right {LEAST_RIGHT:.0%}"
        )
    for shape, raw, mapped in zip(exits.shapes, record.raw, record.mapped, strict=False):
        click.echo(f"after layer {shape.after} without a block: {raw:.1%}, by a map {mapped:.1%}")
    click.echo(f"{record.trained_tokens:,} tokens of {record.corpus}; {record.minutes:g} minutes")
    click.echo(f"made by: {record.command}")
