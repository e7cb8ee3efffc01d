"""The token for a server comes from the environment or a private file."""

from pathlib import Path

import pytest

from keyturn.cache.errors import InputError
from keyturn.daemon.remote.token import token


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    environment = {"KEYTURN_CONFIG_DIR": str(tmp_path)}
    assert token(environment) is None
    file = tmp_path / "token"
    file.write_text("from-the-file\n")
    file.chmod(0o600)
    assert token(environment) == "from-the-file"
    assert token({**environment, "KEYTURN_TOKEN": "from-here"}) == "from-here"


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret")
    file.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        token({"KEYTURN_CONFIG_DIR": str(tmp_path)})


@pytest.mark.parametrize("found", ["two words", "tökén", "line\nbreak", "\x00"])
def test_what_no_header_can_carry_is_refused_without_repeating_it(found: str) -> None:
    with pytest.raises(InputError, match="KEYTURN_TOKEN holds no token") as caught:
        token({"KEYTURN_TOKEN": found, "KEYTURN_CONFIG_DIR": "/nonexistent"})
    assert found not in str(caught.value)
