"""Two versions on one machine: the newer one's daemon takes over, whoever was there before."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from support.editors.editor import Editor, environment, keyturn
from support.until import until

OLD = "0.0.1"
NEW = version("keyturn")
TEXT = "number_{0} = call({0})\nnumber_{0}"


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    environ = environment(tmp_path)
    yield environ
    subprocess.run(keyturn("daemon", "stop"), env=environ, capture_output=True, timeout=60)


@pytest.fixture
def older(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of an installation that calls itself by an older version: the same code,
    found together with other metadata. What its processes start is of that version too."""
    metadata = tmp_path / "older" / f"keyturn-{OLD}.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: keyturn\nVersion: {OLD}\n")
    # Without PYTHONSAFEPATH the folder where the tests run would be looked at before.
    return {**environ, "PYTHONPATH": str(tmp_path / "older"), "PYTHONSAFEPATH": "1"}


def status(environ: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        keyturn("daemon", "status", "--json"), env=environ, capture_output=True, check=True
    )
    return json.loads(done.stdout)


def start(environ: dict[str, str]) -> None:
    subprocess.run(keyturn("daemon", "start"), env=environ, check=True)


def ask_until_answered(editor: Editor) -> list[str]:
    """Several processes that start at once can take longer than a request's deadline."""
    return until(lambda: editor.ask(len(editor.text)), "an answer", every=0)


def test_a_newer_client_replaces_the_daemon_and_older_editors_go_on_with_it(
    environ: dict[str, str], older: dict[str, str]
):
    with ExitStack() as stack:
        editors = [stack.enter_context(Editor(older)) for _ in range(3)]
        for number, editor in enumerate(editors):
            editor.open(TEXT.format(number))
            ask_until_answered(editor)
        assert status(older)["version"] == OLD
        start(environ)
        # Fronts of the old version lost their daemon, and none of them has started another.
        for number, editor in enumerate(editors):
            editor.replace(0, 0, "# é😀\n")
            assert ask_until_answered(editor) == [f" = call({number})"]
        found = status(environ)
        assert found["version"] == NEW
        assert [client["client"] for client in found["clients"]].count("lsp") == 3


def test_an_older_client_uses_the_newer_daemon(environ: dict[str, str], older: dict[str, str]):
    start(environ)
    pid = status(environ)["pid"]
    start(older)
    assert (status(older)["pid"], status(older)["version"]) == (pid, NEW)


def test_a_daemon_in_the_middle_of_loading_is_waited_for(
    environ: dict[str, str], older: dict[str, str], tmp_path: Path
):
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + b"\0" * 64)
    loading = {**older, "KEYTURN_MODEL_NAME": str(tmp_path / "broken.gguf")}
    start(loading)  # torch alone takes seconds to import, and cannot be interrupted
    first = status(environ)
    start(environ)
    second = status(environ)
    assert (first["version"], second["version"]) == (OLD, NEW)
