"""pass@1 on HumanEval-Infilling, greedy, one line per problem, through the engine that users get.

    python tests/bench/human_eval_infilling.py --order suffix-first --results results.jsonl

Results are appended problem by problem, so that a run can be cut off and go on. Every program is
run in a child process of its own: no network, an empty folder, limits on time, memory and files.
Data: OpenAI human-eval-infilling (arXiv 2207.14255), MIT, in tests/data/.
"""

import ctypes
import gzip
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from tqdm import tqdm

DATA = Path(__file__).parents[1] / "data" / "human-eval-infilling"
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


def problems(dataset: str) -> Iterator[dict[str, str]]:
    with gzip.open(DATA / FILES[dataset], "rt", encoding="utf-8") as lines:
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


def report(rows: list[Result]) -> str:
    passed, exact = sum(r.passed for r in rows), sum(r.exact for r in rows)
    return (
        f"pass@1 {100 * passed / len(rows):.1f} %, exact {100 * exact / len(rows):.1f} %, "
        f"{len(rows)} problems"
    )


@click.command()
@click.option("--order", "orders", multiple=True, default=("suffix-first", "psm", "spm"))
@click.option("--dataset", type=click.Choice(list(FILES)), default="single-line")
@click.option("--model", default="qwen2.5-coder-0.5b")
@click.option("--dtype", default="auto")
@click.option("--grammar", default="off", help="As of `keyturn complete`.")
@click.option("--every", default=1, help="Take every N-th problem only.")
@click.option("--results", type=click.Path(path_type=Path), required=True)
def main(
    orders: tuple[str, ...],
    dataset: str,
    model: str,
    dtype: str,
    grammar: str,
    every: int,
    results: Path,
) -> None:
    """Measure pass@1 for each prompt order and print one row per order."""
    from keyturn.daemon.completion import Mode, Request
    from keyturn.daemon.engine import Engine, EngineOptions
    from keyturn.models.fim import Order
    from keyturn.models.loader import load
    from keyturn.models.stops import Extent

    loaded = load(model, dtype=dtype, settle=True)
    engines = {order: Engine(loaded, EngineOptions(order=Order(order))) for order in orders}
    extent = Extent.LINE if dataset == "single-line" else Extent.BLOCK
    done = {(r.task, r.order) for r in finished(results)}
    with results.open("a", encoding="utf-8") as out:
        for problem in tqdm(list(problems(dataset))[::every]):
            for order in (o for o in orders if (problem["task_id"], o) not in done):
                answer = engines[order].complete(
                    Request(
                        problem["prompt"],
                        problem["suffix"],
                        "solution.py",
                        96,
                        extent,
                        grammar=Mode(grammar),
                    )
                )
                result = Result(
                    task=problem["task_id"],
                    order=order,
                    completion=answer.text,
                    passed=passes(problem, answer.text),
                    exact=answer.text.split() == problem["canonical_solution"].split(),
                    prompt_tokens=answer.prompt_tokens,
                    generated_tokens=answer.generated_tokens,
                )
                print(json.dumps(asdict(result)), file=out, flush=True)
    for order in orders:
        click.echo(f"{order}: {report([r for r in finished(results) if r.order == order])}")


if __name__ == "__main__":
    main()
