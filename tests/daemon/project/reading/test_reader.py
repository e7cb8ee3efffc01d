"""Outlines: small samples of every language, Python's own parser on real packages, and files that
nobody would write."""

import ast
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from textwrap import dedent

import click
import filelock
import psutil
import pytest
import watchdog

from keyturn.daemon.project.outline import Import, Outline
from keyturn.daemon.project.reading.definitions import MOST_DEFINITIONS
from keyturn.daemon.project.reading.reader import outline
from keyturn.daemon.project.reading.shapes import SHAPES
from keyturn.daemon.project.reading.syntax import GRAMMARS

SAMPLES: dict[str, tuple[str, list[str], list[str]]] = {
    "python": (
        '''
        from ..cache.plan import EditPlan as Plan, keep
        import os.path, json as j
        # How many
        # there may be.
        MOST: int = 3
        if True:
            from x import *
            FAST = False  # rather than slow

        @cache
        class Store(Base[int]):
            """Keeps things."""

            size: int = 0

            @property
            async def load(
                self, name: str,
            ) -> "Plan":  # now
                """Find one.

                More.
                """
                import late
                def inner(): ...
        def plain(): return 1
        ''',
        [
            "constant MOST | MOST: int = 3 | How many",
            "constant FAST | FAST = False | rather than slow",
            "class Store | class Store(Base[int]): | Keeps things.",
            "field Store.size | size: int = 0 | ",
            'method Store.load | async def load(\n    self, name: str,\n) -> "Plan": | Find one.',
            "function plain | def plain(): | ",
        ],
        [
            "..cache.plan EditPlan:Plan keep:keep",
            "os.path as os.path",
            "json as j",
            "x",
            "late as late",
        ],
    ),
    "typescript": (
        """
        import X, { a as b, type T } from "./m";
        import * as ns from '../x';
        import "side";
        export { p as q } from "./r";
        export * from "./s";
        const { c, d: e } = require("w");
        /** Loads it. */
        @Dec()
        export class K<T> extends L {
          private a: number = 1;
          constructor(private x: number) { super(); }
          @In() async m(x: string): Promise<void> { const inner = () => 1; }
        }
        export const f = async (a: number): Promise<number> => { return a };
        export interface I { p: number; m(a: string): void }
        export type U = { a: 1 } | "x";
        enum En { A, B = 1 }
        namespace N { export const x = 1; }
        export abstract class Ab { abstract z(): void }
        declare const dd: number;
        export default function foo() {}
        """,
        [
            "class K | export class K<T> extends L | Loads it.",
            "field K.a | private a: number = 1 | ",
            "method K.constructor | constructor(private x: number) | ",
            "method K.m | async m(x: string): Promise<void> | ",
            "function f | export const f = async (a: number): Promise<number> => | ",
            "interface I | export interface I | ",
            "field I.p | p: number | ",
            "method I.m | m(a: string): void | ",
            'type U | export type U = { a: 1 } | "x" | ',
            "enum En | enum En | ",
            "module N | namespace N | ",
            "constant N.x | export const x = 1 | ",
            "class Ab | export abstract class Ab | ",
            "method Ab.z | abstract z(): void | ",
            "constant dd | declare const dd: number | ",
            "function foo | export default function foo() | ",
        ],
        ["./m default:X a:b T:T", "../x as ns", "side", "./r p:q", "./s", "w c:c d:e"],
    ),
    "javascript": (
        """
        const z = require("z");
        // Adds
        exports.h = function (a) { return z };
        Foo.prototype.bar = function () {};
        export default class {}
        """,
        [
            "function h | exports.h = function (a) | Adds",
            "method Foo.bar | Foo.prototype.bar = function () | ",
            "class default | export default class | ",
        ],
        ["z as z"],
    ),
    "go": (
        """
        package p
        import (
            "fmt"
            h "net/http"
            . "x"
        )
        // Store keeps things.
        type Store struct {
            A, B int
        }
        type Reader interface {
            Read(p []byte) (int, error)
        }
        const (
            One = 1
            Two
        )
        func (s *Store[T]) Load(a int) error { return nil }
        func New() *Store { return nil }
        """,
        [
            "struct Store | type Store struct | Store keeps things.",
            "field Store.A | A, B int | ",
            "field Store.B | A, B int | ",
            "interface Reader | type Reader interface | ",
            "method Reader.Read | Read(p []byte) (int, error) | ",
            "constant One | One = 1 | ",
            "constant Two | Two | ",
            "method Store.Load | func (s *Store[T]) Load(a int) error | ",
            "function New | func New() *Store | ",
        ],
        ["fmt as fmt", "net/http as h", "x"],
    ),
    "rust": (
        """
        use crate::a::{b, c as d, self, f::{g, h}};
        pub use super::x;
        mod inner;
        /// Keeps things.
        #[derive(Clone)]
        pub struct Store { pub a: i32 }
        pub enum E { A(i32), B }
        impl<T> Trait for Store<T> {
            /// Loads it.
            pub fn load(&self) -> i32 where T: Copy { 1 }
        }
        pub trait Trait { fn load(&self) -> i32; }
        const K: i32 = 1;
        macro_rules! m { () => {} }
        mod tests { fn z() {} }
        """,
        [
            "struct Store | pub struct Store | Keeps things.",
            "field Store.a | pub a: i32 | ",
            "enum E | pub enum E | ",
            "field E.A | A | ",
            "field E.B | B | ",
            "method Store.load | pub fn load(&self) -> i32 where T: Copy | Loads it.",
            "interface Trait | pub trait Trait | ",
            "method Trait.load | fn load(&self) -> i32 | ",
            "constant K | const K: i32 = 1 | ",
            "macro m | macro_rules! m | ",
            "module tests | mod tests | ",
            "function tests.z | fn z() | ",
        ],
        [
            "crate::a c:d",
            "crate::a as a",
            "crate::a::f g:g h:h",
            "crate::a b:b",
            "super x:x",
            "inner as inner",
        ],
    ),
    "c": (
        """
        #include "plan.h"
        #include <stdio.h>
        #define MOST 3
        #define MAX(a, b) ((a) > (b))
        typedef struct { int x; } Point;
        struct Store { int size; };
        enum E { A, B };
        /* Loads it. */
        static char *load(int x, int (*done)(int)) { return 0; }
        int later(void);
        static const int v = 3;
        """,
        [
            "constant MOST | #define MOST 3 | ",
            "macro MAX | #define MAX(a, b) ((a) > (b)) | ",
            "type Point | typedef struct { int x; } Point | ",
            "field Point.x | int x | ",
            "struct Store | struct Store | ",
            "field Store.size | int size | ",
            "enum E | enum E | ",
            "field E.A | A | ",
            "field E.B | B | ",
            "function load | static char *load(int x, int (*done)(int)) | Loads it.",
            "function later | int later(void) | ",
            "constant v | static const int v = 3 | ",
        ],
        ["plan.h", "stdio.h"],
    ),
    "cpp": (
        """
        #include "plan.h"
        namespace n {
        // Keeps things.
        template <class T> class Store : public Base {
         public:
          Store();
          virtual void load() = 0;
          T x_;
        };
        }
        template <typename T> T largest(T a, T b) { return a; }
        int Store::size(int a) const { return 1; }
        using Alias = int;
        """,
        [
            "module n | namespace n | ",
            "class n.Store | template <class T> class Store : public Base | Keeps things.",
            "method Store.Store | Store() | ",
            "method Store.load | virtual void load() = 0 | ",
            "field Store.x_ | T x_ | ",
            "function largest | template <typename T> T largest(T a, T b) | ",
            "method Store.size | int Store::size(int a) const | ",
            "type Alias | using Alias = int | ",
        ],
        ["plan.h"],
    ),
    "java": (
        """
        package a.b;
        import a.b.C;
        import static a.b.C.m;
        import a.b.*;
        /** Keeps things. */
        @Service
        public class Store<T> extends Base {
            @Inject private static final int SIZE = 1;
            @Override
            public int load(int x) { return 1; }
            enum E { A, B }
        }
        interface I { int m(); }
        record R(int x) {}
        """,
        [
            "class Store | public class Store<T> extends Base | Keeps things.",
            "field Store.SIZE | private static final int SIZE = 1 | ",
            "method Store.load | public int load(int x) | ",
            "enum Store.E | enum E | ",
            "field E.A | A | ",
            "field E.B | B | ",
            "interface I | interface I | ",
            "method I.m | int m() | ",
            "class R | record R(int x) | ",
        ],
        ["a.b C:C", "a.b.C m:m", "a.b"],
    ),
    "kotlin": (
        """
        package a.b
        import a.b.C as D
        import x.*
        /** Keeps things. */
        data class Store(val x: Int) : Base() {
            val size = 1
            fun load(a: Int): Int = a
        }
        fun String.shout(): Int { return 1 }
        typealias T = List<Int>
        """,
        [
            "class Store | data class Store(val x: Int) : Base() | Keeps things.",
            "field Store.size | val size = 1 | ",
            "method Store.load | fun load(a: Int): Int | ",
            "function shout | fun String.shout(): Int | ",
            "type T | typealias T = List<Int> | ",
        ],
        ["a.b C:D", "x"],
    ),
    "csharp": (
        """
        using A.B;
        using X = A.B.C;
        namespace N.M {
            /// <summary>Keeps things.</summary>
            [Attr] public class Store<T> : Base {
                private int a, b;
                public int Size { get; set; }
                public int Load(int x) => x;
            }
        }
        """,
        [
            "module M | namespace N.M | ",
            "class M.Store | public class Store<T> : Base | Keeps things.",
            "field Store.a | private int a | ",
            "field Store.b | private int a, b | ",
            "field Store.Size | public int Size { get; set; } | ",
            "method Store.Load | public int Load(int x) | ",
        ],
        ["A.B", "A.B.C as X"],
    ),
    "php": (
        """
        <?php
        namespace App;
        use App\\Util\\Str as S;
        use App\\{A, B as C};
        require_once 'x.php';
        /** Keeps things. */
        #[Attr]
        class Store extends Base {
            const SIZE = 2;
            public int $a = 1;
            public static function load(int $x): int { return 1; }
        }
        function g() {}
        """,
        [
            "module App | namespace App | ",
            "class Store | class Store extends Base | Keeps things.",
            "field Store.SIZE | const SIZE = 2 | ",
            "field Store.a | public int $a = 1 | ",
            "method Store.load | public static function load(int $x): int | ",
            "function g | function g() | ",
        ],
        ["App\\Util Str:S", "App A:A", "App B:C", "x.php"],
    ),
    "ruby": (
        """
        require_relative "x"
        require "json"
        # Keeps things.
        module A
          K = 1
          class Store < Base
            # Loads it.
            def load(a, b = 2)
              1
            end
            def self.find; end
          end
        end
        """,
        [
            "module A | module A | Keeps things.",
            "constant A.K | K = 1 | ",
            "class A.Store | class Store < Base | ",
            "method Store.load | def load(a, b = 2) | Loads it.",
            "method Store.find | def self.find; end | ",
        ],
        ["./x", "json"],
    ),
    "lua": (
        """
        local x = require("a.b")
        local M = {}
        -- Loads it.
        function M.load(a) return 1 end
        function M:find() return 2 end
        local function hidden() return x end
        M.k = function(b) return 2 end
        """,
        [
            "constant M | local M = {} | ",
            "method M.load | function M.load(a) | Loads it.",
            "method M.find | function M:find() | ",
            "function hidden | local function hidden() | ",
            "method M.k | M.k = function(b) | ",
        ],
        ["a.b as x"],
    ),
    "shellscript": (
        """
        source ./x.sh
        readonly MOST=2
        # Loads it.
        load() { echo; }
        function find { echo; }
        """,
        [
            "constant MOST | readonly MOST=2 | ",
            "function load | load() | Loads it.",
            "function find | function find | ",
        ],
        ["./x.sh"],
    ),
}


