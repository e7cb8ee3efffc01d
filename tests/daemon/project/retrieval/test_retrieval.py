"""Which definitions of other files a completion sees, over small projects and the real index."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keyturn.daemon.project.reading.reader import outline
from keyturn.daemon.project.retrieval import likeness
from keyturn.daemon.project.retrieval.origins import origins
from keyturn.daemon.project.retrieval.retrieval import MOST_CHUNKS, Retrieval
from keyturn.daemon.project.retrieval.view import View
from support.daemon.memory_index import MemoryIndex
from support.daemon.small_projects import SmallProject

PYTHON = {
    "src/shop/__init__.py": "from .shelf import Shelf\nfrom .tools import *\n",
    "src/shop/shelf.py": '''
        class Shelf:
            """Holds books."""

            def __init__(self, size: int, name: str) -> None:
                self.size = size

            def put(self, book: str, gently: bool = True) -> None:
                pass
        ''',
    "src/shop/tools.py": '''
        def measure(length: float, unit: str) -> float:
            """In metres."""

        def unrelated() -> None:
            pass
        ''',
    "src/shop/main.py": """
        from . import tools
        from .shelf import Shelf

        def main() -> None:
            length = 3
            shelf = Shelf(3, "a")
            <|>
        """,
}
TYPESCRIPT = {
    "src/lib/index.ts": """
        export * from './shelf';
        export { measure as metres } from './tools.js';
        """,
    "src/lib/shelf.ts": """
        /** Holds books. */
        export class Shelf {
          constructor(size: number) {}
          put(book: string): void {}
        }
        """,
    "src/lib/tools.ts": "export const measure = (length: number): number => length;\n",
    "src/main.ts": """
        import { Shelf, metres } from './lib';
        import * as tools from '@/lib/tools';

        export function main() {
          const shelf = new Shelf(3);
          <|>
        }
        """,
}
GO = {
    "shelf/shelf.go": """
        package shelf

        // Shelf holds books.
        type Shelf struct {
            Size int
        }

        func (s *Shelf) Put(book string) error { return nil }

        func New(size int) *Shelf { return nil }
        """,
    "cmd/helper.go": "package main\n\nfunc helper(count int) int { return count }\n",
    "cmd/main.go": """
        package main

        import "example.com/shop/shelf"

        func main() {
            s := shelf.New(3)
            <|>
            helper(3)
        }
        """,
}
RUST = {
    "src/lib.rs": "pub mod shelf;\npub mod tools;\n",
    "src/shelf.rs": """
        /// Holds books.
        pub struct Shelf {
            pub size: usize,
        }

        impl Shelf {
            pub fn put(&mut self, book: &str) {}
        }
        """,
    "src/tools.rs": "pub fn measure(length: f64) -> f64 { length }\n",
    "src/main.rs": """
        use crate::shelf::Shelf;
        use crate::tools;

        fn main() {
            let mut shelf = Shelf { size: 3 };
            <|>
            tools::measure(1.0);
        }
        """,
}
C = {
    "include/shelf.h": """
        struct shelf {
            int size;
        };
        /* Puts a book there. */
        int shelf_put(struct shelf *shelf, const char *book);
        void shelf_free(struct shelf *shelf);
        """,
    "src/main.c": """
        #include <stdio.h>
        #include "shelf.h"

        int main(void) {
            struct shelf *shelf = 0;
            shelf_put(shelf, "a");
            <|>
        }
        """,
}
CALLS = [
    (PYTHON, "Shelf(", "Shelf", "def __init__(self, size: int, name: str)"),
    (PYTHON, "shelf.put(", "put", "def put(self, book: str, gently: bool = True)"),
    (PYTHON, "x = tools.measure(", "measure", "def measure(length: float, unit: str) -> float:"),
    (TYPESCRIPT, "new Shelf(", "Shelf", "constructor(size: number)"),
    (TYPESCRIPT, "shelf.put(", "put", "put(book: string): void"),
    (TYPESCRIPT, "metres(", "measure", "measure = (length: number): number"),
    (TYPESCRIPT, "tools.measure(", "measure", "measure = (length: number): number"),
    (GO, "shelf.New(", "New", "func New(size int) *Shelf"),
    (GO, "s.Put(", "Put", "func (s *Shelf) Put(book string) error"),
    (GO, "helper(", "helper", "func helper(count int) int"),
    (RUST, "shelf.put(", "put", "pub fn put(&mut self, book: &str)"),
    (RUST, "tools::measure(", "measure", "pub fn measure(length: f64) -> f64"),
    (RUST, "Shelf { ", "Shelf", "pub size: usize"),
    (C, "shelf_free(", "shelf_free", "void shelf_free(struct shelf *shelf)"),
]


class Counted:
    """An index that counts what it is asked."""

    def __init__(self, index: Any) -> None:
        self._index = index
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        self.asked += 1
        return getattr(self._index, name)


@pytest.mark.parametrize(("files", "typed", "name", "signature"), CALLS)
def test_within_a_calls_brackets_its_callee_comes_first(
    tmp_path: Path, files, typed, name, signature
):
    project = SmallProject(tmp_path, files)
    first = project.wanted(project.query(typed))[0]
    assert first.name == name
    assert signature in first.text


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (PYTHON, {"Shelf"}),
        (TYPESCRIPT, {"Shelf", "measure"}),
        (GO, {"New", "helper"}),
        (RUST, {"Shelf", "measure"}),
        (C, {"shelf", "shelf_put"}),
    ],
)
def test_before_a_call_what_the_file_imports_and_uses_is_there(tmp_path: Path, files, names):
    assert names <= set(SmallProject(tmp_path, files).names())


def test_a_name_is_followed_through_the_files_that_hand_it_on(tmp_path: Path):
    files = {**PYTHON, "app.py": "from shop import Shelf, measure\n\nmeasure(3)\n<|>\n"}
    files["src/shop/main.py"] = ""
    project = SmallProject(tmp_path, files)
    assert project.names(project.query("Shelf("))[0] == "Shelf"
    assert project.names(project.query("measure("))[0] == "measure"


def test_files_that_import_each_other_in_a_circle_end():
    texts = {
        "a.py": "from .b import X\nfrom .b import *\n",
        "b.py": "from .a import X\nfrom .a import *\n",
        "c.py": "from .a import X\n",
    }
    outlines = [outline(path, "python", text) for path, text in texts.items()]
    index = MemoryIndex(outlines)
    assert origins(outlines[2], View(index, index.files, {}, "c.py")).names == {}


def test_an_open_files_text_replaces_what_the_index_says_of_it(tmp_path: Path):
    project = SmallProject(tmp_path, PYTHON)
    newer = "class Shelf:\n    def __init__(self, height: int) -> None:\n        pass\n"
    opened = {"src/shop/shelf.py": outline("src/shop/shelf.py", "python", newer)}
    first = project.wanted(project.query("Shelf(", opened=opened))[0]
    assert "def __init__(self, height: int)" in first.text
    assert "put" not in project.names(project.query("shelf.put(", opened=opened))


def test_an_open_file_that_was_never_saved_is_found(tmp_path: Path):
    files = {"main.py": "from .fresh import new_one\n\n<|>\n"}
    project = SmallProject(tmp_path, files)
    fresh = outline("fresh.py", "python", "def new_one(a):\n    pass\n")
    assert project.names(project.query(opened={"fresh.py": fresh})) == ["new_one"]


def test_what_the_prompt_shows_already_is_left_out(tmp_path: Path):
    copied = "\n        def measure(length: float, unit: str) -> float:\n            pass\n"
    files = {**PYTHON, "src/shop/main.py": PYTHON["src/shop/main.py"] + copied}
    project = SmallProject(tmp_path, files)
    query = project.query("tools.measure(")
    assert "measure" in project.names(query)
    assert "measure" not in project.names(project.query("tools.measure(", shown=(0, 10_000)))


def test_of_a_python_function_with_overloads_only_what_runs_is_shown(tmp_path: Path):
    lib = """
        @overload
        def get(key: str) -> str: ...
        @overload
        def get(key: int) -> int: ...
        def get(key: str | int) -> str | int:
            return key
        """
    files = {"lib.py": lib, "main.py": "from lib import get\n\nget(<|>\n"}
    (chunk,) = SmallProject(tmp_path, files).wanted()
    assert "def get(key: str | int) -> str | int:" in chunk.text


def test_nothing_of_the_file_itself_is_wanted(tmp_path: Path):
    files = {"a.py": "def one():\n    pass\n\n\ndef two():\n    one()\n    <|>\n"}
    assert SmallProject(tmp_path, files).wanted() == []


def test_a_class_that_is_extended_is_shown_where_it_is(tmp_path: Path):
    files = {
        "base.py": "class Base:\n    def close(self, hard: bool) -> None:\n        pass\n",
        "other.py": "def other(): pass\n",
        "main.py": "from base import Base\nfrom other import other\n\n\n"
        "class Mine(Base):\n    def one(self):\n        pass\n\n    <|>\n",
    }
    chunk = next(c for c in SmallProject(tmp_path, files).wanted() if c.name == "Base")
    assert "def close(self, hard: bool)" in chunk.text


def test_what_very_many_define_is_not_wanted_for_its_name(tmp_path: Path):
    files = {f"p{i}/a.py": "def run():\n    pass\n" for i in range(5)}
    files |= {"q/a.py": "def walk():\n    pass\n", "main.py": "x.run()\nx.walk()\n<|>\n"}
    project = SmallProject(tmp_path, files)
    names = [c.name for c in project.wanted() if c.path != "main.py"]
    assert names.index("walk") == 0


def test_what_stands_in_files_visited_last_is_wanted_if_there_is_nothing_better(tmp_path: Path):
    files = {"a.py": "def one(): pass\n", "b.py": "def two(): pass\n", "main.py": "<|>\n"}
    project = SmallProject(tmp_path, files)
    assert project.names() == []
    assert project.names(project.query(recent=("b.py", "main.py", "a.py"))) == ["two", "one"]


def test_two_questions_that_are_the_same_have_the_same_answer(tmp_path: Path):
    first = SmallProject(tmp_path / "1", PYTHON).wanted()
    shuffled = list(PYTHON.items())
    random.Random(0).shuffle(shuffled)
    assert SmallProject(tmp_path / "2", dict(shuffled)).wanted() == first


@pytest.mark.parametrize("files", [PYTHON, TYPESCRIPT, GO, RUST, C])
def test_while_an_identifier_is_typed_nothing_moves(tmp_path: Path, files):
    project = SmallProject(tmp_path, files)
    before = project.wanted()
    for typed in ("u", "un", "unkn", "unknown_thing"):
        assert project.wanted(project.query(typed)) == before


def test_never_more_are_wanted_than_can_be_shown(tmp_path: Path):
    names = [f"name_{i}" for i in range(60)]
    files = {
        "lib.py": "".join(f"def {name}(): pass\n" for name in names),
        "main.py": f"from lib import {', '.join(names)}\n\n<|>\n",
    }
    wanted = SmallProject(tmp_path, files).wanted()
    assert sum(bool(chunk.name) for chunk in wanted) <= MOST_CHUNKS
    assert len(wanted) <= MOST_CHUNKS + likeness.MOST


def test_nothing_that_a_file_holds_breaks_it(tmp_path: Path):
    project = SmallProject(tmp_path, PYTHON)
    query = project.query()
    for text in ("", "\0\0(", "from . import\n(", "from .." * 50, "(" * 3000, "é\n" * 50):
        read = outline(query.path, "python", text)
        for cursor in {0, len(text)}:
            odd = project.query(text=text, cursor=cursor, outline=read)
            assert len(project.wanted(odd)) <= MOST_CHUNKS


def test_what_the_index_is_asked_grows_with_the_imports_and_not_with_the_file(tmp_path: Path):
    """Counted rather than timed."""
    project = SmallProject(tmp_path, PYTHON)
    counted: Any = Counted(project.index)
    query = project.query()
    Retrieval(counted, counted).wanted(query)
    once, counted.asked = counted.asked, 0
    longer = query.text + "measure(length)\n" * 2_000
    Retrieval(counted, counted).wanted(replace(query, text=longer))
    assert counted.asked <= once + 2
