"""The `keyturn` command as a whole."""

import signal
import subprocess

import psutil
import pytest
from click.testing import CliRunner

from keyturn.daemon.__main__ import SUBCOMMANDS, main
from support.editors.editor import keyturn
from support.until import until


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_that_is_listed_is_there(name: str):
    assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_an_interrupt_is_130_also_in_a_command_that_does_not_expect_it():
    process = subprocess.Popen(
        keyturn("bench", "lsp", "--starts", "50"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until(psutil.Process(process.pid).children, "the first server that it measures")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, b"")
    assert errors.strip() == b"keyturn: interrupted"
