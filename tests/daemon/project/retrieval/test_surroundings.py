"""What stands around a cursor."""

import pytest

from keyturn.daemon.project.retrieval.surroundings import (
    LINES_AROUND,
    SAME_LINE,
    Call,
    surroundings,
    type_of,
)

CURSOR = "<|>"


def around(text: str, language: str = "python", imports: tuple[int, ...] = ()):
    before, _, after = text.partition(CURSOR)
    return surroundings(before + after, len(before), language, imports)


def test_a_name_is_as_far_away_as_its_nearest_use_on_either_side():
    found = around("one()\ntwo()\n\n<|>\n\n\none()\n")
    assert found.distances == {"one": 3, "two": 2}


def test_names_on_the_cursors_line_count_as_some_lines_away_and_the_one_at_the_cursor_not_at_all():
    assert around("one + tw<|>o\n").distances == {"one": SAME_LINE}


def test_comments_keywords_and_imports_are_no_uses():
    text = "from a import (\n    b,\n    c,\n)\n# note\nfor x in one:\n    <|>\n"
    assert around(text, imports=(0,)).distances == {"x": 1, "one": 1}


def test_far_lines_are_not_read():
    text = "far()\n" + "\n" * LINES_AROUND + "<|>\n"
    assert around(text).distances == {}
    assert around(text[:5] + text[6:]).distances == {"far": LINES_AROUND}


def test_attributes_are_kept_with_what_they_belong_to():
    found = around("a.b.c(x)\nstd::move(y)\np->q\nf().g\n<|>", "cpp")
    assert found.attributes == {
        "a": {"b": 4},
        "a.b": {"c": 4},
        "std": {"move": 3},
        "p": {"q": 2},
        "?": {"g": 1},
    }


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("f(<|>", [Call("f")]),
        ("f(a, 'x)', g(1), <|>)", [Call("f")]),
        ("f(g(<|>))", [Call("g"), Call("f")]),
        ("f(g(h(<|>", [Call("h"), Call("g")]),
        ("m.f(<|>", [Call("f", "m")]),
        ("self.x.f(<|>", [Call("f", "self.x")]),
        ("a::b::f(<|>", [Call("f", "a.b")]),
        ("p->f(<|>", [Call("f", "p")]),
        ("a?.f(<|>", [Call("f", "a")]),
        ("a().f(<|>", [Call("f", "?")]),
        ("new Shelf(<|>", [Call("Shelf")]),
        ("f<T>(<|>", [Call("f")]),
        ("print!(<|>", []),
        ("println!(<|>", [Call("println")]),
        ("f({ a: <|>", [Call("f")]),
        ("f([1, <|>", [Call("f")]),
        ("f(() => {\n<|>", []),
        ("f(x); <|>", []),
        ("if (<|>", []),
        ("def f(<|>", []),
        ("func (s *Shelf) f(<|>", []),
        ("Shelf{<|>", [Call("Shelf")]),
        ("Shelf { size: <|>", [Call("Shelf")]),
        ("<|>", []),
        ("(((<|>", []),
        ("f(\n" + "    a,\n" * 20 + "<|>", [Call("f")]),
        ("f(" + "a" * 5000 + "<|>", []),
    ],
)
def test_open_calls_are_found_the_innermost_first(text, calls):
    assert list(around(text).calls) == calls


@pytest.mark.parametrize(
    ("text", "receiver", "expected"),
    [
        ("shelf = Shelf(3)\n", "shelf", "Shelf"),
        ("shelf = lib.Shelf(3)\n", "shelf", "lib.Shelf"),
        ("def f(shelf: Shelf):\n", "shelf", "Shelf"),
        ("const shelf = new Shelf(3);\n", "shelf", "Shelf"),
        ("shelf := &Shelf{}\n", "shelf", "Shelf"),
        ("let shelf = Shelf::new();\n", "shelf", "Shelf::new"),
        ("fn f(shelf: &mut Shelf) {\n", "shelf", "Shelf"),
        ("Shelf shelf = make();\n", "shelf", "Shelf"),
        ("struct Shelf *shelf;\n", "shelf", "Shelf"),
        ("def f(shelf: Shelf):\n    self.x = shelf\n", "self.x", "Shelf"),
        ("shelf = other\n", "shelf", ""),
        ("a = b\nb = a\n", "a", ""),
        ("", "", ""),
    ],
)
def test_a_variables_type_is_read_off_the_line_that_makes_it(text, receiver, expected):
    assert type_of(receiver, text, len(text)) == expected


def test_nothing_is_too_odd_to_be_read():
    for text in ("", "\0", "((((", '"""', "a" * 10_000, "\n" * 3, "f(\0)", "'"):
        for cursor in {0, len(text) // 2, len(text)}:
            assert len(surroundings(text, cursor, "python").distances) <= 1
