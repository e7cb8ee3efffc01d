"""The answer to a headless question, whoever gave it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ...api.confidence import Confidence
from ...api.report import CompletionMeta, ProjectUse
from ..workspace.printable import printable


@dataclass(frozen=True, slots=True)
class Answer:
    """The texts found, best first, perhaps none; and how they came to be."""

    texts: tuple[str, ...]
    meta: CompletionMeta
    load_ms: float  # spent on loading the model, or waited for it
    confidences: tuple[Confidence | None, ...] = ()  # of each text

    @property
    def text(self) -> str:
        """The best one, or nothing."""
        return self.texts[0] if self.texts else ""

    def account(self) -> Iterator[str]:
        """How it came to be, in lines for a person: `--verbose`."""
        meta, project = self.meta, self.meta.project or ProjectUse()
        if not meta.prompt_tokens:  # no model had to read it
            yield f"{meta.model} answered in {meta.total_ms:,.0f} ms"
            return
        read = f"{meta.prompt_tokens - project.tokens:,} tokens of the file"
        if project.tokens:
            read += f" and {project.tokens:,} of its project"
        if likely := next(self._likely(), None):
            percent = 100 * likely["first_line"]
            yield f"the first line is right with a probability of {percent:.0f} %"
        took_ms = meta.tokenise_ms + meta.prefill_ms + meta.decode_ms
        yield f"{meta.model} read {read}, and wrote {meta.generated_tokens:,} in {took_ms:,.0f} ms"
        for chunk in project.chunks:
            yield f"it was shown {printable(chunk.words)}"
        if project.missing:
            yield f"not shown, because not ready yet: {project.missing} more of the project"

    def _likely(self) -> Iterator[dict[str, float] | None]:
        """How likely each text's first line is right, and all of it; None where nobody can say."""
        for text, confidence in zip(self.texts, self.confidences, strict=True):
            yield confidence and {
                "first_line": round(confidence.first_line(text), 3),
                "whole": round(confidence.whole(text), 3),
            }

    def as_json(self) -> dict[str, Any]:
        """What `--json` and `--ndjson` print."""
        meta, use = self.meta, self.meta.cache
        cache = {} if use is None else {**asdict(use), "stale_share": round(use.stale_share, 4)}
        return {
            "text": self.text,
            "candidates": list(self.texts),
            "confidence": list(self._likely()),
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
            **({"cache": cache} if cache else {}),
            **({} if meta.project is None else {"project": asdict(meta.project)}),
            "model": meta.model,
            "device": meta.device,
        }
