"""Fixtures that any test may ask for."""

import os
import sys
from pathlib import Path

import pytest

from keyturn.models.cache_folder import cache_folder
from keyturn.models.obtain import ModelFiles, obtain
from keyturn.models.progress import Progress
from keyturn.models.registry import DEFAULT_MODEL, find

if not Path("/dev/nvidia0").exists():
    # Kernels run in Triton's interpreter where there is no GPU; it is read when they are imported.
    os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.fixture(scope="session")
def real_model() -> ModelFiles:
    """The default model's verified file, fetched once into the user's cache folder."""
    return obtain(find(DEFAULT_MODEL), cache_folder(), Progress(sys.stderr))
