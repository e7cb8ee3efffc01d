"""The extension in a real VS Code, with the real daemon and the real model.

Pictures of what was seen are left in `out/vscode`.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser

from keyturn.models.hub.cache_folder import cache_folder
from support.editors.editor import environment, keyturn
from support.editors.vscode import (
    REPOSITORY,
    CodeServer,
    Window,
    code_server,
    make_vsix,
    open_browser,
    run,
)
from support.until import until

pytestmark = [pytest.mark.editor, pytest.mark.timeout(900)]

PICTURES = REPOSITORY / "out" / "vscode"
SETTINGS = {
    "keyturn.eagerness": "high",  # how it is shown, not how sure one is of it
    "keyturn.deadlineMs": 60_000,
    "keyturn.maxTokens": 32,
    "workbench.startupEditor": "none",
    "workbench.colorTheme": "Default Dark Modern",
    "editor.wordBasedSuggestions": "currentDocument",
    "files.exclude": {".venv": True},
    "[lua]": {"editor.inlineSuggest.enabled": False},  # Tab would take these first
}
SIZES = 'import os\n\n\ndef size_of(path: str) -> int:\n    """Bytes of a file."""\n'
RENAMED = "local function area(width)\n  local half = width / 2\n  return width * half\nend\n"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def vsix() -> Path:
    return make_vsix()


@pytest.fixture(scope="module")
def entry() -> Path:
    return code_server(cache_folder())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vscode")


@pytest.fixture(scope="module")
def environ(folder: Path) -> dict[str, str]:
    return environment(folder, "qwen2.5-coder-0.5b", KEYTURN_CACHE=str(cache_folder()))


@pytest.fixture(scope="module")
def project(folder: Path) -> Path:
    """A workspace with keyturn in its virtual environment."""
    project = folder / "project"
    project.mkdir()
    (project / ".venv").symlink_to(sys.prefix)
    names = "sizes", "words", "switch", "language", "death", "restart", "killed", "waiting", "why"
    for name in names:
        (project / f"{name}.py").write_text(SIZES)
    (project / "renamed.lua").write_text(RENAMED)
    (project / "shapes.py").write_text("def area(width):\n    return width * width\n")
    (project / "rooms.py").write_text("from shapes import area\n\nprint(area(1))\n")
    (project / "local.env").write_text("KEY=")
    shutil.copy(REPOSITORY / "examples" / "statistics.py", project)
    return project


@pytest.fixture(scope="module")
def window(
    browser: Browser,
    vsix: Path,
    entry: Path,
    folder: Path,
    environ: dict[str, str],
    project: Path,
    real_model: object,
) -> Iterator[Window]:
    server = CodeServer(entry, folder, environ, "--disable-workspace-trust")
    server.settings(SETTINGS)
    assert "successfully installed" in server.install(vsix)
    with server, server.window(browser, project, PICTURES) as window:
        window.wait(lambda: "Ready" in window.status)
        yield window
    until(lambda: not fronts(folder), lambda: fronts(folder))  # VS Code leaves none behind
    subprocess.run(keyturn("daemon", "stop"), env=environ, capture_output=True, timeout=60)


def fronts(folder: Path) -> list[psutil.Process]:
    """The language servers whose daemon would be in `folder`."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("KEYTURN_RUNTIME_DIR") == str(folder / "run")
            if ours and process.cmdline()[-1:] == ["lsp"]:
                found.append(process)
        except psutil.Error:  # gone, or another user's
            continue
    return found


def daemon_pid(environ: dict[str, str]) -> int:
    asked = subprocess.run(
        keyturn("daemon", "status", "--json"), env=environ, capture_output=True, text=True
    )
    return json.loads(asked.stdout)["pid"]


def ghost_of(window: Window, name: str, typed: str) -> str:
    """Open a file, type at its end, and wait for ghost text."""
    window.open(name)
    window.press("Control+End")
    window.type(typed)
    return window.wait(lambda: window.ghost)


