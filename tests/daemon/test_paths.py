"""Where the socket is, and that nobody else can get there."""

import os
import stat
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from keyturn.daemon.paths import (
    DaemonPaths,
    UnsafeDirectory,
    check_files,
    daemon_paths,
    make_private,
)
from support.editors.editor import environment, keyturn

NO_FOLDER = Path(os.devnull) / "run"  # short wherever tests run: for a long one another is taken


def test_variables_take_precedence(tmp_path: Path):
    variables = {"KEYTURN_RUNTIME_DIR": "/r", "KEYTURN_STATE_DIR": "/s", "XDG_RUNTIME_DIR": "/x"}
    paths = daemon_paths(variables)
    assert paths.socket == Path("/r/daemon.sock")
    assert paths.log == Path("/s/daemon.log")


def test_without_a_session_folder_there_is_one_for_the_user_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert str(os.getuid()) in daemon_paths({}).runtime.name


def test_a_folder_too_deep_for_a_socket_has_a_short_stand_in_of_its_own():
    deep = [daemon_paths({"KEYTURN_RUNTIME_DIR": "/" + name * 120}).runtime for name in "ab"]
    assert deep[0] != deep[1]
    assert all(len(str(runtime / "daemon.sock")) < 100 for runtime in deep)


def test_the_folder_is_made_and_kept_closed_to_others(tmp_path: Path):
    folder = tmp_path / "run"
    make_private(folder)
    folder.chmod(0o777)
    make_private(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_said_with_what_to_do(tmp_path: Path):
    with pytest.raises(UnsafeDirectory, match="set KEYTURN_RUNTIME_DIR"):
        make_private(NO_FOLDER)
    environ = {**environment(tmp_path), "KEYTURN_RUNTIME_DIR": str(NO_FOLDER)}
    for command in (("run",), ("start",)):
        done = subprocess.run(
            keyturn("daemon", *command), env=environ, capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 3
        assert b"set KEYTURN_RUNTIME_DIR" in done.stderr
        assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(os.getuid() != 0, reason="needs to give a folder away")
def test_someone_elses_folder_and_a_link_are_refused(tmp_path: Path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    for folder in (theirs, link):
        with pytest.raises(UnsafeDirectory):
            make_private(folder)


def _link(path: Path) -> None:
    (path.parent / "elsewhere").write_text("kept")
    path.symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("name", ["daemon.lock", "starting.lock", "daemon.sock"])
@pytest.mark.parametrize(
    ("make", "what"),
    [
        (Path.mkdir, "a folder"),
        (_link, "a symbolic link"),
        (os.mkfifo, "no ordinary file"),
    ],
)
def test_what_stands_in_a_file_s_place_is_named_at_once_or_replaced(
    tmp_path: Path, name: str, make: Callable[[Path], None], what: str
):
    environ = environment(tmp_path)
    path = Path(environ["KEYTURN_RUNTIME_DIR"], name)
    path.parent.mkdir(mode=0o700)
    make(path)
    replaced = name == "daemon.sock" and what != "a folder"  # by a daemon that listens
    said = f"{path} is {what}, where the daemon has "

    def daemon(command: str) -> tuple[int, str]:
        done = subprocess.run(
            keyturn("daemon", command), env=environ, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout + done.stderr

    if replaced:
        assert daemon("status") == (3, "no daemon is running\n")
        assert daemon("start")[0] == 0
        assert daemon("stop") == (0, "stopped\n")
    else:
        for command in ("status", "stop", "start", "run", "restart"):
            code, output = daemon(command)
            assert code == 3
            assert said in output
            assert output.count("\n") == 1
    elsewhere = path.parent / "elsewhere"
    assert not elsewhere.exists() or elsewhere.read_text() == "kept"


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_lock_that_cannot_be_read_is_named(tmp_path: Path):
    paths = DaemonPaths(tmp_path, tmp_path / "log")
    paths.lock.touch(mode=0)
    with pytest.raises(UnsafeDirectory, match="cannot be read and written; remove it"):
        check_files(paths)


def test_a_link_of_one_s_own_in_the_folder_s_place_is_called_one(tmp_path: Path):
    environ = environment(tmp_path)
    (tmp_path / "real").mkdir(mode=0o700)
    Path(environ["KEYTURN_RUNTIME_DIR"]).symlink_to(tmp_path / "real")
    for command in ("start", "run"):
        done = subprocess.run(
            keyturn("daemon", command), env=environ, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 3
        assert f"{tmp_path / 'run'} is a symbolic link" in done.stderr
        assert "remove it, or set KEYTURN_RUNTIME_DIR" in done.stderr
