"""What a replica counts for Prometheus, beside what Serve counts of every deployment."""

from collections.abc import Iterable

from ray.serve import metrics

from ...api.report import Completion

MILLISECONDS: list[float] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]


class Measures:
    """Of one replica; Serve adds its name."""

    def __init__(self) -> None:
        self._ended = metrics.Counter(
            "keyturn_completions", "Questions, by how they ended.", tag_keys=("ended",)
        )
        self._engine_ms = metrics.Histogram(
            "keyturn_engine_milliseconds",
            "What the engine took for a question.",
            boundaries=MILLISECONDS,
        )
        self._tokens = metrics.Counter(
            "keyturn_prompt_tokens",
            "Of prompts: found in the cache, or encoded.",
            tag_keys=("how",),
        )

    def answered(self, completions: Iterable[Completion]) -> None:
        self._ended.inc(tags={"ended": "answered"})
        for completion in completions:
            meta = completion.meta
            self._engine_ms.observe(meta.total_ms)
            self._count("reused", meta.reused_tokens)
            self._count("encoded", meta.prompt_tokens - meta.reused_tokens)
            return  # the rest of a list tell the same

    def failed(self, why: str) -> None:
        """`why`: the name of the error, which has no text of anybody's."""
        self._ended.inc(tags={"ended": why})

    def _count(self, how: str, tokens: int) -> None:
        if tokens > 0:  # a counter takes no zero
            self._tokens.inc(tokens, tags={"how": how})
