"""`keyturn feedback`: what was learnt, and how to be rid of it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from keyturn.daemon.__main__ import main
from keyturn.daemon.commands.feedback import command
from keyturn.daemon.server.calibration import Calibration
from keyturn.lsp.backend import Feedback, Outcome


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KEYTURN_STATE_DIR", str(tmp_path))
    return tmp_path / "feedback.txt"


def feedback(*arguments: str) -> Result:
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0
    return done


def learn(path: Path, times: int) -> None:
    calibration = Calibration(path)
    for _ in range(times):
        calibration.saw(Feedback("file:///a.py", Outcome.REJECTED, 0, True, 0.5, False))


def test_before_anything_was_learnt_it_says_so(path: Path) -> None:
    assert feedback("status").stdout == f"nothing yet; it will be kept in {path}\n"
    assert feedback("forget").stdout == "there was nothing\n"


def test_it_says_what_was_learnt_and_what_follows(path: Path) -> None:
    learn(path, 40)
    shown = feedback("status").stdout
    assert "40 suggestions: the first line was right in 0, and was expected to be in 20.0\n" in (
        shown
    )
    assert "what was thought to be right in 50 % is now expected in" in shown
    found = json.loads(feedback("status", "--json").stdout)
    assert (found["suggestions"], found["right"], found["path"]) == (40, 0, str(path))
    assert found["half"] < 0.4


def test_it_is_forgotten_on_request(path: Path) -> None:
    learn(path, 3)
    assert feedback("forget").stdout == "forgot 3 suggestions\n"
    assert not path.exists()


def test_what_cannot_be_removed_is_an_error_in_one_line(path: Path) -> None:
    path.mkdir()
    done = CliRunner().invoke(main, ["feedback", "forget"])
    assert done.exit_code != 0
    assert f"keyturn: {path} cannot be removed: " in done.output
    assert "Traceback" not in done.output
