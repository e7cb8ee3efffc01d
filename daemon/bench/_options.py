"""The options that mean the same in every benchmark that has them."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from ..configured import configured

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def all_of(*options: Decorator) -> Decorator:
    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _drawable(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and find_spec("matplotlib") is None:
        raise click.UsageError("--plot needs matplotlib: pip install 'keyturn[bench]'")
    return path


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def loading(about: str = "", optional: bool = False) -> Decorator:
    """`optional`: none is an answer, too, and the default; otherwise the configured model is."""
    named = f"The configured one otherwise. {about}".strip()
    of_model = click.option("--model", callback=configured, help=named)
    return all_of(
        click.option("--model", default="", help=about) if optional else of_model,
        click.option("--device", default="auto", show_default=True),
        click.option("--dtype", default="auto", show_default=True, help="Of keyturn's weights."),
    )


threads = click.option(
    "--threads",
    default=0,
    type=click.IntRange(0),
    show_default=True,
    help="CPU threads, 0 for torch's choice.",
)


def _in_utf8(
    ctx: click.Context, param: click.Parameter, paths: tuple[Path, ...]
) -> tuple[Path, ...]:
    for path in paths:
        try:
            path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError) as error:
            raise click.BadParameter(f"{path} is no text in UTF-8: {error}") from error
    return paths


code_files = click.argument(
    "files",
    nargs=-1,
    required=True,
    callback=_in_utf8,  # before anything is measured that would be lost
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)


def contexts(*tokens: int) -> Decorator:
    return click.option(
        "--context",
        "contexts",
        multiple=True,
        type=int,
        default=tokens,
        show_default=True,
        help="Tokens; may be given several times.",
    )


plot = click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_drawable,
    help="Draw the result there.",
)

llama_cpp = all_of(
    click.option(
        "--llama-server",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Compare with llama.cpp's server, of which this is the program.",
    ),
    click.option(
        "--llama-model",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A GGUF file for it; the model's own by default.",
    ),
)


def llama_file(own: Path, chosen: Path | None) -> Path:
    """The file that llama.cpp reads: `chosen`, or the model's own file. Raises
    `click.UsageError` where that is none for it."""
    if chosen is None and own.suffix != ".gguf":
        raise click.UsageError(f"llama.cpp does not read {own}: name a file with --llama-model")
    return chosen or own
