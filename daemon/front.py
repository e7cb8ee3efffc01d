"""An editor's front put together: configuration, backend, language server."""

import asyncio
import gc
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from ..lsp.backend import Backend
from ..lsp.documents import Documents
from ..lsp.options import Options
from .client import DaemonClient
from .config import load_config, options_in
from .paths import daemon_paths


async def serve_editor(in_process: bool) -> int:
    """Serve standard input and output until the editor leaves; the exit code."""
    if in_process:
        from .local import LocalBackend
        from .make_engine import engine_maker

        local = LocalBackend(engine_maker(lambda: load_config().model, options_in))
        return await _serve(local, local.run)
    client = DaemonClient(daemon_paths(), version("keyturn"), "lsp")
    return await _serve(client, client.run)


async def _serve(backend: Backend, run: object) -> int:
    gc.disable()  # thousands of classes are made here, none of them garbage
    from ..lsp.server import KeyturnServer, serve

    gc.freeze()
    gc.enable()

    def configured(workspace: str | None) -> tuple[Options, tuple[str, ...]]:
        config = load_config(workspace=Path(workspace) if workspace else None)
        return config.completion, config.problems

    server = KeyturnServer(version("keyturn"), backend, Documents(), configured)
    running = asyncio.create_task(run(server.session.shared, server.state_changed))  # type: ignore[operator]
    try:
        return await serve(server)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
