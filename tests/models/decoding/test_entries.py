"""Of a list's entries that the model makes up, one is suggested."""

import pytest

from keyturn.models.decoding.trim import certain, decided, trim

NAMES = "\n".join(f'    "{name}",' for name in ("red", "green", "blue", "black"))


@pytest.mark.parametrize(
    ("language", "prefix", "generated", "suffix", "shown"),
    [
        ("typescript", "enum Way {\n  ", "Up,\n  Down,\n  Left", "\n}\n", "Up,"),
        ("typescript", 'enum C {\n  R = "R",\n  ', 'G = "G",\n  B = "B"', "\n}\n", 'G = "G",'),
        ("rust", "enum C {\n    Red,\n    ", "Green,\n    Blue,", "\n}\n", "Green,"),
        ("python", "COLOURS = [\n", NAMES, "\n]\n", '    "red",'),
        ("python", "", "RED = 1\nGREEN = 2\nBLUE = 3", "", "RED = 1"),
        ("python", "class C:\n    R = 1\n    ", "G = 2\n    B = 3\n\n    def f():", "", "G = 2"),
        ("javascript", "", "const A = 1;\nconst B = 2;\nconst C = 3;", "", "const A = 1;"),
        ("javascript", "x = {\n", '  r: "R",\n  g: "G",\n  b: "B",', "\n}", '  r: "R",'),
        ("c", "#define WIDTH 80\n", "#define HEIGHT 24\n#define DEPTH 3", "", "#define HEIGHT 24"),
        ("json", "[\n", NAMES.rstrip(","), "\n]\n", '    "red"'),
        ("json", "[\n", NAMES, '\n    "white"\n]\n', '    "red",'),
        ("plaintext", "__pycache__/\n*.pyc\n", "*.pyo\n*.so\n*.dll", "", "*.pyo"),
        ("plaintext", "node_modules\n.git\n", "README.md\npackage.json", "", "README.md"),
        ("plaintext", "requests>=2\nnumpy\n", "pandas\nscipy==1.2\nflask", "", "pandas"),
        ("plaintext", "Shopping:\n- milk\n", "- two eggs\n- salt", "", "- two eggs"),
        ("yaml", "services:\n  - redis\n", "  - nginx\n  - mysql\n", "", "  - nginx"),
    ],
)
def test_one_of_them_is_enough(
    language: str, prefix: str, generated: str, suffix: str, shown: str
) -> None:
    assert trim(generated, prefix, suffix, language=language) == shown
    assert trim(shown, prefix, suffix, language=language) == shown


@pytest.mark.parametrize(
    ("generated", "around"),
    [
        ("    self.a = a\n    self.b = b\n    self.c = c", "def f(self, a, b, c):\n"),
        ("    count = 0\n    start = 0\n    end = 0", "def f():\n"),
        ("Red,\n    Green,\n    Blue,", "use(Red); use(Green); use(Blue)\n"),  # asked for
        ("import os\nimport re\nimport sys", ""),
        ("open()\nread()\nclose()", ""),
        ("    color: white;\n    margin: 0;\n    display: flex;", "a {\n"),
        ("RED = 1\nGREEN = 2", ""),
        ("1,\n2,\n3,\n4,", "x = [\n"),
        ("- uses: a/b@v4\n- run: make\n- run: make test", "steps:\n"),
    ],
)
def test_what_the_file_asks_for_stays_and_so_does_code(generated: str, around: str) -> None:
    assert trim(generated, around, "", language="yaml" if ": make" in generated else "c") == (
        generated
    )


def test_none_is_shown_before_it_is_known_how_many_there_are() -> None:
    prefix = "enum Way {\n"
    assert certain("  Up,\n", prefix, "\n}\n", "typescript") == ""
    assert not decided("  Up,\n  Down,\n", prefix, "\n}\n", "typescript")
    assert decided("  Up,\n  Down,\n  Left,\n", prefix, "\n}\n", "typescript")
    assert certain("  Up,\n  go();\n", prefix, "\n}\n", "typescript") == "  Up,\n  go();"
