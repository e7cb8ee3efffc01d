"""The editor's progress display while a model is downloaded or loaded."""

import asyncio
from typing import Any
from uuid import uuid4

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from .backend import BackendState, Phase

BUSY = (Phase.LOADING, Phase.DOWNLOADING)


class LoadProgress:
    """At most one display at a time; none where the client can't show one."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._token: str | None = None
        self._creating: asyncio.Task[Any] | None = None
        self._latest: BackendState | None = None

    def show(self, state: BackendState) -> None:
        """Open, move on or close the display."""
        window = self._server.client_capabilities.window
        if window is None or not window.work_done_progress:
            return
        self._latest = state
        if state.phase in BUSY and self._token is None and self._creating is None:
            self._creating = asyncio.get_running_loop().create_task(self._create())
        elif self._token is not None:
            self._report(state)

    async def _create(self) -> None:
        token = f"keyturn-{uuid4()}"
        try:
            await self._server.work_done_progress.create_async(token)
        except JsonRpcException:
            return  # the client declined; ask again for the next load
        finally:
            self._creating = None
        self._token = token
        begin = types.WorkDoneProgressBegin(title="keyturn", cancellable=False, percentage=0)
        self._server.work_done_progress.begin(token, begin)
        if self._latest is not None:
            self._report(self._latest)

    def _report(self, state: BackendState) -> None:
        assert self._token is not None
        if state.phase in BUSY:
            percentage = None if state.fraction is None else round(100 * state.fraction)
            report = types.WorkDoneProgressReport(message=state.message, percentage=percentage)
            self._server.work_done_progress.report(self._token, report)
        else:
            end = types.WorkDoneProgressEnd(message=state.message or None)
            self._server.work_done_progress.end(self._token, end)
            self._token = None
