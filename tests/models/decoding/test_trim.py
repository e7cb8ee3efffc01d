"""What a user sees of what was generated."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.models.decoding.trim import certain, trim


@pytest.mark.parametrize(
    ("prefix", "generated", "suffix", "shown"),
    [
        ("x = f(", "a, b)", ")\n", "a, b"),  # the closer is there already
        ("x = f(", "g(a)", ")\n", "g(a)"),  # this one is not
        ("x = f(g(", "a))", ")\n", "a)"),  # one of two is
        ('print("', 'hello")', '")\n', "hello"),
        ("print('", "hello')", "')\n", "hello"),
        ("f(", "a) + g(b", ")\n", "a"),  # closes what the suffix closes, and goes on
        ("if ", "x in y:", ":\n", "x in y"),
        ("a", "dd(b, c) -> int:", "(b, c) -> int:\n", "dd"),
        ("x = ", "y + 1", " + 1\n", "y"),
        ("x = foo_", "b", "bar\n", ""),  # some of the word's own letters
        ("f(o", "ff", "ffset=0)\n", ""),
        ("f(s", "egments, segment=s", "egments)\n", ""),  # all of them, and more
        ("def end", "_posi", "tion(self):\n", "_posi"),
        ("x = foo_", "rab", "bar\n", "rab"),  # an accident inside a word
        ("x = foo_", "big_bar", "bar\n", "big_"),  # three letters are none
        ("x = (", "1, 2", ")\n", "1, 2"),
        ("x = ", "[", "1]\n", "["),
        ("f(", "a, ", ")\n", "a,"),
        ("f(", "a, ", "b)\n", "a, "),
        ("f(", "a,\n  b)\n", ")\n", "a,"),  # one line in the middle of a line
        ("    ", "y = 1\n    ", "return y\n", "y = 1\n    "),
        ("    ", "return y\n    ", "return y\n", ""),
        ('<b @click="', 'n++">Add</b>', '">{{ n }}</b>\n', "n++"),
        ('<a href="', '/x">y</a>', '">z</a>\n', "/x"),
        ('print("', 'a" + "b', '")\n', 'a" + "b'),  # closed and opened again
        ("<h1>", "Title</h1></div>", "</h1>\n", "Title"),
        ("<p>", "a <p>b</p> c", "</p>\n", "a <p>b</p> c"),
        ("<input ", 'type="text">Name', ">\n", 'type="text"'),
        ("Vec<", "u8> = Vec::new();", "> = x;\n", "u8"),
        ("if a < b and ", "c + 1", " > d\n", "c + 1"),
        ("<li>{{ ", "x }}</li>", " }}</li>\n", "x"),
        ("{% if ", "x %}y", " %}\n", "x"),
        ("<?= ", "$x ?></li>", " ?></li>\n", "$x"),
        ("/* ", "why */ f()", " */\n", "why"),
        ("<!-- ", "why -->", " -->\n", "why"),
        ("f( ", "a) + g(b", " )\n", "a"),
        ("<b onClick={", "go}>x</b>", "}>{y}</b>\n", "go"),
        ("    ", "    y = 1\n    ", "return y\n", "y = 1\n    "),
        ("f(mes", "sage", "s)\n", "sage"),  # one letter may begin another word
        ("for mes", "sage in messages", "s in messages:\n", ""),
        ("f(i", "d", "d)\n", ""),
        ("f(i", "d, b=i", "d)\n", ""),
    ],
)
def test_in_the_middle_of_a_line_nothing_is_said_twice(
    prefix: str, generated: str, suffix: str, shown: str
) -> None:
    assert trim(generated, prefix, suffix) == shown


@pytest.mark.parametrize(
    ("prefix", "generated", "suffix", "shown"),
    [
        ("def f():", "\n    return 1\n\n\ndef g():", "\n\n\ndef g():\n    x\n", "\n    return 1"),
        ("if (a) {", "\n  b();\n}", "\n}\n", "\n  b();"),
        ("  if (a) {", "\n    b();\n  }", "\n}\n", "\n    b();\n  }"),
        ("    ret", "urn x", "\n    return x\n", ""),  # the next line already says it
        ("    ", "a()\n    bb()\n    cc()\n    new()", "\n    bb()\n    cc()\n    d()\n", "a()"),
        ("    ", "a()\n    b()\n    new()", "\n    b()\n    c()\n", "a()\n    b()\n    new()"),
        ("    ", "return x", "\nreturn x\n", "return x"),  # another indentation, another meaning
    ],
)
def test_lines_that_follow_the_cursor_are_not_said_again(
    prefix: str, generated: str, suffix: str, shown: str
) -> None:
    assert trim(generated, prefix, suffix) == shown


@pytest.mark.parametrize(
    ("prefix", "generated", "suffix", "shown"),
    [
        ("JOIN o ON ", "u.id = o.id GROUP BY u.name;", "\nGROUP BY u.name;\n", "u.id = o.id"),
        (
            "JOIN o ON ",
            "a = b\nAND 1 GROUP BY c;\nLIMIT 1",
            "\nGROUP BY c;\nLIMIT 1\n",
            "a = b\nAND 1",
        ),
        ("Bring ", "a coat. It will rain soon.", "\nIt will rain soon.\n", "a coat."),
        ("x = ", "f(a, b) + 1", "\nf(a, b) + 1\n", "f(a, b) + 1"),  # there is nothing before it
        ("if (a) ", "return b.c.d;", "\nreturn b.c.d;\n", "return b.c.d;"),
        ("", "return f(a, b)", "\nf(a, b)\n", "return f(a, b)"),
        ("f(", "a) # end", "\nend\n", "a) # end"),  # short things are said again
        ("{ f(", "a); }", "\n}\n", "a); }"),
        ("x ", "= good_name + y", "\nname + y\n", "= good_name + y"),
        ("    ", "virtual void a(int b);", "\n    void a(int b);\n", "virtual void a(int b);"),
        ("a; lazy", " var b = c(d)", "\nvar b = c(d)\n", " var b = c(d)"),
        ("LEFT ", "JOIN a ON b = c", "\nJOIN a ON b = c\n", "JOIN a ON b = c"),
        ("    ", "echo f(a, b)", "\nf(a, b)\n", "echo f(a, b)"),
        ("@A public ", "abstract int b(int c);", "\nint b(int c);\n", "abstract int b(int c);"),
    ],
)
def test_nor_are_they_from_the_middle_of_a_line_on(
    prefix: str, generated: str, suffix: str, shown: str
) -> None:
    assert trim(generated, prefix, suffix) == shown
    assert shown.startswith(certain(generated, prefix, suffix))


def test_a_word_may_stand_before_a_command_of_the_line_below() -> None:
    for language in ("ruby", "shellscript"):
        assert trim("$log.puts f(a, b)", "", "\nf(a, b)\n", language=language) != "$log.puts"


@pytest.mark.parametrize(
    ("prefix", "generated", "shown"),
    [
        ("for f in *; do\n  ", "  echo $f", "echo $f"),
        ("for f in *; do\n\t", "\techo $f\n\t\techo", "echo $f\n\techo"),
        ("f() {\n  ", "  a();\n    b();\n      c();", "a();\n  b();\n    c();"),
        ("f() {\n    ", "  a();\n  }", "a();\n  }"),
        ("f() {\n\t", "    a();", "a();"),
        ("if x:\n    y()\n    ", "    z()", "z()"),
        ("    if x:\n    ", "    y()", "    y()"),  # what is missing is added
        ("    if x:\n        y()\n    ", "    z()", "    z()"),
        ("f() {\n", "    a();", "    a();"),
        ("x = ", "  1", "  1"),
        ("f() {\n    ", "  \n    a();", "\n    a();"),
    ],
)
def test_indentation_that_is_there_is_not_said_again(
    prefix: str, generated: str, shown: str
) -> None:
    assert trim(generated, prefix, "") == shown
    assert shown.startswith(certain(generated, prefix, ""))


def test_a_line_broken_off_goes_when_whole_lines_remain() -> None:
    assert trim("a = 1\nb = f(a, ", "", "", cut_short=True) == "a = 1"
    assert trim("a = f(b, ", "", "", cut_short=True) == "a = f(b,"
    assert trim("a = 1\nb = 2", "", "", cut_short=False) == "a = 1\nb = 2"


def test_a_whole_line_is_no_broken_off_one() -> None:
    assert trim("a\n", "", "\naa", cut_short=True) == "a"


def test_a_broken_off_repetition_of_the_suffix_goes() -> None:
    assert trim("    def ne", "", "\n    def next(self):\n", cut_short=True) == ""


def test_lines_said_over_and_over_are_said_once() -> None:
    assert trim("total += 1\n" * 5, "", "") == "total += 1"
    assert trim("a = one()\nb = two()\n" * 3, "", "") == "a = one()\nb = two()"
    assert trim("start()\n" + "total += 1\n" * 4 + "tot", "", "", True) == "start()\ntotal += 1"


def test_ordinary_repetition_stays() -> None:
    twice = "f.write(a)\nf.write(a)"
    assert trim(twice, "", "") == twice
    closers = "{\n{\n{\n}\n}\n}"
    assert trim(closers, "", "") == closers
    going_on = "row(1)\nrow(1)\nrow(1)\nend()"
    assert trim(going_on, "", "") == going_on


@pytest.mark.parametrize("blank", ["", " ", "\n", "\n    \n\t", "\r\n"])
def test_blank_text_is_nothing(blank: str) -> None:
    assert trim(blank, "x = ", "") == ""
    assert trim(blank, "f(", ")") == ""


def test_blank_lines_at_the_end_go_and_those_at_the_start_stay() -> None:
    assert trim("\n    return 1\n\n    \n", "def f():", "") == "\n    return 1"


def test_blanks_at_the_ends_of_lines_go() -> None:
    assert trim(" \n    a  \n    b \n", "def f():", "") == "\n    a\n    b"


def test_broken_characters_end_the_text() -> None:
    assert trim("x = 'é\ufffd", "", "") == "x = 'é"


TEXT = st.text(alphabet="ab \n()\ufffd", max_size=40)
LINES = st.lists(st.sampled_from(["", "a", "  b", "}", "call(1)", "  call(2)"]), max_size=12)
CODE = TEXT | LINES.map("\n".join)


@settings(max_examples=300, deadline=None)
@given(CODE, CODE, CODE, st.booleans())
def test_what_is_certain_early_is_kept_in_the_end(
    text: str, prefix: str, suffix: str, cut_short: bool
) -> None:
    final = trim(text, prefix, suffix, cut_short)
    known = ""
    for end in range(len(text) + 1):
        now = certain(text[:end], prefix, suffix)
        assert final.startswith(now)
        known = max(known, now, key=len)
        assert known.startswith(now)


@settings(max_examples=300, deadline=None)
@given(CODE, CODE, CODE, st.booleans())
def test_trimming_only_cuts_the_end_and_trimmed_text_stays_as_it_is(
    text: str, prefix: str, suffix: str, cut_short: bool
) -> None:
    final = trim(text, prefix, suffix, cut_short)
    if "\n" not in final:
        assert text.startswith(final) or text.lstrip(" ").startswith(final)  # indentation goes
        assert final == final.strip("\n")
    assert final == "" or final.strip()
