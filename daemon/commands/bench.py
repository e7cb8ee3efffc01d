"""`keyturn bench`: one measurement per module of `daemon/bench`, imported when it is used."""

import pkgutil
from importlib import import_module
from typing import Any

import click

from .. import bench
from ._exit_codes import one_line_errors


class LazyBenches(click.Group):
    """Finds the benchmarks by their files; each exposes `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        found = (module.name for module in pkgutil.iter_modules(bench.__path__))
        return sorted(name.replace("_", "-") for name in found if not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        name = cmd_name.replace("-", "_")
        return getattr(import_module(f"{bench.__name__}.{name}"), "command", None)

    def invoke(self, ctx: click.Context) -> Any:
        with one_line_errors():
            return super().invoke(ctx)


@click.group(name="bench", cls=LazyBenches)
def command() -> None:
    """Measure this machine."""
