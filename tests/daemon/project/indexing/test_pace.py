"""The pace: work rests while somebody types, and not longer than that."""

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.daemon.project.indexing.keepers import Around
from keyturn.daemon.project.indexing.pace import Closing, Pace
from keyturn.daemon.project.indexing.process import listen
from support.until import until


class Worker(threading.Thread):
    """Counts its steps until it is closed."""

    def __init__(self, pace: Pace) -> None:
        super().__init__(daemon=True)
        self.steps = 0
        self.is_closed = False
        self._pace = pace

    def run(self) -> None:
        try:
            while True:
                self._pace.step()
                self.steps += 1
                time.sleep(0)
        except Closing:
            self.is_closed = True

    def has_stopped(self) -> bool:
        """Whether it stands still: two looks, some time apart, see the same."""
        before = self.steps
        time.sleep(0.05)
        return self.steps == before


@pytest.fixture
def pace() -> Iterator[Pace]:
    pace = Pace(rest_seconds=3600)
    yield pace
    pace.close()


def test_a_key_stops_the_work_until_somebody_says_that_nobody_waits(pace: Pace):
    worker = Worker(pace)
    worker.start()
    until(lambda: worker.steps > 10, "some steps")
    pace.busy()
    until(worker.has_stopped, "a rest")
    before = worker.steps
    pace.idle()
    until(lambda: worker.steps > before + 10, "more steps")


def test_a_rest_has_an_end_if_nobody_says_anything():
    pace = Pace(rest_seconds=0.01)
    worker = Worker(pace)
    pace.busy()
    worker.start()
    until(lambda: worker.steps > 10, "some steps")
    pace.close()


def test_work_that_rests_ends_when_it_is_closed(pace: Pace):
    worker = Worker(pace)
    pace.busy()
    worker.start()
    pace.close()
    until(lambda: worker.is_closed, "the end")


def test_lines_say_what_to_do_and_nonsense_is_passed_over(pace: Pace):
    found: list[Around] = []
    lines = b'''
"busy"
{"around": "/a\\udcff.py"}
nonsense
[1]
{"around": 3}
{"around": "/b.py", "globs": ["*.key"]}
{"around": "/c.py", "globs": ["*.key", 3]}
{"around": "/c.py", "globs": "*.key"}
{"around": "/c.py", "glo{"around": "/c.py", "globs": []}
{"around": "/d.py", "globs": null}
"idle"'''
    listen(io.BytesIO(lines), pace, found.append)
    assert found == [
        Around(Path("/a\udcff.py")),
        Around(Path("/b.py"), ("*.key",)),
        Around(Path("/d.py"), None),
    ]
    pace.step()  # returns: it does not rest
