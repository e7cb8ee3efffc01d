"""What the documentation says about files, commands and settings is what is there."""

import ast
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from keyturn.daemon.__main__ import main
from keyturn.daemon.config import SECTIONS
from keyturn.lsp.backend import Phase

ROOT = Path(__file__).parents[1]
DAEMON = (ROOT / "docs" / "daemon.md").read_text()
HELP = (ROOT / "doc" / "keyturn.txt").read_text()
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
).stdout.split()
PAGES = [name for name in TRACKED if name.endswith(".md")]
FOLDERS = {name.partition("/")[0] for name in TRACKED if "/" in name and name[0] != "."}
BUILT = "vscode-extension/keyturn.vsix"  # by a command that is named beside it


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page: str):
    links = re.findall(r"\]\((?!\w+:)([^)\s]+)", (ROOT / page).read_text())
    assert not [link for link in links if not is_there(page, link)]


def is_there(page: str, link: str) -> bool:
    """Whether there is that file, and that heading in it."""
    name, _, anchor = link.partition("#")
    target = (ROOT / page).parent / name if name else ROOT / page
    if not anchor:
        return target.exists()
    headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
    return anchor in {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_is_named_exists(page: str):
    folders = "|".join(sorted(FOLDERS))
    named = re.findall(rf"(?<![\w/.~-])(?:{folders})/[\w./*-]*[\w/*]", (ROOT / page).read_text())
    missing = [path for path in named if path != BUILT and not any(ROOT.glob(path.rstrip("/")))]
    assert not missing


def test_every_function_that_the_architecture_names_is_in_its_file():
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`([\w/]+\.py): ([\w.]+)`", page)
    assert len(named) > 20
    for path, name in named:
        body: list[ast.stmt] = ast.parse((ROOT / path).read_text()).body
        for part in name.split("."):
            found = [
                each
                for each in body
                if isinstance(each, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                and each.name == part
            ]
            assert found, f"{path}: {name}"
            body = found[0].body


def test_the_architecture_names_every_package():
    page = (ROOT / "docs" / "architecture.md").read_text()
    for name in TRACKED:
        top, *inner = name.removesuffix("/__init__.py").split("/")
        if name.endswith("__init__.py") and top != "tests":
            assert f"`{'/'.join(inner) or top}`" in page


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_of_keyturn_that_is_named_exists(page: str):
    for line in commands((ROOT / page).read_text()):
        command: click.Command = main
        for word in words(line):
            name = word.strip("[]").partition("=")[0]
            if isinstance(command, click.Group) and re.fullmatch(r"[a-z]+(-[a-z]+)*", name):
                inner = command.get_command(click.Context(command), name)
                assert inner is not None, line
                command = inner
            elif name.startswith("--"):
                assert name in options(command), line


def commands(text: str) -> list[str]:
    """What begins with `keyturn` in backticks or on a line of code."""
    found = re.findall(r"`(keyturn [^`\n]+)`|^ *(keyturn .+)$", text, re.MULTILINE)
    return ["".join(line) for line in found]


def words(line: str) -> Iterator[str]:
    """Those of a command behind `keyturn`, up to a pipe, a redirection or a comment."""
    read = shlex.shlex(line, posix=True, punctuation_chars=True)
    read.whitespace_split = True
    for word in list(read)[1:]:
        if word[0] in "|<>;&":
            return
        yield word


def options(command: click.Command) -> set[str]:
    known = command.get_params(click.Context(command))
    return {option for each in known for option in (*each.opts, *each.secondary_opts)}


def test_the_package_the_extension_and_the_newest_release_have_one_version():
    released = version("keyturn")
    manifest = json.loads((ROOT / "vscode-extension" / "package.json").read_text())
    assert manifest["version"] == released
    for changelog in ("CHANGELOG.md", "vscode-extension/CHANGELOG.md"):
        headings = re.findall(r"^## (\d\S*)", (ROOT / changelog).read_text(), re.MULTILINE)
        assert headings[0] == released


def test_the_example_configuration_is_every_setting_with_its_default():
    [block] = re.findall(r"```toml\n(.*?)```", DAEMON, re.DOTALL)
    examples = {"model.cycle", "completion.disabled_globs"}
    shown = {
        f"{section}.{name}": value
        for section, values in tomllib.loads(block).items()
        for name, value in values.items()
    }
    defaults = {
        f"{section}.{field.name}": getattr(kind(), field.name)
        for section, kind in SECTIONS.items()
        for field in fields(kind)
    }
    assert shown.keys() == defaults.keys()
    for name in shown.keys() - examples:
        default = defaults[name]
        assert shown[name] == (list(default) if isinstance(default, tuple) else default), name


def test_every_completion_setting_is_in_the_help_of_neovim():
    for field in fields(SECTIONS["completion"]):
        camel = re.sub(r"_(.)", lambda match: match[1].upper(), field.name)
        assert f"    {camel} " in HELP


def test_every_phase_and_command_is_documented():
    for phase in Phase:
        assert f"`{phase.value}`" in DAEMON
    server = (ROOT / "lsp" / "server.py").read_text()
    for command in re.findall(r'@server\.command\("(keyturn\.\w+)"\)', server):
        assert f"`{command}`" in DAEMON
