"""What definitions from other files are worth: the rest of a line that uses an imported symbol.

    python tests/bench/project_quality.py --cases 100 --results project.jsonl
    python tests/bench/project_quality.py --cases 100 --offset 100 --results other.jsonl

Cases are calls, in installed packages, of functions and classes imported from the same package:
from the line's first character (`line`), or from the bracket on (`arguments`). Every arm sees the
same window of the file; the others have text of its imports in front. Greedy, without a grammar,
judged on the first line. Results are appended case by case, so that a run can be cut off and go on.
"""

import ast
import difflib
import importlib.util
import json
import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from tqdm import tqdm

PACKAGES = (
    *("transformers", "huggingface_hub", "pygls", "cattrs", "pytest_lsp", "playwright"),
    *("hypothesis", "accelerate", "safetensors", "llguidance", "watchdog", "click", "lsprotocol"),
    *("xdist", "networkx", "jsonschema", "filelock", "tiktoken"),
)
PREFIX_CHARACTERS, SUFFIX_CHARACTERS = 4000, 1200
MOST_FILES = 400  # of a package
MOST_FILE_BYTES = 60_000
LEAST_LINE = 15  # above it there is little of the file
MOST_DEFINITIONS = 6
WHOLE_LINES = 40
BRIEF_LINES = 12
NEW_TOKENS = 48

Symbol = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Definition:
    """A symbol as another file of the package defines it."""

    name: str
    path: str
    source: str


@dataclass(frozen=True)
class Case:
    package: str
    path: str
    line: int
    kind: str  # "line" or "arguments"
    prefix: str
    suffix: str
    wanted: str
    callee: str
    definitions: tuple[Definition, ...]  # the callee's last

    @property
    def id(self) -> str:
        return f"{self.path}:{self.line}:{self.kind}"


@dataclass(frozen=True)
class Result:
    case: str
    kind: str
    arm: str
    exact: bool
    similarity: float
    prompt_tokens: int
    said: str
    wanted: str


# region Cases
def cases(most: int) -> Iterator[Case]:
    """Every package's in turns, each file at most once; always the same ones in the same order."""
    draw = random.Random(7)
    streams = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec and spec.submodule_search_locations:
            root = Path(next(iter(spec.submodule_search_locations)))
            streams.append(_of_package(name, root, random.Random(draw.random())))
    while streams and most > 0:
        for stream in list(streams):
            case = next(stream, None)
            if case is None:
                streams.remove(stream)
            elif most > 0:
                most -= 1
                yield case


def _of_package(name: str, root: Path, draw: random.Random) -> Iterator[Case]:
    files = [
        path
        for path in sorted(root.rglob("*.py"))
        if "test" not in path.name and path.stat().st_size < MOST_FILE_BYTES
    ]
    draw.shuffle(files)
    for path in files[:MOST_FILES]:
        if case := _of_file(name, root, path, draw):
            yield case


def _of_file(package: str, root: Path, path: Path, draw: random.Random) -> Case | None:
    tree, text = _parsed(path)
    if tree is None:
        return None
    found: dict[str, Definition] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if definition := _resolved(root, package, path, node, alias.name):
                    found[alias.asname or alias.name] = definition
    calls = [
        (node.lineno - 1, node.func.id)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in found
        and node.end_lineno == node.lineno > LEAST_LINE
    ]
    if len(found) < 2 or not calls:
        return None
    number, callee = draw.choice(calls)
    lines = text.split("\n")
    line = lines[number]
    kind = draw.choice(["line", "arguments"])
    column = len(line) - len(line.lstrip())
    if kind == "arguments":
        column = line.index(callee + "(") + len(callee) + 1 if callee + "(" in line else 0
    if column <= 0 or not line[column:].strip():
        return None
    return Case(
        package,
        str(path.relative_to(root.parent)),
        number,
        kind,
        "\n".join([*lines[:number], line[:column]])[-PREFIX_CHARACTERS:],
        "\n".join(["", *lines[number + 1 :]])[:SUFFIX_CHARACTERS],
        line[column:],
        callee,
        (*(d for name, d in found.items() if name != callee), found[callee]),
    )


def _resolved(
    root: Path, package: str, path: Path, node: ast.ImportFrom, name: str
) -> Definition | None:
    """Where an import of the same package leads, if it is to a function or a class."""
    parts = path.relative_to(root).with_suffix("").parts
    if node.level:
        folder = root.joinpath(*parts[: max(0, len(parts) - node.level)])
        module = folder.joinpath(*(node.module.split(".") if node.module else []))
    elif node.module and node.module.split(".")[0] == package:
        module = root.joinpath(*node.module.split(".")[1:])
    else:
        return None
    for candidate in (module.with_suffix(".py"), module / "__init__.py", module / f"{name}.py"):
        if candidate != path and candidate.is_file():
            tree, text = _parsed(candidate)
            for symbol in tree.body if tree else ():
                if isinstance(symbol, Symbol) and symbol.name == name:
                    source = ast.get_source_segment(text, symbol) or ""
                    return Definition(name, str(candidate.relative_to(root.parent)), source)
    return None


def _parsed(path: Path) -> tuple[ast.Module | None, str]:
    try:
        text = path.read_text(encoding="utf-8")
        return ast.parse(text), text
    except (OSError, SyntaxError, ValueError):
        return None, ""


# endregion
# region Arms: what stands in front of the file's window, the callee's definition nearest to it
def nothing(case: Case) -> str:
    return ""


def whole(case: Case) -> str:
    """The first lines of up to six definitions."""
    return _written(
        [(d, d.source.split("\n")[:WHOLE_LINES]) for d in case.definitions[-MOST_DEFINITIONS:]]
    )


