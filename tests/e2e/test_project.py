"""The default model, asked as an editor asks, knows what the project's other files define."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from keyturn.api.request import Trigger
from keyturn.lsp.documents import Change
from keyturn.lsp.options import Options
from keyturn.lsp.session import Session
from keyturn.models.hub.cache_folder import cache_folder
from keyturn.models.hub.download import ModelFiles
from support.editors.everyday import editor

pytestmark = pytest.mark.timeout(600)
together = pytest.mark.asyncio(loop_scope="module")
SHIPPING = '''class Parcel:
    """Something to be sent."""

    def __init__(self, grams: int) -> None:
        self.grams = grams


def ship(parcel: Parcel, warehouse_code: str, express: bool = False) -> str:
    """Send a parcel off, and say how to find it."""
    return f"{warehouse_code}-{parcel.grams}"
'''
MAIN = """from shipping import Parcel, ship

parcel = Parcel(grams=120)
found = ship(parcel, """
PAUSE_SECONDS = 0.5  # of typing, so that there is idle time
PATIENT = Options(max_tokens=24, deadline_ms=120_000, debounce_max_ms=0)


class Editor:
    """One that types in files of a project until it has seen what it waits for."""

    def __init__(self, session: Session, root: Path) -> None:
        self.session = session
        self.root = root
        self._versions: dict[str, int] = {}

    def write(self, name: str, text: str) -> None:
        uri = (self.root / name).as_uri()
        version = self._versions[name] = self._versions.get(name, 0) + 1
        if version == 1:
            self.session.open(uri, "python", version, text)
        else:
            self.session.change(uri, version, [Change(text)])

    async def asked(self, name: str, text: str, tries: int = 200) -> AsyncIterator[list[str]]:
        """What the model was shown, once for every time that it was asked at the end of `text`."""
        uri = (self.root / name).as_uri()
        for number in range(tries):
            self.write(name, "\n" * (number % 2) + text)  # else what is known would be the answer
            document = self.session.documents.get(uri)
            assert document is not None
            place = document.position(len(document.text), self.session.documents.encoding)
            await self.session.complete(uri, place, Trigger.INVOKED)
            account = self.session.why(uri)
            use = account and account.meta.project
            yield [f"{each.path}:{each.line} {each.name}" for each in use.chunks] if use else []
            await asyncio.sleep(PAUSE_SECONDS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(
    real_model: ModelFiles, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Editor]:
    root, cache = (tmp_path_factory.mktemp(name) for name in ("project", "cache"))
    for file in cache_folder().iterdir():
        (cache / file.name).symlink_to(file)  # the model; what is made here stays here
    for name in ("projects", "chunks"):
        (cache / name).unlink(missing_ok=True)
    (root / ".git").mkdir()
    (root / "shipping.py").write_text(SHIPPING)
    (root / "main.py").write_text(MAIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "KEYTURN_CACHE", str(cache))
        async with editor(PATIENT) as session:
            yield Editor(session, root)


@together
async def test_the_callee_of_another_file_is_shown_once_it_was_read(desk: Editor) -> None:
    async for shown in desk.asked("main.py", MAIN):
        if shown:
            assert shown[0] == "shipping.py:8 ship"
            assert "shipping.py:1 Parcel" in shown
            return
    raise AssertionError("nothing of the project was ever shown")


@together
async def test_a_change_in_another_open_file_is_shown_though_nothing_was_saved(
    desk: Editor,
) -> None:
    desk.write("shipping.py", f"# one line more\n{SHIPPING.replace('ship(', 'send(')}")
    async for shown in desk.asked("main.py", MAIN.replace("ship\n", "send\n")):
        if "shipping.py:9 send" in shown:
            return
    raise AssertionError("the file is shown as it was")
