"""What int8 costs: perplexity on code, and agreement of the likeliest token, next to float32.

    python tests/bench/perplexity.py [--model NAME] [--tokens N] [--dtype D]... FILE...

`int8+torch` is int8 with that attention, whose keys and values are float32; `int8` is what is used.

Without files, modules of the Python standard library are read, from their middles.
"""

import math
import sysconfig
from pathlib import Path

import click
import torch
from torch import Tensor

MODULES = ("argparse", "heapq", "shlex", "tempfile", "textwrap", "json/decoder", "asyncio/queues")


@click.command()
@click.option("--model", default="qwen2.5-coder-0.5b")
@click.option("--tokens", default=384, help="Of each file.")
@click.option("--dtype", "dtypes", multiple=True, default=("float32", "int8+torch", "int8"))
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
def main(model: str, tokens: int, dtypes: tuple[str, ...], files: tuple[Path, ...]) -> None:
    """Print one row for each dtype; the first is what the others are compared with."""
    from keyturn.models.loading.loader import load

    library = Path(sysconfig.get_paths()["stdlib"])
    files = files or tuple(library / f"{module}.py" for module in MODULES)
    reference: tuple[float, Tensor] | None = None
    for dtype in dtypes:
        form, _, attention = dtype.partition("+")
        loaded = load(model, dtype=form, attention=attention or "auto")
        texts = [path.read_text(encoding="utf-8") for path in files]
        encoded = [loaded.tokenizer.encode(text[len(text) // 3 :])[:tokens] for text in texts]
        perplexity, likeliest = evaluate(loaded.model, encoded)
        reference = reference or (perplexity, likeliest)
        change = 100 * (perplexity / reference[0] - 1)
        agree = 100 * (likeliest == reference[1]).float().mean().item()
        click.echo(
            f"{dtype:<10} perplexity {perplexity:.4f} ({change:+.2f} %), same likeliest token "
            f"{agree:.1f} %, {len(likeliest)} tokens, {loaded.plan}, {loaded.attention}"
        )
        del loaded


@torch.inference_mode()
def evaluate(model, encoded: list[list[int]]) -> tuple[float, Tensor]:
    """Perplexity over all files, and the likeliest token at every place."""
    from keyturn.cache.sequence import CachedSequence

    loss, likeliest = 0.0, []
    for tokens in encoded:
        sequence = CachedSequence(model.new_arena())
        ids = torch.tensor(tokens)
        hidden = model.run(model.embed(ids), sequence.append(tokens), sequence.arena)
        logits = model.logits(hidden[:-1])
        loss -= logits.log_softmax(-1).gather(1, ids[1:, None]).sum().item()
        likeliest.append(logits.argmax(-1))
    together = torch.cat(likeliest)
    return math.exp(loss / len(together)), together


if __name__ == "__main__":
    main()
