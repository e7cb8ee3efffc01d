"""What indexing a project takes: time, disk, memory, and how long questions wait for an answer.

    python tests/bench/project/index.py --files 20000

Generates a project in Python, TypeScript and Go, whose files are as long as those of real ones, has
the daemon's indexer read it, asks the index what a completion asks, changes a file, and starts
again. Times of the indexer are those of a process that works only when nobody else does.
"""

import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psutil

sys.path.append(str(Path(__file__).parents[2]))

from keyturn.daemon.project.index import ProjectIndex
from keyturn.daemon.project.indexing.indexer import Indexer
from keyturn.daemon.project.indexing.keeper import Keeper
from keyturn.daemon.project.indexing.known import Known
from keyturn.daemon.project.indexing.pace import Pace
from keyturn.daemon.project.place import Place
from keyturn.daemon.workspace.project_watch import ProjectWatch
from keyturn.lsp.options import Options

VERBS = ("load", "store", "find", "make", "read", "write", "parse", "send", "move", "merge")
NOUNS = ("segment", "buffer", "plan", "token", "cache", "model", "file", "user", "order", "price")
PER_FOLDER = 40
EACH = 200  # questions of a kind
PYTHON, SCRIPT, GO = "py", "ts", "go"


@dataclass
class Names:
    """Words put together at random, always the same."""

    choose: random.Random

    def snake(self) -> str:
        number = self.choose.randrange(3_000)
        return f"{self.choose.choice(VERBS)}_{self.choose.choice(NOUNS)}_{number}"

    def camel(self) -> str:
        first, *rest = self.snake().split("_")
        return first + "".join(word.title() for word in rest)


def text_of(ending: str, names: Names, functions: int) -> str:
    """A module with a class of some methods, constants and functions."""
    if ending == PYTHON:
        head = f"from . import other_{functions}\nfrom .near import {names.snake()}\n\n"
        members = "".join(python(names, 4) for _ in range(4))
        body = "".join(python(names, 0) for _ in range(functions))
        kind = names.camel().title()
        return f'{head}\n\nclass {kind}:\n    """What a {kind} is."""\n\n{members}\n{body}'
    template = GO_FUNCTION if ending == GO else SCRIPT_FUNCTION
    lines = [f"package p{functions}\n" if ending == GO else "import { a } from './other';\n"]
    for _ in range(functions + 4):
        text = template
        for place in range(5):
            text = text.replace(f"${place}", names.camel())
        lines.append(text)
    return "\n".join(lines)


def python(names: Names, indent: int) -> str:
    own, one, two, three = (names.snake() for _ in range(4))
    lines = [
        f"def {own}({'self, ' if indent else ''}{one}: int, {two}: str = '') -> list[str]:",
        f'    """{own.replace("_", " ").title()}, and what belongs to it."""',
        f"    {three} = [{one} + 1 for _ in range({one})]",
        *(f"    {three}.append({names.snake()}({one}, {two}))" for _ in range(8)),
        f"    return [str(each) for each in {three} if each]",
    ]
    return "".join(f"{' ' * indent}{line}\n" for line in lines) + "\n"


SCRIPT_FUNCTION = """
/** $0, and what belongs to it. */
export async function $0($1: number, $2: string): Promise<string[]> {
  const $3 = [$1, $1 + 1, $4($1)];
  for (const each of $3) {
    if (each > $1) $3.push(await $4(each, $2));
  }
  return $3.map((each) => String(each));
}
"""
GO_FUNCTION = """
// $0 does it, and what belongs to it.
func $0($1 int, $2 string) ([]string, error) {
	$3 := []string{$2}
	for i := 0; i < $1; i++ {
		$3 = append($3, $4(i, $2))
	}
	return $3, nil
}
"""


def generate(root: Path, files: int) -> int:
    """A project of so many files; its bytes."""
    choose = random.Random(1)
    (root / ".git").mkdir(parents=True)
    total = 0
    for number in range(files):
        folder = root / f"part_{number // 1_000}" / f"folder_{number // PER_FOLDER}"
        if not number % PER_FOLDER:
            folder.mkdir(parents=True)
        ending = choose.choices((PYTHON, SCRIPT, GO), (6, 3, 1))[0]
        length = min(60, int(choose.lognormvariate(2.2, 0.8)))
        text = text_of(ending, Names(choose), length)
        (folder / f"module_{number}.{ending}").write_text(text)
        total += len(text)
    return total


def until(condition: Callable[[], Any], every: float = 0.005) -> float:
    """Seconds until it is so."""
    began = time.perf_counter()
    while not condition():
        time.sleep(every)
    return time.perf_counter() - began


@dataclass
class Watched:
    """A process that is looked at now and then."""

    process: psutil.Process
    most_bytes: int = 0
    cpu_s: float = 0.0

    def look(self) -> bool:
        self.most_bytes = max(self.most_bytes, self.process.memory_info().rss)
        times = self.process.cpu_times()
        self.cpu_s = times.user + times.system
        return True


