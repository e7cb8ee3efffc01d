"""The picture of `keyturn bench typing`."""

from collections.abc import Mapping, Sequence
from pathlib import Path


def draw(times: Mapping[str, Sequence[float]], path: Path) -> None:
    """Which share of the pauses was answered within how many milliseconds, a line per engine."""
    import matplotlib  # pyright: ignore[reportMissingImports]

    matplotlib.use("Agg")
    from matplotlib import pyplot  # pyright: ignore[reportMissingImports]

    figure, axes = pyplot.subplots(figsize=(8, 5))
    for engine, each in times.items():
        shares = [100 * (number + 1) / len(each) for number in range(len(each))]
        axes.step(sorted(each), shares, where="post", label=engine)
    axes.set(xscale="log", xlabel="last key → whole suggestion (ms)", ylabel="% of pauses")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
