"""Python's own rules: each text below is judged by CPython's parser too."""

import pytest

from keyturn.models.grammar.languages import load_automaton
from keyturn.models.grammar.treesitter.automaton import Automaton
from keyturn.models.grammar.treesitter.parsing import ParseState
from support.corpus import python_accepts

VALID = [
    "x = 'a\\\nb'\n",
    "x = '''a\nb'''\n",
    'x = f"{a!r:>{w}}"\ny = 2\n',
    "x = r'\\\n'\n",
    "x = b'\\\\'\n",
    "f'{{}}'\n",
    'f\'{x}\'\nf"""{y}\n"""\n',
    "x = f'{d[\"a\"]}' 'b'\ny = 1\n",
    "x, = y\n",
    "from a import (b,)\n",
    "from a import b; x = 1,\n",
    "if x := f(): pass\n",
    "x = 1; y += 2\n",
    "x: int = 1\nx += 1\n",
    "f = lambda a=1: a\nx += 2\n",
    "if a: b += 1; c = 2; d += 1\n",
    "print(x)\n",
    "print\n",
    "print = 3\n",
    "x = f'''{\na}'''\n",
    "while x := y: z += 1\n",
    "a = b = c\n",
    "f(x=1, y=2)\nz += 1\n",
    "x[a:b] += 1\n",
    "match x:\n    case [a, b]:\n        y += 1\n",
    "x = '\\''\n",
    "x = 'it''s'\n",
    "def f(a=1, *, b: int=2) -> x: y += 1\n",
    "lambda: (x := 1)\n",
    "x = yield y\nx += yield\n",
    "print >>f\n",
    "f'{x=}'\n",
    "x = 'a' \\\n  'b'\n",
    "class A: x = 1; y = 2\n",
    "f'{x:\"^5}'\n",
    "global a, b\n",
    "a = 1 ; \n",
    "import a, b\n",
    "x = '''it's\n'''\n",
    "f'''\n{x}'\n'''\n",
    "x = ''\ny = ''\n",
    "x = f'a\\\nb{c}'\n",
    "x='\\\r\n'\n",
    "try:\n    f()\nexcept E:\n    g()\nx = 1\n",
    "try: f()\nfinally: g()\n",
    "try:\n    f()\nexcept* E:\n    g()\n",
    "try:\n    f()\n# why\n\nexcept E: g()\nexcept F:\n    h()\nelse:\n    i()\nfinally: j()\n",
    "if a:\n    try:\n        try: f()\n        finally: g()\n    except E: pass\nx = 1\n",
    "def f():\n  try:\n    return 1\n  except E: pass\n  try: a()\n  except: b()\n",
    "try:\n    f(\ng)\nexcept E: pass\n",
    "try:\n    f(); g()\n    '''\na '''\nexcept E: pass\n",
]
INVALID = [
    "x = 'a\nb'\n",
    "x = f'{a}\nb'\n",
    "g := 2\n",
    "f(,)\n",
    "x = (,1)\n",
    "from a import b,\n",
    "import a,\n",
    "x = y += 1\n",
    "x += y += 1\n",
    "x = '\n",
    "x = 'abc\ny = 'z'\n",
    "if x:\n    f = 'a\n'\n",
    "print x\n",
    "if a:\n    print x\n",
    "try:\n    f()\nx = 1\n",
    "try: f()\n",
    "try:\n    f()\nelse:\n    g()\n",
    "if a:\n    try:\n        f()\nexcept E:\n    g()\n",
    "if a:\n    try:\n        f()\nelse:\n    g()\n",
    "try:\n    try:\n        f()\nexcept E:\n    g()\n",
    "try:\n    f()\nexcepted = 1\n",
    "try:\n    f()\nfinally_ = 1\nexcept E: pass\n",
]


@pytest.fixture(scope="module")
def automaton() -> Automaton:
    return load_automaton("python")


def oracle_accepts(automaton: Automaton, text: str) -> bool:
    state = ParseState.start(automaton)
    for at in range(0, len(text), 5):
        following = state.read(text[at : at + 5])
        if following is None:
            return False
        assert isinstance(following, ParseState)
        state = following
    return state.can_finish()


@pytest.mark.parametrize("text", VALID)
def test_what_python_allows_is_not_refused(automaton: Automaton, text: str):
    assert python_accepts(text), "the judge"
    assert oracle_accepts(automaton, text)


@pytest.mark.parametrize("text", INVALID)
def test_what_only_the_grammar_allows_is_refused(automaton: Automaton, text: str):
    assert not python_accepts(text), "the judge"
    assert not oracle_accepts(automaton, text)


def test_a_string_of_one_line_is_refused_as_soon_as_its_line_ends(automaton: Automaton):
    start = ParseState.start(automaton)
    assert start.read("x = f(a, 'b") is not None
    assert start.read("x = f(a, 'b\n") is None
    assert start.read("x = f(a, 'b\\\n") is not None
    assert start.read("x = f(a, '''b\n") is not None
    assert start.read('x = f"{a} b\n') is None
