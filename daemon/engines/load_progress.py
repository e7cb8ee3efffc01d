"""A model's download or conversion, reported to every status bar instead of a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...lsp.backend import BackendState, Phase
from ...models.hub.progress import Progress, Transfer


class ReportedTransfer(Transfer):
    """Reports each whole percent."""

    def __init__(self, what: str, total_bytes: int, report: Callable[[str, float], None]) -> None:
        super().__init__(what, total_bytes, None)
        self._report = report
        self._percent = -1

    def to(self, done_bytes: int) -> None:
        super().to(done_bytes)
        percent = 100 * done_bytes // max(self.total_bytes, 1)
        if percent != self._percent:
            self._percent = percent
            self._report(self.what, percent / 100)


class ReportedProgress(Progress):
    """`hub.progress.Progress` with the daemon's state in place of a stream."""

    def __init__(self, model: str, report: Callable[[BackendState], None]) -> None:
        super().__init__(None)
        self._model = model
        self._report = report

    def note(self, line: str) -> None:
        self._report(BackendState(Phase.LOADING, line, self._model))

    @contextmanager
    def transfer(self, what: str, total_bytes: int) -> Iterator[Transfer]:
        def report(what: str, fraction: float) -> None:
            self._report(BackendState(Phase.DOWNLOADING, what, self._model, fraction))

        transfer = ReportedTransfer(what, total_bytes, report)
        try:
            yield transfer
        finally:
            transfer.close()
