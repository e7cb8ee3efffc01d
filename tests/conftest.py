"""Fixtures that any test may ask for, and what holds for every test."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from keyturn.models.hub.cache_folder import cache_folder
from keyturn.models.hub.download import ModelFiles, obtain
from keyturn.models.hub.progress import Progress
from keyturn.models.hub.registry import DEFAULT_MODEL, find
from support.leftovers import end, left_behind, mark_this_run

if not Path("/dev/nvidia0").exists():
    # Kernels run in Triton's interpreter where there is no GPU; it is read when they are imported.
    os.environ.setdefault("TRITON_INTERPRET", "1")

# As in our own processes: threads that spin make a busy machine's tests take fifty times as long.
# Read when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as keyturn itself

# A busy machine is no fault of the code: no example fails for its time.
settings.register_profile("patient", parent=settings(), deadline=None)
settings.load_profile("patient")

mark_this_run()


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the real model has the marker of that name."""
    for item in items:
        if isinstance(item, pytest.Function) and "real_model" in item.fixturenames:
            item.add_marker("real_model")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """No file of tests ends with a process of ours that is still there."""
    try:
        yield
    finally:
        tests = item.nodeid.partition("::")[0]
        if nextitem is None or not nextitem.nodeid.startswith(tests):
            left = end(left_behind(tests))
            if left:
                pytest.fail(left, pytrace=False)


@pytest.fixture(scope="session")
def real_model() -> ModelFiles:
    """The default model's verified file, fetched once into the user's cache folder."""
    return obtain(find(DEFAULT_MODEL), cache_folder(), Progress(sys.stderr))
