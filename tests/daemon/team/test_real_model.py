"""The real model on a server says what it says here."""

import tempfile
from pathlib import Path

import httpx2
import pytest

from keyturn.api.request import CompletionOptions, CompletionRequest, Extent
from keyturn.daemon.bench._team.own_server import own_server
from keyturn.daemon.completion.completer import Completer, CompleterOptions
from keyturn.daemon.completion.request import InfillRequest
from keyturn.daemon.remote.messages import (
    FILE_HEADER,
    Answered,
    Ask,
    FileState,
    Whole,
    digest_of,
    key_of,
    pack,
    unpack,
)
from keyturn.models.hub.download import ModelFiles
from keyturn.models.hub.registry import DEFAULT_MODEL
from keyturn.models.loading.loader import load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OPTIONS = CompletionOptions(extent=Extent.AUTO, deadline_ms=60_000)
FILES = (
    ("def mean(values):\n    ", "\n    return total / len(values)\n"),
    ("def sign(x):\n    if x > 0:\n        return 1\n    ", "\n    return 0\n"),
    ("names = [\n    'ann',\n    ", "\n]\n"),
)


def test_a_server_answers_as_a_local_engine_does(real_model: ModelFiles) -> None:
    with tempfile.TemporaryDirectory(prefix="kt") as folder:
        temporary = {"RAY_TMPDIR": folder}
        with own_server(Path(folder), DEFAULT_MODEL, ["ann"], 1, temporary) as server:
            answers = []
            for number, (left, right) in enumerate(FILES):
                text = left + right
                state = FileState("a.py", "python", 1, digest_of(text), Whole(text))
                body, headers = pack(
                    Ask(state, CompletionRequest("", 0, len(left), options=OPTIONS))
                )
                headers |= {
                    FILE_HEADER: key_of(str(number)),
                    "authorization": f"Bearer {server.tokens['ann']}",
                }
                found = httpx2.post(
                    f"{server.url}/v1/complete", content=body, headers=headers, timeout=90
                )
                answers.append(unpack(found.content, None, Answered).completions[0].text)
    local = Completer(load(DEFAULT_MODEL, "cpu", "auto", settle=True), CompleterOptions())
    for (left, right), answer in zip(FILES, answers, strict=True):
        assert answer == local.complete(InfillRequest(left, right, "a.py", OPTIONS)).text
        assert answer
