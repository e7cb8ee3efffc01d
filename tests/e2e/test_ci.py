"""Where `CI` is set, an editor that cannot be started fails the run, and the run says why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BROWSER = ("test_vscode.py", "ghost_text_is_accepted")
PACKAGE = ("test_vscode.py", "holds_only_what_it_needs")
NEOVIM = ("test_neovim.py", "checkhealth")


def run(tests: tuple[str, str], folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """A run of pytest that finds no program but those in `folder`."""
    file, expression = tests
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-rs", str(HERE / file), "-k", expression],
        env={**os.environ, "CI": "", "PATH": str(folder), **environ},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
    )


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("tests", "what", "environ"),
    [
        (BROWSER, "there is no chromium on this machine", {}),
        (PACKAGE, "there is no node on this machine", {}),
        (NEOVIM, "there is no nvim on this machine", {"KEYTURN_TEST_NVIM": "no-such-nvim"}),
    ],
)
def test_what_is_missing_fails_in_ci(
    tests: tuple[str, str], what: str, environ: dict[str, str], tmp_path: Path
):
    found = run(tests, tmp_path, CI="true", **environ)
    assert found.returncode == 1, found.stdout
    assert what in found.stdout


def test_what_is_missing_is_skipped_on_a_users_machine(tmp_path: Path):
    found = run(BROWSER, tmp_path)
    assert found.returncode == 0, found.stdout
    assert "1 skipped" in found.stdout
    assert "there is no chromium on this machine" in found.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is given the browser by Debian")
def test_a_browser_that_debian_does_not_provide_fails_in_ci_with_its_reason(tmp_path: Path):
    program(tmp_path / "apt-get", "echo 'E: Unable to locate package chromium' >&2; exit 100")
    found = run(BROWSER, tmp_path, CI="true")
    assert found.returncode == 1, found.stdout
    assert "Debian does not provide chromium: E: Unable to locate package" in found.stdout


def test_a_registry_that_cannot_be_reached_fails_in_ci_with_its_reason(tmp_path: Path):
    for name in ("node", "npm"):
        program(tmp_path / name, "")
    program(tmp_path / "make", "echo 'npm error code ENOTFOUND' >&2; exit 2")
    found = run(PACKAGE, tmp_path, CI="true")
    assert found.returncode == 1, found.stdout
    assert "npm's registry does not provide what the test needs: ENOTFOUND" in found.stdout
