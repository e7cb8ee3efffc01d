"""A name changed in one place: the others are proposed, and nothing else."""

# ruff: noqa: E501 - programs

import ast
import builtins
import keyword

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from support.next_edit import Edited

PYTHON = '''import json


class Counter:
    """Counts; its total is a number."""

    def __init__(self, step):
        self.total = 0
        self.step = step

    def add(self, number):
        self.total += number * self.step
        return self.total


def total(numbers):
    counter = Counter(step=1)
    for number in numbers:
        counter.add(number)
    # the total of all numbers
    return counter.total


def show(numbers):
    return json.dumps({"total": total(numbers)})
'''

RENAMES = {
    "python": [
        ("counter = ", "tally = ", {"counter.add": "tally.add", "return counter.": "return tally."}),
        ("def __init__(self, step)", "def __init__(self, size)", {"= step": "= size", "(step=1)": "(size=1)"}),
        ("self.total = 0", "self.sum = 0", {"self.total": "self.sum", "counter.total": "counter.sum"}),
        ("def total(", "def add_up(", {": total(": ": add_up("}),
        ("class Counter", "class Tally", {" Counter(": " Tally("}),
        ("import json", "import orjson", {"json.dumps": "orjson.dumps"}),
        ("import json", "import json as js", {"json.dumps": "js.dumps"}),
        ("def add(", "def push(", {".add(": ".push("}),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "others"), RENAMES["python"])
def test_a_rename_is_led_to_its_other_places_in_python(
    old: str, new: str, others: dict[str, str]
) -> None:
    expected = PYTHON.replace(old, new, 1)
    for one, other in others.items():
        expected = expected.replace(one, other)
    assert Edited(PYTHON).replace(old, new).follow() == expected


OTHERS = [
    (
        "typescript",
        "function area(width: number, height: number) {\n  const size = width * height;\n"
        "  return { size, width };\n}\nconst width = 3;\nconsole.log(area(width, 2));\n",
        ("width: number", "across: number"),
        "function area(across: number, height: number) {\n  const size = across * height;\n"
        "  return { size, width: across };\n}\nconst width = 3;\nconsole.log(area(width, 2));\n",
    ),
    (
        "go",
        "package p\n\nfunc sum(xs []int) int {\n\tt := 0\n\tfor _, x := range xs {\n\t\tt += x\n\t}\n"
        "\treturn t\n}\n\nfunc other() int {\n\tt := 1\n\treturn t\n}\n",
        ("t := 0", "total := 0"),
        "package p\n\nfunc sum(xs []int) int {\n\ttotal := 0\n\tfor _, x := range xs {\n"
        "\t\ttotal += x\n\t}\n\treturn total\n}\n\nfunc other() int {\n\tt := 1\n\treturn t\n}\n",
    ),
    (
        "rust",
        "impl List {\n    fn len(&self) -> usize { self.items.len() }\n"
        "    fn both(&self) -> usize { self.len() + self.len() }\n}\n",
        ("fn len", "fn size"),
        "impl List {\n    fn size(&self) -> usize { self.items.len() }\n"
        "    fn both(&self) -> usize { self.size() + self.size() }\n}\n",
    ),
    (
        "java",
        "class Box {\n  private int width;\n  int area(int height) {\n    return width * height;\n  }\n"
        "  void set(int width) {\n    this.width = width;\n  }\n}\n",
        ("private int width", "private int breadth"),
        "class Box {\n  private int breadth;\n  int area(int height) {\n    return breadth * height;\n"
        "  }\n  void set(int width) {\n    this.breadth = width;\n  }\n}\n",
    ),
    (
        "c",
        "static int add(int a, int b) {\n  int sum = a + b;\n  return sum;\n}\n\nint main(void) {\n"
        "  int sum = add(1, 2);\n  return sum;\n}\n",
        ("int sum = a", "int total = a"),
        "static int add(int a, int b) {\n  int total = a + b;\n  return total;\n}\n\n"
        "int main(void) {\n  int sum = add(1, 2);\n  return sum;\n}\n",
    ),
    (
        "php",
        "<?php\nfunction add($a, $b) {\n  $sum = $a + $b;\n  return $sum;\n}\n$sum = add(1, 2);\n",
        ("$sum = $a", "$total = $a"),
        "<?php\nfunction add($a, $b) {\n  $total = $a + $b;\n  return $total;\n}\n$sum = add(1, 2);\n",
    ),
    (
        "ruby",
        "def add(a, b)\n  sum = a + b\n  puts sum\n  sum\nend\n\ndef other\n  sum = 1\n  sum\nend\n",
        ("sum = a", "total = a"),
        "def add(a, b)\n  total = a + b\n  puts total\n  total\nend\n\ndef other\n  sum = 1\n  sum\nend\n",
    ),
    (
        "lua",
        "local function add(a, b)\n  local sum = a + b\n  return sum\nend\nlocal sum = add(1, 2)\n",
        ("local sum = a +", "local total = a +"),
        "local function add(a, b)\n  local total = a + b\n  return total\nend\nlocal sum = add(1, 2)\n",
    ),
    (
        "kotlin",
        "class Box(val width: Int) {\n  fun area(height: Int): Int {\n    val size = width * height\n"
        "    return size\n  }\n}\n",
        ("val size", "val area2"),
        "class Box(val width: Int) {\n  fun area(height: Int): Int {\n    val area2 = width * height\n"
        "    return area2\n  }\n}\n",
    ),
    (
        "csharp",
        "class Box {\n  int width;\n  int Area(int height) {\n    var size = width * height;\n"
        "    return size;\n  }\n}\n",
        ("int width;", "int breadth;"),
        "class Box {\n  int breadth;\n  int Area(int height) {\n    var size = breadth * height;\n"
        "    return size;\n  }\n}\n",
    ),
    (
        "cpp",
        "struct Box {\n  int width;\n  int area(int height) { auto size = width * height; return size; }\n"
        "};\n",
        ("auto size", "auto surface"),
        "struct Box {\n  int width;\n  int area(int height) { auto surface = width * height; return"
        " surface; }\n};\n",
    ),
]