def read(language: str, text: str) -> Outline:
    return outline("a", language, text)


def shown(found: Outline) -> list[str]:
    return [
        f"{d.kind} {d.container and d.container + '.'}{d.name} | {d.signature} | {d.doc}"
        for d in found.definitions
    ]


def said(found: Import) -> str:
    names = "".join(f" {there}:{here}" for there, here in found.names)
    return found.module + names + (f" as {found.alias}" if found.alias else "")


@pytest.mark.parametrize("language", SAMPLES)
def test_a_sample_has_the_definitions_and_imports_that_a_reader_sees(language: str):
    text, definitions, imports = SAMPLES[language]
    found = read(language, dedent(text))
    assert shown(found) == definitions
    assert [said(each) for each in found.imports] == imports


def test_every_language_with_a_shape_has_a_grammar_and_a_sample():
    assert SHAPES.keys() == GRAMMARS.keys()
    kin = {"javascriptreact", "typescriptreact"}
    assert SAMPLES.keys() | kin == SHAPES.keys()


def test_jsx_is_read_too():
    text = "export function Button(props: Props) { return <b>{props.text}</b> }"
    signature = "export function Button(props: Props)"
    assert [d.signature for d in read("typescriptreact", text).definitions] == [signature]


def test_a_header_of_another_language_than_its_name_says_is_read_as_that():
    found = read("c", "namespace n {\nclass Store { int size(); };\n}\n")
    assert [d.name for d in found.definitions] == ["n", "Store", "size"]
    assert {d.language for d in found.definitions} == {"c"}


