"""Where the socket is, and that nobody else can get there."""

import os
import stat
import subprocess
import warnings
from pathlib import Path

import pytest
from editor import environment, keyturn

from keyturn.daemon.paths import UnsafeDirectory, daemon_paths, make_private


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
    (tmp_path / "file").touch()
    with pytest.raises(UnsafeDirectory, match="set KEYTURN_RUNTIME_DIR"):
        make_private(tmp_path / "file" / "run")
    environ = {**environment(tmp_path), "KEYTURN_RUNTIME_DIR": str(tmp_path / "file" / "run")}
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
