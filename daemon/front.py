"""An editor's front put together: configuration, backend, language server."""

import asyncio
import gc
from contextlib import suppress
from importlib.metadata import version

from ..lsp.backend import Backend
from ..lsp.documents import Documents
from .client import DaemonClient
from .config import load_config
from .paths import daemon_paths


async def serve_editor(in_process: bool) -> int:
    """Serve standard input and output until the editor leaves; the exit code."""
    if in_process:
        from .local import LocalBackend
        from .make_engine import engine_maker

        local = LocalBackend(engine_maker(lambda: load_config().model))
        return await _serve(local, local.run)
    client = DaemonClient(daemon_paths(), version("keyturn"), "lsp")
    return await _serve(client, client.run)


async def _serve(backend: Backend, run: object) -> int:
    gc.disable()  # thousands of classes are made here, none of them garbage
    from ..lsp.server import KeyturnServer, serve

    gc.freeze()
    gc.enable()
    config = load_config()
    server = KeyturnServer(
        version("keyturn"), backend, Documents(), config.completion, config.problems
    )
    running = asyncio.create_task(run(server.session.shared, server.state_changed))  # type: ignore[operator]
    try:
        return await serve(server)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