def test_the_package_holds_only_what_it_needs(vsix: Path):
    with zipfile.ZipFile(vsix) as archive:
        held = {name.removeprefix("extension/") for name in archive.namelist()}
        (wheel,) = (name for name in held if name.endswith(".whl"))
    pages = {"readme.md", "changelog.md", "LICENSE.txt", "package.json", "images/icon.png"}
    steps = {f"walkthrough/{name}.md" for name in ("server", "model", "keys", "menu")}
    own = {"[Content_Types].xml", "extension.vsixmanifest"}
    assert held == pages | steps | own | {"dist/extension.js", wheel}
    assert vsix.stat().st_size < 1_500_000


def test_types_style_and_unit_tests(vsix: Path):
    for script in ("check", "test"):
        run(vsix.parent, "npm", "run", "-s", script)


def test_ghost_text_is_accepted_by_word_then_whole_and_undo_takes_it_back(window: Window):
    ghost = ghost_of(window, "sizes.py", "    return os.path.gets")
    assert ghost.startswith("ize(path")
    window.picture("ghost-text")
    before = window.lines
    window.press("Control+ArrowRight")
    window.wait(lambda: window.lines[-1] == "    return os.path.getsize")
    window.picture("word-accepted")
    window.press("Tab")
    window.wait(lambda: window.lines[-1].startswith("    return os.path.getsize(path"))
    window.picture("all-accepted")
    window.press("Control+z")
    window.wait(lambda: window.lines[-1] == "    return os.path.getsize")
    window.press("Control+z")
    window.wait(lambda: window.lines == before)


def test_a_block_is_suggested_where_one_begins(window: Window):
    window.open("statistics.py")
    window.press("Control+g")
    window.type("19")
    window.press("Enter")
    window.type("    ")
    window.wait(lambda: window.ghost.startswith("else:\n        return (ordered["))
    window.picture("block")
    window.press("Tab")
    window.wait(lambda: "        return (ordered[" in "\n".join(window.lines))


def test_alt_enter_accepts_a_line_and_escape_hides(window: Window):
    ghost_of(window, "words.py", "    return os.path.gets")
    window.press("Escape")
    window.wait(lambda: not window.ghost)
    window.type("i")
    window.wait(lambda: window.ghost.startswith("ze(path"))
    window.press("Alt+Enter")
    window.wait(lambda: window.lines[-1].startswith("    return os.path.getsize(path"))


def test_beside_an_open_menu_ghost_text_goes_on_from_the_selected_entry(window: Window):
    window.press("Enter", "Enter")
    window.type("print(siz")
    entry = ".suggest-widget.visible .monaco-list-row[aria-label^='size_of']"
    window.page.wait_for_selector(entry)

    def chosen() -> bool:
        found = window.page.locator(f"{entry}.focused").count() > 0
        if not found:
            window.press("ArrowDown")
        return found

    until(chosen, "the entry in the menu", every=0.1)
    window.wait(lambda: window.ghost.startswith("e_of("))
    window.picture("beside-the-menu")
    window.press("Tab")  # is the menu's while that is open
    window.wait(lambda: window.lines[-1] == "    print(size_of)")


def test_switched_off_in_the_status_bar_there_is_none_and_on_again_there_is(window: Window):
    window.open("switch.py")
    window.menu("Switch off in this window")
    window.wait(lambda: "switched off" in window.status)
    window.press("Control+End")
    window.type("    return os.path.gets")
    window.page.wait_for_timeout(2_000)
    assert not window.ghost
    window.picture("switched-off")
    window.menu("Switch on in this window")
    window.wait(lambda: "Ready" in window.status)
    window.type("i")
    window.wait(lambda: window.ghost.startswith("ze(path"))


def test_a_language_is_switched_off_in_the_settings_and_the_status_bar_says_so(
    window: Window, folder: Path
):
    window.open("language.py")
    window.menu("Switch off for python")
    window.wait(lambda: "switched off for python" in window.status)
    saved = json.loads((folder / "data" / "User" / "settings.json").read_text())
    assert saved["keyturn.disabledLanguages"] == ["python"]
    window.menu("Switch on for python")
    window.wait(lambda: "Ready" in window.status)


def test_a_file_of_secrets_says_that_it_is_left_alone(window: Window):
    window.open("local.env")
    window.wait(lambda: "disabled glob *.env" in window.status)
    window.open("language.py")
    window.wait(lambda: "Ready" in window.status)


