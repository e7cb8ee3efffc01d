"""The import graph that keeps the folders apart, and the promise that importing costs nothing."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("support", "bench")
FOLDERS = ("daemon", "lsp", "cache", "models", "api")
MODELS = (
    "models",
    "models.hub",
    "models.tokenizer",
    "models.prompts",
    "models.nn",
    "models.nn.cpu",
    "models.loading",
    "models.speculative",
    "models.speculative.early_exit",
    "models.decoding",
    "models.grammar",
    "models.confidence",
    "models.constrained",
    "models.exit_training",
)
CORE = ("api", "cache", "cache.chunks", "lsp", "daemon", "daemon.workspace")
SERVICE = (
    *CORE,
    *MODELS,
    "daemon.project",
    "daemon.project.reading",
    "daemon.project.retrieval",
    "daemon.project.indexing",
    "daemon.completion",
    "daemon.next_edit",
    "daemon.next_edit.syntax",
    "daemon.server",
    "daemon.server.measures",
    "daemon.context",
    "daemon.engines",
)

# What each package may import beside itself: the order of the house, from the bottom up.
ALLOWED: dict[str, tuple[str, ...]] = {
    "api": (),
    "cache": (),
    "cache.chunks": ("cache",),
    "lsp": ("api", "lsp.next_edit"),
    "lsp.next_edit": ("lsp",),
    "models": ("cache",),
    "models.hub": ("models",),
    "models.tokenizer": ("models",),
    "models.prompts": ("models",),
    "models.nn": ("cache", "models", "models.nn.cpu"),
    "models.nn.cpu": ("cache", "models.nn", "models.nn.cpu.kernels"),
    "models.nn.cpu.kernels": ("models.nn.cpu",),
    "models.loading": ("cache", *MODELS[:3], "models.nn", "models.nn.cpu"),
    "models.speculative": ("api", "cache", *MODELS[:7], "models.speculative.early_exit"),
    "models.speculative.early_exit": ("cache", *MODELS[:7], "models.speculative"),
    "models.decoding": (
        "api",
        "cache",
        "models",
        "models.prompts",
        "models.nn",
        "models.speculative",
    ),
    "models.grammar": ("cache", "models.grammar.treesitter", "models.grammar.json"),
    "models.grammar.treesitter": ("models.grammar",),
    "models.grammar.json": ("models.grammar",),
    "models.confidence": ("api", "models.decoding"),
    "models.constrained": (
        "api",
        "cache",
        "models",
        "models.prompts",
        "models.speculative",
        "models.decoding",
        "models.grammar",
    ),
    "models.exit_training": ("cache", *MODELS[:9]),
    "daemon.workspace": ("cache", "lsp"),
    "daemon": (*CORE, *MODELS[:2], "models.prompts.next_edit", "models.nn", "models.loading"),
    "daemon.project.reading": ("daemon.project",),
    "daemon.project.retrieval": (*CORE, "daemon.project"),
    "daemon.project": (*CORE, "models", "models.hub", "daemon.project.reading"),
    "daemon.project.indexing": (
        *CORE,
        "models",
        "models.hub",
        "daemon.project",
        "daemon.project.reading",
        "daemon.project.retrieval",
    ),
    "models.prompts.next_edit": ("models",),
    "daemon.rewriting": (
        *CORE,
        *MODELS,
        "models.prompts.next_edit",
        "daemon.next_edit",
        "daemon.next_edit.syntax",
    ),
    "daemon.next_edit.syntax": ("daemon.project", "daemon.project.reading"),
    "daemon.next_edit": (
        *CORE,
        "daemon.next_edit.syntax",
        "models.grammar",
        "daemon.project",
        "daemon.project.reading",
        "daemon.project.retrieval",
    ),
    "daemon.server": (*CORE, "daemon.next_edit", "daemon.server.measures"),
    "daemon.server.measures": CORE,
    "daemon.completion": (*CORE, *MODELS, "daemon.project"),
    "daemon.remote": (*CORE, "daemon.server"),
    "daemon.foreign": (*SERVICE, "daemon.remote"),
    "daemon.context": SERVICE,
    "daemon.engines": (
        *SERVICE,
        "models.prompts.next_edit",
        "daemon.rewriting",
        "daemon.remote",
        "daemon.foreign",
    ),
    "daemon.team": (*SERVICE, "daemon.remote"),
    "daemon.client": (*CORE, "daemon.server", "daemon.server.measures", "daemon.engines"),
    "daemon.headless": (*SERVICE, "daemon.client"),
    "daemon.bench": (
        *SERVICE,
        "models.prompts.next_edit",
        "daemon.rewriting",
        "daemon.client",
        "daemon.headless",
        "daemon.bench._next_edit",
        "daemon.bench._peers",
        "daemon.bench._speculate",
        "daemon.bench._project",
        "daemon.bench._team",
        "daemon.bench._typing",
        "daemon.bench._worth",
    ),
    "daemon.bench._team": (*SERVICE, "daemon.remote", "daemon.team", "daemon.bench._typing"),
    "daemon.bench._peers": SERVICE,
    "daemon.bench._speculate": (*SERVICE, "daemon.bench", "daemon.bench._peers"),
    "daemon.bench._project": SERVICE,
    "daemon.bench._typing": ("daemon.bench._peers",),
    "daemon.bench._worth": (*SERVICE, "daemon.bench._typing"),
    "daemon.bench._next_edit": (*CORE, "daemon.next_edit"),
    "daemon.bench._gpu": (*SERVICE, "daemon.bench", "daemon.bench._peers"),
    "daemon.commands": (
        *SERVICE,
        "daemon.remote",
        "daemon.team",
        "models.exit_training",
        "daemon.client",
        "daemon.headless",
        "daemon.bench",
    ),
}
MOST_FILES = 17  # in a folder, before a newcomer gets lost
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
TESTS = [path for path in (ROOT / "tests").rglob("*.py") if "data" not in path.parts]


def imported_modules(path: Path) -> set[str]:
    """Absolute names of everything that a file imports, at any depth."""
    package = ("keyturn", *path.relative_to(ROOT).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join((*base, *([node.module] if node.module else [])))
            found |= {name} | {f"{name}.{alias.name}" for alias in node.names}
    return found


def module_of(path: Path) -> str:
    return ".".join(("keyturn", *path.relative_to(ROOT).with_suffix("").parts))


MODULES = {module_of(path): imported_modules(path) for path in SOURCES}
OURS = {module: sorted(found & MODULES.keys()) for module, found in MODULES.items()}


def package_of(module: str) -> str:
    return module.removeprefix("keyturn.").rpartition(".")[0]


@pytest.mark.parametrize("module", [m for m in OURS if not m.endswith("__main__")])
def test_each_package_imports_only_what_stands_below_it(module: str) -> None:
    """Also lazily, and for types only."""
    package = package_of(module)
    wrong = [
        other for other in OURS[module] if package_of(other) not in (package, *ALLOWED[package])
    ]
    assert not wrong, f"{module} may not import {wrong}: move what it needs, or move the file"


def test_no_modules_import_each_other_in_a_circle() -> None:
    sorter = TopologicalSorter(OURS)
    try:
        sorter.prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("folder", sorted({path.parent for path in SOURCES}), ids=str)
def test_a_folder_can_be_taken_in_at_a_glance_and_says_what_it_is(folder: Path) -> None:
    files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= MOST_FILES, "divide it"
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), "say what it is"


@pytest.mark.parametrize("folder", sorted({path.parent for path in TESTS}), ids=str)
def test_tests_stand_in_rooms_like_those_of_what_they_test(folder: Path) -> None:
    assert len(list(folder.glob("*.py"))) <= MOST_FILES, "divide it"
    room = folder.relative_to(ROOT / "tests")
    if room.parts and room.parts[0] in FOLDERS:
        assert (ROOT / room / "__init__.py").exists(), f"there is no {room}/ that it could test"
    else:
        assert str(room.parent) == "." or room.parts[0] in ROOMS, f"only {ROOMS} have rooms"


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.parts[len(ROOT.parts)] in ("api", "lsp")], ids=lambda p: p.name
)
def test_the_editor_side_never_imports_torch(path: Path) -> None:
    assert not {m.split(".")[0] for m in imported_modules(path)} & {"torch", "transformers"}


def test_importing_the_editor_side_loads_no_torch() -> None:
    modules = [
        ".".join(("keyturn", *path.relative_to(ROOT).with_suffix("").parts))
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] in ("api", "lsp") and path.stem != "__main__"
    ]
    code = f"import sys, importlib; [importlib.import_module(m) for m in {modules!r}]; "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_showing_the_help_loads_no_torch_and_no_pygls() -> None:
    code = (
        "import sys\nfrom keyturn.daemon.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "sys.exit(any(m in sys.modules for m in ('torch', 'pygls', 'transformers')))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert run.returncode == 0
    assert b"complete" in run.stdout


def test_everything_but_the_kernels_imports_without_triton_and_flash_attn() -> None:
    modules = [
        ".".join(("keyturn", *path.relative_to(ROOT).with_suffix("").parts))
        for path in SOURCES
        if path.stem not in ("__main__", "__init__") and not path.stem.startswith("triton_")
    ]
    code = f"""
import importlib, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("triton", "flash_attn"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
for module in {modules!r}:
    importlib.import_module(module)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
