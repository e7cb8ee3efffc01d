"""The picture of `keyturn bench worth`."""

from collections.abc import Mapping
from pathlib import Path

from .curve import Judged, calibration, precisions

FEWEST = 30  # of a language, to have a line of its own


def draw(judged: Mapping[str, Judged], path: Path) -> None:
    """Precision against the share that is shown, a line per language, and how true the
    probabilities are."""
    import matplotlib  # pyright: ignore[reportMissingImports]

    matplotlib.use("Agg")
    from matplotlib import pyplot  # pyright: ignore[reportMissingImports]

    everything = [each for part in judged.values() for each in part]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 5))
    for language, part in judged.items():
        if len(part) >= FEWEST:
            shares, found = zip(*list(precisions(part))[9:], strict=True)
            left.plot([100 * each for each in shares], found, alpha=0.5, label=language)
    some = list(precisions(everything))
    shares, found = zip(*(some[9:] or some), strict=True)  # of fewer than ten it says nothing
    left.plot([100 * each for each in shares], found, "k", linewidth=2, label="all")
    left.set(xlabel="% of suggestions shown, the likeliest first", ylabel="first line right")
    left.set(ylim=(0, 1))
    left.legend()
    said, true, _ = zip(*calibration(everything), strict=True)
    right.plot([0, 1], [0, 1], "--", color="grey")
    right.plot(said, true, "ko-")
    right.set(xlabel="confidence", ylabel="first line right", xlim=(0, 1), ylim=(0, 1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
