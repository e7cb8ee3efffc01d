"""The real model on a server says what it says here."""

import asyncio
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from keyturn.api.request import CompletionOptions, CompletionRequest, Extent
from keyturn.daemon.bench._team.own_server import OwnServer, own_server
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
from support.editors.editor import Editor, environment, keyturn
from support.until import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OPTIONS = CompletionOptions(extent=Extent.AUTO, deadline_ms=60_000)
FILES = (
    ("def mean(values):\n    ", "\n    return total / len(values)\n"),
    ("def sign(x):\n    if x > 0:\n        return 1\n    ", "\n    return 0\n"),
    ("names = [\n    'ann',\n    ", "\n]\n"),
)


async def gone(server: OwnServer) -> None:
    """Who closes the connection stops the work: else the next question would wait for a minute,
    which is longer than its deadline."""
    text = "".join(f"value_{n} = call_{n * 7919}({n * n})\n" for n in range(400))

    def question(options: CompletionOptions) -> dict[str, Any]:
        state = FileState("a.py", "python", 1, digest_of(text), Whole(text))
        body, headers = pack(Ask(state, CompletionRequest("", 0, len(text), options=options)))
        token = {"authorization": f"Bearer {server.tokens['ann']}", FILE_HEADER: key_of("gone")}
        return {"content": body, "headers": {**headers, **token}}

    long = CompletionOptions(
        extent=Extent.BLOCK, max_tokens=900, candidates=8, decode_ms=60_000, deadline_ms=60_000
    )
    short = CompletionOptions(extent=Extent.LINE, max_tokens=4, deadline_ms=15_000)
    async with httpx2.AsyncClient(base_url=server.url, timeout=90) as client:
        asked = asyncio.create_task(client.post("/v1/complete", **question(long)))
        await asyncio.sleep(0.5)
        assert not asked.done()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert (await client.post("/v1/complete", **question(short))).status_code == 200


def shown(server: OwnServer, folder: Path) -> None:
    """A name that only another file of the user's project has comes back, once it was shown."""
    project = folder / "project"
    (project / ".git").mkdir(parents=True)
    (project / "shapes.py").write_text(
        "def area(radius_in_furlongs: float, rounding_of_furlongs: int) -> float: ...\n"
    )
    text = "from shapes import area\n\nprint(area(radius_in_furlongs=3.0, "
    (project / "main.py").write_text(text)
    environ = environment(
        folder,
        server.url,
        KEYTURN_TOKEN=server.tokens["ann"],
        KEYTURN_MODEL_FALLBACK="",
        KEYTURN_CACHE=str(folder / "cache"),
    )
    with Editor(environ, uri=(project / "main.py").as_uri()) as editor:
        editor.open(text)

        def knows() -> bool:
            time.sleep(0.5)  # whoever types all the time is shown nothing new
            return any("rounding_of_furlongs" in each for each in editor.ask(len(text)))

        until(knows, "the definition was shown", 60)
    subprocess.run(keyturn("daemon", "stop"), env=environ, check=True, timeout=60)


def test_a_server_that_is_told_to_takes_the_model_that_is_configured_by_then(
    real_model: ModelFiles, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[model]\nname = "lookup"\n')
    with tempfile.TemporaryDirectory(prefix="kt") as folder:
        environ = {"RAY_TMPDIR": folder, "KEYTURN_CONFIG_DIR": str(tmp_path)}
        with own_server(Path(folder), "", ["ann"], 2, environ) as server:
            headers = {"authorization": f"Bearer {server.tokens['ann']}"}

            def model() -> str:
                found = httpx2.get(f"{server.url}/v1/about", headers=headers, timeout=60)
                assert found.status_code == 200  # all the time
                return found.json()["model"]

            assert model() == "lookup"
            config.write_text('[model]\nname = "nonsense.gguf"\n')
            server.process.send_signal(signal.SIGHUP)
            until(lambda: "going on with lookup" in (Path(folder) / "serve.log").read_text(),
                  "it is known that this cannot be served", 120)  # fmt: skip
            until(lambda: len(server.replicas()) == 2, "all replicas are as before", 60)
            assert model() == "lookup"
            tokens = Path(folder) / "tokens"
            tokens.rename(tokens.with_name("away"))
            server.process.send_signal(signal.SIGHUP)
            time.sleep(3)
            tokens.with_name("away").rename(tokens)
            assert model() == "lookup"
            config.write_text(f'[model]\nname = "{DEFAULT_MODEL}"\n')
            server.process.send_signal(signal.SIGHUP)
            until(lambda: model() == DEFAULT_MODEL, "the model has changed", 120)


def test_a_server_answers_as_a_local_engine_does(real_model: ModelFiles, tmp_path: Path) -> None:
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
            shown(server, tmp_path)
            asyncio.run(gone(server))
    local = Completer(load(DEFAULT_MODEL, "cpu", "auto", settle=True), CompleterOptions())
    for (left, right), answer in zip(FILES, answers, strict=True):
        assert answer == local.complete(InfillRequest(left, right, "a.py", OPTIONS)).text
        assert answer
