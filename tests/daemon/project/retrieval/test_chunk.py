"""What a model is shown of a definition."""

from textwrap import dedent

import pytest

from keyturn.daemon.project.reading.reader import outline
from keyturn.daemon.project.retrieval.chunk import BRIEF_LINES, LONG_LINES, chunk

SHELF = '''
@dataclass
class Shelf(Base):
    """Holds books.

    More about it.
    """

    size: int = 3
    _hidden = 4

    def put(
        self,
        book: str,
    ) -> None:
        """Put it there."""
        self.books.append(book)

    def __init__(self, size: int):
        self.size = size

    def _sort(self):
        pass
'''


def shown(language: str, text: str, name: str, lines: int = LONG_LINES) -> str:
    read = outline(f"a/b.{language}", language, dedent(text))
    definition = next(each for each in read.definitions if each.name == name)
    return chunk(definition, read.definitions, lines).text


def test_of_a_function_its_signature_and_the_first_line_of_its_docstring_are_shown():
    text = '''
    def mean(values: list[float],
             weights=None) -> float:
        """The mean.

        Of numbers.
        """
        return sum(values)
    '''
    assert shown("python", text, "mean") == (
        "# a/b.python\n"
        "def mean(values: list[float],\n         weights=None) -> float:\n"
        '    """The mean."""\n\n'
    )


def test_of_a_class_everything_is_shown_that_its_users_call_and_its_constructor_first():
    assert shown("python", SHELF, "Shelf") == (
        '# a/b.python\nclass Shelf(Base):\n    """Holds books."""\n'
        "    def __init__(self, size: int):\n"
        "    size: int = 3\n"
        "    def put(\n        self,\n        book: str,\n    ) -> None:\n\n"
    )


def test_a_brief_chunk_is_cut_after_three_lines():
    brief = shown("python", SHELF, "Shelf", BRIEF_LINES)
    assert brief.count("\n") == 1 + BRIEF_LINES + 1
    assert shown("python", SHELF, "Shelf").startswith(brief.rstrip("\n"))


def test_a_method_says_whose_it_is():
    assert shown("python", SHELF, "put").startswith("# a/b.python: Shelf\ndef put(\n")


def test_classes_with_braces_are_closed():
    text = """
    /** Holds books. */
    export class Shelf extends Base {
      private books: string[] = [];
      readonly size: number;
      constructor(size: number) { super(); }
      put(book: string): void { this.books.push(book); }
      #sort() {}
    }
    """
    assert shown("typescript", text, "Shelf") == (
        "// a/b.typescript\n// Holds books.\nexport class Shelf extends Base {\n"
        "    constructor(size: number)\n    readonly size: number\n"
        "    put(book: string): void\n}\n\n"
    )


def test_a_type_is_shown_as_it_is_written_without_its_comments():
    text = """
    export type Options = {
      /**
       * How many.
       */
      size: number;
      // a name
      name?: string;
    };
    """
    assert shown("typescript", text, "Options") == (
        "// a/b.typescript\nexport type Options = {\n  size: number;\n  name?: string;\n};\n\n"
    )


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("go", "type Shelf struct {\n\tSize int\n}\n\nfunc (s *Shelf) Put(b string) {\n}\n"),
        ("rust", "pub struct Shelf {\n  size: u8,\n}\nimpl Shelf {\n  pub fn put(&self) { }\n}\n"),
    ],
)
def test_methods_that_stand_outside_of_their_type_follow_it(language, text):
    lines = shown(language, text, "Shelf").splitlines()
    assert lines[-3].strip() == "}"
    assert "ut(" in lines[-2]
    assert lines[-1] == ""


@pytest.mark.parametrize("language", ["python", "typescript", "go", "rust", "c"])
def test_no_line_is_longer_than_anybody_reads(language):
    text = {"python": "def f(%s): pass", "go": "func f(%s int) {}", "rust": "fn f(%s: u8) {}"}
    code = text.get(language, "int f(int %s);" if language == "c" else "function f(%s) {}")
    made = shown(language, code % ("a" * 500), "f")
    assert max(map(len, made.splitlines())) <= 200
    assert made.endswith("\n\n")