@pytest.mark.parametrize(
    ("language", "text", "change", "expected"), OTHERS, ids=[each[0] for each in OTHERS]
)
def test_a_rename_is_led_to_its_other_places(
    language: str, text: str, change: tuple[str, str], expected: str
) -> None:
    assert Edited(text, language).replace(*change).follow() == expected


def test_one_use_that_is_renamed_leads_to_the_declaration_and_the_others() -> None:
    text = "def f(count):\n    total = count + 1\n    return total\n"
    assert Edited(text).replace("return total", "return whole").follow() == text.replace(
        "total", "whole"
    )


QUIET = [
    ("a variable by the name of another one", "return total", "return count"),
    ("a builtin in its place", "return total", "return list"),
    ("a number", "+ 1", "+ 2"),
    ("a word in a string", '"total"', '"whole"'),
]


@pytest.mark.parametrize(("why", "old", "new"), QUIET, ids=[each[0] for each in QUIET])
def test_nothing_follows_from(why: str, old: str, new: str) -> None:
    text = 'def f(count):\n    total = count + 1\n    print("total", total, 1)\n    return total\n'
    assert Edited(text).replace(old, new).all() == []


def test_nothing_is_proposed_that_was_just_undone() -> None:
    text = "def f(count):\n    return count\n\n\ndef g(count):\n    return count\n"
    edited = Edited(text).replace("f(count)", "f(number)").replace("f(number)", "f(count)")
    assert edited.all() == []


def test_a_name_that_is_taken_is_proposed_nowhere() -> None:
    text = "def f(count, number):\n    return count + number\n"
    assert Edited(text).replace("f(count", "f(number").all() == []


NAMES = sorted({"alpha", "beta", "gamma", "delta"} - set(keyword.kwlist) - set(dir(builtins)))


@st.composite
def functions(draw: st.DrawFn) -> str:
    """Functions of a few names, some of which are parameters and some assigned."""
    lines: list[str] = []
    for number in range(draw(st.integers(1, 3))):
        parameters = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=2))
        lines.append(f"def function{number}({', '.join(parameters)}):")
        known = list(parameters)
        for _ in range(draw(st.integers(1, 4))):
            name = draw(st.sampled_from(NAMES))
            value = draw(st.sampled_from(known))
            lines.append(f"    {name} = {value} + len({draw(st.sampled_from(known))})")
            known.append(name)
        lines += [f"    return {draw(st.sampled_from(known))}", "", ""]
    return "\n".join(lines)


@given(functions(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_renamed_parameter_is_renamed_in_its_function_and_nowhere_else(
    text: str, data: st.DataObject
) -> None:
    """By CPython's own scopes: the code that comes of it is the same but for that name."""
    function = data.draw(st.sampled_from(ast.parse(text).body))
    assert isinstance(function, ast.FunctionDef)
    argument = data.draw(st.sampled_from(function.args.args))
    lines = text.splitlines(keepends=True)
    start = sum(map(len, lines[: argument.lineno - 1])) + argument.col_offset
    found = Edited(text).edit(start, start + len(argument.arg), "renamed").follow()
    assume(argument.arg != "renamed")
    expected = ast.parse(text)
    for node in ast.walk(next(n for n in expected.body if n.name == function.name)):  # type: ignore[attr-defined]
        if isinstance(node, ast.Name) and node.id == argument.arg:
            node.id = "renamed"
        elif isinstance(node, ast.arg) and node.arg == argument.arg:
            node.arg = "renamed"
    assert ast.dump(ast.parse(found)) == ast.dump(expected)
