"""Where the user's own folders are, and that somebody may have none."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from keyturn.models.user_folder import NoHomeFolder, user_folder

KINDS = ("cache", "config", "state")


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_without_a_home_folder_is_told_what_to_set(
    kind, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def nobody(number: int) -> None:
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.delenv(f"XDG_{kind.upper()}_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(NoHomeFolder, match="set HOME to one, or KEYTURN_CACHE"):
        user_folder(kind)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_folder(kind).is_relative_to(tmp_path)


@pytest.mark.parametrize("command", ["daemon status", "config path", "model list", "lsp"])
def test_without_a_home_folder_a_command_ends_with_one_line(command: str, tmp_path: Path):
    code = (
        "import os, pwd, sys\n"
        "def nobody(number): raise KeyError(number)\n"
        "pwd.getpwuid = nobody\n"
        "from keyturn.daemon.__main__ import main\n"
        f"main({command.split()})\n"
    )
    ours = ("HOME", "XDG_", "KEYTURN_CACHE", "KEYTURN_CONFIG", "KEYTURN_STATE")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, stdin=subprocess.DEVNULL, capture_output=True
    )
    assert done.returncode == 3
    assert done.stderr.startswith(b"keyturn: this user has no home folder")
    assert done.stderr.count(b"\n") == 1
