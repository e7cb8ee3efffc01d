"""The picture of `keyturn bench speculate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

PLAIN = "off"


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Speed-up by class and arm, one panel for each context and number of threads."""
    import matplotlib  # pyright: ignore[reportMissingImports]

    matplotlib.use("Agg")
    from matplotlib import pyplot  # pyright: ignore[reportMissingImports]

    panels = list(dict.fromkeys((row["context"], row["threads"]) for row in rows))
    figure, all_axes = pyplot.subplots(
        1, len(panels), figsize=(5 * len(panels), 4), sharey=True, squeeze=False
    )
    for axes, panel in zip(all_axes[0], panels, strict=True):
        shown = [row for row in rows if (row["context"], row["threads"]) == panel]
        kinds = list(dict.fromkeys(row["kind"] for row in shown))
        arms = list(dict.fromkeys(row["arm"] for row in shown if row["arm"] != PLAIN))
        for number, arm in enumerate(arms):
            by_kind = {row["kind"]: row["ratio"] for row in shown if row["arm"] == arm}
            at = [k + 0.8 * (number / len(arms) - 0.5) for k in range(len(kinds))]
            heights = [by_kind.get(kind, 0.0) for kind in kinds]
            axes.bar(at, heights, width=0.8 / len(arms), label=arm, align="edge")
        axes.axhline(1.0, color="black", linewidth=0.8)
        axes.set_xticks(range(len(kinds)), kinds)
        axes.set_title(f"{panel[0]} tokens of context, {panel[1]} threads")
    all_axes[0][0].set_ylabel("times as fast as plain decoding")
    all_axes[0][-1].legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
