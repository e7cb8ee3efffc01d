"""Real processes: fronts and the daemon they share, started, killed and replaced."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.editors.editor import Editor, environment, keyturn
from support.until import until

TEXT = "first_value = compute()\nsecond = 1\nfirst_va"
REST = "lue = compute()"


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    environ = environment(tmp_path)
    yield environ
    subprocess.run(keyturn("daemon", "stop"), env=environ, capture_output=True, timeout=60)


def status(environ: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        keyturn("daemon", "status", "--json"), env=environ, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def test_an_editor_starts_the_daemon_and_gets_suggestions(environ: dict[str, str]):
    with Editor(environ) as editor:
        editor.open(TEXT)
        assert editor.ask(len(TEXT)) == [REST]
        found = editor.status()
        assert found["model"] == "lookup"
        assert found["pid"] != editor.process.pid


def test_many_who_start_a_daemon_at_once_get_the_same_one(environ: dict[str, str]):
    starting = [
        subprocess.Popen(keyturn("daemon", "start"), env=environ, stderr=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    said = {process.communicate(timeout=120)[1] for process in starting}
    assert [process.returncode for process in starting] == [0] * 8
    assert said == {f"the daemon runs as process {status(environ)['pid']}\n"}


@pytest.mark.slow
def test_twenty_editors_that_start_at_once_share_one_daemon(environ: dict[str, str]):
    def one(number: int) -> int:
        with Editor(environ) as editor:
            editor.open(f"number_{number} = call({number})\nnumber_{number}")
            # Twenty interpreters at once can take longer than a deadline.
            found = until(lambda: editor.ask(len(editor.text)), "an answer", 240, every=0.1)
            assert found == [f" = call({number})"]
            return editor.status()["pid"]

    with ThreadPoolExecutor(20) as pool:
        pids = set(pool.map(one, range(20)))
    assert pids == {status(environ)["pid"]}


def test_killing_the_daemon_costs_an_editor_nothing_but_a_pause(environ: dict[str, str]):
    with Editor(environ) as editor:
        editor.open(TEXT)
        assert editor.ask(len(TEXT)) == [REST]
        first = editor.status()["pid"]
        editor.replace(0, 0, "# é😀\n")
        os.kill(first, signal.SIGKILL)
        editor.replace(0, 0, "first_value = other()\r\n")
        end = len(editor.text)
        found = until(lambda: editor.ask(end), "an answer")  # one may be lost with the daemon
        assert found[0] == REST
        assert editor.status()["pid"] != first
        # What the new daemon has open is what the editor has: a place that only exists there.
        editor.replace(end, end, "lue = compute()\nfirst_value = o")
        assert editor.ask(len(editor.text)) == ["ther()"]


def test_a_daemon_that_was_stopped_comes_back_with_the_next_request_only(environ: dict[str, str]):
    with Editor(environ) as editor:
        editor.open(TEXT)
        assert editor.ask(len(TEXT)) == [REST]
        subprocess.run(keyturn("daemon", "stop"), env=environ, check=True, capture_output=True)
        editor.replace(0, 0, "# ")
        time.sleep(1)
        assert status(environ) == {"phase": "stopped"}
        assert until(lambda: editor.ask(len(editor.text)), "an answer") == [REST]


def test_killing_an_editor_releases_its_files(environ: dict[str, str]):
    with Editor(environ) as stays, Editor(environ) as goes:
        for editor in (stays, goes):
            editor.open(TEXT)
            assert editor.ask(len(TEXT)) == [REST]
        assert stays.status()["engine"]["open_files"] == 2
        goes.kill()
        until(lambda: stays.status()["engine"]["open_files"] == 1, "its file is closed")
        assert len(stays.status()["clients"]) == 1
        assert stays.ask(len(TEXT)) == [REST]


def test_a_stale_socket_and_a_stale_lock_are_no_obstacle(environ: dict[str, str], tmp_path: Path):
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(runtime / "daemon.sock"))
    (runtime / "daemon.lock").touch()
    (runtime / "starting.lock").touch()
    with Editor(environ) as editor:
        editor.open(TEXT)
        assert editor.ask(len(TEXT)) == [REST]


def test_a_runtime_folder_too_long_for_a_socket_is_replaced_by_a_short_one(tmp_path: Path):
    environ = environment(tmp_path / ("long" * 25))
    with Editor(environ) as editor:
        editor.open(TEXT)
        assert editor.ask(len(TEXT)) == [REST]
    subprocess.run(keyturn("daemon", "stop"), env=environ, check=True, timeout=60)


def test_a_runtime_folder_that_cannot_be_made_is_said_so_and_is_no_crash(tmp_path: Path):
    environ = environment(tmp_path)
    (tmp_path / "run").write_text("a file")
    started = subprocess.run(
        keyturn("daemon", "start"), env=environ, capture_output=True, text=True, timeout=60
    )
    assert (started.returncode, started.stderr.count("\n")) == (3, 1)
    assert str(tmp_path / "run") in started.stderr
    environ["KEYTURN_COMPLETION_DEADLINE_MS"] = "100"
    with Editor(environ) as editor:
        editor.open(TEXT)
        assert editor.ask(len(TEXT)) == []
        said = [each["params"] for each in editor.notes if each["method"] == "keyturn/status"]
        assert any(each["phase"] == "failed" for each in said)
        (tmp_path / "run").unlink()
        until(lambda: editor.ask(len(TEXT)) == [REST], "it has gone on trying")
    subprocess.run(keyturn("daemon", "stop"), env=environ, check=True, timeout=60)


def test_a_second_daemon_leaves_at_once_and_the_first_stays(environ: dict[str, str]):
    subprocess.run(keyturn("daemon", "start"), env=environ, check=True, timeout=60)
    first = status(environ)["pid"]
    second = subprocess.run(
        keyturn("daemon", "run"), env=environ, stderr=subprocess.PIPE, timeout=60
    )
    assert second.returncode == 75
    assert b"another daemon runs already" in second.stderr
    assert status(environ)["pid"] == first


def test_start_stop_restart_and_status_say_what_they_did(environ: dict[str, str]):
    def run(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            keyturn("daemon", name), env=environ, capture_output=True, text=True, timeout=60
        )

    assert run("status").returncode == 3
    assert run("start").returncode == 0
    assert "lookup" in run("status").stdout
    first = status(environ)["pid"]
    assert run("restart").returncode == 0
    assert status(environ)["pid"] != first
    assert run("stop").stderr.strip() == "stopped"
    assert run("stop").stderr.strip() == "no daemon was running"
    assert "listens" in run("logs").stdout


def test_the_log_holds_no_source_text(environ: dict[str, str]):
    environ["KEYTURN_DAEMON_LOG_LEVEL"] = "debug"
    with Editor(environ) as editor:
        editor.open("a_secret_name = 1\na_secret_na")
        assert editor.ask(len(editor.text)) == ["me = 1"]
    logs = subprocess.run(
        keyturn("daemon", "logs", "-n", "10000"), env=environ, capture_output=True, text=True
    )
    assert "a_secret" not in logs.stdout


def test_a_full_disk_costs_log_lines_and_nothing_else(environ: dict[str, str], tmp_path: Path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "daemon.log").symlink_to("/dev/full")
    with Editor(environ) as editor:
        editor.open(TEXT)
        assert editor.ask(len(TEXT)) == [REST]


def test_the_front_loads_neither_torch_nor_the_server(environ: dict[str, str]):
    code = (
        "import sys, keyturn.daemon.client.front, keyturn.lsp.server\n"
        "print([m for m in ('torch', 'transformers', 'keyturn.daemon.server.server')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [keyturn()[0], "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_daemon_listens_before_it_loads_torch(environ: dict[str, str]):
    code = (
        "import sys, keyturn.daemon.server.process, keyturn.daemon.engines.make_engine\n"
        "import keyturn.daemon.config\n"
        "print([m for m in ('torch', 'transformers', 'pygls') if m in sys.modules])"
    )
    done = subprocess.run(
        [keyturn()[0], "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_settings_of_the_workspace_that_the_editor_names_are_used(
    environ: dict[str, str], tmp_path: Path
):
    project = tmp_path / "project"
    project.mkdir()
    (project / "keyturn.toml").write_text("[completion]\nenabled = false\ncolour = 1\n")
    with Editor(environ, workspace=project) as editor:
        editor.open(TEXT)
        assert editor.ask(len(TEXT)) == []
        shown = [note["params"] for note in editor.notes if "showMessage" in note["method"]]
        assert ["colour" in message["message"] for message in shown] == [True]


def test_what_any_of_several_folders_keeps_from_us_is_kept(environ: dict[str, str], tmp_path: Path):
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        folder.mkdir()
    (folders[1] / "keyturn.toml").write_text("[completion]\ndisabled_globs = ['a.*']\n")
    for known, kept in ((folders[:1], False), (folders, True)):
        with Editor(environ, folders=known) as editor:
            editor.open(TEXT)
            assert (editor.ask(len(TEXT)) == []) is kept


def test_an_editor_follows_the_settings_files_while_it_runs(
    environ: dict[str, str], tmp_path: Path
):
    project = tmp_path / "project"
    project.mkdir()
    with Editor(environ, workspace=project) as editor:
        editor.open(TEXT)
        assert editor.ask(len(TEXT)) == [REST]
        (project / "keyturn.toml").write_text("[completion]\nenabled = false\n")
        until(lambda: not editor.ask(len(TEXT)), "the project's settings")
        (project / "keyturn.toml").unlink()
        until(lambda: editor.ask(len(TEXT)), "the project's settings are gone")
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "config.toml").write_text("[completion]\nmax_file_chars = 9\n")
        until(lambda: not editor.ask(len(TEXT)), "the user's settings")


def test_one_process_loads_another_model_when_the_settings_say_so(
    environ: dict[str, str], tmp_path: Path
):
    file = tmp_path / "config" / "config.toml"
    file.parent.mkdir()
    file.write_text("[model]\nname = 'no-such-model'\n")
    del environ["KEYTURN_MODEL_NAME"]
    with Editor(environ, "--in-process") as editor:
        editor.open(TEXT)
        assert editor.ask(len(TEXT)) == []
        file.write_text("[model]\nname = 'lookup'\n")
        assert until(lambda: editor.ask(len(TEXT)), "the other model") == [REST]
        # What cannot be loaded takes the present one from nobody, and is said.
        file.write_text("[model]\nname = 'not-there-either'\n")
        until(lambda: "not-there-either" in editor.status()["message"], "it is said")
        message = editor.status()["message"]
        assert message.endswith("; going on with lookup")
        assert editor.ask(len(TEXT)) == [REST]


def test_files_of_the_project_that_change_outside_the_editor_are_noticed(
    environ: dict[str, str], tmp_path: Path
):
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (project / ".gitignore").write_text("generated.py\n")
    (project / "generated.py").write_text("a_long_name = generated()")
    (project / ".env").write_text("a_long_name = secret()")
    (project / "other.py").write_text("a_long_name = first()")
    text, uri = "a_long_name", (project / "other.py").as_uri()

    def until_said(expected: list[str]) -> None:
        until(lambda: editor.ask(len(text)) == expected, f"{expected} is suggested")

    with Editor(environ, workspace=project, uri=(project / "here.py").as_uri()) as editor:
        editor.open(text)
        until_said([" = first()"])
        (project / "other.py").write_text("a_long_name = second()")
        until_said([" = second()"])
        item = {"uri": uri, "languageId": "python", "version": 1, "text": "a_long_name = unsaved()"}
        editor.notify("textDocument/didOpen", {"textDocument": item})
        until_said([" = unsaved()"])
        (project / "other.py").write_text("a_long_name = third()")
        time.sleep(1)
        assert editor.ask(len(text)) == [" = unsaved()"]  # what is open always wins
        editor.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        until_said([" = third()"])
        (project / "other.py").unlink()
        until_said([])
