"""The rows of `keyturn bench edit`, and their picture."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One arm, size and place: milliseconds from edit to first token, of which in attention (0.0
    where that can't be told), and tokens encoded."""

    arm: str
    tokens: int
    place: str
    median_ms: float
    p95_ms: float
    encoded: float
    attention_ms: float = 0.0


def draw(rows: list[Row], path: Path) -> None:
    """Latency against file length with the edit at the cursor, one line per arm."""
    import matplotlib  # pyright: ignore[reportMissingImports]

    matplotlib.use("Agg")
    from matplotlib import pyplot  # pyright: ignore[reportMissingImports]

    figure, axes = pyplot.subplots(figsize=(8, 5))
    for arm in dict.fromkeys(row.arm for row in rows):
        points = sorted(
            (r.tokens, r.median_ms) for r in rows if (r.arm, r.place) == (arm, "cursor")
        )
        if points:
            wide = 2.5 if arm == "keyturn" else 1.2
            axes.plot(*zip(*points, strict=True), marker="o", linewidth=wide, label=arm)
    axes.set(xscale="log", yscale="log", xlabel="file length (tokens)")
    axes.set_ylabel("edit at the cursor → first token (ms)")
    sizes = sorted({row.tokens for row in rows})
    axes.set_xticks(sizes, [f"{size // 1024}k" if size >= 1024 else str(size) for size in sizes])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
