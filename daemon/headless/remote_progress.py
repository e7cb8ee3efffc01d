"""The daemon's downloading and loading, shown as if this process did it."""

from typing import TYPE_CHECKING, TextIO

from ...lsp.backend import BackendState, Phase

if TYPE_CHECKING:
    from ...models.hub.progress import Count


class RemoteProgress:
    """Shows downloads, and what loading has to say, on a stream; None: nowhere."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._count: Count | None = None
        self._said = ""

    def show(self, state: BackendState) -> None:
        match state.phase:
            case Phase.DOWNLOADING:
                self._download(state)
            case Phase.LOADING:
                self.close()
                self._note(state)
            case _:
                self.close()

    def close(self) -> None:
        """No download is under way."""
        if self._count is not None:
            self._count.__exit__()
        self._count = None

    def _note(self, state: BackendState) -> None:
        usual = state.message in ("starting", "loading", f"loading {state.model}")
        if self._stream is not None and not usual and state.message != self._said:
            print(state.message, file=self._stream, flush=True)
            self._said = state.message

    def _download(self, state: BackendState) -> None:
        from ...models.hub.progress import Count  # what it imports, nobody else needs

        if self._count is None or self._count.what != state.message:
            self.close()
            self._count = Count(state.message, 100, self._stream)
        self._count.to(round(100 * (state.fraction or 0)))
