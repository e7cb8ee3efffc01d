"""`keyturn daemon`: run, start, stop, restart, status, logs."""

import asyncio
import json
import sys
import time
from collections import deque
from importlib.metadata import version
from typing import Any

import click

from ...lsp.backend import BackendError, StatusQuery

EXIT_UNAVAILABLE = 3
ANSWER_SECONDS = 10.0  # a busy engine is not waited for longer than one by the daemon itself


@click.group(name="daemon")
def command() -> None:
    """The background process that holds the model for every editor."""


@command.command()
@click.option("--detach", is_flag=True, help="Go on in the background, away from this terminal.")
@click.option("--model", "model", default=None, help="Load this model instead of the configured.")
@click.option("--starter", type=int, hidden=True, help="With --detach: who must still wait for it.")
def run(detach: bool, model: str | None, starter: int | None) -> None:
    """Be the daemon. Exits with 75 if another one is running."""
    from ..config import Config, ModelChoice, load_config, options_in
    from ..engines.make_engine import engine_maker
    from ..paths import daemon_paths
    from ..server.detach import detach as leave
    from ..server.process import LOST_THE_RACE, host
    from ._exit_codes import one_line_errors

    wanted = leave(starter) if detach else lambda: True
    flags = {"model.name": model} if model else {}

    def reread() -> Config:
        return load_config(flags)

    def choice() -> ModelChoice:
        return reread().model

    make_engine = engine_maker(choice, options_in)
    with one_line_errors():
        code = host(daemon_paths(), version("keyturn"), make_engine, reread, wanted)
    if code == LOST_THE_RACE and not detach:
        click.echo("another daemon runs already: see `keyturn daemon status`", err=True)
    sys.exit(code)


@command.command()
def start() -> None:
    """Start the daemon unless it runs already."""
    from ..client import startup
    from ..paths import daemon_paths

    async def begin() -> int:
        link = await startup.connect_or_start(daemon_paths(), _hello())
        link.close()
        return link.welcome.pid

    click.echo(f"the daemon runs as process {_run(begin())}", err=True)


@command.command()
def stop() -> None:
    """Stop the daemon; editors that are open start it again when they need it."""
    click.echo("stopped" if _run(_stop()) else "no daemon was running", err=True)


@command.command()
@click.pass_context
def restart(ctx: click.Context) -> None:
    """Stop the daemon if it runs, then start it."""
    _run(_stop())
    ctx.invoke(start)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:
    """Show what the daemon is doing. Exits with 3 if none runs."""
    from ._status import lines

    found = _run(_ask(StatusQuery()))
    if found is None:
        click.echo(json.dumps({"phase": "stopped"}) if as_json else "no daemon is running")
        sys.exit(EXIT_UNAVAILABLE)
    try:
        text = json.dumps(found) if as_json else "\n".join(lines(found))
    except (KeyError, TypeError, ValueError, AttributeError):  # another version's
        text = json.dumps(found)
    click.echo(text)


@command.command()
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is added.")
@click.option(
    "-n", "--lines", "count", default=50, show_default=True, help="How many to begin with."
)
def logs(follow: bool, count: int) -> None:
    """Print the end of the log. It holds no source text."""
    from ..paths import daemon_paths

    path = daemon_paths().log
    try:
        with path.open(encoding="utf-8", errors="replace") as log:
            sys.stdout.writelines(deque(log, maxlen=count))
            while follow:
                line = log.readline()
                if line:
                    sys.stdout.write(line)
                    sys.stdout.flush()
                else:
                    time.sleep(0.2)
    except FileNotFoundError:
        click.echo(f"there is no log yet at {path}", err=True)
    except KeyboardInterrupt:
        sys.exit(130)


def _hello() -> Any:
    import os

    from .. import protocol

    return protocol.Hello(protocol.PROTOCOL, version("keyturn"), "cli", os.getpid())


async def _ask(question: Any) -> dict[str, Any] | None:
    """One command to the daemon that runs; None if none does. Raises `BackendError`."""
    from .. import protocol
    from ..client import startup
    from ..client.link import LinkLost
    from ..paths import daemon_paths

    link = await startup.connect(daemon_paths(), _hello())
    if link is None:
        return None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await link.listening().ask(lambda number: protocol.Command(number, question))
    except LinkLost:
        if isinstance(question, protocol.Shutdown):
            return {}  # it was on its way out already
        raise
    except TimeoutError:
        raise BackendError(
            f"the daemon (process {link.welcome.pid}) has not answered {type(question).__name__} "
            f"within {ANSWER_SECONDS:g} s; `keyturn daemon logs` may say why"
        ) from None
    finally:
        link.close()


async def _stop() -> bool:
    """Stop the daemon and wait until its lock is free; False if none ran. One that somebody is
    about to start is waited for."""
    from .. import protocol
    from ..client import startup
    from ..paths import daemon_paths

    paths = daemon_paths()
    async with startup.nobody_starting(paths):
        until = time.monotonic() + startup.START_SECONDS
        while await _ask(protocol.Shutdown("asked to")) is None:
            if not startup.is_running(paths):
                return False
            if time.monotonic() > until:
                raise BackendError("the daemon is still finishing; try again")
            await asyncio.sleep(startup.POLL_SECONDS[0])
        await startup.wait_until_gone(paths)
        return True


def _run(work: Any) -> Any:
    try:
        return asyncio.run(work)
    except BackendError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_UNAVAILABLE)
    except KeyboardInterrupt:
        sys.exit(130)
