"""Which files a module name means."""

import pytest

from keyturn.daemon.project.outline import Import
from keyturn.daemon.project.retrieval.imports import above, resolve
from support.daemon.memory_index import NamedFiles


def meant(language: str, path: str, module: str, names: str, files: str) -> list[str]:
    pairs = tuple((name, name) for name in names.split())
    imported = Import(module, pairs, "", 0)
    return resolve(imported, path, language, NamedFiles([*files.split(), path]))


@pytest.mark.parametrize(
    ("path", "module", "names", "files", "expected"),
    [
        ("a/b.py", ".c", "X", "a/c.py c.py", "a/c.py"),
        ("a/b.py", "..c", "X", "a/c.py c.py", "c.py"),
        ("a/b.py", ".", "c", "a/__init__.py a/c.py", "a/__init__.py a/c.py"),
        ("b.py", ".", "c", "c.py", "c.py"),
        ("b.py", "...c", "X", "c.py", ""),
        ("p/a/b.py", "p.c.d", "X", "p/c/d.py", "p/c/d.py"),
        ("p/a/b.py", "p.c", "d", "p/c/__init__.py p/c/d.py", "p/c/__init__.py p/c/d.py"),
        ("src/p/b.py", "p.c", "X", "src/p/c.py", "src/p/c.py"),
        ("tests/test_c.py", "p.c", "X", "src/p/c.py", "src/p/c.py"),
        ("tools/x.py", "p.c", "X", "lib/python/p/c.py", "lib/python/p/c.py"),
        ("tools/x.py", "p", "", "src/p/__init__.py", "src/p/__init__.py"),
        ("tools/x.py", "json", "loads", "tools/json.py json/__init__.py", ""),
        ("tools/x.py", "util", "X", "tools/util.py util.py", "tools/util.py"),
        ("a/b.py", ".b", "X", "", ""),
        ("a/b.py", "p.c", "X", "a/p/c.pyi", "a/p/c.pyi"),
    ],
)
def test_python_modules_are_found_from_any_root(path, module, names, files, expected):
    assert meant("python", path, module, names, files) == expected.split()


@pytest.mark.parametrize(
    ("path", "module", "files", "expected"),
    [
        ("src/a.ts", "./b", "src/b.ts", "src/b.ts"),
        ("src/a.ts", "./b.js", "src/b.ts", "src/b.ts"),
        ("src/a.ts", "./b.js", "src/b.js src/b.ts", "src/b.js src/b.ts"),
        ("src/a.ts", "../b", "b.d.ts", "b.d.ts"),
        ("src/x/a.ts", "..", "src/index.ts", "src/index.ts"),
        ("src/a.ts", ".", "src/index.tsx", "src/index.tsx"),
        ("a.ts", "./b", "b/index.ts", "b/index.ts"),
        ("a.ts", "./b.model", "b.model.ts", "b.model.ts"),
        ("src/x/a.ts", "@/store/user", "src/store/user.ts", "src/store/user.ts"),
        ("app/src/x/a.ts", "@/store", "app/src/store/index.ts", "app/src/store/index.ts"),
        ("src/x/a.ts", "~/util", "src/util.ts", "src/util.ts"),
        ("src/x/a.ts", "@app/util", "src/app/util.ts", "src/app/util.ts"),
        ("src/x/a.ts", "@lib/util", "src/util.ts", "src/util.ts"),
        ("src/x/a.ts", "store/user", "src/store/user.ts", "src/store/user.ts"),
        ("src/x/a.ts", "react", "src/react.ts", ""),
        ("a.vue", "./b", "b.ts", "b.ts"),
        ("a.ts", "../../../b", "b.ts", ""),
    ],
)
def test_scripts_are_found_without_their_extension_and_behind_aliases(
    path, module, files, expected
):
    assert meant("typescript", path, module, "X", files) == expected.split()


