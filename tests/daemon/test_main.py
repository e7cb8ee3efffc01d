"""The `keyturn` command as a whole."""

import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from keyturn.daemon.__main__ import SUBCOMMANDS, main
from support.editors.editor import environment, keyturn
from support.until import until


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_that_is_listed_is_there(name: str):
    assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def started_by(pid: int) -> list[psutil.Process]:
    """Children that their parent knows of: while one is being made, nobody would end it."""
    old_enough = time.time() - 0.2
    return [child for child in psutil.Process(pid).children() if child.create_time() < old_enough]


def test_an_interrupt_is_130_also_in_a_command_that_does_not_expect_it():
    process = subprocess.Popen(
        keyturn("bench", "lsp", "--starts", "50"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until(lambda: started_by(process.pid), "the first server that it measures")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, b"")
    assert errors.strip() == b"keyturn: interrupted"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device without room")
@pytest.mark.parametrize("words", [("config", "show"), ("model", "list")])
def test_output_that_finds_no_room_is_one_line_and_code_3(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            keyturn(*words), env=environment(tmp_path), stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 3
    assert done.stderr == b"keyturn: cannot write the output: No space left on device\n"
