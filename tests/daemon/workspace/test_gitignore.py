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


@pytest.fixture(autouse=True)
def nobodys_rules(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("nobody")))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    subprocess.run(["git", "init", "-q", root], check=True)
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            (root / folder / name).touch()
    return root


def not_ignored(root: Path, settings: tuple[str, ...] = ("-c", "core.excludesFile=")) -> set[str]:
    command = ["git", *settings, "ls-files", "-zo", "--exclude-standard"]
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


def git(*arguments: object) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", *identity, *map(str, arguments)], check=True, capture_output=True)


def names_in(root: Path) -> set[str]:
    return {path.name for path in Project(root, Options()).files()}


def test_what_a_repository_excludes_is_excluded_in_its_other_work_trees(tmp_path: Path):
    main, linked = tmp_path / "main", tmp_path / "linked"
    git("init", "-q", main)
    git("-C", main, "commit", "-q", "--allow-empty", "-m", "first")
    git("-C", main, "worktree", "add", "-q", linked)
    (main / ".git" / "info").mkdir(exist_ok=True)
    (main / ".git" / "info" / "exclude").write_text("secret.py\n")
    for name in ("secret.py", "fine.py"):
        (linked / name).touch()
    assert names_in(linked) == {"fine.py"} == not_ignored(linked)


@pytest.mark.parametrize(
    "says", ["", "gitdir: ", "gitdir: nowhere\n", "gitdir: \0\n", "gitdir: /dev/zero\n", "x" * 9**6]
)
def test_a_git_file_that_leads_nowhere_does_no_harm(tmp_path: Path, says: str):
    (tmp_path / ".git").write_text(says)
    (tmp_path / "a.py").touch()
    assert names_in(tmp_path) <= {"a.py"}


def test_what_the_user_ignores_everywhere_is_ignored_unless_the_repository_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    git("init", "-q", root := tmp_path / "root")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "git").mkdir(parents=True)
    (tmp_path / "config" / "git" / "ignore").write_text("mine.py\nnotes.py\n")
    (root / ".gitignore").write_text("!notes.py\n")
    for name in ("mine.py", "notes.py", "fine.py"):
        (root / name).touch()
    assert names_in(root) == {"notes.py", "fine.py"} == not_ignored(root, ())
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "config").rename(tmp_path / ".config")
    (tmp_path / "home").symlink_to(tmp_path)
    assert names_in(root) == {"notes.py", "fine.py"}


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
