"""Files of code that is mostly newer than the default model, to fit and to judge confidence on.

    python tests/bench/worth/files.py CHECKOUTS fit      # their names, to be given to a benchmark
    python tests/bench/worth/files.py CHECKOUTS judge

CHECKOUTS is a folder with a clone of each repository below, named after it, at its commit. Those
commits are of 2026, and most of the projects younger than the default model; the two in C++ have
older parts, which it may have seen. No repository is in both sets, nor are the languages the same.
"""

import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

import click

FEWEST_LINES, MOST_LINES = 150, 1_500
LEFT_OUT = ("test", "vendor", "node_modules", "generated", "third_party", "example", ".d.ts",
            "mock", "migrations", "/build/", "bench")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """`files` of a repository of that ending, under a folder."""

    repository: str
    commit: str
    endings: tuple[str, ...]
    files: int
    under: str = ""


FIT = (
    Source("google/adk-python", "7c670f638bc1", (".py",), 16),
    Source("google-gemini/gemini-cli", "5411f113cafa", (".ts",), 16),
    Source("google/adk-java", "c1bda9c14dd1", (".java",), 12),
    Source("j178/prek", "8c88c2dc1147", (".rs",), 14),
    Source("ikawrakow/ik_llama.cpp", "8337e4cd3861", (".cpp",), 12),
)
JUDGE = (
    Source("openai/openai-agents-python", "7f7a44f8dc06", (".py",), 10, "src"),
    Source("pydantic/pydantic-ai", "4fda38988f29", (".py",), 8),
    Source("modelcontextprotocol/typescript-sdk", "3924de99df83", (".ts",), 14),
    Source("microsoft/edit", "9b34f1876966", (".rs",), 14),
    Source("modelcontextprotocol/go-sdk", "3d6450fccf56", (".go",), 14),
    Source("modelcontextprotocol/csharp-sdk", "609499b2988e", (".cs",), 12),
    Source("modelcontextprotocol/kotlin-sdk", "a06d699d6c9d", (".kt",), 12),
    Source("leejet/stable-diffusion.cpp", "97d2990807fe", (".cpp", ".hpp"), 12),
)  # fmt: skip
SETS = {"fit": FIT, "judge": JUDGE}


@click.command()
@click.argument("checkouts", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("name", type=click.Choice(list(SETS)))
def main(checkouts: Path, name: str) -> None:
    for source in SETS[name]:
        for path in chosen(checkouts, source):
            click.echo(path)


def chosen(checkouts: Path, source: Source) -> list[Path]:
    """Always the same files of one source."""
    root = checkouts / source.repository.rpartition("/")[2]
    if not root.is_dir():
        raise click.ClickException(
            f"{root} is missing: git clone {source.repository}, at {source.commit}"
        )
    at = subprocess.run(
        ["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout
    if not at.startswith(source.commit):
        raise click.ClickException(f"{root} is at {at[:12]}, not at {source.commit}")
    found = [
        path
        for path in sorted((root / source.under).rglob("*"))
        if path.suffix in source.endings and path.is_file() and _is_usual(path, root)
    ]
    random.Random(source.repository).shuffle(found)
    return found[: source.files]


def _is_usual(path: Path, root: Path) -> bool:
    name = f"/{path.relative_to(root).as_posix()}".lower()
    if any(word in name for word in LEFT_OUT):
        return False
    try:
        lines = path.read_text(encoding="utf-8").count("\n")
    except UnicodeDecodeError:
        return False
    return FEWEST_LINES <= lines <= MOST_LINES


if __name__ == "__main__":
    main()
