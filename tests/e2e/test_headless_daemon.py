"""`keyturn complete` with a daemon and without: the same output, the model loaded once."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from editor import environment, keyturn

SOURCE = "import os\n\n\ndef size_of(path):\n    return os.path.gets\n"
WHERE = ["--line", "5", "--column", "24", "--stdin-filename", "size.py"]


def complete(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        keyturn("complete", *arguments), input=SOURCE.encode(), env=environ, capture_output=True
    )


def status(environ: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        keyturn("daemon", "status", "--json"), env=environ, capture_output=True, check=False
    )
    return json.loads(done.stdout)


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    environ = environment(tmp_path, "qwen2.5-coder-0.5b")
    yield environ
    subprocess.run(keyturn("daemon", "stop"), env=environ, capture_output=True, timeout=60)


@pytest.mark.slow
@pytest.mark.usefixtures("real_model")
def test_the_output_is_the_same_with_a_daemon_and_without(environ: dict[str, str]):
    alone = complete(environ, *WHERE)
    assert alone.returncode == 0
    assert status(environ)["phase"] == "stopped"  # none is started for this
    subprocess.run(keyturn("daemon", "start"), env=environ, check=True, capture_output=True)
    shared = complete(environ, *WHERE)
    assert (shared.returncode, shared.stdout) == (0, alone.stdout)
    assert status(environ)["requests"] == {"completed": 1}
    for flags in (["--json", "--n", "2"], ["--json", "--temperature", "0.7", "--seed", "3"]):
        ours = json.loads(complete(environ, *WHERE, *flags, "--no-daemon").stdout)
        theirs = json.loads(complete(environ, *WHERE, *flags).stdout)
        for answer in (ours, theirs):
            # How it was come by may differ: the daemon's drafters know what was said before.
            del answer["timings"], answer["tokens"]["reused"], answer["speculation"]
            del answer["grammar"]["model_calls"], answer["grammar"]["took_ms"]
        assert ours == theirs
    assert status(environ)["requests"] == {"completed": 3}


def test_a_daemon_with_another_model_is_not_asked(environ: dict[str, str], tmp_path: Path):
    environ["KEYTURN_MODEL_NAME"] = "lookup"
    subprocess.run(keyturn("daemon", "start"), env=environ, check=True, capture_output=True)
    found = complete(environ, *WHERE, "--model", str(tmp_path / "no-such-model"))
    assert found.returncode == 3  # it was looked for here
    assert status(environ)["requests"] == {}
