"""`keyturn serve` says what it cannot do before it starts anything."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from keyturn.daemon.__main__ import main
from keyturn.daemon.team.tokens import Tokens


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["serve", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "keyturn serve token"),
        (["--host", "gpu.example"], "keyturn serve token"),
        (["--tokens", "missing"], "the tokens cannot be read"),
        (["--certificate", "here.pem"], "go together"),
        (["--dtype", "int3"], "int3"),
        (["--replicas", "0"], "not in the range"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here.pem").write_text("")
    code, output = run(*arguments)
    assert code == 2
    assert said in output


def test_a_token_is_printed_once_and_lets_its_user_in(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    code, output = run("token", "ann", "--tokens", str(file))
    assert code == 0
    token = output.splitlines()[0]
    assert token not in file.read_text()
    assert Tokens(file).user(f"Bearer {token}") == "ann"
    assert run("token", "a b", "--tokens", str(file))[0] == 2


def test_the_configuration_names_the_model_that_was_asked_for() -> None:
    code, output = run("config", "--model", "qwen2.5-coder-1.5b")
    assert code == 0
    (application,) = yaml.safe_load(output)["applications"]
    assert application["args"]["model"]["name"] == "qwen2.5-coder-1.5b"


def test_a_server_can_be_no_fallback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYTURN_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("KEYTURN_MODEL_FALLBACK", "https://other.example")
    result = CliRunner().invoke(main, ["config", "show"])
    assert "model.fallback is 'https://other.example'" in result.output
    assert str(tmp_path / "token") in CliRunner().invoke(main, ["config", "token"]).output
