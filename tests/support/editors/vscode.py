"""A real VS Code: code-server in Debian's Chromium, driven as its user does, by keys and clicks.

code-server comes from npm once and is kept in the user's cache folder. Of its native modules none
is compiled: it does without logs to disk and terminals, and its password hash is never asked for.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from playwright.sync_api import Browser, Page, sync_playwright

from support.needs import missing
from support.until import until

VERSION = "4.100.3"
REPOSITORY = Path(__file__).parents[3]
PATIENCE_SECONDS = 60.0
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ECONNREFUSED", "ECONNRESET", "E404", "E403")


def run(folder: Path, *command: str) -> None:
    """Run npm, or what runs it: `missing` where npm or its registry can't be had."""
    for tool in ("node", "npm", command[0]):
        if shutil.which(tool) is None:
            missing(f"there is no {tool} on this machine")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr + done.stdout
        if "npm error" in said and (reason := next((w for w in UNREACHABLE if w in said), None)):
            missing(f"npm's registry does not provide what the test needs: {reason}")
        raise AssertionError(f"{' '.join(command)}: {said}")


def make_vsix() -> Path:
    """The extension as it is published."""
    run(REPOSITORY, "make", "vsix", f"PYTHON={sys.executable}")
    return REPOSITORY / "vscode-extension" / "keyturn.vsix"


