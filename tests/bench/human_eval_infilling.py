"""pass@1 on HumanEval-Infilling, one line per problem, through the engine that users get.

    python tests/bench/human_eval_infilling.py --order suffix-first --results results.jsonl
    python tests/bench/human_eval_infilling.py --order suffix-first --grammar off --grammar exact \
        --dataset random-span-light --results grammar.jsonl
    python tests/bench/human_eval_infilling.py --order suffix-first --grammar exact --extent block \
        --problems HumanEval-MultiLineInfilling.jsonl.gz --max-tokens 256 --every 17 --results ...

Where whole lines are missing, the cursor is on a blank line, as in an editor. Greedy without
`--temperature`. Several `--grammar` take turns problem by problem, and what changed
from the first to each other one is listed.

Results are appended problem by problem, so that a run can be cut off and go on. Every program is
run in a child process of its own: no network, an empty folder, limits on time, memory and files.
Data: OpenAI human-eval-infilling (arXiv 2207.14255), MIT, in daemon/bench/.
"""

import ast
import ctypes
import gzip
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from keyturn.daemon.bench._cases import PROBLEMS

FILES = {
    "single-line": "HumanEval-SingleLineInfilling.jsonl.gz",
    "random-span-light": "HumanEval-RandomSpanInfillingLight.jsonl.gz",
}
SECONDS, MEMORY_BYTES, FILE_BYTES = 8, 2 << 30, 1 << 20
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000  # clone(2)


@dataclass(frozen=True)
class Result:
    task: str
    order: str
    completion: str
    passed: bool
    exact: bool  # the completion is the reference solution, spaces aside
    prompt_tokens: int
    generated_tokens: int
    grammar: str = "off"  # asked for
    temperature: float = 0.0
    finish: str = ""
    decode_ms: float = 0.0
    use: dict[str, Any] = field(default_factory=dict)  # what the grammar did: `GrammarUse`


