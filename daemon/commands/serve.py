"""`keyturn serve`: an engine for other machines; its users, its configuration."""

from ipaddress import ip_address
from pathlib import Path

import click

from ...cache.errors import InputError
from ._exit_codes import one_line_errors

NEEDED = "a server needs Ray: install keyturn with its extra, pip install '.[team]' in its checkout"


@click.group(name="serve", invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Of the address to serve at.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65_535))
@click.option("--model", default=None, help="The configured one otherwise.")
@click.option("--device", default="auto", show_default=True)
@click.option("--dtype", default="auto", show_default=True)
@click.option("--replicas", default=1, show_default=True, type=click.IntRange(1, 64),
              help="Processes with the model; a file keeps to one.")  # fmt: skip
@click.option("--gpus", default=0.0, show_default=True, type=click.FloatRange(0, 8),
              help="Of each replica; 0.5 lets two share one.")  # fmt: skip
@click.option("--tokens", type=click.Path(path_type=Path),
              help="The file of users and tokens, from `keyturn serve token`.")  # fmt: skip
@click.option("--certificate", type=click.Path(exists=True, dir_okay=False),
              help="For TLS, with --key; a proxy before it does as well.")  # fmt: skip
@click.option("--key", type=click.Path(exists=True, dir_okay=False))
@click.option("--metrics-port", default=0, show_default=True, type=click.IntRange(0, 65_535),
              help="For Prometheus, at /metrics; 0 for none.")  # fmt: skip
@click.pass_context
def command(
    ctx: click.Context,
    host: str,
    port: int,
    model: str | None,
    device: str,
    dtype: str,
    replicas: int,
    gpus: float,
    tokens: Path | None,
    certificate: str | None,
    key: str | None,
    metrics_port: int,
) -> None:
    """Serve completions to other machines, from this one.

    They name it as their model: model.name = "https://this-machine:8000". Only this machine is
    served without --tokens. At SIGHUP it reads the configured model's name again, and replaces its
    processes one by one.
    """
    if ctx.invoked_subcommand is not None:
        return
    if tokens is None and not _is_loopback(host):
        raise click.UsageError(
            f"{host} can be reached by others: make tokens with `keyturn serve token NAME --tokens"
            " FILE`, and give --tokens FILE"
        )
    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key go together")
    with one_line_errors():
        from ..team.settings import ServerSettings
        from ..team.tokens import Tokens

        def settings() -> ServerSettings:
            Tokens(tokens)
            named = model or _configured()
            given = {"name": named, "device": device, "dtype": dtype}
            return ServerSettings.of(
                {"model": given, **({"tokens": str(tokens.resolve())} if tokens else {})}
            )

        settings()  # what is wrong is said before Ray starts
        try:
            from ..team.one_machine import Address, run
        except ModuleNotFoundError as error:
            raise click.UsageError(f"{NEEDED} (there is no {error.name})") from error
        address = Address(host, port, certificate or "", key or "")
        run(
            settings,
            address,
            replicas,
            gpus,
            metrics_port,
            lambda told: click.echo(f"serving {told.model.name} at {address.url}", err=True),
        )


@command.command()
@click.argument("name")
@click.option("--tokens", required=True, type=click.Path(path_type=Path, dir_okay=False),
              help="The file to add to; a server that runs reads it again.")  # fmt: skip
def token(name: str, tokens: Path) -> None:
    """Let a user in: print a new token, once, and add its digest to a file."""
    from ..team.tokens import add

    with one_line_errors():
        click.echo(add(tokens, name))
    click.echo(
        f"{name}: put it into KEYTURN_TOKEN, or into the file that `keyturn config token` names"
        f" (mode 600); remove the line from {tokens} to shut {name} out",
        err=True,
    )


@command.command()
@click.option("--model", default="qwen2.5-coder-0.5b", show_default=True)
@click.option("--kubernetes", "image", metavar="IMAGE",
              help="For KubeRay instead: a RayService with this image.")  # fmt: skip
def config(model: str, image: str | None) -> None:
    """Print a configuration for `serve deploy`, for one machine or many."""
    from ..team.deployment import kubernetes_of, yaml_of

    with one_line_errors():
        click.echo(yaml_of(model) if image is None else kubernetes_of(model, image), nl=False)


def _configured() -> str:
    """The name of the configured model. Raises `InputError` where something is wrong with the
    settings: nobody would see that another one is served."""
    from ..config import load_config

    found = load_config()
    if found.problems:
        raise InputError("; ".join(found.problems))
    return found.model.name


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
