"""Everything that the other benches measure, on a CUDA GPU, unattended, in 8 minutes at the most.

    python tests/bench/gpu.py [--model-file FILE.gguf] [--results FILE.json]

Speeds are of random weights in the shape of Qwen2.5-Coder-1.5B, the same for transformers, which
runs on the same GPU in the same run. With the default model's file the real 0.5B is checked too:
its greedy output against the CPU's, and what speculation gains. The results are written after each
part, so that a run that is cut off leaves what it had. `--device cpu --tiny` tries the script out.
"""

import json
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch

ROOT = Path(__file__).parents[2]
Found = dict[str, Any]


@click.command()
@click.option("--device", default="cuda", show_default=True)
@click.option("--tiny", is_flag=True, help="A tiny model and short texts, to try it out.")
@click.option("--model-file", type=click.Path(exists=True, path_type=Path))
@click.option("--results", type=click.Path(path_type=Path), default=Path("gpu.json"))
@click.option("--limit-s", default=450.0, show_default=True, help="No part begins after that.")
@click.option("--only", multiple=True, help="Only these parts; may be given several times.")
def main(
    device: str,
    tiny: bool,
    model_file: Path | None,
    results: Path,
    limit_s: float,
    only: tuple[str, ...],
) -> None:
    """Measure, write one JSON object to --results, and print the benchmarks page's table."""
    found = measure(torch.device(device), tiny, model_file, results, limit_s, only)
    from keyturn.daemon.bench._gpu.table import table

    click.echo(table(found))
    sys.exit(any("error" in part for part in found["parts"].values()))


def measure(
    device: torch.device,
    tiny: bool,
    model_file: Path | None,
    results: Path,
    limit_s: float,
    only: tuple[str, ...] = (),
) -> Found:
    started = time.monotonic()
    bench = Bench(device, tiny, model_file)
    found: Found = {"bench": "gpu", "device": str(device), "tiny": tiny, "parts": {}}
    for name, part in bench.parts().items():
        if only and name not in only:
            continue
        began = time.monotonic()
        if began - started > limit_s:
            found["parts"][name] = {"skipped": "out of time"}
        else:
            try:
                found["parts"][name] = part()
            except Exception as error:  # the other parts' results are wanted all the same
                traceback.print_exc()
                found["parts"][name] = {"error": f"{type(error).__name__}: {error}"}
        found["parts"][name]["took_s"] = round(time.monotonic() - began, 1)
        found["took_s"] = round(time.monotonic() - started, 1)
        results.write_text(json.dumps(found, indent=1))
    return found


