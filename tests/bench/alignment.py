"""How far each mode's completions are from the model conditioned on the grammar.

    python tests/bench/alignment.py toys [--json]
    python tests/bench/alignment.py model --results FILE [--json]

`toys`: languages small enough to enumerate. For `gcd` and `asap` the divergence of the next sample
is computed exactly, after so many samples in the same trie, as ASAp's paper draws its curves; for
`exact` and `approximate`, which draw with restarts, the distance is measured on samples with a
fresh trie each, beside what perfect sampling would show.

`model`: the real model at cursors of HumanEval-Infilling where the grammar refuses some of what it
writes. The truth is plain sampling with that thrown away; half of it against the other half is the
noise.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from keyturn.api.request import GrammarMode
from keyturn.models.constrained.aligned_sampling import Aligner, Budget
from keyturn.models.constrained.trie import Node, Trie

sys.path.append(str(Path(__file__).parents[1]))
from support.models.toys import STOP, Text, Toy, noise, uniforms, variation

if TYPE_CHECKING:
    from keyturn.models.constrained.candidate_guard import CandidateGuard
    from keyturn.models.constrained.guide import Guide

TOYS = ((3, 0.05, 2), (3, 0.15, 38), (4, 0.3, 5), (4, 0.45, 11))  # depth, hostility, seed
SAMPLES = (0, 1, 10, 100, 1_000, 2_000)  # in the trie before the one that is judged
DRAWS = 4_000  # where the distribution can only be sampled
UNLIMITED = Budget(64, exact_restarts=10**9, approximate_restarts=10**9, most_refusals=10**9)
LOOKS, UNDECIDED = 16, (0.2, 0.95)  # plain samples to judge a cursor by; accepted share
MOST_TRIES = 10  # plain samples for each one wanted
MODES = (GrammarMode.EXACT, GrammarMode.APPROXIMATE, GrammarMode.ASAP, GrammarMode.GCD)


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
        curve = (
            learning_curve(toy, truth, mode, samples)
            if mode in (GrammarMode.GCD, GrammarMode.ASAP)
            else {}
        )
        yield Row(
            valid_share=round(toy.valid_share(), 4),
            mode=str(mode),
            variation=round(variation(truth, found), 4),
            noise=round(perfect, 4),
            calls_per_token=round(calls / tokens, 3),
            kl=curve,
        )


def learning_curve(
    toy: Toy, truth: dict[Text, float], mode: GrammarMode, samples: Sequence[int]
) -> dict[int, float]:
    """KL(truth ‖ next sample) after so many samples in one trie, exactly."""
    trie, uniform, curve = toy.trie(), uniforms(3), {}
    aligner = toy.aligner(trie)
    for drawn in range(max(samples) + 1):
        if drawn in samples:
            chances = dict(next_sample(toy, trie, trie.root, (), 1.0, mode is GrammarMode.ASAP))
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
    """One mode at one cursor after so many samples, against as many of plain sampling with what
    is ungrammatical thrown away."""

    task: str
    mode: str
    samples: int
    accepted_share: float  # of plain samples
    variation: float  # total variation distance of texts to the reference's, other plain samples
    noise: float  # the same for the plain samples
    kl: float  # of token sequences to the model's own probabilities, in nats, as sampled
    kl_noise: float  # the same for the plain samples: what is above it is distortion
    calls_per_token: float
    refused: int
    restarts: int


@dataclass(frozen=True)
class Drawn:
    """One sample, and the logarithm of the probability that the model itself gives it."""

    text: str
    tokens: Text
    chance: float
    found: Any


@main.command()
@click.option("--model", default="qwen2.5-coder-0.5b")
@click.option("--dataset", default="random-span-light")
@click.option("--every", default=1, help="Take every N-th problem only.")
@click.option("--cursors", default=3, help="Of those at which the grammar sometimes refuses.")
@click.option("--samples", default=100, help="Of each mode at each cursor.")
@click.option("--temperature", default=1.0)
@click.option("--top-p", default=0.98)
@click.option("--limit-tokens", default=10)
@click.option("--results", type=click.Path(path_type=Path), required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def model(results: Path, as_json: bool, **options: Any) -> None:
    """The real model: distance of each mode to plain rejection sampling, by number of samples."""
    from human_eval_infilling import problems

    from keyturn.models.loading.loader import load

    loaded, done = load(options["model"]), compared(results)
    with results.open("a", encoding="utf-8") as out:
        todo = options["cursors"] - len({row.task for row in done})
        for problem in tqdm(list(problems(options["dataset"]))[:: options["every"]]):
            if todo <= 0:
                break
            if problem["task_id"] in {row.task for row in done}:
                continue
            heat, limit = (options["temperature"], options["top_p"]), options["limit_tokens"]
            cursor = Cursor(loaded, problem, heat, limit)
            if not cursor.undecided():
                continue
            todo -= 1
            for row in compare(cursor, options["samples"]):
                print(json.dumps(asdict(row)), file=out, flush=True)
    rows = compared(results)
    if as_json:
        click.echo(json.dumps({"bench": "alignment", "model": [asdict(row) for row in rows]}))
        return
    names = ("accepted_share", "variation", "noise", "kl", "kl_noise", "calls_per_token")
    for mode, samples in sorted({(row.mode, row.samples) for row in rows}):
        alike = [row for row in rows if (row.mode, row.samples) == (mode, samples)]
        means = {name: float(np.mean([getattr(row, name) for row in alike])) for name in names}
        line = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
        click.echo(f"{mode:<12}{samples:>5} samples, {len(alike)} cursors  {line}")


def compared(results: Path) -> list[Compared]:
    if not results.exists():
        return []
    return [Compared(**json.loads(line)) for line in results.read_text("utf-8").splitlines()]


def compare(cursor: "Cursor", samples: int) -> Iterator[Compared]:
    """Every mode at one cursor. `asap` learns from sample to sample, the others start anew."""
    accepted: list[Drawn] = []
    drawn = 0
    while len(accepted) < 2 * samples and drawn < MOST_TRIES * samples:
        free = cursor.free(drawn)
        drawn += 1
        if cursor.grammatical(free.text, free.found.stopped):
            accepted.append(free)
    half = len(accepted) // 2
    plain, reference = accepted[:half], Counter(each.text for each in accepted[half:])
    counts = [n for n in (half // 8, half // 4, half // 2, half) if n]
    for mode in MODES if half else ():
        trie = cursor.trie() if mode is GrammarMode.ASAP else None
        found = [cursor.sample(mode, number, trie) for number in range(half)]
        for count in sorted(set(counts)):
            some = [each.found for each in found[:count]]
            calls, tokens = sum(f.model_calls for f in some), sum(f.node.depth for f in some)
            yield Compared(
                task=cursor.task,
                mode=str(mode),
                samples=count,
                accepted_share=round(len(accepted) / drawn, 4),
                variation=round(distance(reference, found[:count]), 4),
                noise=round(distance(reference, plain[:count]), 4),
                kl=round(sampled_divergence(found[:count]), 4),
                kl_noise=round(sampled_divergence(plain[:count]), 4),
                calls_per_token=round(calls / max(1, tokens), 4),
                refused=sum(f.refused for f in some),
                restarts=sum(f.restarts for f in some),
            )


def distance(reference: Counter[str], found: Sequence[Drawn]) -> float:
    """Total variation distance of two empirical distributions of texts."""
    share = {text: n / reference.total() for text, n in reference.items()}
    return variation(share, Counter(each.text for each in found))


def sampled_divergence(found: Sequence[Drawn]) -> float:
    """KL(samples ‖ model) over token sequences, the samples' own shares put for probabilities.

    Too large by what so few samples cannot know, and by −log of the grammatical share; both are
    the same for plain samples of the same number.
    """
    counts = Counter(each.tokens for each in found)
    chances = {each.tokens: each.chance for each in found}
    shares = {tokens: n / len(found) for tokens, n in counts.items()}
    return sum(p * (np.log(p) - chances[tokens]) for tokens, p in shares.items())


class Cursor:
    """Samples at one cursor. The model is asked once for every prefix, whoever needs it."""

    def __init__(
        self,
        loaded: Any,
        problem: dict[str, str],
        heat: tuple[float, float],
        limit_tokens: int,
    ) -> None:
        """`heat`: temperature and top-p."""
        from keyturn.api.request import Extent, Sampling
        from keyturn.cache.sequence import CachedSequence
        from keyturn.models.decoding.decode import Decoder, Stops
        from keyturn.models.decoding.sampler import Sampler
        from keyturn.models.decoding.stops import stop_rule
        from keyturn.models.grammar.languages import open_oracle
        from keyturn.models.prompts.fim import PromptBuilder, PromptOptions

        self.task = problem["task_id"]
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
        self._sampler = Sampler(Sampling(*heat))
        self._known: dict[Text, Tensor] = {}  # sparse
        self._opening = open_oracle("python").open(left)
        self._right = right

    def trie(self, guide: "Guide | None" = None) -> Trie:
        """A fresh one."""
        return Trie(self._places(guide or self._guide()), self._stops.tokens)

    def sample(self, mode: GrammarMode, number: int, trie: Trie | None = None) -> Drawn:
        """One completion, with a trie of its own if none is given."""
        trie = trie or self.trie()
        aligner = Aligner(trie, self._logits, self._probabilities, eager_tokens=0)
        budget = replace(UNLIMITED, limit_tokens=self._stops.limit_tokens)
        found = aligner.sample(mode, self._uniform(mode, number), budget)
        path = found.node.path()
        steps = (self._logits(path[:at])[token] for at, token in enumerate(path))
        chance = sum(float(p.log()) for p in steps)
        return Drawn(found.node.state.text, tuple(path), chance, found)

    def free(self, number: int) -> Drawn:
        """A plain sample."""
        from keyturn.models.grammar.oracle import Opening, Unconstrained

        anything = Opening(Unconstrained("plain sampling"), False)
        return self.sample(GrammarMode.OFF, number, self.trie(self._guide(anything, "")))

    def undecided(self) -> bool:
        """Whether the grammar refuses some of what the model writes here, but not most."""
        looks = [self.free(number) for number in range(LOOKS)]
        accepted = sum(self.grammatical(each.text, each.found.stopped) for each in looks)
        return UNDECIDED[0] <= accepted / LOOKS <= UNDECIDED[1]

    def grammatical(self, text: str, ended: bool) -> bool:
        """As the guard of the other modes judges: the text, and its end if it has one."""
        from keyturn.api.report import Finish

        if self._opening.state.feed(text.encode()) is None:
            return False
        return not ended or self._guide().may_end(text, Finish.LINES)

    def _guide(self, opening: Any = None, right: str | None = None) -> "Guide":
        from keyturn.models.constrained.guide import Guide

        right = self._right if right is None else right
        return Guide(opening or self._opening, right, GrammarMode.EXACT, lambda text, finish: text)

    def _places(self, guide: "Guide") -> "CandidateGuard":
        from keyturn.models.constrained.candidate_guard import CandidateGuard

        return CandidateGuard(guide, self._prompt, self._rule, self._decoder.token_bytes)

    def _uniform(self, mode: GrammarMode, number: int) -> Callable[[int, int], float]:
        rng = np.random.default_rng([list(GrammarMode).index(mode), number])
        return lambda position, attempt: float(rng.random())

    def _logits(self, path: Sequence[int]) -> Tensor:
        from keyturn.models.prompts.healing import consume

        known = self._known.get(tuple(path))
        if known is None:
            pending = self._prompt.pending
            for token in path:
                pending, _ = consume(pending, self._decoder.token_bytes(token))
            logits = self._decoder.permitted(self._verifier.logits(path), pending)
            known = self._sampler.probabilities(logits).to_sparse()
            self._known[tuple(path)] = known
        return known.to_dense()

    def _probabilities(self, probabilities: Tensor) -> Tensor:
        return probabilities


# endregion


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
