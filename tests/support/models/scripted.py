"""A model that writes lines of code: what a random one never does for long enough to be judged."""

import random
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from keyturn.models.tokenizer.bpe import Tokenizer


class Scripted:
    """In the place of a `Verifier`, whose questions it answers from a few lines.

    After a text it likes best to go on, byte by byte, with a line that the text alone decides,
    often the last one again; two others are its next best, for a grammar that refuses the first.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        lines: Sequence[str],
        seed: int,
        stop: int,
        raise_if_cancelled: Callable[[], None],
    ) -> None:
        """`stop` is the token by which it ends; `raise_if_cancelled` is called for each
        token, as a `Verifier`'s."""
        self._tokenizer = tokenizer
        self._lines = [line.encode() + b"\n" for line in lines]
        self._seed = seed
        self._stop = stop
        self._raise_if_cancelled = raise_if_cancelled
        self._tokens = {tokenizer.token_bytes(t): t for t in range(tokenizer.vocabulary)}
        self.passes = 0

    def __enter__(self) -> "Scripted":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def drew(self, path: Sequence[int]) -> None:
        pass

    def logits(self, path: Sequence[int], prune: object = None) -> Tensor:
        """(vocabulary,) after the `path` behind the prompt."""
        self._raise_if_cancelled()
        self.passes += 1
        logits = torch.full((self._tokenizer.vocabulary,), -30.0)
        written = b"".join(map(self._tokenizer.token_bytes, path))
        for rank in (2, 1, 0):
            logits[self._following(written, rank)] = -2.0 * rank
        return logits

    def _following(self, written: bytes, rank: int) -> int:
        above, _, line = written.rpartition(b"\n")
        chance = random.Random(repr((self._seed, rank, above)))
        if not line and chance.random() < 0.15:
            return self._stop
        last = above[above.rfind(b"\n") + 1 :] + b"\n"
        again = chance.random() < 0.4 and last.strip() and last.startswith(line)
        fitting = [last] if again else [x for x in self._lines if x.startswith(line)]
        byte = chance.choice(fitting)[len(line)] if fitting else ord("\n")
        return self._tokens[bytes([byte])]
