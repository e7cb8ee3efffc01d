"""What the daemon answered to a headless question."""

from dataclasses import asdict, dataclass
from typing import Any

from ...api.report import Completion, CompletionMeta


@dataclass(frozen=True, slots=True)
class RemoteAnswer:
    """What the daemon found; prints as `in_process.Answer` does."""

    completions: tuple[Completion, ...]
    load_ms: float  # waited for the model

    @property
    def text(self) -> str:
        return self.completions[0].text if self.completions else ""

    def as_json(self) -> dict[str, Any]:
        meta = self.completions[0].meta if self.completions else CompletionMeta()
        use = meta.cache
        cache = (
            {}
            if use is None
            else {"cache": {**asdict(use), "stale_share": round(use.stale_share, 4)}}
        )
        return {
            "text": self.text,
            "candidates": [each.text for each in self.completions if each.text],
            "finish": meta.finish or "",
            "tokens": {
                "prompt": meta.prompt_tokens,
                "reused": meta.reused_tokens,
                "generated": meta.generated_tokens,
            },
            "timings": {
                "load": round(self.load_ms, 1),
                "tokenise": round(meta.tokenise_ms, 1),
                "prefill": round(meta.prefill_ms, 1),
                "decode": round(meta.decode_ms, 1),
            },
            "grammar": {**asdict(meta.grammar), "bound": round(meta.grammar.bound, 4)},
            "speculation": asdict(meta.speculation),
            **cache,
            "model": meta.model,
            "device": meta.device,
        }
