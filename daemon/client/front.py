"""An editor's front put together: configuration, backend, language server."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...lsp.backend import Backend
from ...lsp.documents import Documents
from ...lsp.settings import OfFiles
from ..config import load_config, options_in, settings_files
from ..paths import daemon_paths
from .client import DaemonClient

if TYPE_CHECKING:
    from ...lsp.server import KeyturnServer


async def serve_editor(in_process: bool) -> int:
    """Serve standard input and output until the editor leaves; the exit code."""
    if in_process:
        from ..engines.make_engine import engine_maker
        from .in_process import LocalBackend

        local = LocalBackend(engine_maker(lambda: load_config().model, options_in), load_config)
        return await _serve(local, local.run)
    client = DaemonClient(daemon_paths(), version("keyturn"), "lsp")
    return await _serve(client, client.run)


async def _serve(backend: Backend, run: Callable[..., Coroutine[Any, Any, None]]) -> int:
    gc.disable()  # thousands of classes are made here, none of them garbage
    from ...lsp.server import KeyturnServer, serve

    gc.freeze()
    gc.enable()
    files: set[Path] = set()

    def configured(workspace: str | None) -> OfFiles:
        path = Path(workspace) if workspace else None
        files.update(settings_files(path))
        config = load_config(workspace=path)
        return OfFiles(config.completion, config.problems, config.whole)

    server = KeyturnServer(version("keyturn"), backend, Documents(), configured)
    tasks = [
        asyncio.create_task(_until_left(server, run)),
        asyncio.create_task(_follow(server, files)),
    ]
    try:
        return await serve(server)
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _until_left(
    server: "KeyturnServer", run: Callable[..., Coroutine[Any, Any, None]]
) -> None:
    """Run the backend for as long as the editor wants anything: one that shuts down has no use
    for a daemon that would be started, or started again."""
    running = asyncio.create_task(run(server.session.shared, server.state_changed))
    try:
        await server.leaving.wait()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _follow(server: "KeyturnServer", files: set[Path]) -> None:
    """Once the editor has said where it works, use the settings files as they change."""
    await server.ready.wait()
    from ..workspace.watch import Watcher  # what it imports, the editor need not wait for

    watcher = Watcher(files, server.settings.reread)
    watcher.start()
    try:
        await asyncio.Event().wait()
    finally:
        watcher.stop()
