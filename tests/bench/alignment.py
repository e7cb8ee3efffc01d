"""How far each mode's completions are from the model conditioned on the grammar.

    python tests/bench/alignment.py toys [--json]
    python tests/bench/alignment.py model --results results.jsonl [--json]

`toys`: languages small enough to enumerate. For `gcd` and `asap` the divergence of the next sample
is computed exactly, after so many samples in the same trie, as ASAp's paper draws its curves; for
`exact` and `approximate`, which draw with restarts, the distance is measured on samples with a
fresh trie each, beside what perfect sampling would show.

`model`: the real model at cursors of HumanEval-Infilling. The truth is plain sampling with what is
not grammatical thrown away; half of it against the other half is the noise.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from keyturn.models.align import Aligner, Budget, Mode
from keyturn.models.aligned_trie import Node, Trie

sys.path.append(str(Path(__file__).parents[1] / "support"))
from toys import STOP, Text, Toy, noise, uniforms, variation

if TYPE_CHECKING:
    from keyturn.models.guide import Guide, Places

TOYS = ((3, 0.05, 2), (3, 0.15, 38), (4, 0.3, 5), (4, 0.45, 11))  # depth, hostility, seed
SAMPLES = (0, 1, 10, 100, 1_000, 2_000)  # in the trie before the one that is judged
DRAWS = 4_000  # where the distribution can only be sampled
UNLIMITED = Budget(limit_tokens=64, exact_restarts=10**9, approximate_restarts=10**9)
MOST_TRIES = 10  # plain samples for each one wanted
MODES = (Mode.EXACT, Mode.APPROXIMATE, Mode.ASAP, Mode.GCD)


@dataclass(frozen=True)
class Row:
    """One mode on one toy. `kl` by number of samples before, where it can be computed."""

    valid_share: float
    mode: str
    variation: float  # total variation distance to the truth, of samples with a fresh trie
    noise: float  # of as many perfect samples
    calls_per_token: float
    kl: dict[int, float] = field(default_factory=dict)


@click.group()
def main() -> None:
    """Measure how aligned each mode is."""


# region Toys


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def toys(as_json: bool) -> None:
    """Enumerable languages: KL and total variation to the truth, by mode and number of samples."""
    rows = [row for depth, hostility, seed in TOYS for row in judge(Toy(depth, hostility, seed))]
    if as_json:
        click.echo(json.dumps({"bench": "alignment", "toys": [asdict(row) for row in rows]}))
        return
    for row in rows:
        curve = "  ".join(f"{n}: {kl:.4f}" for n, kl in row.kl.items())
        click.echo(
            f"P(valid) {row.valid_share:.3f}  {row.mode:<12} TV {row.variation:.3f} "
            f"(perfect {row.noise:.3f})  {row.calls_per_token:.2f} calls per token  {curve}"
        )


def judge(toy: Toy, draws: int = DRAWS, samples: Sequence[int] = SAMPLES) -> Iterator[Row]:
    """Every mode on one toy."""
    truth = toy.truth()
    perfect = noise(truth, draws)
    for mode in MODES:
        uniform, found, calls, tokens = uniforms(7), Counter[Text](), 0, 0
        for _ in range(draws):
            sample = toy.aligner().sample(mode, uniform, UNLIMITED)
            found[sample.tokens] += 1
            calls, tokens = calls + sample.model_calls, tokens + len(sample.tokens) + 1
        curve = learning_curve(toy, truth, mode, samples) if mode in (Mode.GCD, Mode.ASAP) else {}
        yield Row(
            valid_share=round(toy.valid_share(), 4),
            mode=str(mode),
            variation=round(variation(truth, found), 4),
            noise=round(perfect, 4),
            calls_per_token=round(calls / tokens, 3),
            kl=curve,
        )


def learning_curve(
    toy: Toy, truth: dict[Text, float], mode: Mode, samples: Sequence[int]
) -> dict[int, float]:
    """KL(truth ‖ next sample) after so many samples in one trie, exactly."""
    trie, uniform, curve = toy.trie(), uniforms(3), {}
    aligner = toy.aligner(trie)
    for drawn in range(max(samples) + 1):
        if drawn in samples:
            chances = dict(next_sample(toy, trie, trie.root, (), 1.0, mode is Mode.ASAP))
            curve[drawn] = round(divergence(truth, chances), 5)
        aligner.sample(mode, uniform, UNLIMITED)
    return curve


def next_sample(
    toy: Toy, trie: Trie, node: Node | None, text: Text, chance: float, aligned: bool
) -> Iterator[tuple[Text, float]]:
    """Every text that the next sample may be, and how probable it is.

    Where the trie has no node yet, a mask of what is refused is all that there is.
    """
    state = toy.guard.start()
    for token in text:
        state = state.feed(b"abcd"[token : token + 1])
        assert state is not None
    weights: dict[int, float] = {}
    for token, p in enumerate(toy.probabilities(text)):
        allowed = state.can_finish() if token == STOP else toy.guard.take(state, token) is not None
        child = None if node is None else node.children.get(token)
        removed = child.removed if child is not None and aligned else 0.0
        if allowed and p * (1.0 - removed) > 0:
            weights[token] = p * (1.0 - removed)
    total = sum(weights.values())
    for token, weight in weights.items():
        part = chance * weight / total
        if token == STOP:
            yield text, part
        else:
            child = None if node is None else node.children.get(token)
            yield from next_sample(toy, trie, child, (*text, token), part, aligned)


def divergence(truth: dict[Text, float], found: dict[Text, float]) -> float:
    """KL(truth ‖ found) in nats."""
    return sum(p * np.log(p / max(found.get(text, 0.0), 1e-300)) for text, p in truth.items() if p)


# endregion
# region The real model


@dataclass(frozen=True)
class Compared:
    """One mode at one cursor, against plain sampling with what is ungrammatical thrown away."""

    task: str
    mode: str
    accepted_share: float  # of plain samples
    variation: float  # total variation distance of texts to half of the accepted ones
    noise: float  # between both halves
    calls_per_token: float  # each sample for itself
    refused: int
    restarts: int
    samples: int


@main.command()
@click.option("--model", default="qwen2.5-coder-0.5b")
@click.option("--dataset", default="random-span-light")
@click.option("--every", default=16, help="Take every N-th problem only.")
@click.option("--samples", default=400, help="Of each mode at each cursor.")
@click.option("--temperature", default=1.0)
@click.option("--limit-tokens", default=16)
@click.option("--results", type=click.Path(path_type=Path), required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def model(
    model: str,
    dataset: str,
    every: int,
    samples: int,
    temperature: float,
    limit_tokens: int,
    results: Path,
    as_json: bool,
) -> None:
    """The real model: distance of each mode to plain rejection sampling."""
    from human_eval_infilling import problems

    from keyturn.models.loader import load

    loaded, done = load(model), compared(results)
    with results.open("a", encoding="utf-8") as out:
        for problem in tqdm(list(problems(dataset))[::every]):
            if problem["task_id"] in {row.task for row in done}:
                continue
            for row in compare(loaded, problem, samples, temperature, limit_tokens):
                print(json.dumps(asdict(row)), file=out, flush=True)
    rows = compared(results)
    if as_json:
        click.echo(json.dumps({"bench": "alignment", "model": [asdict(row) for row in rows]}))
        return
    for mode in MODES:
        of_mode = [row for row in rows if row.mode == mode]
        means = {
            name: float(np.mean([getattr(row, name) for row in of_mode]))
            for name in ("accepted_share", "variation", "noise", "calls_per_token")
        }
        click.echo(f"{mode:<12}" + "  ".join(f"{n} {value:.3f}" for n, value in means.items()))


def compared(results: Path) -> list[Compared]:
    if not results.exists():
        return []
    return [Compared(**json.loads(line)) for line in results.read_text("utf-8").splitlines()]


def compare(
    loaded: Any, problem: dict[str, str], samples: int, temperature: float, limit_tokens: int
) -> Iterator[Compared]:
    """Every mode at the cursor of one problem."""
    cursor = Cursor(loaded, problem, temperature, limit_tokens)
    accepted: list[str] = []
    drawn = 0
    while len(accepted) < 2 * samples and drawn < MOST_TRIES * samples:
        text, ended = cursor.free(drawn)
        drawn += 1
        if cursor.grammatical(text, ended):
            accepted.append(text)
    share, half = len(accepted) / drawn, len(accepted) // 2
    truth, other = Counter(accepted[:half]), Counter(accepted[half:])
    for mode in MODES if accepted else ():
        found, calls, tokens, refused, restarts = Counter[str](), 0, 0, 0, 0
        for number in range(half):
            sample = cursor.sample(mode, number)
            found[sample.node.state.text] += 1
            calls, tokens = calls + sample.model_calls, tokens + sample.node.depth
            refused, restarts = refused + sample.refused, restarts + sample.restarts
        yield Compared(
            task=problem["task_id"],
            mode=str(mode),
            accepted_share=round(share, 4),
            variation=round(distance(truth, found), 4),
            noise=round(distance(truth, other), 4),
            calls_per_token=round(calls / max(1, tokens), 4),
            refused=refused,
            restarts=restarts,
            samples=half,
        )


def distance(one: Counter[str], other: Counter[str]) -> float:
    """Total variation distance of two empirical distributions."""
    share = {text: n / one.total() for text, n in one.items()}
    return variation(share, other)


class Cursor:
    """Samples at one cursor. The model is asked once for every prefix, whoever needs it."""

    def __init__(
        self, loaded: Any, problem: dict[str, str], temperature: float, limit_tokens: int
    ) -> None:
        from keyturn.cache.sequence import CachedSequence
        from keyturn.models.decode import Decoder, Stops
        from keyturn.models.fim import PromptBuilder, PromptOptions
        from keyturn.models.grammar.languages import open_oracle
        from keyturn.models.sampler import Sampler, Sampling
        from keyturn.models.stops import Extent, stop_rule

        left, right = problem["prompt"], problem["suffix"]
        builder = PromptBuilder(loaded.tokenizer)
        self._prompt = builder.build(left, right, PromptOptions())
        self._rule = stop_rule(Extent.LINE, left, right, ("#",))
        self._stops = Stops(builder.stops, limit_tokens, self._rule)
        self._decoder = Decoder(loaded.model, loaded.tokenizer)
        sequence = CachedSequence(loaded.model.new_arena())
        tokens = self._prompt.tokens
        first = self._decoder.prefill(sequence, tokens, self._stops, lambda: False)
        self._verifier = self._decoder.verifier(sequence, first, self._stops, lambda: False)
        self._sampler = Sampler(Sampling(temperature))
        self._known: dict[Text, Tensor] = {}
        self._opening = open_oracle("python").open(left)
        self._right = right

    def sample(self, mode: Mode, number: int, guide: "Guide | None" = None) -> Any:
        """One completion with a trie of its own."""
        guide = guide or self._guide()
        trie = Trie(self._places(guide), self._stops.tokens)
        aligner = Aligner(trie, self._logits, self._probabilities, eager_tokens=0)
        budget = Budget(self._stops.limit_tokens, 10**9, 10**9)
        return aligner.sample(mode, self._uniform(mode, number), budget)

    def free(self, number: int) -> tuple[str, bool]:
        """A plain sample's text, and whether it ended before the limit."""
        from keyturn.models.grammar.oracle import Opening, Unconstrained

        anything = Opening(Unconstrained("plain sampling"), False)
        sample = self.sample(Mode.OFF, number, self._guide(anything, ""))
        return sample.node.state.text, sample.stopped

    def grammatical(self, text: str, ended: bool) -> bool:
        """As the guard of the other modes judges: the text, and its end if it has one."""
        from keyturn.models.decode import Finish

        if self._opening.state.feed(text.encode()) is None:
            return False
        return not ended or self._guide().may_end(text, Finish.LINES)

    def _guide(self, opening: Any = None, right: str | None = None) -> "Guide":
        from keyturn.models.guide import Guide

        right = self._right if right is None else right
        return Guide(opening or self._opening, right, Mode.EXACT, lambda text, finish: text)

    def _places(self, guide: "Guide") -> "Places":
        from keyturn.models.guide import Places

        return Places(guide, self._prompt, self._rule, self._decoder.token_bytes)

    def _uniform(self, mode: Mode, number: int) -> Callable[[int, int], float]:
        rng = np.random.default_rng([list(Mode).index(mode), number])
        return lambda position, attempt: float(rng.random())

    def _logits(self, path: Sequence[int]) -> Tensor:
        from keyturn.models.healing import consume

        known = self._known.get(tuple(path))
        if known is None:
            pending = self._prompt.pending
            for token in path:
                pending, _ = consume(pending, self._decoder.token_bytes(token))
            logits = self._decoder.permitted(self._verifier.logits(path), pending)
            known = self._known[tuple(path)] = self._sampler.probabilities(logits)
        return known

    def _probabilities(self, probabilities: Tensor) -> Tensor:
        return probabilities


# endregion


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
