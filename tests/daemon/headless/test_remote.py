"""`keyturn complete` as a process that starts a daemon and asks it, with a tiny random model."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keyturn.daemon.paths import daemon_paths
from support.editors.editor import environment, keyturn
from support.models.measured import remember_kernels
from support.models.tiny_tokenizer import PAGE
from support.until import until

SAMPLED = ("--temperature", "2", "--extent", "all", "--max-tokens", "12")
NAMED = ("--offset", "300", "--stdin-filename", "a.py", "--json")
Environ = dict[str, str]


@pytest.fixture(scope="module")
def environ(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environ]:
    """In which a daemon would load the tiny model."""
    folder = tmp_path_factory.mktemp("own")
    cache = remember_kernels(folder / "cache")
    environ = environment(folder, str(tiny_folder), KEYTURN_CACHE=str(cache))
    yield environ
    stop(environ)


def stop(environ: Environ) -> None:
    subprocess.run(keyturn("daemon", "stop"), env=environ, capture_output=True, check=True)


def start(environ: Environ, *arguments: str) -> "subprocess.Popen[bytes]":
    command = keyturn("complete", *arguments, *SAMPLED, "--model", environ["KEYTURN_MODEL_NAME"])
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, stderr=pipe)


def complete(environ: Environ, *arguments: str, text: str = PAGE) -> tuple[int, bytes, bytes]:
    with start(environ, *arguments) as process:
        output, errors = process.communicate(text.encode(), timeout=120)
    return process.returncode, output, complaints(errors)


def complaints(errors: bytes) -> bytes:
    """Without what loading may remark."""
    return b"".join(line for line in errors.splitlines(True) if line.startswith(b"keyturn:"))


def answer(environ: Environ, *arguments: str, text: str = PAGE) -> dict[str, Any]:
    code, output, errors = complete(environ, *arguments, text=text)
    assert code in (0, 1), errors
    return json.loads(output)


def status(environ: Environ) -> dict[str, Any]:
    done = subprocess.run(
        keyturn("daemon", "status", "--json"), env=environ, capture_output=True, check=False
    )
    return json.loads(done.stdout)


def test_the_first_question_starts_a_daemon_and_the_second_about_a_file_reuses_what_it_read(
    environ: Environ,
) -> None:
    first, second = answer(environ, *NAMED), answer(environ, *NAMED)
    found = status(environ)
    assert (found["phase"], found["requests"]) == ("ready", {"completed": 2})
    assert first["timings"]["load"] > second["timings"]["load"] == 0
    assert first["tokens"]["reused"] == 0
    assert second["tokens"]["reused"] == second["tokens"]["prompt"] - 1
    assert second["cache"]["encoded"] == 1
    assert second["text"] == first["text"] != ""


def test_fresh_uses_nothing_of_it_and_says_the_same_and_so_does_a_process_without_daemon(
    environ: Environ,
) -> None:
    cached, fresh, alone = (answer(environ, *NAMED, *flag) for flag in ((), ("--fresh",), ALONE))
    assert cached["text"] == fresh["text"] == alone["text"]
    assert fresh["tokens"]["reused"] == alone["tokens"]["reused"] == 0
    assert "cache" not in alone


ALONE = ("--no-daemon",)


def test_an_edited_file_is_read_again_only_where_it_changed(environ: Environ) -> None:
    text, where = PAGE * 8, ("--offset", str(4 * len(PAGE)), *NAMED[2:])
    answer(environ, *where, text=text)
    edited = answer(environ, *where, text="import re\n" + text)
    assert edited["tokens"]["prompt"] // 2 < edited["tokens"]["reused"] < edited["tokens"]["prompt"]


def test_a_text_without_a_name_is_not_kept(environ: Environ) -> None:
    twice = [answer(environ, "--offset", "300", "--json") for _ in range(2)]
    assert [each["tokens"]["reused"] for each in twice] == [0, 0]
    assert twice[0]["text"] == twice[1]["text"]


def test_streamed_through_the_daemon_the_text_is_the_same(environ: Environ) -> None:
    plain, streamed = (
        complete(environ, "--offset", "300", "--seed", "5", *flag) for flag in ((), ("--stream",))
    )
    assert plain == streamed
    assert plain[1]


def test_lines_go_through_the_daemon_and_edits_are_driven_here(environ: Environ) -> None:
    before = status(environ)["requests"]["completed"]
    asked = [
        {"id": 1, "text": PAGE, "offset": 300, "filename": "b.py"},
        {"id": 2, "text": PAGE, "offset": 300, "filename": "b.py"},
        {"id": 3, "op": "open", "filename": "c.py", "text": PAGE},
        {"id": 4, "op": "complete", "filename": "c.py", "offset": 300},
    ]
    code, output, errors = complete(environ, "--ndjson", text="\n".join(map(json.dumps, asked)))
    assert (code, errors) == (0, b"")
    first, second, _, fourth = map(json.loads, output.splitlines())
    assert first["text"] == second["text"] == fourth["text"]
    assert second["tokens"]["reused"] == second["tokens"]["prompt"] - 1
    assert status(environ)["requests"]["completed"] == before + 2


def test_a_time_limit_and_an_interrupt_count_while_the_daemon_loads_the_model(
    environ: Environ,
) -> None:
    stop(environ)
    code, output, errors = complete(environ, *NAMED, "--timeout", "0.6")
    assert (code, output, errors) == (4, b"", b"keyturn: no completion within 0.6 s\n")
    stop(environ)
    with start(environ, *NAMED) as process:
        assert process.stdin is not None
        process.stdin.write(PAGE.encode())
        process.stdin.close()
        process.stdin = None
        socket = daemon_paths(environ).socket
        until(socket.exists, "a daemon", every=0.01)  # a command that asks it takes too long
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, b"")
    assert complaints(errors) == b"keyturn: interrupted\n"


def test_a_daemon_killed_under_a_question_is_replaced_and_the_question_answered(
    environ: Environ,
) -> None:
    for _ in range(9):  # until it is killed before it has answered
        stop(environ)
        with start(environ, *NAMED) as process:
            assert process.stdin is not None
            process.stdin.write(PAGE.encode())
            process.stdin.close()
            process.stdin = None
            pid = until(lambda: asked(status(environ)), "a daemon that is asked")
            os.kill(pid, signal.SIGKILL)
            output, errors = process.communicate(timeout=120)
        assert (process.returncode, complaints(errors)) == (0, b"")
        assert json.loads(output)["text"]
        if (replaced := status(environ).get("pid")) is not None:
            assert replaced != pid
            return
    raise AssertionError("every answer came before the daemon could be killed")


def asked(found: dict[str, Any]) -> int:
    """The process of a daemon that has been asked; 0 for none."""
    clients = [each["client"] for each in found.get("clients", ())]
    return found["pid"] if "complete" in clients else 0


def test_where_no_daemon_can_be_started_this_process_answers_and_says_so_in_one_line(
    environ: Environ,
) -> None:
    nowhere = {**environ, "KEYTURN_RUNTIME_DIR": f"{os.devnull}/run"}
    code, output, errors = complete(nowhere, *NAMED)
    assert code == 0
    assert json.loads(output)["text"] == answer(environ, *NAMED)["text"]
    assert errors.startswith(b"keyturn: answered without the daemon: ")
    assert errors.count(b"\n") == 1


@pytest.mark.parametrize("alone", [(), ALONE])
def test_a_question_that_has_waited_for_the_model_is_not_cut_off_as_soon_as_others_are(
    environ: Environ, alone: tuple[str, ...]
) -> None:
    stop(environ)
    hurried = {**environ, "KEYTURN_COMPLETION_DEADLINE_MS": "10"}
    asked = [{"text": PAGE, "offset": 300, "max_tokens": 400, "grammar": "off"}] * 2
    lines = "\n".join(map(json.dumps, asked))
    code, output, errors = complete(hurried, "--ndjson", *alone, text=lines)
    assert (code, errors) == (0, b"")
    first, second = map(json.loads, output.splitlines())
    assert first["timings"]["load"] > second["timings"]["load"] == 0
    assert first["finish"] != second["finish"] == "deadline"
    stop(environ)


def test_a_question_right_after_the_settings_name_another_model_is_answered_by_it(
    tiny_folder: Path, tmp_path: Path
) -> None:
    environ = environment(tmp_path, KEYTURN_CACHE=str(tmp_path / "cache"))
    del environ["KEYTURN_MODEL_NAME"]
    (tmp_path / "config").mkdir()
    settings = tmp_path / "config" / "config.toml"
    text = b"first_value = compute()\nsecond = 1\nfirst_va"
    command = keyturn("complete", "--offset", str(len(text)), "--stdin-filename", "a.py", "--json")
    try:
        for model in (str(tiny_folder), "lookup", str(tiny_folder)):
            settings.write_text(f"[model]\nname = {json.dumps(model)}\n")
            done = subprocess.run(
                command, input=text, env=environ, capture_output=True, timeout=120
            )
            assert done.returncode in (0, 1), done.stderr
            assert json.loads(done.stdout)["model"] == model
        assert status(environ)["requests"] == {"completed": 3}
    finally:
        stop(environ)


def test_looking_up_is_refused_beside_a_daemon_that_has_a_model(environ: Environ) -> None:
    answer(environ, *NAMED)
    looking_up = {**environ, "KEYTURN_MODEL_NAME": "lookup"}
    done = subprocess.run(
        keyturn("complete", "--offset", "3"), input=b"value", env=looking_up, capture_output=True
    )
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"keyturn daemon stop" in done.stderr
    assert len(done.stderr.splitlines()) == 1
