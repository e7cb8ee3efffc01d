"""What looks the same and means another thing is left alone: each was proposed once."""

import pytest

from support.next_edit import Edited


def left_alone(language: str, text: str, old: str, new: str, count: int = 0) -> None:
    """Nothing follows from the change."""
    edited = Edited(text, language).replace(old, new, count)
    assert edited.follow() == text.replace(old, new, 1)


RENAMES = [
    (
        "python",
        "a name that an inner function has",
        "def f(x):\n    def g(z):\n        return x + z\n    return g(10)\n",
        "f(x)",
        "f(z)",
    ),
    (
        "python",
        "a lambda's",
        "def f(x):\n    return lambda z: x + z\n",
        "f(x)",
        "f(z)",
    ),
    (
        "python",
        "a comprehension's",
        "def f(x, rows):\n    return [z for z in rows if z in x]\n",
        "f(x,",
        "f(z,",
    ),
    (
        "javascript",
        "an arrow function's",
        "function f(x) { return (z) => x + z; }\n",
        "f(x)",
        "f(z)",
    ),
    (
        "go",
        "a range's",
        "package a\nfunc f(x []int) { for _, z := range x { g(x, z) } }\n",
        "f(x",
        "f(z",
    ),
    (
        "rust",
        "a let's",
        "fn f(x: i32) { let z = 1; g(x + z); }\n",
        "f(x",
        "f(z",
    ),
    (
        "java",
        "a local's",
        "class A { int x; int f() { int z = 1; return x + z; } }\n",
        "int x",
        "int z",
    ),
    (
        "python",
        "a global that a function declares",
        "count = 0\n\ndef f():\n    global count\n    count = 1\n\nprint(count)\n",
        "    count = 1",
        "    total = 1",
    ),
    (
        "python",
        "what is imported twice",
        "try:\n    import simplejson as json\nexcept ImportError:\n    import json\n",
        "as json",
        "as js",
    ),
    (
        "java",
        "one of several methods",
        "class A { void put(int a) {} void put(String s) { put(1); } }\n",
        "put(int",
        "add(int",
    ),
    (
        "shellscript",
        "a plain word",
        "dir=1\nrm dir\ngit log dir\n",
        "dir=",
        "folder=",
    ),
]


@pytest.mark.parametrize(
    ("language", "what", "text", "old", "new"), RENAMES, ids=[f"{r[0]}: {r[1]}" for r in RENAMES]
)
def test_a_rename_does_not_reach(language: str, what: str, text: str, old: str, new: str) -> None:
    left_alone(language, text, old, new)


PARTS = [
    (
        "go",
        "package a\nfunc f(size int) *A { return &A{size: size} }\n",
        "f(size",
        "f(width",
        "size: width",
    ),
    (
        "csharp",
        "class B { A f(int size) { return new A { size = size }; } }\n",
        "int size",
        "int width",
        "size = width",
    ),
    (
        "kotlin",
        "fun f(size: Int) = A(size = size)\n",
        "f(size",
        "f(width",
        "size = width",
    ),
    (
        "lua",
        "local name = 1\nlocal t = { name = name }\n",
        "local name",
        "local who",
        "name = who",
    ),
    (
        "python",
        "def f(x, p):\n    match p:\n        case Point(x=1):\n            return x\n",
        "f(x,",
        "f(z,",
        "Point(x=1):\n            return z",
    ),
    (
        "javascriptreact",
        "const form = use();\nconst a = <form onSubmit={form.submit}>form</form>;\n",
        "const form",
        "const login",
        "<form onSubmit={login.submit}>form</form>",
    ),
    (
        "python",
        "def f(self, date: date) -> date:\n    return date\n",
        "f(self, date",
        "f(self, day",
        "day: date) -> date:\n    return day",
    ),
    (
        "python",
        "def f(x):\n    return [x for x in range(x)]\n",
        "f(x)",
        "f(n)",
        "[x for x in range(n)]",
    ),
    (
        "python",
        "def f(x=x):\n    return x\n",
        "f(x=x)",
        "f(n=x)",
        "f(n=x):\n    return n",
    ),
    (
        "javascript",
        "var x = 1;\nfunction f() { if (a) { var x = 2; } return x; }\ng(x);\n",
        "var x = 1",
        "var z = 1",
        "var x = 2; } return x; }\ng(z)",
    ),
    (
        "javascript",
        "const a = 1;\nexport { a };\n",
        "const a",
        "const b",
        "export { b as a }",
    ),
    (
        "python",
        "class A:\n"
        "    x: int\n"
        "\n"
        "class B:\n"
        "    x: int\n"
        "\n"
        "def f(a: A):\n"
        "    return a.x\n"
        "\n"
        "def g(a: B):\n"
        "    return a.x\n",
        "x: int",
        "y: int",
        "def f(a: A):\n    return a.y\n\ndef g(a: B):\n    return a.x",
    ),
    (
        "shellscript",
        'name=world\necho "hello $name" name ${name}\n',
        "name=",
        "who=",
        '"hello $who" name ${who}',
    ),
]


