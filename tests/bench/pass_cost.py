"""What a forward pass over several tokens costs, by their number and the context before them.

    python tests/bench/pass_cost.py [--context 512 --context 4096] [--threads 2]

Passes of every size take turns, so that what the machine does meanwhile falls on all alike. Prints
medians and least times in milliseconds, and the shape for `models/speculative/pass_cost.py`: each
median over that of one token. `--profile TOKENS` prints where such a pass spends its time instead.
"""

import statistics
import time
from collections import defaultdict

import click
import torch

from keyturn.cache.sequence import CachedSequence
from keyturn.models.hub.registry import DEFAULT_MODEL
from keyturn.models.loading.loader import load
from keyturn.models.nn.transformer import Transformer

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # tokens


def filled(model: Transformer, context: int) -> CachedSequence:
    """So many tokens of noise: what a pass costs does not depend on what they say."""
    sequence = CachedSequence(model.new_arena(context + max(SIZES)))
    sequence.append([0] * context)
    generator = torch.Generator(model.device).manual_seed(0)
    arena = sequence.arena
    for layer in range(arena.layers):
        size = (2, context, arena.kv_heads, arena.head_dim)
        noise = torch.randn(size, generator=generator, device=model.device)
        arena.write(layer, 0, *noise.to(model.dtype))
    return sequence


@torch.inference_mode()
def one_pass(model: Transformer, sequence: CachedSequence, tokens: int) -> float:
    """Milliseconds of a pass with all its logits; the sequence is as it was."""
    before, ids = len(sequence), list(range(tokens))
    began = time.perf_counter()
    step = sequence.append(ids)
    model.logits(model.run(model.embed(model.ids(ids)), step, sequence.arena))
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    took_ms = (time.perf_counter() - began) * 1e3
    sequence.truncate(before)
    return took_ms


def profiled(model: Transformer, sequence: CachedSequence, tokens: int) -> None:
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as found:
        for _ in range(3):
            one_pass(model, sequence, tokens)
    click.echo(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=20))


@click.command()
@click.option("--model", "name", default=DEFAULT_MODEL, show_default=True)
@click.option("--dtype", default="auto", show_default=True)
@click.option("--context", "contexts", multiple=True, type=int, default=(512, 4096),
              show_default=True, help="Tokens; may be given several times.")  # fmt: skip
@click.option("--threads", type=int, default=0, help="0: torch's choice.")
@click.option("--rounds", default=15, show_default=True)
@click.option("--profile", "profiles", multiple=True, type=int, help="Tokens of a pass.")
def main(
    name: str,
    dtype: str,
    contexts: tuple[int, ...],
    threads: int,
    rounds: int,
    profiles: tuple[int, ...],
) -> None:
    if threads:
        torch.set_num_threads(threads)
    model = load(name, dtype=dtype, settle=True).model
    for context in contexts:
        sequence = filled(model, context)
        for tokens in SIZES:
            one_pass(model, sequence, tokens)
        for tokens in profiles:
            click.echo(f"{tokens} tokens after {context}")
            profiled(model, sequence, tokens)
        if profiles:
            continue
        took: dict[int, list[float]] = defaultdict(list)
        for _ in range(rounds):
            for tokens in SIZES:
                took[tokens].append(one_pass(model, sequence, tokens))
        middle = {tokens: statistics.median(ms) for tokens, ms in took.items()}
        click.echo(f"{context} tokens of context, {torch.get_num_threads()} threads")
        for tokens, ms in took.items():
            ratio = middle[tokens] / middle[1]
            click.echo(f"{tokens:>4} {middle[tokens]:8.1f} ms {min(ms):8.1f} ms {ratio:6.2f} times")
        knots = ", ".join(f"{n}: {middle[n] / middle[1]:.2f}" for n in (1, 2, 4, 8, 16, 32))
        click.echo(f"SHAPE = {{{knots}}}")


if __name__ == "__main__":
    main()