def brief(case: Case) -> str:
    """Signatures and the first line of docstrings; of the callee more."""
    return _written(
        [
            (d, _brief(d.source, BRIEF_LINES if d.name == case.definitions[-1].name else 3))
            for d in case.definitions[-MOST_DEFINITIONS:]
        ]
    )


def callee(case: Case) -> str:
    """The callee's alone."""
    return _written([(case.definitions[-1], _brief(case.definitions[-1].source, BRIEF_LINES))])


def callee_whole(case: Case) -> str:
    """The callee's first lines alone."""
    last = case.definitions[-1]
    return _written([(last, last.source.split("\n")[:WHOLE_LINES])])


ARMS: dict[str, Callable[[Case], str]] = {
    "file": nothing,
    "whole": whole,
    "brief": brief,
    "callee": callee,
    "callee-whole": callee_whole,
}


def _written(shown: list[tuple[Definition, list[str]]]) -> str:
    return "".join(f"# {d.path}\n" + "\n".join(lines) + "\n\n" for d, lines in shown)


def _brief(source: str, most: int) -> list[str]:
    """A definition without bodies: headers with decorators, first docstring lines, fields."""
    symbol = ast.parse(source).body[0]
    lines = source.split("\n")
    assert isinstance(symbol, Symbol)
    return list(_headers(symbol, lines))[:most]


def _headers(symbol: Symbol, lines: list[str]) -> Iterator[str]:
    first = symbol.body[0]
    yield from lines[symbol.lineno - 1 : max(symbol.lineno, first.lineno - 1)]
    if doc := ast.get_docstring(symbol):
        yield " " * first.col_offset + f'"""{doc.splitlines()[0]}"""'
    if isinstance(symbol, ast.ClassDef):
        for part in symbol.body:
            if isinstance(part, ast.AnnAssign):
                yield from lines[part.lineno - 1 : part.end_lineno]
            elif isinstance(part, Symbol) and (part.name == "__init__" or part.name[0] != "_"):
                yield from lines[part.lineno - 1 : max(part.lineno, part.body[0].lineno - 1)]


# endregion


@click.command()
@click.option("--model", default="qwen2.5-coder-0.5b")
@click.option("--cases", "count", default=100)
@click.option("--offset", default=0, help="Cases to leave out at the beginning.")
@click.option("--arm", "arms", multiple=True, default=tuple(ARMS), type=click.Choice(list(ARMS)))
@click.option("--context", default=4096, help="Tokens of a prompt, at most.")
@click.option("--results", required=True, type=click.Path(dir_okay=False, path_type=Path))
def main(
    model: str, count: int, offset: int, arms: tuple[str, ...], context: int, results: Path
) -> None:
    """Complete every case with every arm, arms in turns, and print what each is worth."""
    done = [Result(**json.loads(line)) for line in _lines(results)]
    known = {(each.case, each.arm) for each in done}
    say = _speaker(model, context)
    chosen = list(cases(offset + count))[offset:]
    with results.open("a", encoding="utf-8") as file:
        for case in tqdm(chosen, unit="case"):
            for arm in arms:
                if (case.id, arm) in known:
                    continue
                said, tokens = say(ARMS[arm](case) + case.prefix, case.suffix)
                wanted, said = case.wanted.strip(), said.strip()
                similarity = difflib.SequenceMatcher(None, said, wanted).ratio()
                result = Result(
                    *(case.id, case.kind, arm, said == wanted, round(similarity, 4)),
                    *(tokens, said, wanted),
                )
                file.write(json.dumps(asdict(result)) + "\n")
                file.flush()
                done.append(result)
    wanted_cases = {case.id for case in chosen}
    _print([each for each in done if each.case in wanted_cases], arms)


def _speaker(model: str, context: int) -> Callable[[str, str], tuple[str, int]]:
    """What says the rest of a line, greedily, and how many tokens its prompt had."""
    from keyturn.api.request import Sampling
    from keyturn.cache.sequence import CachedSequence
    from keyturn.models.decoding.decode import Decoder, Stops
    from keyturn.models.decoding.sampler import Sampler
    from keyturn.models.loading.loader import load
    from keyturn.models.prompts.fim import PromptBuilder, PromptOptions

    loaded = load(model, settle=True)
    builder, decoder = PromptBuilder(loaded.tokenizer), Decoder(loaded.model, loaded.tokenizer)

    def say(prefix: str, suffix: str) -> tuple[str, int]:
        prompt = builder.build(prefix, suffix, PromptOptions(context, prefix_share=0.9))
        sequence, stops = CachedSequence(loaded.model.new_arena()), Stops(builder.stops, NEW_TOKENS)
        logits = decoder.prefill(sequence, prompt.tokens, stops, lambda: False)
        said = ""
        sampler = Sampler(Sampling())
        for token in decoder.generate(sequence, prompt, logits, sampler, stops, lambda: False):
            said += token.text
            if "\n" in said:
                break
        return said.split("\n")[0], len(prompt.tokens)

    return say


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _print(results: list[Result], arms: tuple[str, ...]) -> None:
    for kind in ("line", "arguments", ""):
        for arm in arms:
            rows = [r for r in results if r.arm == arm and kind in ("", r.kind)]
            if rows:
                click.echo(
                    f"{kind or 'all':<10} {arm:<13} {len(rows):>4} cases"
                    f"  EM {statistics.fmean(r.exact for r in rows):.3f}"
                    f"  ES {statistics.fmean(r.similarity for r in rows):.3f}"
                    f"  {statistics.fmean(r.prompt_tokens for r in rows):.0f} tokens"
                )


if __name__ == "__main__":
    main()
