"""Progress of a long transfer: a bar on a terminal, a line per tenth elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm


class Transfer:
    """One transfer under way. Outside a terminal it writes a line each time a tenth is done."""

    def __init__(self, what: str, total_bytes: int, stream: TextIO | None):
        self.what = what
        self.total_bytes = total_bytes
        self.done_bytes = 0
        self._stream = stream
        self._tenths = 0
        self._bar = None
        if stream is not None and stream.isatty():
            self._bar = tqdm(
                desc=what, total=total_bytes, unit="B", unit_scale=True, file=stream, leave=False
            )

    def to(self, done_bytes: int) -> None:
        """Say that `done_bytes` of the whole are done; it may also go back."""
        self.done_bytes = done_bytes
        if self._bar is not None:
            self._bar.update(done_bytes - self._bar.n)
            return
        tenths = 10 * done_bytes // max(self.total_bytes, 1)
        if self._stream is not None and tenths > self._tenths:
            self._tenths = tenths
            done, total = done_bytes / 1e6, self.total_bytes / 1e6
            print(f"{self.what}: {done:,.0f} of {total:,.0f} MB", file=self._stream, flush=True)

    def advance(self, more_bytes: int) -> None:
        self.to(self.done_bytes + more_bytes)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class Count:
    """Steps of long work: a bar on a terminal, a line per tenth elsewhere. A context manager."""

    def __init__(self, what: str, total: int, stream: TextIO | None):
        self.what = what
        self.total = total
        self.done = 0
        self._stream = stream
        self._tenths = 0
        self._bar = None
        if stream is not None and stream.isatty():
            self._bar = tqdm(desc=what, total=total, file=stream, leave=False)

    def __enter__(self) -> "Count":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def to(self, done: int, remark: str = "") -> None:
        """Say that `done` of the whole are done, with a word on how it goes."""
        self.done = done
        if self._bar is not None:
            self._bar.set_postfix_str(remark, refresh=False)
            self._bar.update(done - self._bar.n)
            return
        tenths = 10 * done // max(self.total, 1)
        if self._stream is not None and tenths > self._tenths:
            self._tenths = tenths
            print(f"{self.what}: {10 * tenths} %  {remark}".rstrip(), file=self._stream, flush=True)


class Progress:
    """Where news of long work goes: a text stream such as standard error, or None for nowhere."""

    def __init__(self, stream: TextIO | None):
        self._stream = stream

    def note(self, line: str) -> None:
        if self._stream is not None:
            print(line, file=self._stream, flush=True)

    def count(self, what: str, total: int) -> Count:
        return Count(what, total, self._stream)

    @contextmanager
    def transfer(self, what: str, total_bytes: int) -> Iterator[Transfer]:
        transfer = Transfer(what, total_bytes, self._stream)
        try:
            yield transfer
        finally:
            transfer.close()
