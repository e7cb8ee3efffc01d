"""`keyturn complete` with a daemon and without: the same output, the model loaded once."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from keyturn.daemon.protocol import MAX_FRAME_BYTES
from support.editors.editor import environment, keyturn

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
    alone = complete(environ, *WHERE, "--no-daemon")
    assert alone.returncode == 0
    assert status(environ)["phase"] == "stopped"  # none is started for this
    shared = complete(environ, *WHERE)
    assert (shared.returncode, shared.stdout) == (0, alone.stdout)
    assert status(environ)["requests"] == {"completed": 1}
    for flags in (["--json", "--n", "2"], ["--json", "--temperature", "0.7", "--seed", "3"]):
        ours = json.loads(complete(environ, *WHERE, *flags, "--no-daemon").stdout)
        theirs = json.loads(complete(environ, *WHERE, *flags).stdout)
        for answer in (ours, theirs):
            # How it was come by may differ: the daemon's drafters know what was said before.
            answer.pop("cache", None)
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


def test_a_line_that_no_frame_can_carry_sends_no_other_line_elsewhere(environ: dict[str, str]):
    environ["KEYTURN_MODEL_NAME"] = "lookup"  # which no process but the daemon has
    text = "first_value = compute()\nfirst_va"
    small = {"text": text, "offset": len(text), "filename": "a.py"}
    large = {"text": " " * MAX_FRAME_BYTES, "offset": 0, "filename": "b.py"}
    opened = {"op": "open", "filename": "c.py", "text": text}
    edits = [opened, {"op": "complete", "filename": "c.py", "offset": 1}]
    lines = [small, large, *edits, small]
    asked = (json.dumps({"id": number, **line}) for number, line in enumerate(lines))
    command = keyturn("complete", "--ndjson")
    done = subprocess.run(
        command, input="\n".join(asked).encode(), env=environ, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert [reply["id"] for reply in replies] == [0, 1, 2, 3, 4]
    assert replies[0]["text"] == replies[4]["text"] == "lue = compute()"
    assert [reply["error"]["code"] for reply in (replies[1], replies[3])] == [2, 2]
    assert b"over the limit" in done.stderr
    assert status(environ)["requests"] == {"completed": 2}


def at_once(
    environ: dict[str, str], source: str, *arguments: str
) -> tuple[list[dict[str, Any]], int]:
    """The answers to twelve processes started together, and the bytes that they and their daemon
    took at most, pages that several have counted once."""
    pipe, texts = subprocess.PIPE, [f"{source}\n\nNUMBER = {each}\n" for each in range(12)]
    command = keyturn("complete", *arguments, "--json")
    asking = [
        subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, stderr=pipe) for _ in texts
    ]
    for process, text in zip(asking, texts, strict=True):
        assert process.stdin is not None
        process.stdin.write(text.encode())
        process.stdin.close()
        process.stdin = None
    most_bytes = 0
    while any(process.poll() is None for process in asking):
        most_bytes = max(most_bytes, memory_of(environ["KEYTURN_RUNTIME_DIR"]))
        time.sleep(0.2)
    done = [process.communicate() for process in asking]
    assert [process.returncode for process in asking] == [0] * 12, done
    return [json.loads(output) for output, _ in done], most_bytes


def memory_of(runtime: str) -> int:
    """Of all processes with this runtime folder."""
    total_bytes = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("KEYTURN_RUNTIME_DIR") == runtime:
                total_bytes += process.memory_full_info().pss
    return total_bytes


def test_twelve_at_once_are_all_served_by_one_daemon(environ: dict[str, str]):
    environ["KEYTURN_MODEL_NAME"] = "lookup"
    where = ("--line", "2", "--column", "9", "--stdin-filename", "a.py")
    source = "first_value = compute()\nfirst_va"
    answers, _ = at_once(environ, source, *where)  # of the configured model
    assert {each["text"] for each in answers} == {"lue = compute()"}
    assert status(environ)["requests"] == {"completed": 12}
    assert Path(environ["KEYTURN_STATE_DIR"], "daemon.log").read_text().count("listens at") == 1


@pytest.mark.slow
@pytest.mark.parametrize("stopped_before", [True, False])
def test_a_daemon_that_is_stopped_is_not_waited_for_for_ever(
    environ: dict[str, str], stopped_before: bool
):
    environ["KEYTURN_MODEL_NAME"] = "lookup"
    subprocess.run(keyturn("daemon", "start"), env=environ, check=True, capture_output=True)
    daemon = psutil.Process(status(environ)["pid"])
    asking = subprocess.Popen(
        keyturn("complete", "--ndjson"), env=environ, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    text = "first_value = compute()\nfirst_va"
    question = json.dumps({"text": text, "offset": len(text), "filename": "a.py"}) + "\n"
    assert asking.stdin is not None
    assert asking.stdout is not None
    if not stopped_before:
        asking.stdin.write(question)
        asking.stdin.flush()
        assert json.loads(asking.stdout.readline())["text"] == "lue = compute()"
    daemon.suspend()
    try:
        output, errors = asking.communicate(question, timeout=60)
    finally:
        daemon.resume()
    assert asking.returncode == 3
    assert "daemon" in output + errors


@pytest.mark.slow
@pytest.mark.usefixtures("real_model")
def test_twelve_at_once_share_one_model_in_less_than_4_gb(environ: dict[str, str]):
    answers, most_bytes = at_once(environ, SOURCE, *WHERE)
    assert {each["text"] for each in answers} == {"ize(path)"}
    assert status(environ)["requests"] == {"completed": 12}
    assert most_bytes < 4e9
    print(f"{most_bytes / 1e9:.2f} GB at most")


@pytest.mark.slow
@pytest.mark.usefixtures("real_model")
def test_a_file_asked_about_again_has_its_first_token_ten_times_as_soon(environ: dict[str, str]):
    lines = [f"VALUE_{number} = {number} * math.pi\n" for number in range(120)]
    text = "import math\n" + "".join(lines) + SOURCE.removesuffix("s\n")
    where = ["--offset", str(len(text)), "--stdin-filename", "long.py", "--json"]

    def ask(*flags: str) -> dict[str, Any]:
        command = keyturn("complete", *where, *flags)
        done = subprocess.run(command, input=text.encode(), env=environ, capture_output=True)
        return json.loads(done.stdout)

    ask("--fresh")  # the model is loaded
    first, second, fresh = ask(), ask(), ask("--fresh")
    ms = [each["timings"]["tokenise"] + each["timings"]["prefill"] for each in (first, second)]
    print(f"first token after {ms[0]:.0f} ms, asked again {ms[1]:.0f} ms")
    assert first["text"] == second["text"] == fresh["text"] != ""
    assert second["tokens"]["reused"] == second["tokens"]["prompt"] - 1
    assert ms[0] > 10 * ms[1]


@pytest.mark.slow
@pytest.mark.usefixtures("real_model")
def test_a_question_that_the_daemon_has_no_room_for_costs_no_other_line(environ: dict[str, str]):
    environ["KEYTURN_MODEL_CACHE_MIB"] = "1"
    lines = [{"id": each, "text": SOURCE, "offset": 50, "filename": "a.py"} for each in range(2)]
    done = subprocess.run(
        keyturn("complete", "--ndjson"), env=environ, capture_output=True,
        input="".join(json.dumps(line) + "\n" for line in lines).encode(),
    )  # fmt: skip
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert [reply["id"] for reply in replies] == [0, 1]
    for reply in replies:
        assert "raise model.cache_mib" in reply["error"]["message"]
        assert "internal" not in reply["error"]["message"]
