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
        "import shapes\n\n\ndef f(shapes):\n    return shapes.area(1)\n",
        "import shapes\nx.shapes.area(1)\n",
        "import shapes as s\nshapes.area(1)\n",
        "from shapes import area\nfrom c import size\n",
        "from shapes import area\n\n\ndef size():\n    return area(1)\n",
        "try:\n    from shapes import area\nexcept ImportError:\n    from c import area\n",
        "from shapes import area\n\n\ndef f():\n    global area\n",
        "from shapes import other as area\n",
        "import json.shapes\n",
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


def test_the_module_is_not_what_is_imported_from_it() -> None:
    window = Window(load_py="def load():\n    pass\n", main_py="from load import load\nload()\n")
    window.replace("load_py", "load", "fetch")
    assert window.follow("main_py") == "from load import fetch\nfetch()\n"


def test_what_is_written_in_the_place_of_something_else_is_no_new_name_of_it() -> None:
    window = Window(shapes_py=SHAPES, main_py="from shapes import area\n")
    window.replace("shapes_py", SHAPES, "def volume(a, b):\n    return a * b\n")
    assert not window.elsewhere("shapes_py")


@pytest.mark.parametrize(
    "exported",
    ["function area() {}\nexport { area };\n", "function area() {}\nmodule.exports = { area };\n"],
)
def test_what_others_know_by_a_name_that_stays_keeps_it(exported: str) -> None:
    window = Window("javascript", a_js=exported, main_js="import { area } from './a';\narea();\n")
    window.replace("a_js", "area", "size")
    window.follow("a_js")
    assert not window.elsewhere("a_js")


def test_what_is_installed_is_not_what_is_open() -> None:
    window = Window(
        "typescript",
        ui__button_ts="export function press() {}\n",
        main_ts="import { press } from '@kit/ui/button';\npress();\n",
    ).replace("ui__button_ts", "press", "push")
    assert not window.elsewhere("ui__button_ts")


def test_the_nearest_of_two_modules_by_a_name_is_meant() -> None:
    window = Window(
        app__store_py="def load():\n    pass\n",
        old__app__store_py="def load():\n    pass\n",
        old__main_py="from app.store import load\n",
    ).replace("app__store_py", "load", "fetch")
    assert not window.elsewhere("app__store_py")


@pytest.mark.parametrize("language", ["java", "kotlin", "rust", "go"])
def test_where_an_import_declares_nothing_that_the_other_places_follow_it_stays(
    language: str,
) -> None:
    window = Window(
        language,
        p__Load_java="package p;\npublic class Load {}\n",
        main_java="import p.Load;\nclass B { Load l; }\n",
    ).replace("p__Load_java", "class Load", "class Fetch")
    assert not window.elsewhere("p__Load_java")


def test_a_name_that_was_wrong_is_put_right_there_too() -> None:
    window = Window(shapes_py=SHAPES, main_py="from shapes import area\nprint(area(1))\n")
    window.replace("shapes_py", "area", "sieze")
    window.follow("main_py")
    window.replace("shapes_py", "sieze", "size")
    assert window.follow("main_py") == "from shapes import size\nprint(size(1))\n"


def test_what_was_taken_back_there_is_not_proposed_again() -> None:
    window = Window(shapes_py=SHAPES, main_py="from shapes import area\n")
    window.replace("shapes_py", "area", "size")
    window.follow("main_py")
    window.replace("main_py", "size", "area")
    assert window.here("main_py") is None
    assert not window.elsewhere("shapes_py")