def test_what_is_local_to_a_function_is_not_seen():
    text = "def outer():\n    def inner(): ...\n    class Local: ...\n    x = 1\n"
    assert [d.name for d in read("python", text).definitions] == ["outer"]


def test_a_source_is_dedented_begins_with_its_decorators_and_has_so_many_lines():
    body = "".join(f"        x = {number}\n" for number in range(60))
    [_, method] = read("python", f"class A:\n    @cache\n    def f(self):\n{body}").definitions
    assert (method.line, method.end_line) == (1, 62)
    lines = method.source.split("\n")
    assert lines[:3] == ["@cache", "def f(self):", "    x = 0"]
    assert len(lines) == 40


@pytest.mark.parametrize("language", ["json", "css", "html", "yaml", "toml", "sql", "plaintext"])
def test_languages_without_definitions_have_an_empty_outline(language: str):
    assert read(language, "a: 1") == Outline("a", language, text="a: 1")


def test_line_ends_of_windows_are_all_the_same():
    text = 'import os\nclass A:\n    """Doc."""\n    def f(\n        self,\n    ): ...\n'
    assert shown(read("python", text.replace("\n", "\r\n"))) == shown(read("python", text))


def test_uses_are_counted_on_request():
    assert read("python", "a = b + b").uses == {"b": 2, "a": 1}
    assert outline("a", "python", "a = b", uses=False).uses == {}


