"""Drafts from what the model has said before: after which tokens it found which others likely.

Token Recycling (Luo et al. 2024, arXiv 2408.08696) keeps, for every token of the vocabulary, the
best successors that the model gave the last time that token was run, rejected drafts included. Here
the two last tokens are looked up first, and the last one alone where they are new. Successors come
with the model's probabilities, which serve as confidence.
"""

import torch
from torch import Tensor

from .draft import Context, Draft, Scene, Verified
from .recycling_store import RecycledTokens, RecycleStore

SUCCESSORS = 8
CHUNK_TOKENS = 128
LEAST_CONFIDENCE = 0.05


class Recycle:
    """`draft.Drafter`. Owns a memory for each language; `store` is where they are kept."""

    name = "recycle"
    free = True
    taps: frozenset[int] = frozenset()

    def __init__(self, store: RecycleStore | None = None) -> None:
        self._store = store
        self.memories: dict[str, RecycledTokens] = {}
        self._memory = RecycledTokens()
        self._before: int | None = None  # the last token of the left side
        self._last: tuple[int | None, int] | None = None  # the path's two last tokens

    def begin(self, scene: Scene) -> None:
        if scene.language not in self.memories:
            kept = None if self._store is None else self._store.load(scene.language)
            self.memories[scene.language] = kept or RecycledTokens()
        self._memory = self.memories[scene.language]
        self._before = int(scene.before[-1]) if len(scene.before) else None
        self._last = None

    def save(self) -> None:
        """Keep what was learnt. Raises `ModelError`."""
        for language, memory in self.memories.items():
            if self._store is not None and memory.news:
                self._store.save(language, memory)
                memory.news = 0

    def propose(self, context: Context, budget: int) -> Draft:
        """The best successor's best successor, and so on."""
        path = context.path
        before = path[-2] if len(path) > 1 else self._before
        self._last = before, path[-1]
        at: tuple[int | None, int] = self._last
        tokens: list[int] = []
        confidences: list[float] = []
        chance = 1.0
        while len(tokens) < budget and (found := self._memory.after(*at)):
            (ids, probabilities), trust = found
            chance *= trust * probabilities[0]
            if chance < LEAST_CONFIDENCE:
                break
            tokens.append(ids[0])
            confidences.append(trust * probabilities[0])
            at = at[1], ids[0]
        return Draft(tuple(tokens), tuple(confidences))

    def observe(self, verified: Verified) -> None:
        """Remember what the model gave after every token of the round, taken or not."""
        tokens = verified.tokens[verified.unseen - 1 :]
        before: list[int | None] = [None]
        if self._last is not None and self._last[1] == tokens[0]:
            before = [self._last[0]]
        parents = verified.draft.parents or range(-1, len(tokens) - 2)
        before += [tokens[parent + 1] for parent in parents]
        ids, probabilities = top(verified.logits)
        rows = zip(before, tokens, ids.tolist(), probabilities.tolist(), strict=True)
        for earlier, token, following, chances in rows:
            self._memory.learn(earlier, token, (tuple(following), tuple(chances)))
        self._last = None


def top(logits: Tensor, count: int = SUCCESSORS) -> tuple[Tensor, Tensor]:
    """The best tokens of each row of `logits` (rows, vocabulary) and their probabilities, each
    (rows, count), best first.

    The best few are in the chunks with the best maxima, which is several times quicker to find.
    Probabilities are among the tokens of those chunks: adding up the whole vocabulary would take
    ten times as long as all the rest, and hardly changes what is likely.
    """
    rows, vocabulary = logits.shape
    count = min(count, vocabulary)
    whole = vocabulary // CHUNK_TOKENS * CHUNK_TOKENS
    if whole < CHUNK_TOKENS * count:
        near = logits
        values, ids = logits.topk(count, dim=-1)
    else:
        chunks = logits[:, :whole].view(rows, -1, CHUNK_TOKENS)
        best = chunks.amax(dim=-1).topk(count, dim=-1).indices
        near = chunks.gather(1, best[..., None].expand(-1, -1, CHUNK_TOKENS)).flatten(1)
        places = best[..., None] * CHUNK_TOKENS + torch.arange(CHUNK_TOKENS, device=best.device)
        near = torch.cat((near, logits[:, whole:]), dim=1)
        rest = torch.arange(whole, vocabulary, device=best.device).expand(rows, -1)
        values, at = near.topk(count, dim=-1)
        ids = torch.cat((places.flatten(1), rest), dim=1).gather(1, at)
    return ids, (values - near.logsumexp(dim=-1, keepdim=True)).exp()
