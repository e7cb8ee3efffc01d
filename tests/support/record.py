"""The README's moving picture: the real VS Code and the real model, in real time.

python tests/support/record.py docs/images/typing.webp
"""

import base64
import io
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page

from keyturn.models.hub.cache_folder import cache_folder
from keyturn.models.hub.download import obtain
from keyturn.models.hub.progress import Progress
from keyturn.models.hub.registry import DEFAULT_MODEL, find

sys.path.append(str(Path(__file__).parents[1]))
from support.editors.editor import environment, keyturn
from support.editors.vscode import CodeServer, Window, code_server, make_vsix, open_browser

WIDTH, HEIGHT = 760, 530
STILL = ".codicon { animation: none !important }"  # else every turn of a spinner is a frame
FILE = "orders.py"
TEXT = '''\
from dataclasses import dataclass


@dataclass
class Order:
    customer: str
    price: float
    quantity: int


def total(order: Order) -> float:
    """What an order costs."""


def discounted(order: Order) -> float:
    """What an order costs with its discount."""'''
SETTINGS = {
    "keyturn.deadlineMs": 60_000,
    "editor.cursorBlinking": "solid",
    "editor.fontFamily": "DejaVu Sans Mono",
    "editor.fontSize": 17,
    "editor.minimap.enabled": False,
    "editor.hover.enabled": False,
    "editor.quickSuggestions": {"other": False, "comments": False, "strings": False},
    "editor.scrollbar.vertical": "hidden",
    "editor.stickyScroll.enabled": False,
    "breadcrumbs.enabled": False,
    "window.commandCenter": False,
    "window.customTitleBarVisibility": "never",
    "window.menuBarVisibility": "hidden",
    "workbench.activityBar.location": "hidden",
    "workbench.colorTheme": "Default Light Modern",
    "workbench.layoutControl.enabled": False,
    "workbench.startupEditor": "none",
}


class Screencast:
    """A page as the browser paints it: PNG frames and the seconds at which they appeared."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.on("Page.screencastFrame", self._take)
        self._frames: list[tuple[float, bytes]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        self._session.send("Page.startScreencast", {"format": "png"})
        yield
        self._session.send("Page.stopScreencast")

    def save(self, path: Path, end_seconds: float) -> None:
        """One picture that moves as it was seen; the last frame stays for `end_seconds`."""
        painted = sorted(self._frames)
        changes = [after for before, after in pairwise(painted) if before[1] != after[1]]
        shown = [after[0] - before[0] for before, after in pairwise(changes)]
        images = [Image.open(io.BytesIO(png)).convert("RGB") for _, png in changes]
        images[0].save(
            path,
            save_all=True,
            append_images=images[1:],
            duration=[round(seconds * 1000) for seconds in [*shown, end_seconds]],
            loop=0,
            lossless=True,
        )

    def _take(self, event: dict[str, Any]) -> None:
        frame = event["metadata"]["timestamp"], base64.b64decode(event["data"])
        self._frames.append(frame)
        self._session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})


class Typist:
    """Someone at the keyboard, about twelve keys a second."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self._rhythm = random.Random(0)

    def type(self, text: str) -> None:
        for character in text:
            self.window.page.keyboard.type(character)
            self.rest(self._rhythm.uniform(0.04, 0.12))

    def press(self, key: str, times: int = 1) -> None:
        for _ in range(times):
            self.window.press(key)
            self.rest(0.1)

    def accept(self, begins: str) -> None:
        """Wait for ghost text that begins as said, read it, and take it."""
        self.window.wait(lambda: self.window.ghost.startswith(begins))
        self.rest(1)
        self.press("Tab")

    def rest(self, seconds: float) -> None:
        self.window.page.wait_for_timeout(seconds * 1000)


def play(typist: Typist) -> None:
    """A line is suggested; a field is added above; the next suggestion knows it."""
    typist.press("Enter")
    typist.type("return")
    typist.accept(" order.price * order.quantity")
    typist.rest(0.4)
    typist.press("ArrowUp", 5)
    typist.press("Enter")
    typist.type("discount: float = 0.0")
    typist.press("Control+End")
    typist.press("Enter")
    typist.type("return")
    typist.accept(" total(order)")


def kernels_to_pack(environ: dict[str, str]) -> int:
    """How much of the daemon's start is still to be done, in idle time."""
    status = subprocess.run(
        keyturn("daemon", "status", "--json"), env=environ, check=True, capture_output=True
    )
    return json.loads(status.stdout)["engine"]["kernels_to_pack"]


def record(path: Path) -> None:
    obtain(find(DEFAULT_MODEL), cache_folder(), Progress(sys.stderr))
    vsix, entry = make_vsix(), code_server(cache_folder())
    with tempfile.TemporaryDirectory() as name, open_browser() as browser:
        folder = Path(name)
        environ = environment(folder, DEFAULT_MODEL, KEYTURN_CACHE=str(cache_folder()))
        del environ["OMP_NUM_THREADS"]
        project = folder / "shop"
        project.mkdir()
        (project / ".venv").symlink_to(sys.prefix)
        (project / FILE).write_text(TEXT)
        server = CodeServer(entry, folder, environ, "--disable-workspace-trust")
        server.settings(SETTINGS)
        server.install(vsix)
        try:
            with server, server.window(browser, project, path.parent) as window:
                window.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
                window.wait(lambda: "Ready" in window.status)
                while kernels_to_pack(environ):
                    window.page.wait_for_timeout(1_000)
                window.open(FILE)
                window.press("Control+b", "Control+Home", *["ArrowDown"] * 11, "End")
                window.page.add_style_tag(content=STILL)
                screencast = Screencast(window.page)
                with screencast.running():
                    play(Typist(window))
                screencast.save(path, end_seconds=3)
        finally:
            subprocess.run(keyturn("daemon", "stop"), env=environ, check=False)


if __name__ == "__main__":
    record(Path(sys.argv[1]))
