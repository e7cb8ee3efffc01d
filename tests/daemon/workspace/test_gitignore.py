"""What git ignores, against git itself."""

import subprocess
from pathlib import Path, PurePath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keyturn.daemon.workspace.gitignore import GitIgnore, Rules
from keyturn.daemon.workspace.project import Project
from keyturn.lsp.options import Options

FOLDERS = ("", "a", "a/b", "a/b/c", "b", "build", "c/build")
NAMES = ("a.py", "b.py", "build.py", "x y.py", "é.py", "[a].py", "#a.py", "!a.py")
PARTS = st.sampled_from(
    ["a", "b", "c", "build", "*", "**", "?", "[ab]", "*.py", "b*", "x y.py", "a*p*y", "**.py"]
) | st.text("ab*?[]!^-\\: .pyé#", min_size=1, max_size=8)
PATTERN = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "!", "/", "!/"]),
    st.lists(PARTS, min_size=1, max_size=3).map("/".join),
    st.sampled_from(["", "", "/", " ", "\r"]),
)
PATTERNS = st.lists(
    PATTERN
    | st.sampled_from(
        ["# a", "", "!", "/", "[", "\\\\", "[[:alpha:]].py", "[^[:digit:]]*", "[]a].py", "[a-"]
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    subprocess.run(["git", "init", "-q", root], check=True)
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            (root / folder / name).touch()
    return root


def not_ignored(root: Path) -> set[str]:
    command = ["git", "-c", "core.excludesFile=", "ls-files", "-zo", "--exclude-standard"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return {name for name in done.stdout.split("\0") if name.endswith(".py")}


@settings(max_examples=150, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(("", "a", "a/b"), PATTERNS)), PATTERNS)
@example({"": ["*/", "!a"], "a": [], "a/b": []}, [])
def test_the_files_that_git_would_add_are_those_that_are_read(
    tree: Path, rules: dict[str, list[str]], excluded: list[str]
):
    for folder, lines in rules.items():
        (tree / folder / ".gitignore").write_text("\n".join(lines))
    (tree / ".git" / "info" / "exclude").write_text("\n".join(excluded))
    project = Project(tree, Options())
    expected = not_ignored(tree)
    assert {path.relative_to(tree).as_posix() for path in project.files()} == expected
    ignore = GitIgnore(tree)
    for folder in FOLDERS:
        for name in NAMES:
            path = PurePath(folder, name)
            assert ignore.ignores(path, False) != (path.as_posix() in expected)


@pytest.mark.parametrize(
    "line",
    [
        "a*" * 16 + "b",
        "a*" * 2_000 + "b",
        "*a" * 2_000 + "b",
        "?*" * 2_000 + "b",
        "[ab]*" * 800 + "b",
        "**/a/" * 800 + "b",
        "**/*a*/" * 500 + "**/b",
        "*" * 4_000 + "b",
    ],
)
def test_no_pattern_takes_longer_than_its_length_times_the_names(line: str):
    rules = Rules([line.encode()])
    for path in ([b"a" * 255], [b"a" * 60 + b".py"], [b"a"] * 500):
        assert rules.verdict(path, False) is None  # or this test would not end
