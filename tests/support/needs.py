"""What a test needs and a machine may lack."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """End a test that would run if somebody installed something: `what` says what. It is skipped
    on a user's machine and fails where `CI` is set, or nobody would notice."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must run this test: {what}", pytrace=False)
    pytest.skip(what)
