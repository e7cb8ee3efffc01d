"""What is renamed in one file is renamed in others, where they import it."""

import pytest

from keyturn.daemon.file_text import FileText
from keyturn.daemon.next_edit.open_text import OpenText
from keyturn.daemon.next_edit.proposal import Proposal
from keyturn.daemon.next_edit.proposer import Proposer


class Window:
    """Open files, edited as a user would."""

    def __init__(self, language: str = "python", **texts: str) -> None:
        self._language = language
        self._proposer = Proposer()
        self._texts = texts

    def replace(self, name: str, old: str, new: str) -> "Window":
        text = self._texts[name]
        start = text.index(old)
        self._proposer.saw(name, text, start, start + len(old), new)
        self._texts[name] = text[:start] + new + text[start + len(old) :]
        return self

    def file(self, name: str) -> OpenText:
        path = "/project/" + name.replace("__", "/").replace("_", ".")
        return OpenText(name, self._language, path, FileText.of(self._texts[name]))

    def elsewhere(self, name: str) -> list[tuple[str, Proposal]]:
        found = self._proposer.elsewhere(self.file(name), self._others(name), lambda: None)
        return [(str(file.key), proposal) for file, proposal in found]

    def here(self, name: str) -> Proposal | None:
        return self._proposer.next_edit(self.file(name), 0, self._others(name), (), lambda: None)

    def follow(self, name: str) -> str:
        while (found := self.here(name)) is not None:
            text = self._texts[name]
            self._proposer.saw(name, text, found.start, found.stop, found.new)
            self._texts[name] = text[: found.start] + found.new + text[found.stop :]
        return self._texts[name]

    def _others(self, name: str) -> list[OpenText]:
        return [self.file(other) for other in self._texts if other != name]


SHAPES = "def area(x):\n    return x\n"


@pytest.mark.parametrize(
    ("importing", "expected"),
    [
        ("from shapes import area\nprint(area(1))\n", "from shapes import size\nprint(size(1))\n"),
        ("from .shapes import (\n    area,\n)\n", "from .shapes import (\n    size,\n)\n"),
        ("from shapes import area as a\na(1)\n", "from shapes import size as a\na(1)\n"),
        ("import shapes\nshapes.area(1)\n", "import shapes\nshapes.size(1)\n"),
        ("import shapes as s\ns.area(1)\n", "import shapes as s\ns.size(1)\n"),
        ("from project.shapes import area\n", "from project.shapes import size\n"),
    ],
)
def test_a_function_is_called_by_its_new_name_where_it_is_imported(
    importing: str, expected: str
) -> None:
    window = Window(shapes_py=SHAPES, main_py=importing).replace("shapes_py", "area", "size")
    assert window.here("shapes_py") is None
    [(name, proposal)] = window.elsewhere("shapes_py")
    assert (name, proposal.old, proposal.new) == ("main_py", "area", "size")
    assert proposal.why == "area is now size in shapes.py"
    assert window.follow("main_py") == expected


@pytest.mark.parametrize(
    "other",
    [
        "from colours import area\narea(1)\n",
        "def area(y):\n    return y\n",
        "import shapes\ncolours.area(1)\n",
        "from shapes import other\narea = other\n",
        "print('area')\n",
    ],
)
def test_what_has_the_same_name_is_left_alone(other: str) -> None:
    window = Window(shapes_py=SHAPES, main_py=other).replace("shapes_py", "area", "size")
    assert not window.elsewhere("shapes_py")
    assert window.here("main_py") is None


def test_what_only_a_function_knows_concerns_no_other_file() -> None:
    texts = {"shapes_py": SHAPES, "main_py": "from shapes import x\n"}
    assert not Window(**texts).replace("shapes_py", "x", "y").elsewhere("shapes_py")


def test_a_name_that_is_still_there_was_not_renamed() -> None:
    texts = {"shapes_py": SHAPES * 2, "main_py": "from shapes import area\n"}
    assert not Window(**texts).replace("shapes_py", "area", "size").elsewhere("shapes_py")


def test_scripts_import_by_path() -> None:
    window = Window(
        "typescript",
        lib__shapes_ts="export function area(x: number) {\n  return x;\n}\n",
        main_ts="import { area } from './lib/shapes';\nconsole.log(area(1));\n",
    ).replace("lib__shapes_ts", "area", "size")
    assert [name for name, _ in window.elsewhere("lib__shapes_ts")] == ["main_ts"]
    expected = "import { size } from './lib/shapes';\nconsole.log(size(1));\n"
    assert window.follow("main_ts") == expected


def test_a_third_file_is_led_to_from_the_second() -> None:
    importing = "from shapes import area\n"
    window = Window(shapes_py=SHAPES, a_py=importing, b_py=importing)
    window.replace("shapes_py", "area", "size")
    window.follow("a_py")
    assert [name for name, _ in window.elsewhere("a_py")] == ["b_py"]
