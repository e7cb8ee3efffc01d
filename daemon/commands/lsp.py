"""`keyturn lsp`: the language server that an editor starts."""

import sys

import click


@click.command(name="lsp")
@click.option("--in-process", is_flag=True, help="Load the model here instead of in the daemon.")
@click.option("--stdio", is_flag=True, help="Standard input and output; the only way there is.")
@click.option("--log-level", default="warning", show_default=True, help="To standard error.")
def command(in_process: bool, stdio: bool, log_level: str) -> None:
    """Serve one editor over standard input and output."""
    import asyncio
    import logging

    from ..client.front import serve_editor
    from ..workspace.printable import PrintableFormatter

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter(logging.BASIC_FORMAT))
    logging.basicConfig(level=log_level.upper(), handlers=[handler])
    logging.getLogger("pygls").setLevel(logging.CRITICAL)  # it logs whole messages: source text
    try:
        sys.exit(asyncio.run(serve_editor(in_process)))
    except KeyboardInterrupt:
        sys.exit(130)