def test_a_killed_daemon_comes_back_and_the_next_suggestion_with_it(
    window: Window, environ: dict[str, str]
):
    window.open("death.py")
    pid = daemon_pid(environ)
    psutil.Process(pid).kill()
    window.press("Control+End")
    window.type("    return os.path.gets")
    window.wait(lambda: "Ready" in window.status and daemon_pid(environ) != pid)
    window.type("i")
    window.wait(lambda: window.ghost.startswith("ze(path"))
    assert window.lines[-1] == "    return os.path.getsi"
    window.picture("after-the-daemons-death")


def test_restarts_asked_for_at_once_leave_one_server(window: Window, folder: Path):
    window.open("restart.py")
    (before,) = fronts(folder)
    for _ in range(3):
        window.command("keyturn: Restart")
    window.wait(lambda: "Ready" in window.status and before not in fronts(folder))
    assert len(fronts(folder)) == 1
    window.press("Control+End")
    window.type("    return os.path.gets")
    assert window.wait(lambda: window.ghost).startswith("ize(path")


def test_a_killed_server_is_started_again(window: Window, folder: Path):
    window.open("killed.py")
    (before,) = fronts(folder)
    before.kill()
    window.wait(lambda: [each for each in fronts(folder) if each != before])
    window.wait(lambda: "Ready" in window.status)
    window.press("Control+End")
    window.type("    return os.path.gets")
    window.wait(lambda: window.ghost.startswith("ize(path"))


def test_who_has_typed_before_the_server_answers_is_answered_when_it_does(
    window: Window, folder: Path
):
    window.open("waiting.py")
    (before,) = fronts(folder)
    before.suspend()  # it reads nothing more of what is typed
    window.press("Control+End")
    window.type("    return os.path.gets")
    before.kill()
    window.wait(lambda: window.ghost.startswith("ize(path"))
    assert before not in fronts(folder)


def test_a_window_that_is_loaded_again_leaves_no_server_behind(window: Window, folder: Path):
    (before,) = fronts(folder)
    window.command("Developer: Reload Window")
    window.wait(lambda: before not in fronts(folder))
    window.wait(lambda: "Ready" in window.status)
    assert len(fronts(folder)) == 1


def test_why_there_is_a_suggestion_the_status_and_the_models_are_shown(window: Window):
    ghost_of(window, "why.py", "    return os.path.gets")
    window.menu("Why this suggestion")
    window.wait(lambda: "".join(window.lines).startswith("Suggested by qwen2.5-coder-0.5b in "))
    assert any(line.startswith("Read ") for line in window.lines)
    window.picture("why")
    window.menu("Show status")
    window.wait(lambda: any(line.startswith("kernels") for line in window.lines))
    window.picture("status")
    window.menu("Switch model")
    window.page.wait_for_selector(".quick-input-list .monaco-list-row[aria-label*='loaded now']")
    window.picture("models")
    window.press("Escape")
    window.page.click("#keyturn\\.keyturn\\.keyturn a")
    window.page.wait_for_selector(".quick-input-list .monaco-list-row[aria-label*='Settings']")
    window.picture("menu")
    window.press("Escape")


def test_another_model_is_switched_to_and_back(window: Window):
    window.menu("Switch model")
    window.pick("Another")
    window.page.wait_for_selector(".quick-input-title:has-text('Model')")
    window.type("lookup")
    window.press("Enter")
    window.wait(lambda: "Ready, with lookup" in window.status)
    window.menu("Switch model")
    window.pick("qwen2.5-coder-0.5b")
    window.wait(lambda: "Ready, with qwen2.5-coder-0.5b" in window.status)


@pytest.fixture
def bare(vsix: Path, entry: Path, tmp_path: Path) -> Iterator[CodeServer]:
    """A VS Code with the extension, on a machine where no model and no keyturn is."""
    python = Path(getattr(sys, "_base_executable", sys.executable)).parent
    (tmp_path / ".profile").write_text(f"PATH={python}:/usr/bin:/bin\n")
    modules = os.pathsep.join(each for each in sys.path if each)
    pip = {"PIP_NO_DEPS": "1", "PIP_IGNORE_INSTALLED": "1", "PIP_BREAK_SYSTEM_PACKAGES": "1"}
    environ = environment(tmp_path, PYTHONPATH=modules, PIP_NO_INDEX="1", **pip)
    environ["PATH"] = f"{python}:/usr/bin:/bin"
    server = CodeServer(entry, tmp_path, environ)
    server.settings(SETTINGS | {"security.workspace.trust.startupPrompt": "never"})
    server.install(vsix)
    (tmp_path / "project").mkdir()
    with server:
        yield server
    subprocess.run(keyturn("daemon", "stop"), env=environ, capture_output=True, timeout=60)


