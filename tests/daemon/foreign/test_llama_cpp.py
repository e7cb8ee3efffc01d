"""A real server that is not ours: llama.cpp's, in both ways in which it can be asked."""

import ast
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.api.request import Extent
from keyturn.daemon.bench._peers.llama_cpp import LlamaServer
from keyturn.daemon.foreign.address import Kind
from keyturn.models.hub.download import ModelFiles
from support.daemon.completions_server import Written
from support.daemon.foreign_questions import ask, said

pytestmark = pytest.mark.slow

FOUND = os.environ.get("KEYTURN_LLAMA_SERVER") or shutil.which("llama-server")
FILES = {
    "def mean(values):\n    ": "\n    return total / len(values)\n",
    "def sign(x):\n    if x > 0:\n        return 1\n    ": "\n    return 0\n",
    "import json\n\n\ndef read(path):\n    try:\n        with open(path) as f:\n"
    "            data = json.load(f)\n    ": "\n    return data\n\n\nprint(read('x'))\n",
    "names = [": "\nprint(names)\n",
}


@pytest.fixture(scope="module")
def server(real_model: ModelFiles) -> Iterator[Written]:
    if FOUND is None:
        pytest.skip("there is no llama-server in PATH or KEYTURN_LLAMA_SERVER")
    with LlamaServer(Path(FOUND), real_model.path, 4096, threads=2) as server:
        yield Written([], url=server.address)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("left", FILES)
def test_what_it_suggests_fits_the_code_on_both_sides(
    server: Written, kind: Kind, left: str
) -> None:
    right = FILES[left]
    (found,) = ask(server, left, right, kind, extent=Extent.AUTO).completions
    assert found.text
    assert found.confidence is not None
    ast.parse(left + found.text + right)


def test_several_candidates_are_distinct(server: Written) -> None:
    left, right = next(iter(FILES.items()))
    found = said(ask(server, left, right, candidates=3))
    assert len(set(found)) == len(found) >= 1
