"""Who may ask a server: the users of a file, which is read again when it changes."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.cache.errors import InputError
from keyturn.daemon.team.tokens import ANYBODY, Tokens, add, parsed


def test_a_user_is_known_by_any_of_their_tokens_and_by_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    one, two, other = add(path, "ann"), add(path, "ann"), add(path, "bob")
    assert path.stat().st_mode & 0o077 == 0
    assert one not in path.read_text()
    tokens = Tokens(path)
    assert [tokens.user(f"Bearer {each}") for each in (one, two, other)] == ["ann", "ann", "bob"]
    assert tokens.user(f"bearer  {one}") == "ann"
    for nobody in (
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Basic {one}",
        one,
        f"Bearer {one}x",
        "Bearer é",
    ):
        assert tokens.user(nobody) is None


def test_who_is_let_in_or_shut_out_needs_no_restart(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    ann = add(path, "ann")
    tokens = Tokens(path)
    bob = add(path, "bob")
    assert tokens.user(f"Bearer {bob}") == "bob"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    os.utime(path, ns=(1, 1))
    assert tokens.user(f"Bearer {ann}") is None
    assert tokens.user(f"Bearer {bob}") == "bob"
    path.write_text("half a li")
    assert tokens.user(f"Bearer {bob}") == "bob"  # somebody is writing it
    path.unlink()
    assert tokens.user(f"Bearer {bob}") == "bob"


def test_without_a_file_anybody_may_ask() -> None:
    assert Tokens(None).user(None) == ANYBODY


@given(st.text(max_size=200))
def test_no_file_makes_anything_but_users_or_an_error(text: str) -> None:
    try:
        users = parsed(text)
    except InputError:
        return
    assert all(len(digest) == 64 for digest in users)


@pytest.mark.parametrize("name", ["", "a b", "../x", "a\nb", "x" * 65, "-a"])
def test_odd_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no user name"):
        add(tmp_path / "tokens", name)
    assert not (tmp_path / "tokens").exists()


def test_a_file_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Tokens(tmp_path / "missing")
