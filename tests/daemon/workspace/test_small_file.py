"""Rule and settings files that are no files: refused in words, at once."""

import os
from collections.abc import Callable
from pathlib import Path, PurePath

import pytest

from keyturn.daemon.workspace.gitignore import MOST_LINES, GitIgnore
from keyturn.daemon.workspace.small_file import MOST_BYTES, BadFile, read_bytes, read_text


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "endless": (lambda path: path.symlink_to("/dev/zero"), "it is a link"),
    "link": (lambda path: path.symlink_to(path.with_name("good")), "it is a link"),
    "circle": (lambda path: path.symlink_to(path), "it is a link"),
    "pipe": (os.mkfifo, "no regular file"),
    "folder": (Path.mkdir, "no regular file"),
    "large": (lambda path: write(path, b"x\n" * MOST_BYTES), "larger than 262,144 bytes"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_small_regular_file_is_not_read(tmp_path: Path, kind: str):
    make, reason = BAD[kind]
    (tmp_path / "good").write_text("good")
    make(tmp_path / "bad")
    with pytest.raises(BadFile, match=reason):
        read_bytes(tmp_path / "bad")


def test_a_users_own_file_may_be_a_link_and_not_to_a_device(tmp_path: Path):
    (tmp_path / "good").write_text("é")
    (tmp_path / "link").symlink_to(tmp_path / "good")
    assert read_text(tmp_path / "link", follow=True) == "é"
    (tmp_path / "endless").symlink_to("/dev/zero")
    with pytest.raises(BadFile, match="no regular file"):
        read_text(tmp_path / "endless", follow=True)


def test_what_is_not_there_is_nothing_and_what_is_not_text_is_said(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"a\xff")
    assert read_text(tmp_path / "none") is None
    assert read_text(tmp_path / "file" / "none") is None
    with pytest.raises(BadFile, match="UTF-8 at byte 1"):
        read_text(tmp_path / "file")


@pytest.mark.parametrize("kind", [*BAD, "lines"])
def test_below_rules_that_cannot_be_read_everything_counts_as_ignored(tmp_path: Path, kind: str):
    (tmp_path / "good").write_text("")
    (tmp_path / "below").mkdir()
    rules = tmp_path / "below" / ".gitignore"
    if kind == "lines":
        rules.write_text("a\n" * (MOST_LINES + 1))
    else:
        BAD[kind][0](rules)
    ignore = GitIgnore(tmp_path)
    assert ignore.ignores(PurePath("below", "deep", "b.py"), False)
    assert not ignore.ignores(PurePath("b.py"), False)
