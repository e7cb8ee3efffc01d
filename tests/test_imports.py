"""The import graph that keeps the folders apart, and the promise that importing costs nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("daemon", "lsp", "cache", "models")
ALLOWED = {
    "cache": {"cache"},
    "models": {"models", "cache"},
    "lsp": {"lsp"},
    "daemon": {"daemon", "lsp", "cache", "models"},
}
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


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


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_each_folder_imports_only_the_folders_it_may_know(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    ours = {m.split(".")[1] for m in imported_modules(path) if m.startswith("keyturn.")}
    assert ours & set(FOLDERS) <= ALLOWED[folder]


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.parts[len(ROOT.parts)] == "lsp"], ids=lambda p: p.name
)
def test_the_editor_side_never_imports_torch(path: Path) -> None:
    assert not {m.split(".")[0] for m in imported_modules(path)} & {"torch", "transformers"}


def test_importing_the_editor_side_loads_no_torch() -> None:
    modules = [
        ".".join(("keyturn", *path.relative_to(ROOT).with_suffix("").parts))
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == "lsp" and path.stem != "__main__"
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