def index_of(indexer: Indexer, near: Path) -> tuple[Known, Watched]:
    until(lambda: indexer.around(near))
    found = indexer.around(near)
    assert found is not None
    until(lambda: indexer.status().get("indexer"))
    return found, Watched(psutil.Process(int(indexer.status()["indexer"].split()[1])))


def read_whole(cache: Path, near: Path, root: Path) -> dict[str, Any]:
    """The first reading, a change, and a second start."""
    name = near.relative_to(root).as_posix()
    began = time.perf_counter()
    indexer = Indexer(cache, lambda _: Options())
    known, watched = index_of(indexer, near)
    until(lambda: known.index.members(name))
    first_s = time.perf_counter() - began
    until(lambda: watched.look() and known.state == "read", 0.1)
    whole_s = time.perf_counter() - began
    near.write_text(near.read_text() + "\n\ndef brand_new_name(): ...\n")
    changed_s = until(lambda: known.index.named(["brand_new_name"], ["python"]))
    indexer.close()
    found = {
        "first_file_s": round(first_s, 2),
        "whole_s": round(whole_s, 1),
        "cpu_s": round(watched.cpu_s, 1),
        "rss_mb": round(watched.most_bytes / 1e6, 1),
        "change_s": round(changed_s, 2),
        "definitions": known.index.status().definitions,
        "disk_mb": round(known.index.status().bytes / 1e6, 1),
    }
    began = time.perf_counter()
    indexer = Indexer(cache, lambda _: Options())
    known, watched = index_of(indexer, near)
    until(lambda: watched.look() and known.state == "read", 0.02)
    again_s = time.perf_counter() - began
    indexer.close()
    return {**found, "restart_s": round(again_s, 2), "restart_cpu_s": round(watched.cpu_s, 2)}


def questions(place: Place) -> dict[str, Any]:
    """Milliseconds of what a completion asks."""
    index = ProjectIndex(place, most_seconds=10)
    choose = random.Random(2)
    paths = [path for part in range(3) for path in index.files(f"part_{part}")]
    chosen = choose.sample(paths, min(EACH, len(paths)))
    sources = [each.source for path in chosen for each in index.members(path)[:1]]
    words = [re.findall(r"\w+", source) for source in sources]
    names = [each.name for path in chosen for each in index.members(path)]
    languages = ("python", "typescript", "go")
    asked: dict[str, Callable[[int], Any]] = {
        "named_30": lambda n: index.named(choose.sample(names, 30), languages),
        "members": lambda n: index.members(chosen[n % len(chosen)]),
        "imports_of": lambda n: index.imports_of(chosen[n % len(chosen)]),
        "alike": lambda n: index.alike(words[n % len(words)], languages, 40),
        "has": lambda n: index.has(chosen[n % len(chosen)]),
        "ending": lambda n: index.ending(Path(chosen[n % len(chosen)]).name),
        "within": lambda n: index.within(str(Path(chosen[n % len(chosen)]).parent)),
    }
    return {kind: percentiles(timed(ask)) for kind, ask in asked.items()}


def timed(ask: Callable[[int], Any]) -> Iterator[float]:
    for number in range(EACH):
        began = time.perf_counter()
        ask(number)
        yield (time.perf_counter() - began) * 1_000


def percentiles(values: Iterator[float]) -> dict[str, float]:
    found = sorted(values)
    return {
        "p50": round(found[len(found) // 2], 2),
        "p99": round(found[int(len(found) * 0.99)], 2),
        "max": round(found[-1], 2),
    }


def gaps(root: Path, cache: Path, seconds: float) -> dict[str, float]:
    """Milliseconds of the processor between two looks at whether somebody types, in this thread."""
    found: list[float] = []
    last = time.thread_time()

    class Counting(Pace):
        def step(self) -> None:
            nonlocal last
            now = time.thread_time()
            found.append((now - last) * 1_000)
            last = now

    watch = ProjectWatch(lambda touched: None)
    watch.start()
    place = Place.of(root, cache)
    keeper = Keeper(root, place, lambda _: Options(), watch, Counting(), lambda *_, **__: None)
    until_ = time.monotonic() + seconds
    for _ in keeper.scan(root / "part_0" / "folder_0" / "module_0.py"):
        if time.monotonic() > until_:
            break
    keeper.close()
    watch.stop()
    return percentiles(iter(found))


@click.command()
@click.option("--files", default=20_000, show_default=True)
@click.option("--gap-seconds", default=20.0, show_default=True, help="Of work that is looked at.")
def command(files: int, gap_seconds: float) -> None:
    """Print one JSON object."""
    with tempfile.TemporaryDirectory(prefix="keyturn-") as folder:
        click.echo(json.dumps(measure(Path(folder), files, gap_seconds)))


def measure(folder: Path, files: int, gap_seconds: float) -> dict[str, Any]:
    root = folder / "project"
    characters = generate(root, files)
    near = sorted((root / "part_0" / "folder_0").glob("*.py"))[0]
    cache = folder / "cache"
    return {
        "files": files,
        "source_mb": round(characters / 1e6, 1),
        **read_whole(cache, near, root),
        "question_ms": questions(Place.of(root, cache)),
        "gap_ms": gaps(root, folder / "other", gap_seconds),
    }


if __name__ == "__main__":
    command()
