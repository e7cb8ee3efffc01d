"""The cases of quality.py are true to the files that they come from."""

import ast
from itertools import islice
from pathlib import Path

import pytest

from support.project import python_cases, recall, typescript_cases
from support.project.arms import ARMS, PROJECT_TOKENS
from support.project.case import Case, Definition

TOY = {
    "shelf.ts": "/** Holds books. */\nexport class Shelf {\n  constructor(size: number) {}\n}\n",
    "tools.ts": "export const measure = (length: number) => length;\n",
    "index.ts": "export * from './shelf.js';\nexport { measure as metres } from './tools';\n",
    "main.ts": "import { Shelf, metres } from './index';\n"
    + "\n" * 15
    + "const shelf = new Shelf(metres(3));\n",
}


def words(text: str) -> int:
    return len(text.split())


@pytest.fixture
def toy(tmp_path: Path) -> Case:
    for name, text in TOY.items():
        file = tmp_path / "toy-1.0.0" / "package" / "src" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (case,) = typescript_cases.cases(5, tmp_path, ("toy@1.0.0",))
    return case


def test_cases_are_always_the_same_and_end_where_their_files_go_on():
    found = list(islice(python_cases.cases(12), 12))
    assert [case.id for case in found] == [case.id for case in python_cases.cases(12)]
    assert {case.kind for case in found} == {"line", "arguments"}
    for case in found:
        assert case.definitions[-1].name in ast.unparse(ast.parse(case.definitions[-1].source))
        assert not case.wanted[0].isspace()
        assert case.suffix.startswith("\n")
        text = (case.folder / case.path).read_text()
        assert text.replace("\r\n", "\n") == case.before + case.wanted + case.after


def test_cases_in_typescript_follow_what_is_handed_on(toy: Case):
    assert toy.callee in ("Shelf", "metres")
    assert {each.path.rpartition("/")[2] for each in toy.definitions} == {"shelf.ts", "tools.ts"}
    assert toy.before + toy.wanted + toy.after == TOY["main.ts"]


def test_what_is_shown_of_a_definition_is_what_its_users_need():
    source = '''class Shelf(Base):
    """Holds books.

    More about it.
    """

    size: int = 3
    _hidden = 4

    def __init__(self, size: int):
        self.size = size

    def put(
        self,
        book: str,
    ) -> None:
        """Put it there."""
        self.books.append(book)

    def _sort(self):
        pass
'''
    other = Definition("other", "package/other.py", "def other(a, b):\n    return a\n")
    shelf = Definition("Shelf", "package/shelf.py", source)
    case = Case(
        *("package", Path(), "package/a.py", "python", 3, "line", "", "", "Shelf()", "Shelf"),
        (other, shelf),
    )
    assert ARMS["file"].chunks(case, words) == []
    assert ARMS["oracle"].chunks(case, words) == [
        "# package/other.py\ndef other(a, b):\n\n",
        '# package/shelf.py\nclass Shelf(Base):\n    """Holds books."""\n    size: int = 3\n'
        "    def __init__(self, size: int):\n"
        "    def put(\n        self,\n        book: str,\n    ) -> None:\n\n",
    ]
    assert ARMS["callee"].chunks(case, words) == ARMS["oracle"].chunks(case, words)[1:]
    assert (
        ARMS["whole"].chunks(case, words)[-1].endswith("    def _sort(self):\n        pass\n\n\n")
    )


@pytest.mark.parametrize("arm", list(ARMS))
def test_no_arm_shows_what_is_wanted_or_more_than_there_is_room_for(toy: Case, arm: str):
    shown = "".join(ARMS[arm].chunks(toy, words))
    assert words(shown) <= PROJECT_TOKENS
    assert toy.wanted not in shown
    assert bool(shown) == (arm != "file")


def test_the_product_shows_its_best_chunk_last(toy: Case):
    found = recall.found(toy)
    if toy.kind == "arguments":
        assert found.rank == 0
        assert toy.definitions[-1].path in ARMS["bound"].chunks(toy, words)[-1]
    assert found.fits
    assert len(list(recall.table([found]))) == 2
