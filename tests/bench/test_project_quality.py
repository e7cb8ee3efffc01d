"""The cases of project_quality.py are true to the files that they come from."""

import ast
from itertools import islice

from .project_quality import ARMS, Case, Definition, cases


def test_cases_are_always_the_same_and_end_where_their_files_go_on():
    found = list(islice(cases(12), 12))
    assert [case.id for case in found] == [case.id for case in cases(12)]
    assert {case.kind for case in found} == {"line", "arguments"}
    for case in found:
        assert case.definitions[-1].name in ast.unparse(ast.parse(case.definitions[-1].source))
        assert not case.wanted[0].isspace()
        assert case.suffix.startswith("\n")


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
    case = Case("package", "package/a.py", 3, "line", "", "", "Shelf()", "Shelf", (other, shelf))
    assert ARMS["file"](case) == ""
    assert ARMS["brief"](case) == (
        "# package/other.py\ndef other(a, b):\n\n"
        '# package/shelf.py\nclass Shelf(Base):\n    """Holds books."""\n    size: int = 3\n'
        "    def __init__(self, size: int):\n"
        "    def put(\n        self,\n        book: str,\n    ) -> None:\n\n"
    )
    assert ARMS["callee"](case) == ARMS["brief"](case).partition("\n\n")[2]
    assert ARMS["whole"](case).endswith("    def _sort(self):\n        pass\n\n\n")
