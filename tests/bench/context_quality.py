"""What more of a long file is worth: `python tests/bench/context_quality.py --help`.

Lines are taken out of long files at random, and the model is to write them again, with windows of
several widths around the place, each encoded anew. Compared are the lines that it writes, and how
likely it finds the right ones. All arms see the same cases, so differences are paired.
"""

import json
import math
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from itertools import cycle, islice
from pathlib import Path

import click
import torch

from keyturn.cache.sequence import CachedSequence
from keyturn.daemon.completion.file_session import FileSession
from keyturn.daemon.workspace.language import language_of
from keyturn.models.loading.loader import Loaded, load
from keyturn.models.nn.reencode import encode
from keyturn.models.prompts.fim import PromptBuilder, PromptOptions

FEWEST_LINES, MOST_CHARACTERS = 1_000, 1_000_000  # of a file
SHORTEST, LONGEST = 8, 200  # characters of a line that is taken out, without its indentation
REMARKS = ("#", "//", "/*", "*", '"', "'", "--", "<!")  # how lines begin that are only words
MOST_NEW = 64  # tokens written
LANGUAGES = ("python", "typescript", "javascript", "cpp", "c")


@dataclass(frozen=True, slots=True)
class Case:
    """`target` was line `line` of the file, counted from 0."""

    path: str
    language: str
    line: int
    lines: int
    prefix: str
    suffix: str
    target: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One arm's. `nats`: minus the logarithm of the right line's probability."""

    line: str
    nats: float
    tokens: int  # of the prompt


@dataclass(frozen=True, slots=True)
class Score:
    exact: float  # 0 or 1
    similarity: float  # 0 to 1
    probability: float  # of the right line
    nats: float


# region Cases
def long_files(roots: Sequence[Path]) -> dict[str, list[Path]]:
    """By language, those of a thousand lines and more, each text once."""
    found: dict[str, list[Path]] = {}
    seen: set[int] = set()
    for path in sorted({path for root in roots for path in root.rglob("*")}):
        language = language_of(path.name).id
        if language not in LANGUAGES or not path.is_file() or path.is_symlink():
            continue
        if (size := path.stat().st_size) > MOST_CHARACTERS:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        lines = text.count("\n")
        if lines >= FEWEST_LINES and size / lines < LONGEST and hash(text) not in seen:
            seen.add(hash(text))
            found.setdefault(language, []).append(path)
    return found


def cases(roots: Sequence[Path], seed: int) -> Iterator[Case]:
    """Without end, one language after the other, no file twice before all of its language."""
    chance = random.Random(seed)
    by_language = long_files(roots)
    for paths in by_language.values():
        chance.shuffle(paths)
    turns = {language: cycle(paths) for language, paths in sorted(by_language.items())}
    for language in cycle(turns):
        yield _case(next(turns[language]), language, chance)


def _case(path: Path, language: str, chance: random.Random) -> Case:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    while True:
        line = chance.randrange(len(lines))
        target = lines[line].strip()
        if SHORTEST <= len(target) <= LONGEST and not target.startswith(REMARKS):
            before, after = "".join(lines[:line]), "".join(lines[line + 1 :])
            return Case(str(path), language, line, len(lines), before, after, lines[line])


# endregion
# region Answers
def answer(loaded: Loaded, case: Case, context_tokens: int) -> Answer:
    """What is written with a window of so many tokens, as fresh as it can be."""
    model, tokenizer = loaded.model, loaded.tokenizer
    builder = PromptBuilder(tokenizer)
    session = FileSession(model, tokenizer, builder, CachedSequence(model.new_arena(0)))
    session.show(case.prefix + case.suffix)
    options = PromptOptions(budget_tokens=context_tokens, heal=False)
    planned = session.plan(len(case.prefix), options)
    logits = session.fill(planned)
    length = len(session.sequence)
    nats = _nats(loaded, session, logits, tokenizer.encode(case.target))
    session.sequence.truncate(length)
    return Answer(_line(loaded, session, builder, logits), nats, length)


@torch.inference_mode()
def _nats(loaded: Loaded, session: FileSession, logits: torch.Tensor, ids: list[int]) -> float:
    step = session.sequence.append(ids)
    following = loaded.model.logits(encode(loaded.model, session.sequence, step))
    said = torch.cat([logits[None], following[:-1]]).float().log_softmax(-1)
    return -float(said[torch.arange(len(ids)), torch.tensor(ids)].sum())


@torch.inference_mode()
def _line(
    loaded: Loaded, session: FileSession, builder: PromptBuilder, logits: torch.Tensor
) -> str:
    """The first line that is not blank, greedily."""
    data = b""
    for _ in range(MOST_NEW):
        token = int(logits.argmax())
        if token in builder.stops:
            break
        data += loaded.tokenizer.token_bytes(token)
        if b"\n" in data.lstrip():
            break
        step = session.sequence.append([token])
        logits = loaded.model.logits(encode(loaded.model, session.sequence, step))[-1]
    return data.decode("utf-8", "replace").strip().partition("\n")[0].strip()


def score(case: Case, said: Answer) -> Score:
    target = case.target.strip()
    similarity = SequenceMatcher(None, said.line, target, autojunk=False).ratio()
    exact = float(said.line.split() == target.split())
    return Score(exact, similarity, math.exp(-said.nats), said.nats)


# endregion
# region The table
Result = tuple[Case, Mapping[int, Answer]]  # by the window's tokens


@dataclass(frozen=True, slots=True)
class Row:
    """One window against another over the cases of a language. `*_error`: the standard error of
    the mean of the paired differences. Percent, and nats a line (fewer are better)."""

    language: str
    tokens: int
    cases: int
    prompt: float  # tokens, on average
    exact: float
    similarity: float
    probability: float
    nats: float
    exact_more: float
    exact_error: float
    similarity_more: float
    similarity_error: float
    probability_more: float
    probability_error: float
    nats_more: float
    nats_error: float


def table(results: Sequence[Result], against: int) -> list[Row]:
    languages = sorted({case.language for case, _ in results})
    rows = []
    for name in ["all", *languages]:
        found = [each for each in results if name in ("all", each[0].language)]
        windows = sorted({tokens for _, said in found for tokens in said})
        rows += [_row(name, tokens, found, against) for tokens in windows]
    return rows


def _row(language: str, tokens: int, found: Sequence[Result], against: int) -> Row:
    found = [each for each in found if tokens in each[1]]
    pairs = [(score(c, said[tokens]), score(c, said[against])) for c, said in found]

    def compared(noun: str, scale: float) -> tuple[float, float, float]:
        ours = [scale * getattr(one, noun) for one, _ in pairs]
        more = [scale * (getattr(one, noun) - getattr(other, noun)) for one, other in pairs]
        error = statistics.stdev(more) / math.sqrt(len(more)) if len(more) > 1 else 0.0
        return statistics.mean(ours), statistics.mean(more), error

    nouns = (("exact", 100), ("similarity", 100), ("probability", 100), ("nats", 1))
    all_of_them = [compared(noun, scale) for noun, scale in nouns]
    prompt = statistics.mean(said[tokens].tokens for _, said in found)
    means = [each[0] for each in all_of_them] + [v for each in all_of_them for v in each[1:]]
    return Row(language, tokens, len(found), round(prompt), *(round(value, 2) for value in means))


def markdown(rows: Sequence[Row]) -> str:
    head = "| files | window | cases | prompt | exact | similar | probability | nats a line |"
    lines = [head, "|" + "---|" * 8]
    for r in rows:
        lines.append(
            f"| {r.language} | {r.tokens:,} | {r.cases} | {r.prompt:,} "
            f"| {r.exact:.1f} ({r.exact_more:+.1f} ± {r.exact_error:.1f}) "
            f"| {r.similarity:.1f} ({r.similarity_more:+.1f} ± {r.similarity_error:.1f}) "
            f"| {r.probability:.1f} ({r.probability_more:+.1f} ± {r.probability_error:.1f}) "
            f"| {r.nats:.2f} ({r.nats_more:+.2f} ± {r.nats_error:.2f}) |"
        )
    return "\n".join(lines)


# endregion
# region Results, kept case by case
def keep(path: Path, result: Result) -> None:
    case, said = result
    answers = {tokens: asdict(each) for tokens, each in said.items()}
    found = {"case": {"path": case.path, "line": case.line}, "answers": answers}
    with path.open("a", encoding="utf-8") as out:
        print(json.dumps(found), file=out)


def kept(path: Path | None) -> dict[tuple[str, int], dict[int, Answer]]:
    if path is None or not path.exists():
        return {}
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {
        (r["case"]["path"], r["case"]["line"]): {
            int(tokens): Answer(**each) for tokens, each in r["answers"].items()
        }
        for r in rows
    }


# endregion


@click.command()
@click.argument("roots", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", default="qwen2.5-coder-0.5b", show_default=True)
@click.option("--threads", type=int)
@click.option("--window", "windows", multiple=True, type=int, default=(1024, 2048, 4096, 8192),
              show_default=True, help="Tokens of a prompt.")  # fmt: skip
@click.option("--widest-every", "every", default=1, show_default=True, metavar="CASES",
              help="The widest window takes the most time.")  # fmt: skip
@click.option("--against", default=2048, show_default=True, help="The window to compare with.")
@click.option("--cases", "count", default=100, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--results", type=click.Path(path_type=Path), help="Kept there; a run goes on.")
@click.option("--json", "as_json", is_flag=True)
def main(
    roots: tuple[Path, ...],
    model: str,
    threads: int | None,
    windows: tuple[int, ...],
    every: int,
    against: int,
    count: int,
    seed: int,
    results: Path | None,
    as_json: bool,
) -> None:
    """Compare widths of windows by the lines that a model writes into the long files of ROOTS."""
    if threads:
        torch.set_num_threads(threads)
    loaded = load(model, settle=True)
    known, found = kept(results), []
    for number, case in enumerate(islice(cases(roots, seed), count)):
        said = known.get((case.path, case.line))
        if said is None:
            tried = windows if number % every == 0 else sorted(windows)[:-1]
            said = {tokens: answer(loaded, case, tokens) for tokens in tried}
            if results:
                keep(results, (case, said))
        found.append((case, said))
        click.echo(f"{number + 1}/{count}", err=True)
    rows = table(found, against)
    if as_json:
        report = {"model": loaded.name, "kernels": str(loaded.plan)}
        click.echo(json.dumps({**report, "rows": [asdict(row) for row in rows]}))
    else:
        click.echo(f"\n### {loaded.name}\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()