def test_a_workspace_that_is_not_trusted_runs_no_program_of_its_own(
    bare: CodeServer, browser: Browser, tmp_path: Path
):
    program = tmp_path / "project" / ".venv" / "bin" / "keyturn"
    program.parent.mkdir(parents=True)
    program.write_text(
        f"#!/bin/sh\ntouch {tmp_path}/was-run\nexec {sys.executable} -m keyturn.daemon $*\n"
    )
    program.chmod(0o755)
    with bare.window(browser, tmp_path / "project", PICTURES) as window:
        window.wait(lambda: "not on this machine" in window.status)
        assert not (tmp_path / "was-run").exists()
        window.command("Workspaces: Manage Workspace Trust")
        window.page.click(".workspace-trust-editor .monaco-button:has-text('Trust')")
        window.wait(lambda: "Ready" in window.status)
        assert (tmp_path / "was-run").exists()


def test_the_server_is_installed_by_the_command_that_was_shown(
    bare: CodeServer, browser: Browser, tmp_path: Path
):
    with bare.window(browser, tmp_path / "project", PICTURES) as window:
        window.page.click(".notification-toast .monaco-button:has-text('Install')")
        dialog = window.page.wait_for_selector(".monaco-dialog-box")
        assert dialog is not None
        assert "-m pip install --user --upgrade" in dialog.inner_text()
        window.picture("install")
        window.page.click(".monaco-dialog-box .monaco-button:has-text('Use pip')")
        window.page.wait_for_selector(
            f".notification-toast:has-text('{tmp_path}/.local/bin/keyturn')"
        )
        window.picture("installed")
        window.wait(lambda: "Ready, with lookup" in window.status)


def test_tab_leads_through_the_places_of_a_renamed_parameter_and_undo_takes_each_back(
    window: Window,
):
    def renamed(count: int) -> Sequence[str]:
        return RENAMED.replace("width", "breadth", count).splitlines()

    window.open("renamed.lua")
    window.press("Control+Home", *["ArrowRight"] * len("local function area("))
    window.press(*["Shift+ArrowRight"] * len("width"))
    window.type("breadth")
    window.press("Escape")  # the menu of words, if there is one
    window.wait(lambda: "Tab → line 2: width is now breadth" in window.next_edit)
    window.picture("next edit")
    window.press("Tab")
    window.wait(lambda: "Ln 2, Col 16" in window.place)
    window.press("Tab", "Tab")  # who is quick is led on, too
    window.wait(lambda: "Ln 3, Col 10" in window.place)
    assert window.lines[:4] == renamed(2)
    window.press("Tab")
    window.wait(lambda: window.lines[:4] == renamed(3))
    window.wait(lambda: not window.next_edit)
    window.press("Control+z")
    window.wait(lambda: window.lines[:4] == renamed(2))
    window.press("Control+z")
    window.wait(lambda: window.lines[:4] == renamed(1))


def test_tab_leads_on_to_the_open_file_that_imports_what_was_renamed(window: Window):
    window.open("rooms.py")
    window.open("shapes.py")
    window.press("Control+Home", *["ArrowRight"] * len("def "))
    window.press(*["Shift+ArrowRight"] * len("area"))
    window.type("surface")
    window.press("Escape", "ArrowDown", "End")  # where nothing is suggested
    window.wait(lambda: "Tab → rooms.py:1: area is now surface in shapes.py" in window.next_edit)
    window.press("Tab")
    window.wait(lambda: "Ln 1, Col 20" in window.place)
    window.press("Tab")
    window.wait(lambda: window.lines[0] == "from shapes import surface")
    window.wait(lambda: "area is now surface" in window.next_edit)
    window.press("Tab", "Tab")
    window.wait(lambda: window.lines[2] == "print(surface(1))")