@pytest.mark.parametrize(("language", "text", "old", "new", "expected"), PARTS)
def test_a_rename_stops_at_what_has_its_own_name(
    language: str, text: str, old: str, new: str, expected: str
) -> None:
    assert expected in Edited(text, language).replace(old, new).follow()


CALLS = [
    (
        "python",
        "class Cache:\n"
        "    def get(self, key, default):\n"
        "        return self.data.get(key, default)\n"
        "\n"
        "import os\n"
        "os.environ.get('A', 'b')\n"
        "options.get('c', 1)\n",
        "key, default):",
        "key):",
    ),
    (
        "python",
        "class File:\n    def open(self, path, mode):\n        return open(path, 'rb')\n",
        "path, mode):",
        "path):",
    ),
    (
        "python",
        "class Box:\n    def replace(self, old, new):\n        return 'abc'.replace('b', 'a')\n",
        "old, new",
        "new, old",
    ),
    (
        "python",
        "def load(path, mode):\n    return json.load(path, 3)\n",
        "path, mode",
        "path",
    ),
    (
        "go",
        "package a\nfunc (b *Box) Index(s string, n int) int { return strings.Index(s, n) }\n",
        "s string, n int",
        "s string",
    ),
    (
        "python",
        "def f(a, b):\n    pass\n\n\nf(1, 2)\n",
        "(a, b)",
        "(a, *b)",
    ),
    (
        "python",
        "def f(a, b):\n    pass\n\n\nf(1, b=2)\n",
        "(a, b)",
        "(a, **kw)",
    ),
    (
        "python",
        "def f(a, b):\n    pass\n\n\nf = lambda a, b: a\nf(1, 2)\n",
        "(a, b):",
        "(a):",
    ),
]


@pytest.mark.parametrize(("language", "text", "old", "new"), CALLS)
def test_other_parameters_change_no_call_of_something_else(
    language: str, text: str, old: str, new: str
) -> None:
    left_alone(language, text, old, new)


def test_nothing_is_passed_by_place_behind_what_is_passed_by_name() -> None:
    text = "def f(a, b):\n    pass\n\n\nf(1)\nf(b=2)\nf(a=1)\nf(*x)\nf(**k)\n"
    edited = Edited(text).replace("f(1)", "f(1, 2)")
    assert edited.follow() == text.replace("f(1)", "f(1, 2)")


def test_a_generator_stays_alone_in_its_brackets() -> None:
    text = "def f(a):\n    pass\n\n\nf(1)\nf((x + 1) * x for x in y)\nf([z for z in y])\n"
    edited = Edited(text).replace("f(a)", "f(a, b)").replace("f(1)", "f(1, 2)")
    expected = text.replace("f(a)", "f(a, b)").replace("f(1)", "f(1, 2)")
    assert edited.follow() == expected.replace("in y])", "in y], 2)")


def test_a_value_is_not_passed_where_it_means_nothing() -> None:
    text = "def f(a):\n    pass\n\n\ndef g(ctx):\n    f(1)\n\n\nf(3)\n"
    edited = Edited(text).replace("f(a)", "f(a, b)").replace("    f(1)", "    f(1, ctx)")
    assert edited.follow().endswith("\nf(3)\n")


def test_keywords_are_of_the_function_that_is_meant() -> None:
    text = (
        "class Pool:\n    def run(self, text):\n"
        "        subprocess.run([], text=True)\n        self.run(text=1)\n"
    )
    found = Edited(text).replace("self, text", "self, line").follow()
    assert "subprocess.run([], text=True)" in found
    assert "self.run(line=1)" in found