def test_of_broken_code_what_can_be_read_is_read():
    within = "def good(a): ...\n\ndef broken(a):\n    return a +\n\nclass Later:\n    x = 1\n"
    names = [d.name for d in read("python", within).definitions]
    assert names == ["good", "broken", "Later", "x"]
    unfinished = "def good(a): ...\n\nclass Before: ...\n\ndef being_typed(a, b"
    names = [d.name for d in read("python", unfinished).definitions]
    assert names == ["good", "Before"]


PACKAGES = [Path(str(module.__file__)).parent for module in (click, filelock, watchdog)]
FILES = [path for package in PACKAGES for path in sorted(package.rglob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_real_python_is_read_as_python_reads_it(path: Path):
    text = path.read_text(encoding="utf-8")
    found = {(d.container, d.name, d.line): d for d in read("python", text).definitions}
    for container, node in _written(ast.parse(text)):
        line = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
        definition = found[container, node.name, line]
        assert definition.end_line >= (node.end_lineno or 0) - 1
        header = "\n".join(text.split("\n")[node.lineno - 1 : node.body[0].lineno])
        if len(header) < 600:
            assert _header(ast.parse(f"{definition.signature} ...").body[0]) == _header(node)
        doc = (ast.get_docstring(node) or "").split("\n")[0]
        assert not doc or definition.doc[:20].strip('"') in doc


def _written(tree: ast.Module):
    """Functions and classes at the top, and methods, with the name of their class."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, kinds):
            yield "", node
        if isinstance(node, ast.ClassDef):
            yield from ((node.name, each) for each in node.body if isinstance(each, kinds))


def _header(node: ast.AST) -> str:
    """A definition without its body and its decorators."""
    if isinstance(node, ast.ClassDef):
        return ast.dump(ast.ClassDef(node.name, node.bases, node.keywords, [], []))
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    return ast.dump(type(node)(node.name, node.args, [], [], node.returns))


HOSTILE = {
    "opened": "(" * 100_000,
    "braces": "{" * 100_000,
    "less": "a<" * 50_000,
    "words": "a " * 50_000,
    "strings": '"' * 99_999,
    "functions": "def f(): " * 10_000,
    "nested": "".join(" " * depth + "if x:\n" for depth in range(400)),
    "one line": "x = 1;" * 30_000,
    "halves": "def \udcff(): ...\n" * 10,
    "zeros": "def f(): ...\0\0\n" * 10,
    "long name": f"def {'a' * 5_000}(): ...\n",
    "many": "def f(): ...\n" * 5_000,
    "long signature": f"def f({', '.join(f'a{n}' for n in range(5_000))}): ...\n",
    "imports": "import a\n" * 5_000,
}


@pytest.mark.parametrize("language", ["python", "typescript", "cpp"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_take_little_and_give_little(kind: str, language: str):
    began = time.perf_counter()
    found = read(language, HOSTILE[kind])
    assert time.perf_counter() - began < 30  # a busy machine's; it is given up after 0.2 s
    assert len(found.definitions) <= MOST_DEFINITIONS
    assert all(len(d.name) <= 200 and len(d.signature) <= 600 for d in found.definitions)
    assert all(len(d.source) <= 4_000 and len(d.doc) <= 200 for d in found.definitions)
    assert len(found.imports) <= 1_000


def test_reading_can_be_held_up_between_small_steps():
    steps = 0

    def pause() -> None:
        nonlocal steps
        steps += 1

    text = "".join(f"def f{number}(a, b):\n    return a + b\n" for number in range(500))
    assert len(outline("a", "python", text, pause).definitions) == 500
    assert steps > 500


def test_a_pause_may_end_the_reading():
    def pause() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outline("a", "python", "def f(): ...\n" * 1_000, pause)
    assert list(islice(read("python", "def f(): ...").definitions, 1))


@pytest.mark.slow
def test_reading_many_files_leaves_no_memory_behind():
    text = "".join(f"def f{number}(a, b):\n    return a + b\n" for number in range(3_000))
    read("python", text)
    before = psutil.Process().memory_info().rss
    for number in range(100):
        read("python", f"{text}x = {number}\n")
    assert psutil.Process().memory_info().rss - before < 50 * len(text)


def test_threads_read_beside_each_other():
    texts = {n: "".join(f"def f{n}_{each}(): ...\n" for each in range(300)) for n in range(8)}
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: read("python", texts[n]), texts))
    for number, each in enumerate(found):
        assert [d.name for d in each.definitions] == [f"f{number}_{n}" for n in range(300)]