class Bench:
    """What the parts share: the random models and what was measured before."""

    def __init__(self, device: torch.device, tiny: bool, model_file: Path | None):
        self.device, self.tiny, self.model_file = device, tiny, model_file
        self.dtype = "float32" if device.type == "cpu" else "bfloat16"
        self.rounds = 1 if tiny else 5
        self.sizes = (64, 256) if tiny else (1024, 4096, 8192, 16_384, 32_768)
        self.copy_gb_per_s = self.tflops = 0.0
        self._reference: Any = None
        self._loaded: dict[str, Any] = {}

    def parts(self) -> dict[str, Callable[[], Found]]:
        return {
            "machine": self.machine,
            "roof": self.roof,
            "attention": self.attention,
            "decode": self.decode,
            "verify": self.verify,
            "prefill": self.prefill,
            "edit": self.edit,
            "memory": self.memory,
            "greedy": self.greedy,
            "speculation": self.speculation,
        }

    # region What is measured with

    @property
    def reference(self) -> Any:
        from keyturn.daemon.bench._gpu.random_model import RandomTransformers

        if self._reference is None:
            shape = "tiny" if self.tiny else "1.5b"
            vocabulary = self.tokenizer().vocabulary
            self._reference = RandomTransformers(shape, vocabulary, str(self.device), self.dtype)
        return self._reference

    def tokenizer(self) -> Any:
        """The real one where there is a file; else a small one, whose tokens the model has too."""
        if self.model_file:
            from keyturn.models.loading.checkpoint import open_checkpoint
            from keyturn.models.tokenizer.bpe import Tokenizer

            return Tokenizer(open_checkpoint(self.model_file).vocabulary())
        sys.path.append(str(ROOT / "tests"))
        from support.models.tiny_tokenizer import tiny_tokenizer

        return tiny_tokenizer()

    def loaded(self, form: str = "") -> Any:
        from keyturn.daemon.bench._gpu.random_model import loaded_like

        form = form or self.dtype
        if form not in self._loaded:
            self._loaded[form] = loaded_like(self.reference, self.tokenizer(), form)  # type: ignore
        return self._loaded[form]

    # endregion
    # region Parts

    def machine(self) -> Found:
        from keyturn.models.nn.attention_backends import Machine, survey

        backends = survey(Machine.of(self.device))
        found: Found = {
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "backends": {backend.name: backend.missing or "here" for backend in backends},
        }
        if self.device.type == "cuda":
            properties = torch.cuda.get_device_properties(self.device)
            found |= {"gpu": properties.name, "memory_gb": properties.total_memory / 1e9}
        return found

    def roof(self) -> Found:
        from keyturn.daemon.bench._gpu.roof import copy_gb_per_s, matmul_tflops

        self.copy_gb_per_s = copy_gb_per_s(self.device, 8 if self.tiny else 2048)
        self.tflops = matmul_tflops(self.device, 64 if self.tiny else 8192, self.dtype)
        return {"copy_gb_per_s": self.copy_gb_per_s, "matmul_tflops": self.tflops}

    def attention(self) -> Found:
        """The largest difference of each backend's logits from the readable one's, one pass over a
        prompt and single tokens after it, with the random model in bfloat16."""
        from keyturn.cache.sequence import CachedSequence
        from keyturn.daemon.bench._gpu.random_model import loaded_like
        from keyturn.models.nn.attention_backends import NAMES, Machine, survey

        usable = [b.name for b in survey(Machine.of(self.device)) if not b.missing]
        tokens = [(7 * n) % 97 for n in range(80)]
        logits = {}
        for name in [n for n in NAMES[::-1] if n in usable]:  # the readable one first
            form: Any = self.dtype
            model = loaded_like(self.reference, self.tokenizer(), form, name).model
            sequence, rows = CachedSequence(model.new_arena()), []
            with torch.inference_mode():
                for start, stop in ((0, 64), (64, 65), (65, 73), (73, 80)):
                    step = sequence.append(tokens[start:stop])
                    hidden = model.embed(model.ids(tokens[start:stop]))
                    rows.append(model.logits(model.run(hidden, step, sequence.arena)))
            logits[name] = torch.cat(rows)
        scale = logits["readable"].abs().max().item()
        return {n: (x - logits["readable"]).abs().max().item() / scale for n, x in logits.items()}

    def decode(self) -> Found:
        """Tokens per second at batch 1, and the share of the roof: bytes that a token must read."""
        from keyturn.daemon.bench._gpu.roof import token_bytes
        from keyturn.daemon.bench._peers.decoding import Keyturn

        found: Found = {}
        new_tokens = 4 if self.tiny else 100
        for context in (32,) if self.tiny else (512, 8192):
            prompt = [(7 * n) % 97 for n in range(context)]
            theirs = self._best(self.reference, prompt, min(new_tokens, 50)).decode
            rows: Found = {"transformers": {"tokens_per_s": theirs}}
            for form in (self.dtype, "int8", "int4"):
                loaded = self.loaded(form)
                ours = self._best(Keyturn(loaded), prompt, new_tokens).decode
                needed = token_bytes(loaded.config, loaded.plan, context)
                roof = self.copy_gb_per_s * 1e9 / needed
                rows[form] = {"tokens_per_s": ours, "of_roof": ours / roof if roof else None,
                              "to_transformers": ours / theirs}  # fmt: skip
            found[str(context)] = rows
        return found

    def verify(self) -> Found:
        """Milliseconds of a pass by its number of tokens: what a draft costs to check."""
        from keyturn.daemon.bench._gpu.roof import pass_ms

        model, context = self.loaded().model, 32 if self.tiny else 2048
        counts = (1, 2, 4) if self.tiny else (1, 2, 4, 8, 16, 32)
        return {str(n): pass_ms(model, n, context, 4 * self.rounds) for n in counts}

    def prefill(self) -> Found:
        from keyturn.daemon.bench._gpu.roof import matrix_elements
        from keyturn.daemon.bench._peers.decoding import Keyturn

        found: Found = {}
        for context in (64,) if self.tiny else (2048, 8192):
            prompt = [(7 * n) % 97 for n in range(context)]
            ours = self._best(Keyturn(self.loaded()), prompt, 1).prefill
            flops = 2 * matrix_elements(self.loaded().config)
            share = ours * flops / (self.tflops * 1e12) if self.tflops else None
            theirs = self._best(self.reference, prompt, 1).prefill
            found[str(context)] = {"tokens_per_s": ours, "of_peak": share, "transformers": theirs}
        return found

    def edit(self) -> Found:
        """Milliseconds from a line typed at the cursor to the first token, by the file's length."""
        from keyturn.daemon.bench.edit import ARMS, OURS, Opened, source_text

        loaded, found = self.loaded(), {}
        for size in self.sizes:
            opened, row = Opened(loaded, source_text(loaded, size), size), {}
            for arm in [a for a in ARMS if a.name in (OURS, "fresh prefill", ARMS[2].name)]:
                edits = 2 if self.tiny else 12 if arm.name == OURS else 3
                row[arm.name] = opened.measured(arm, "cursor", edits).median_ms
            found[str(size)] = row
        ours = [row[OURS] for row in found.values()]
        return {**found, "growth": max(ours) / min(ours)}

    def memory(self) -> Found:
        """What the caches would be allowed, and how long prefill steps have become."""
        from keyturn.models.device import memory_of, polite_bytes

        found: Found = {"prefill_step_tokens": self.loaded().model.stride.tokens}
        if self.device.type == "cuda":
            memory = memory_of(self.device)
            found |= {"free_bytes": memory.free_bytes, "unused_bytes": memory.unused_bytes,
                      "allowed_bytes": polite_bytes(memory, 0, 0.5, 0),
                      "peak_bytes": torch.cuda.max_memory_allocated(self.device)}  # fmt: skip
        return found

    def greedy(self) -> Found:
        """The real model's greedy tokens here against those of the CPU, both in float32."""
        if not self.model_file:
            return {"skipped": "needs --model-file"}
        from keyturn.daemon.bench._gpu.greedy import agreement, greedy
        from keyturn.daemon.bench.decode import prompt
        from keyturn.models.loading.loader import load

        texts: dict[str, list[list[int]]] = {}
        for device in dict.fromkeys((str(self.device), "cpu")):
            loaded = load(str(self.model_file), device, "float32")
            texts[device] = [greedy(loaded, prompt(loaded, n), 48) for n in (64, 150, 300)]
        here, cpu = texts[str(self.device)], texts["cpu"]
        same = [agreement(a, b) for a, b in zip(here, cpu, strict=True)]
        return {"tokens": 48, "same_until": same, "equal": here == cpu}

    def speculation(self) -> Found:
        """What each drafter gains on the real model, in the product's own engine."""
        if not self.model_file:
            return {"skipped": "needs --model-file"}
        from keyturn.daemon.bench import speculate

        context, completions, new_tokens = (256, 1, 8) if self.tiny else (2048, 4, 48)
        return speculate.measure(
            model=str(self.model_file), device=str(self.device), dtype="auto", contexts=(context,),
            threads=(0,), arms=(), kinds=speculate.KINDS, completions=completions,
            new_tokens=new_tokens,
            packages=speculate.PACKAGES, infilling_file=speculate.INFILLING_FILE,
            transformers_dtype="none", show=lambda row: None,
        )  # fmt: skip

    # endregion

    def _best(self, peer: Any, prompt: list[int], new_tokens: int) -> Any:
        """The fastest of a few rounds, after one that does not count."""
        rounds = [peer.measure(prompt, new_tokens) for _ in range(self.rounds + 1)][1:]
        return type(rounds[0])(
            prefill=max(r.prefill for r in rounds),
            decode=statistics.median(r.decode for r in rounds),
        )


if __name__ == "__main__":
    main()