@pytest.mark.parametrize(
    ("language", "path", "module", "names", "files", "expected"),
    [
        ("go", "cmd/x/main.go", "example.com/me/app/db", "", "db/b.go db/b_test.go", "db/b.go"),
        ("go", "main.go", "app/internal/db", "", "internal/db/db.go", "internal/db/db.go"),
        ("go", "back/main.go", "example.com/app/db", "", "back/db/db.go", "back/db/db.go"),
        ("go", "main.go", "net/http", "", "http/http.go", ""),
        ("rust", "src/main.rs", "crate::cache", "Plan", "src/cache.rs", "src/cache.rs"),
        ("rust", "src/lib.rs", "crate::cache", "plan", "src/cache/mod.rs src/cache/plan.rs",
         "src/cache/mod.rs src/cache/plan.rs"),
        ("rust", "src/a/b.rs", "super::c", "X", "src/lib.rs src/a/c.rs", "src/a/c.rs"),
        ("rust", "src/a/mod.rs", "super::c", "X", "src/lib.rs src/c.rs", "src/c.rs"),
        ("rust", "src/a/b.rs", "super::super::c", "X", "src/lib.rs src/c.rs", "src/c.rs"),
        ("rust", "src/a.rs", "self::b", "X", "src/lib.rs src/a/b.rs", "src/a/b.rs"),
        ("rust", "src/a.rs", "crate::shape::Kind", "Round", "src/lib.rs src/shape.rs",
         "src/shape.rs"),
        ("rust", "src/main.rs", "b", "", "src/b.rs", "src/b.rs"),
        ("rust", "x/src/main.rs", "my_core::plan", "X", "my-core/src/lib.rs my-core/src/plan.rs",
         "my-core/src/plan.rs"),
        ("rust", "src/main.rs", "std::fmt", "X", "src/a.rs", ""),
        ("c", "src/a.c", "plan.h", "", "src/plan.h include/plan.h", "src/plan.h"),
        ("c", "src/a.c", "../inc/plan.h", "", "inc/plan.h", "inc/plan.h"),
        ("cpp", "src/a.cc", "app/plan.h", "", "include/app/plan.h", "include/app/plan.h"),
        ("c", "src/a.c", "stdio.h", "", "src/b.h", ""),
        ("java", "src/a/A.java", "com.acme.Plan", "", "x/com/acme/Plan.java",
         "x/com/acme/Plan.java"),
        ("java", "src/a/A.java", "com.acme", "Plan", "x/com/acme/Plan.java",
         "x/com/acme/Plan.java"),
        ("kotlin", "a/A.kt", "com.acme.Plan", "", "b/Plan.kt", "b/Plan.kt"),
        ("csharp", "a/A.cs", "Acme.Plan", "", "b/Plan.cs", "b/Plan.cs"),
        ("php", "a/A.php", "App\\Models\\User", "", "app/Models/User.php", "app/Models/User.php"),
        ("ruby", "lib/a.rb", "./b", "", "lib/b.rb", "lib/b.rb"),
        ("ruby", "bin/a.rb", "x/b", "", "lib/x/b.rb", "lib/x/b.rb"),
        ("lua", "a.lua", "x.b", "", "lua/x/b.lua", "lua/x/b.lua"),
        ("css", "a.css", "./b", "", "b.css", ""),
    ],
)  # fmt: skip
def test_other_languages_are_followed_as_far_as_names_tell(
    language, path, module, names, files, expected
):
    assert meant(language, path, module, names, files) == expected.split()


def test_of_many_that_a_name_may_mean_the_nearest_is_meant():
    files = "one/include/plan.h two/include/plan.h"
    assert meant("c", "two/src/a.c", "plan.h", "", files)[0] == "two/include/plan.h"


@pytest.mark.parametrize("language", ["python", "typescript", "go", "rust", "c", "java", "lua"])
@pytest.mark.parametrize(
    "module", ["", ".", "..", "/", "::", "\\", "//x", "\n", "." * 300, "@", "~"]
)
def test_no_module_name_is_too_odd(language, module):
    assert isinstance(meant(language, "a/b.x", module, "", "a/c.x"), list)


def test_a_file_is_in_its_folders_and_in_the_root():
    assert above("a/b/c.py") == ["a/b", "a", ""]
    assert above("c.py") == [""]
