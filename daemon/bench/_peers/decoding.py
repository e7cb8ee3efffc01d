"""Engines that decode the same tokens with the same weights, so that speeds can be compared."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ....models.loading.loader import Loaded
from .llama_cpp import LlamaServer


@dataclass(frozen=True)
class Speeds:
    """Tokens per second."""

    prefill: float
    decode: float


class Peer(Protocol):
    name: str

    def measure(self, prompt: list[int], new_tokens: int) -> Speeds:
        """Encode `prompt` from nothing, then decode `new_tokens` more, greedily."""
        ...


class Keyturn:
    name = "keyturn"

    def __init__(self, loaded: Loaded):
        import torch

        from ....cache.sequence import CachedSequence

        self.torch, self.new_sequence = torch, CachedSequence
        self.model = loaded.model

    def measure(self, prompt: list[int], new_tokens: int) -> Speeds:
        sequence = self.new_sequence(self.model.new_arena())
        start = time.perf_counter()
        hidden, stride = None, self.model.stride
        while len(sequence) < len(prompt):
            stride.keep_up()
            chunk = prompt[len(sequence) : len(sequence) + stride.tokens]
            with stride.step(len(chunk)):
                hidden = self._run(sequence, chunk)
        assert hidden is not None, "nothing to encode"
        with self.torch.inference_mode():
            token = int(self.model.logits(hidden[-1:]).argmax())
        first = time.perf_counter()
        for _ in range(new_tokens):
            hidden = self._run(sequence, [token])
            with self.torch.inference_mode():
                token = int(self.model.logits(hidden).argmax())
        last = time.perf_counter()
        return Speeds(len(prompt) / (first - start), new_tokens / (last - first))

    def _run(self, sequence: Any, tokens: list[int]) -> Any:
        with self.torch.inference_mode():
            hidden = self.model.embed(self.model.ids(tokens))
            return self.model.run(hidden, sequence.append(tokens), sequence.arena)


class Transformers:
    """`generate` on the float weights that the model file decodes to."""

    def __init__(self, loaded: Loaded, dtype: str):
        import torch
        import transformers

        from ....models.loading.checkpoint import open_checkpoint

        self.name = f"transformers {dtype}"
        self.torch = torch
        checkpoint = open_checkpoint(loaded.files.path)
        config = transformers.AutoConfig.for_model(**checkpoint.config)
        kind = getattr(torch, dtype)
        with torch.device("meta"):
            self.model = transformers.AutoModelForCausalLM.from_config(config, dtype=kind)
        weights = {name: checkpoint.tensors[name].to(kind) for name in checkpoint.tensors}
        self.model.load_state_dict(weights, assign=True, strict=False)
        self.model.tie_weights()
        rotary = type(self.model.model.rotary_emb)
        self.model.model.rotary_emb = rotary(config)  # its frequencies are not in the file
        self.model.eval().to(loaded.model.device)

    def measure(self, prompt: list[int], new_tokens: int) -> Speeds:
        clock = Stopwatch()
        ids = self.torch.tensor([prompt], device=self.model.device)
        start = time.perf_counter()
        self.model.generate(
            ids,
            attention_mask=self.torch.ones_like(ids),
            max_new_tokens=new_tokens + 1,
            min_new_tokens=new_tokens + 1,
            do_sample=False,
            pad_token_id=0,
            streamer=clock,
        )
        first, last = clock.times[1], clock.times[-1]  # times[0] is the prompt's
        return Speeds(len(prompt) / (first - start), new_tokens / (last - first))


class Stopwatch:
    """A transformers streamer that keeps the time of each token."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: Any) -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None: ...


class LlamaCppPython:
    name = "llama.cpp (llama-cpp-python)"

    def __init__(self, gguf: Path, threads: int, context_tokens: int):
        from llama_cpp import Llama  # type: ignore[import-not-found]

        self.llama = Llama(
            str(gguf),
            n_ctx=context_tokens,
            n_batch=512,
            n_threads=threads,
            n_threads_batch=threads,
            verbose=False,
        )

    def measure(self, prompt: list[int], new_tokens: int) -> Speeds:
        self.llama.reset()
        start = time.perf_counter()
        self.llama.eval(prompt)
        first = time.perf_counter()
        for _ in range(new_tokens):
            self.llama.eval([prompt[0]])
        last = time.perf_counter()
        return Speeds(len(prompt) / (first - start), new_tokens / (last - first))


class LlamaServerPeer:
    """llama.cpp's HTTP server, by its own account of its time."""

    name = "llama.cpp (llama-server)"

    def __init__(self, server: LlamaServer):
        self.server = server

    def measure(self, prompt: list[int], new_tokens: int) -> Speeds:
        return Speeds(*self.server.tokens_per_second(prompt, new_tokens))
