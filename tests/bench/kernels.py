"""Our own kernels for a processor beside those of its libraries, in turns; `int8` are ours for int8
weights, where the automatic choice is another.

    python tests/bench/kernels.py [--context N]... [--tokens N]... [--rounds N]

Each arm has a model of its own: prefill of so many tokens, and passes over a few tokens behind
them; then attention alone, all layers. Threads spin as the environment says (GOMP_SPINCOUNT,
OMP_WAIT_POLICY), which a script, unlike `keyturn`, does not set.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import click
import torch

from keyturn.cache.sequence import CachedSequence
from keyturn.models.loading.loader import Loaded, load
from keyturn.models.nn.cpu.step_attention import EveryStep
from keyturn.models.nn.kernels import KernelPlan
from keyturn.models.nn.reencode import encode

CHUNK = 128
TEXT = Path(__file__).parents[2] / "models" / "nn" / "transformer.py"


@click.command()
@click.option("--model", default="qwen2.5-coder-0.5b")
@click.option("--context", "contexts", multiple=True, type=int, default=(512, 4096))
@click.option("--tokens", "sizes", multiple=True, type=int, default=(1, 4, 8, 16, 32))
@click.option("--rounds", default=7)
@torch.inference_mode()
def main(model: str, contexts: tuple[int, ...], sizes: tuple[int, ...], rounds: int) -> None:
    """Print milliseconds, medians of the rounds."""
    libraries = {"fbgemm": KernelPlan("int8", "int8-fbgemm"),
                 "onednn": KernelPlan("int8", "int8-onednn")}  # fmt: skip
    arms = {"ours": load(model), "int8": load(model, dtype="int8")} | {
        name: load(model, plan=plan, attention="torch", settle=True)
        for name, plan in libraries.items()
    }
    for name, loaded in arms.items():
        click.echo(f"{name}: {loaded.plan}, attention {loaded.attention}")
    ids = arms["ours"].tokenizer.encode(TEXT.read_text(encoding="utf-8"))
    for context in contexts:
        tokens = (ids * (1 + (context + max(sizes)) // len(ids)))[: context + max(sizes)]
        sequences, prefill = {}, {}
        for name, loaded in arms.items():
            started = time.perf_counter()
            sequences[name] = filled(loaded, tokens[:context])
            prefill[name] = context / (time.perf_counter() - started)
        shown = ", ".join(f"{name} {speed:.0f}" for name, speed in prefill.items())
        click.echo(f"{context} tokens: prefill {shown} tokens/s")
        for size in sizes:
            new = tokens[context : context + size]
            passes = {n: passing(arms[n], sequences[n], new) for n in arms}
            found = in_turns(passes, rounds)
            shown = ", ".join(f"{name} {ms:.1f}" for name, ms in found.items())
            click.echo(f"   {size:>2} tokens, pass: {shown} ms")
            if isinstance(shortcut := arms["ours"].model.shortcut, EveryStep):
                alone = {"ours": attending(shortcut, sequences["ours"], size)}
                click.echo(
                    f"   {size:>2} tokens, attention: {in_turns(alone, rounds)['ours']:.1f} ms"
                )


def filled(loaded: Loaded, tokens: list[int]) -> CachedSequence:
    sequence = CachedSequence(loaded.model.new_arena(len(tokens) + CHUNK))
    for start in range(0, len(tokens), CHUNK):
        encode(loaded.model, sequence, sequence.append(tokens[start : start + CHUNK]))
    return sequence


def passing(loaded: Loaded, sequence: CachedSequence, new: list[int]) -> Callable[[], None]:
    """A forward pass over `new`, whose tokens are dropped again."""

    def work() -> None:
        length = len(sequence)
        hidden = encode(loaded.model, sequence, sequence.append(new))
        loaded.model.logits(hidden)
        sequence.truncate(length)

    return work


def attending(shortcut: EveryStep, sequence: CachedSequence, size: int) -> Callable[[], None]:
    """Attention of the last `size` tokens, in every layer, with noise for their projections."""
    model = shortcut.model
    raw = torch.randn(size, model.heads.projected, model.heads.head_dim)

    def work() -> None:
        step = sequence.probe(range(len(sequence) - size, len(sequence)))
        attention = shortcut.attention(step, sequence.arena)
        for layer in range(model.config.layers):
            attention(raw, layer)

    return work


def in_turns(work: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Milliseconds of each, after one round that does not count."""
    laps: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds + 1):
        for name, do in work.items():
            started = time.perf_counter()
            do()
            laps[name].append((time.perf_counter() - started) * 1e3)
    return {name: median(lap[1:]) for name, lap in laps.items()}


if __name__ == "__main__":
    main()