MORE_RENAMES = [
    ("typescript", "function f(x: any) {\n  const a = x;\n  g(x);\n}\n", "a = x", "a = x as Foo"),
    ("python", "class A(B):\n    def f(self):\n        return super().f()\n", "def f", "def h"),
    ("lua", "local name = 1\nobj:name(1)\n", "local name", "local title"),
    ("java", "class A { int f() { int size = size(); return 1; } }\n", "int size", "int count"),
    ("csharp", "class A { void F(int x) { G(x => x + 1); } }\n", "F(int x", "F(int z"),
    ("rust", "fn f(x: &str) { let x = x.trim(); g(x); }\n", "f(x", "f(z"),
    ("go", "package a\nfunc f(x int) { x := x + 1; g(x) }\n", "f(x", "f(z"),
    ("kotlin", 'fun f(name: String) { g("hi $name"); h(name) }\n', "f(name", "f(who"),
    ("rust", 'fn f(name: &str) { println!("{name}"); h(name); }\n', "f(name", "f(who"),
    ("shellscript", 'x=1\nf() { local x=2; echo "$x"; }\necho "$x"\n', "x=1", "y=1"),
]


@pytest.mark.parametrize(("language", "text", "old", "new"), MORE_RENAMES)
def test_what_nobody_can_follow_to_its_end_is_not_begun(
    language: str, text: str, old: str, new: str
) -> None:
    left_alone(language, text, old, new)


def test_an_argument_is_taken_away_by_place_only_where_all_stand_in_their_places() -> None:
    text = "def f(a, b, c):\n    return a + c\n\n\nf(1, 2, 3)\nf(1, c=2, b=3)\n"
    found = Edited(text).replace("a, b, c", "a, c").follow()
    assert found.endswith("\nf(1, 3)\nf(1, c=2)\n")
    text = "def f(a, b=1, c=2):\n    return a + c\n\n\nf(1, 2)\nf(1, c=4)\n"
    assert "f(1, c=4)" in Edited(text).replace("a, b=1, c=2", "a, c=2").follow()


def test_a_default_takes_no_argument_away() -> None:
    text = "def f(a, c):\n    pass\n\n\nf(1, 2)\n"
    assert Edited(text).replace("(a, c)", "(a, b=0, c=0)").follow().endswith("\nf(1, 2)\n")


def test_a_call_over_several_lines_keeps_them() -> None:
    text = "def f(a, b):\n    pass\n\n\nf(\n    1,\n    2,\n)\n"
    assert Edited(text).replace("(a, b)", "(b, a)").follow().endswith("f(\n    1,\n    2,\n)\n")


@pytest.mark.parametrize("value", ["await q()", "(yield)", "f'{y}'", "self.x"])
def test_what_is_bound_to_its_function_is_passed_in_no_other(value: str) -> None:
    text = "def f(a):\n    pass\n\n\nasync def g(self, y):\n    f(1)\n\n\ndef h():\n    f(3)\n"
    edited = Edited(text).replace("f(a)", "f(a, b)").replace("f(1)", f"f(1, {value})")
    assert edited.follow().endswith("    f(3)\n")


# region The same change twice


def twice(text: str, *changes: tuple[str, str], language: str = "python") -> Edited:
    edited = Edited(text, language)
    for old, new in changes:
        edited.replace(old, new)
    return edited


def test_it_does_not_go_on_for_ever() -> None:
    text = "".join(f"a{n} = torch.L{n}({n})\n" for n in range(38))
    edited = twice(text, ("torch.L0(0)", "torch.nn.L0(0)"), ("torch.L1(1)", "torch.nn.L1(1)"))
    assert "nn.nn" not in edited.follow()


def test_what_has_the_new_form_already_is_left_alone() -> None:
    text = "print(a)\nprint(b)\nlog(print(c))\nprint(d)\n"
    edited = twice(text, ("print(a)", "log(print(a))"), ("print(b)", "log(print(b))"))
    assert "log(log(" not in edited.follow()
    text = "os.join(1)\nos.exists(2)\nos.path.isdir(4)\nos.getcwd()\n"
    edited = twice(text, ("os.join", "os.path.join"), ("os.exists", "os.path.exists"))
    found = edited.follow()
    assert "os.path.path" not in found
    assert "os.getcwd()" in found


def test_a_function_does_not_call_itself_for_it() -> None:
    text = "def log(text):\n    print(text)\n\n\nprint(1)\nprint(2)\nprint(3)\n"
    found = twice(text, ("print(1)", "log(1)"), ("print(2)", "log(2)")).follow()
    assert found == "def log(text):\n    print(text)\n\n\nlog(1)\nlog(2)\nlog(3)\n"


