"""What pieces of other files are worth: the rest of a line that uses an imported symbol.

    python tests/bench/project/quality.py --cases 100 --results project.jsonl
    python tests/bench/project/quality.py --cases 100 --offset 100 --results other.jsonl
    python tests/bench/project/quality.py --language typescript --arm file --arm bound ...
    python tests/bench/project/quality.py --cases 200 --offset 100 --retrieval-only

Cases are calls, in installed Python packages or in TypeScript ones that npm brings, of functions
and classes imported from the same package: from the line's first character (`line`), or from the
bracket on (`arguments`). Every arm sees the same window of the file; but for `file` they have
chunks of its package in front: the product's own retrieval's, bound before the file is encoded
(`bound`), after that (`late`), or encoded as text, which is what idle time makes of either
(`text`); what is really imported, the callee last (`oracle`); or random ones (`ring`). Greedy,
without a grammar, judged on the first line. Results are appended case by case, so that a run can be
cut off and go on. `--retrieval-only` needs no model: it says how often the retrieval finds what is
called, before it is called and while its arguments are written.
"""

import difflib
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import click
from tqdm import tqdm

from keyturn.daemon.bench._project.speaker import Speaker
from keyturn.models.loading.loader import load

sys.path.append(str(Path(__file__).parents[2]))
from support.project import python_cases, recall, typescript_cases
from support.project.arms import ARMS
from support.project.case import Case

USUAL = ("file", "text", "bound", "ring", "oracle")
LANGUAGES: dict[str, Callable[[int], Iterator[Case]]] = {
    "python": python_cases.cases,
    "typescript": typescript_cases.cases,
}


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


@click.command()
@click.option("--language", default="python", type=click.Choice(list(LANGUAGES)))
@click.option("--model", default="qwen2.5-coder-0.5b")
@click.option("--cases", "count", default=100)
@click.option("--offset", default=0, help="Cases to leave out at the beginning.")
@click.option("--arm", "arms", multiple=True, default=USUAL, type=click.Choice(list(ARMS)))
@click.option("--results", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--retrieval-only", is_flag=True, help="Judge what is found, without a model.")
@click.option("--typing", is_flag=True, help="… and how still it keeps while the line is typed.")
def main(
    language: str,
    model: str,
    count: int,
    offset: int,
    arms: tuple[str, ...],
    results: Path | None,
    retrieval_only: bool,
    typing: bool,
) -> None:
    """Complete every case with every arm, arms in turns, and print what each is worth."""
    chosen = list(islice(LANGUAGES[language](offset + count), offset, None))
    if retrieval_only:
        cases = tqdm(sorted(chosen, key=lambda case: case.package), unit="case")
        click.echo("\n".join(recall.table(recall.found(case, typing=typing) for case in cases)))
        return
    if results is None:
        raise click.UsageError("say where the results go: --results FILE")
    done = [Result(**json.loads(line)) for line in _lines(results)]
    known = {(each.case, each.arm) for each in done}
    speaker = Speaker(load(model, settle=True))
    with results.open("a", encoding="utf-8") as file:
        for case in tqdm(chosen, unit="case"):
            for arm in arms:
                if (case.id, arm) in known:
                    continue
                chunks = ARMS[arm].chunks(case, speaker.tokens)
                answer = speaker.say(case.prefix, case.suffix, chunks, ARMS[arm].binding)
                wanted, said = case.wanted.strip(), answer.text.strip()
                similarity = difflib.SequenceMatcher(None, said, wanted).ratio()
                result = Result(
                    *(case.id, case.kind, arm, said == wanted, round(similarity, 4)),
                    *(answer.prompt_tokens, said, wanted),
                )
                file.write(json.dumps(asdict(result)) + "\n")
                file.flush()
                done.append(result)
    wanted_cases = {case.id for case in chosen}
    _print([each for each in done if each.case in wanted_cases], arms)


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