def problems(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def confine() -> None:
    """In the child, before anything of the program: no network, and limits."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_USER | NEW_NETWORK) != 0 and libc.unshare(NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "cannot cut the program off the network")
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))


def passes(problem: dict[str, str], completion: str) -> bool:
    """Whether the completed program meets its tests."""
    program = problem["prompt"] + completion + problem["suffix"]
    program += f"\n{problem['test']}\ncheck({problem['entry_point']})\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.py"
        path.write_text(program, encoding="utf-8")
        try:
            run = subprocess.run(
                [sys.executable, "-I", str(path)],
                cwd=folder,
                env={},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=3 * SECONDS,
                preexec_fn=confine,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    return run.returncode == 0


def finished(results: Path) -> list[Result]:
    if not results.exists():
        return []
    lines = results.read_text(encoding="utf-8").splitlines()
    return [Result(**json.loads(line)) for line in lines]


def parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def report(rows: list[Result], texts: dict[str, tuple[str, str]]) -> str:
    """One line on `rows`; `texts` are what stands left and right of each task's cursor."""
    files = [texts[r.task][0] + r.completion + texts[r.task][1] for r in rows]
    shares = {
        "pass@1": sum(r.passed for r in rows),
        "exact": sum(r.exact for r in rows),
        "parses": sum(map(parses, files)),
        "unfinished": sum(r.finish in ("tokens", "deadline") for r in rows),
    }
    line = ", ".join(f"{name} {100 * count / len(rows):.1f} %" for name, count in shares.items())
    used = [r for r in rows if r.use.get("mode", "off") != "off"]
    if used:
        refused, restarts = (sum(r.use[name] for r in used) for name in ("refused", "restarts"))
        calls = sum(r.use["model_calls"] for r in used)
        plain = sum(max(1, r.generated_tokens - 1) for r in used)  # the last one needs no call
        line += (
            f"; grammar on in {len(used)}, {refused} refused, {restarts} restarts, "
            f"{calls / plain:.3f} model calls per token"
        )
    return f"{line}, {len(rows)} problems"


def changes(before: list[Result], after: list[Result], texts: dict[str, tuple[str, str]]) -> str:
    """Task by task: what passed and what parsed in only one of two runs, and the time it took."""
    pairs = {r.task: r for r in before}
    both = [(pairs[r.task], r) for r in after if r.task in pairs]

    def fine(result: Result) -> bool:
        left, right = texts[result.task]
        return parses(left + result.completion + right)

    lists = {
        "lost": [b.task for a, b in both if a.passed and not b.passed],
        "won": [b.task for a, b in both if b.passed and not a.passed],
        "parses no more": [b.task for a, b in both if fine(a) and not fine(b)],
        "does not parse": [b.task for _, b in both if not fine(b)],
    }
    lines = [f"  {name}: {' '.join(tasks) or 'none'}" for name, tasks in lists.items()]
    same = [b.decode_ms / a.decode_ms for a, b in both if a.decode_ms and alike(a, b)]
    if same:
        times = f"{statistics.median(same):.3f} x, median of {len(same)}"
        lines.append(f"  decode time where both wrote the same: {times}")
    return "\n".join(lines)


def alike(one: Result, other: Result) -> bool:
    return (one.completion, one.generated_tokens) == (other.completion, other.generated_tokens)


@click.command()
@click.option("--order", "orders", multiple=True, default=("suffix-first", "psm", "spm"))
@click.option("--dataset", type=click.Choice(list(FILES)), default="single-line")
@click.option("--model", default="qwen2.5-coder-0.5b")
@click.option("--dtype", default="auto")
@click.option("--grammar", "grammars", multiple=True, default=("off",),
              help="As of `keyturn complete`.")  # fmt: skip
@click.option("--temperature", default=0.0)
@click.option("--problems", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="In place of a dataset: a compressed file of such problems.")  # fmt: skip
@click.option("--extent", help="As of `keyturn complete`; line or block, as the dataset is.")
@click.option("--max-tokens", default=96)
@click.option("--every", default=1, help="Take every N-th problem only.")
@click.option("--offset", default=0, help="Begin with this problem.")
@click.option("--results", type=click.Path(path_type=Path), required=True)
def main(
    orders: tuple[str, ...],
    dataset: str,
    model: str,
    dtype: str,
    grammars: tuple[str, ...],
    temperature: float,
    path: Path | None,
    extent: str | None,
    max_tokens: int,
    every: int,
    offset: int,
    results: Path,
) -> None:
    """Measure pass@1 for each prompt order and grammar, and print one row for each."""

    from keyturn.api.request import CompletionOptions, Extent, GrammarMode, Sampling
    from keyturn.daemon.completion.completer import Completer, CompleterOptions
    from keyturn.daemon.completion.request import InfillRequest
    from keyturn.models.loading.loader import load
    from keyturn.models.prompts.fim import Order

    loaded = load(model, dtype=dtype, settle=True)
    engines = {order: Completer(loaded, CompleterOptions(order=Order(order))) for order in orders}
    usual = Extent.LINE if dataset == "single-line" and path is None else Extent.BLOCK
    ways = [(order, grammar) for order in orders for grammar in grammars]
    taken = list(problems(path or PROBLEMS / FILES[dataset]))[offset::every]
    texts = {problem["task_id"]: (problem["prompt"], problem["suffix"]) for problem in taken}
    done = {(r.task, r.order, r.grammar) for r in finished(results)}
    with results.open("a", encoding="utf-8") as out:
        for problem in tqdm(taken):
            whole_lines = problem["canonical_solution"].endswith("\n")
            request = InfillRequest(
                problem["prompt"],
                "\n" * whole_lines + problem["suffix"],
                "solution.py",
                CompletionOptions(
                    extent=Extent(extent) if extent else usual,
                    max_tokens=max_tokens,
                    sampling=Sampling(temperature=temperature),
                ),
            )
            for order, grammar in ways:
                if (problem["task_id"], order, grammar) in done:
                    continue
                answer = engines[order].complete(request.with_options(grammar=GrammarMode(grammar)))
                text = answer.text + "\n" * whole_lines
                result = Result(
                    task=problem["task_id"],
                    order=order,
                    completion=text,
                    passed=passes(problem, text),
                    exact=text.split() == problem["canonical_solution"].split(),
                    prompt_tokens=answer.meta.prompt_tokens,
                    generated_tokens=answer.meta.generated_tokens,
                    grammar=grammar,
                    temperature=temperature,
                    finish=str(answer.meta.finish),
                    decode_ms=round(answer.meta.decode_ms, 1),
                    use=asdict(answer.meta.grammar),
                )
                print(json.dumps(asdict(result)), file=out, flush=True)
    found = [r for r in finished(results) if r.task in texts]
    for order in orders:
        rows = {g: [r for r in found if (r.order, r.grammar) == (order, g)] for g in grammars}
        for grammar in grammars:
            click.echo(f"{order}, grammar {grammar}: {report(rows[grammar], texts)}")
        for grammar in grammars[1:]:
            click.echo(f"{grammars[0]} → {grammar}:")
            click.echo(changes(rows[grammars[0]], rows[grammar], texts))


if __name__ == "__main__":
    main()