def test_a_long_rename_stays_in_its_function() -> None:
    body = "".join(f"    g(x, {n})\n" for n in range(40))
    text = f"def f(x):\n{body}    return x\n\n\ndef h(x):\n    g(x, 1)\n    return x\n"
    found = Edited(text).replace("f(x)", "f(z)").follow()
    assert found.partition("\n\n\n")[0] == text.partition("\n\n\n")[0].replace("x", "z")
    assert found.partition("\n\n\n")[2] == text.partition("\n\n\n")[2]


def test_code_is_not_changed_in_strings() -> None:
    text = "print(a)\nprint(b)\ns = 'print(c)'\n"
    assert "'print(c)'" in twice(text, ("print(a)", "log(a)"), ("print(b)", "log(b)")).follow()


def test_nothing_is_waited_for_where_nobody_can() -> None:
    text = "async def f():\n    a = get(r, 1)\n    b = get(r, 2)\n\n\ndef g():\n    c = get(r, 3)\n"
    edited = twice(text, ("= get(r, 1)", "= await get(r, 1)"), ("= get(r, 2)", "= await get(r, 2)"))
    assert "c = get(r, 3)" in edited.follow()


def test_a_string_is_no_type() -> None:
    text = 'a: Optional[int]\nb: Optional[str]\nc: Optional["Foo"]\nd: Optional[Bar]\n'
    edited = twice(text, ("Optional[int]", "int | None"), ("Optional[str]", "str | None"))
    assert edited.follow() == 'a: int | None\nb: str | None\nc: Optional["Foo"]\nd: Bar | None\n'


def test_a_line_that_goes_leaves_none_behind() -> None:
    text = 'def f():\n    debug("a")\n    x()\n    debug("b")\n    y()\n    debug("c")\n    z()\n'
    edited = twice(text, ('    debug("a")\n', ""), ('    debug("b")\n', ""))
    assert edited.follow() in (
        "def f():\n    x()\n    y()\n    z()\n",
        'def f():\n    x()\n    y()\n    debug("c")\n    z()\n',
    )


# endregion
# region What follows, to its end


def test_names_in_strings_are_on_the_way() -> None:
    text = 'def f(x):\n    print(f"{x} {x}")\n    print(f"{x}")\n    return x\n'
    assert Edited(text).replace("f(x)", "f(z)").follow() == text.replace("x", "z")


def test_several_on_a_line_are_all_found() -> None:
    text = "d = {i: i * i for i in range(4)}\n"
    assert Edited(text).replace("for i", "for k").follow() == "d = {k: k * k for k in range(4)}\n"


def test_a_shorthand_does_not_end_it() -> None:
    text = "function f(a) {\n  g({ a });\n  h(a);\n  return a;\n}\n"
    found = Edited(text, "javascript").replace("f(a)", "f(z)").follow()
    assert found == "function f(z) {\n  g({ a: z });\n  h(z);\n  return z;\n}\n"


def test_a_name_can_be_put_right_after_it_was_changed() -> None:
    text = "def f(count):\n    g(count)\n    return count\n"
    edited = Edited(text).replace("f(count)", "f(numbr)")
    edited.follow()
    assert edited.replace("f(numbr)", "f(number)").follow() == text.replace("count", "number")


def test_what_was_taken_back_is_not_proposed_again() -> None:
    text = "def f(count):\n    g(count)\n    return count\n"
    edited = Edited(text).replace("f(count)", "f(number)")
    found = edited.next()
    assert found is not None
    edited.edit(found.start, found.stop, found.new)
    edited.edit(found.start, found.start + len(found.new), found.old)
    assert edited.next() is None  # nor anywhere else, until something is done
    assert edited.replace("return", "return 1 +").next() is not None


def test_a_second_name_reaches_all_places_of_a_line_and_of_strings() -> None:
    text = 'def f(a):\n    g(f"{a!r}")\n    return a + a\n'
    edited = Edited(text).replace("f(a)", "f(bb)")
    edited.follow()
    expected = text.replace("(a)", "(cc)").replace("{a!r}", "{cc!r}").replace("a + a", "cc + cc")
    assert edited.replace("f(bb)", "f(cc)").follow() == expected


# endregion
