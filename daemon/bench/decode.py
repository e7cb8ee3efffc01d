"""Prefill and decode speed, against transformers and llama.cpp with the same weights.

All engines take turns within one run, so that what the machine does meanwhile falls on all alike;
medians and the medians of the ratios, round by round, are what to quote.
"""

import json
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from . import _options
from ._peers.decoding import Keyturn, LlamaCppPython, LlamaServerPeer, Peer, Speeds, Transformers
from ._peers.llama_cpp import LlamaServer

Rounds = dict[str, list[Speeds]]  # by peer


@click.command(name="decode")
@_options.loading()
@_options.contexts(512, 4096)
@_options.threads
@click.option("--new-tokens", default=32, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--transformers", "transformers_dtype", default="float32", show_default=True,
              help="Compare with transformers, in this dtype, or none.")  # fmt: skip
@_options.llama_cpp
@_options.as_json
def command(as_json: bool, **options: Any) -> None:
    """Measure prefill and decode in tokens per second, and how they compare. Without a
    --llama-server, llama.cpp is llama-cpp-python if that is installed."""
    found = measure(**options)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(
        f"{found['model']} on {found['device']}, {found['threads']} threads: {found['kernels']}"
    )
    for row in found["rows"]:
        click.echo(
            f"{row['context']:>6} tokens  {row['engine']:<30} "
            f"prefill {row['prefill_tps']:8.1f}/s  decode {row['decode_tps']:7.1f}/s"
        )
    for name, ratio in found["ratios"].items():
        click.echo(f"{name:<30} {ratio:6.2f}")


def measure(
    model: str,
    device: str,
    dtype: str,
    contexts: Sequence[int],
    threads: int,
    new_tokens: int,
    rounds: int,
    transformers_dtype: str,
    llama_server: Path | None,
    llama_model: Path | None,
) -> dict[str, Any]:
    """The whole benchmark as one object: device, threads, model, rows and ratios."""
    import torch

    from ...models.loading.loader import load

    if threads:
        torch.set_num_threads(threads)
    loaded = load(model, device, dtype, settle=True)
    file = _options.llama_file(loaded.files.path, llama_model) if llama_server else None
    with ExitStack() as stack:
        peers: list[Peer] = [Keyturn(loaded)]
        if transformers_dtype != "none":
            peers.append(Transformers(loaded, transformers_dtype))
        most = max(contexts) + new_tokens + 8
        if llama_server and file:
            server = LlamaServer(llama_server, file, most, torch.get_num_threads())
            peers.append(LlamaServerPeer(stack.enter_context(server)))
        elif python := _llama_cpp_python(llama_model or loaded.files.path, most):
            peers.append(python)
        found = {n: take_turns(peers, prompt(loaded, n), new_tokens, rounds) for n in contexts}
    return {
        "bench": "decode",
        "device": str(loaded.model.device),
        "threads": torch.get_num_threads(),
        "model": loaded.name,
        "kernels": str(loaded.plan),
        "rows": [row for context, by_peer in found.items() for row in _rows(context, by_peer)],
        "ratios": _ratios(found[contexts[0]]),
        "ratios_by_context": {str(context): _ratios(rows) for context, rows in found.items()},
    }


def prompt(loaded: Any, tokens: int) -> list[int]:
    """That many tokens of code."""
    text = resources.files("keyturn.models.loading").joinpath("calibration.txt").read_text("utf-8")
    once = loaded.tokenizer.encode(text)
    return (once * (tokens // len(once) + 1))[:tokens]


def take_turns(peers: Sequence[Peer], tokens: list[int], new_tokens: int, rounds: int) -> Rounds:
    for peer in peers:
        peer.measure(tokens[:64], 2)  # whatever is done once, is done now
    turns = [{p.name: p.measure(tokens, new_tokens) for p in peers} for _ in range(rounds)]
    return {peer.name: [turn[peer.name] for turn in turns] for peer in peers}


def _llama_cpp_python(gguf: Path, context: int) -> Peer | None:
    """llama.cpp as a Python package, where it is installed and the file is one that it reads."""
    import torch

    if gguf.suffix != ".gguf" or torch.cuda.is_available() or find_spec("llama_cpp") is None:
        return None
    return LlamaCppPython(gguf, torch.get_num_threads(), context)


def _rows(context: int, by_peer: Rounds) -> list[dict[str, Any]]:
    return [
        {
            "context": context,
            "engine": name,
            "prefill_tps": round(statistics.median(s.prefill for s in speeds), 1),
            "decode_tps": round(statistics.median(s.decode for s in speeds), 1),
        }
        for name, speeds in by_peer.items()
    ]


def _ratios(by_peer: Rounds) -> dict[str, float]:
    """Ours over theirs, the median over rounds."""
    ours, *others = by_peer.items()
    ratios = {}
    for name, theirs in others:
        short = "llama_cpp" if name.startswith("llama") else "transformers"
        pairs = list(zip(ours[1], theirs, strict=True))
        for what in ("prefill", "decode"):
            each = [getattr(a, what) / getattr(b, what) for a, b in pairs]
            ratios[f"{what}_vs_{short}"] = round(statistics.median(each), 2)
    return ratios
