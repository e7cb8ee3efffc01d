"""What a file's name says about its language."""

import pytest

from keyturn.daemon.workspace.language import COMMENTS, EXTENSIONS, NAMES, language_of


@pytest.mark.parametrize(
    ("path", "language", "comments"),
    [
        ("a.py", "python", ("#",)),
        ("/src/deep.dir/Main.TSX", "typescriptreact", ("//",)),
        ("Makefile", "makefile", ("#",)),
        ("src/Dockerfile", "dockerfile", ("#",)),
        ("noextension", "plaintext", ()),
        ("a.unknown", "plaintext", ()),
        (".bashrc", "plaintext", ()),
        ("", "plaintext", ()),
    ],
)
def test_a_name_says_the_language_and_its_comments(
    path: str, language: str, comments: tuple[str, ...]
) -> None:
    found = language_of(path)
    assert (found.id, found.comments) == (language, comments)


def test_every_language_that_a_name_can_mean_has_its_comments() -> None:
    assert {*EXTENSIONS.values(), *NAMES.values()} <= COMMENTS.keys()
    assert not any(extension.startswith(".") or extension != extension.lower()
                   for extension in EXTENSIONS)  # fmt: skip