def code_server(cache: Path) -> Path:
    """The script that starts code-server, installed into `cache` if it is not there yet."""
    folder = cache / f"code-server-{VERSION}"
    root = folder / "node_modules" / "code-server"
    with FileLock(cache / "code-server.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "package.json").write_text("{}")
            npm = (
                "npm",
                "install",
                "--no-fund",
                "--no-audit",
                "--loglevel=error",
                "--ignore-scripts",
            )
            run(folder, *npm, f"code-server@{VERSION}")
            run(root / "lib" / "vscode", *npm, "--omit=dev")
            # `--auth none` never hashes a password, and the real module wants a compiler.
            (folder / "node_modules" / "argon2" / "argon2.js").write_text("module.exports = {};\n")
            (folder / "complete").touch()
    return root / "out" / "node" / "entry.js"


def chromium() -> str:
    """The browser's program. Root on Debian in CI gets it installed; others are told to."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None and os.environ.get("CI") and os.geteuid() == 0 and shutil.which("apt-get"):
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=environ, capture_output=True, check=False)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
        done = subprocess.run(install, env=environ, capture_output=True, text=True, check=False)
        found = shutil.which("chromium")
        if found is None:
            missing(f"Debian does not provide chromium: {done.stderr.strip()[-200:]}")
    if found is None:
        missing("there is no chromium on this machine (apt-get install chromium)")
    return found


@contextmanager
def open_browser() -> Iterator[Browser]:
    program = chromium()
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        yield playwright.chromium.launch(executable_path=program, args=flags)


class CodeServer:
    """One server process with its own data, in which windows can be opened."""

    def __init__(self, entry: Path, folder: Path, environ: dict[str, str], *flags: str) -> None:
        self.folder = folder
        self._entry = entry
        self._environ = {**environ, "HOME": str(folder)}
        self._flags = flags
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    def __enter__(self) -> "CodeServer":
        listen = ["--auth", "none", "--bind-addr", f"127.0.0.1:{self.port}", *self._flags]
        quiet = [
            "--disable-telemetry",
            "--disable-update-check",
            "--disable-getting-started-override",
        ]
        log = (self.folder / "code-server.log").open("wb")
        self.process = subprocess.Popen(
            [*self._command(), *listen, *quiet], env=self._environ, stdout=log, stderr=log
        )
        log.close()
        said = (self.folder / "code-server.log").read_text
        until(self._listens, said, PATIENCE_SECONDS, every=0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)

    def install(self, vsix: Path) -> str:
        """Install an extension; what the program says about it."""
        done = subprocess.run(
            [*self._command(), "--install-extension", str(vsix)],
            env=self._environ,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def settings(self, values: dict[str, Any]) -> None:
        """The user's settings file."""
        path = self.folder / "data" / "User" / "settings.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values, indent=2))

    @contextmanager
    def window(self, browser: Browser, project: Path, pictures: Path) -> Iterator["Window"]:
        """A browser window on a folder."""
        page = browser.new_page(viewport={"width": 1000, "height": 560})
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.goto(f"http://127.0.0.1:{self.port}/?folder={project}")
        page.wait_for_selector(".monaco-workbench")
        yield Window(page, pictures)
        page.close()

    def _command(self) -> list[str]:
        data = [f"--user-data-dir={self.folder}/data", f"--extensions-dir={self.folder}/extensions"]
        return ["node", str(self._entry), f"--config={self.folder}/config.yaml", *data]

    def _listens(self) -> bool:
        assert self.process.poll() is None, "code-server has ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


# The text on the screen, line by line, without what is only suggested.
LINES = """() => [...document.querySelectorAll('.editor-instance .view-lines .view-line')]
  .map(line => [parseFloat(line.style.top), line.cloneNode(true)])
  .sort((a, b) => a[0] - b[0])
  .map(([_, line]) => {
    line.querySelectorAll('[class*=ghost-text-decoration]').forEach(ghost => ghost.remove());
    return line.textContent.replaceAll('\\u00a0', ' ').replaceAll('\\u200b', '');
  })"""

GHOST = """() => {
  const text = selector => [...document.querySelectorAll('.editor-instance ' + selector)]
    .map(part => part.textContent.replaceAll('\\u00a0', ' ').replaceAll('\\u200b', ''))
  const lines = text('.suggest-preview-text .view-line')
  return [text('[class*=ghost-text-decoration]').join(''), ...lines].join('\\n')
}"""

NEXT_EDIT = """() => [...document.querySelectorAll('.editor-instance .view-lines span')]
  .map(part => getComputedStyle(part, '::after').content)
  .filter(content => content && !['none', 'normal'].includes(content))
  .map(content => JSON.parse(content).replaceAll('\\u00a0', ' ').trim())
  .join(' | ')"""


class Window:
    """What a user sees of one window, and does in it."""

    def __init__(self, page: Page, pictures: Path) -> None:
        self.page = page
        self._pictures = pictures

    def open(self, name: str) -> None:
        self.page.dblclick(f".explorer-folders-view .monaco-list-row[aria-label*='{name}']")
        self.page.wait_for_selector(f".tab.active[data-resource-name='{name}']")
        self.page.click(".editor-instance .view-lines")

    def type(self, text: str) -> None:
        """As a user does, at 20 keys a second."""
        self.page.keyboard.type(text, delay=50)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def command(self, title: str) -> None:
        """Run a command by its title in the palette."""
        self.press("F1")
        self.page.wait_for_selector(".quick-input-widget input")
        self.page.keyboard.type(title)
        self.page.wait_for_selector(f".quick-input-list .monaco-list-row[aria-label*='{title}']")
        self.press("Enter")

    def pick(self, label: str) -> None:
        self.page.click(f".quick-input-list .monaco-list-row[aria-label*='{label}']")

    @property
    def lines(self) -> list[str]:
        return self.page.evaluate(LINES)

    @property
    def ghost(self) -> str:
        return self.page.evaluate(GHOST)

    @property
    def next_edit(self) -> str:
        """What is shown of a change elsewhere: behind the old text, and at the cursor."""
        return self.page.evaluate(NEXT_EDIT)

    @property
    def place(self) -> str:
        """Where the status bar says that the cursor is."""
        return self.page.text_content("#status\\.editor\\.selection") or ""

    @property
    def status(self) -> str:
        """What the status bar item says when it is pointed at."""
        return self.page.get_attribute("#keyturn\\.keyturn\\.keyturn", "aria-label") or ""

    def menu(self, label: str) -> None:
        """Click the status bar item, then an entry of its menu."""
        self.page.click("#keyturn\\.keyturn\\.keyturn a")
        self.pick(label)

    def wait(self, condition: Callable[[], Any]) -> Any:
        return until(condition, self._explain, PATIENCE_SECONDS, every=0.05)

    def _explain(self) -> object:
        self.picture("failed")
        return self.lines, self.ghost, self.status

    def picture(self, name: str) -> None:
        self._pictures.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self._pictures / f"{name}.png")
