"""The numbers of `confidence.json`, from what `keyturn bench worth --rows FILE` has written.

    keyturn bench worth $(python tests/bench/worth/files.py CHECKOUTS fit) --rows fit.jsonl
    python tests/bench/worth/fit.py fit.jsonl --write

A row is one estimate, from one token of a line on; fitted to are those from the start of a line on,
since that is what decides whether it is shown. The report is on files that were left out of the
fit, by parts.
"""

import json
import random
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from keyturn.daemon.bench._worth.curve import area, calibration_error, precision
from keyturn.models.confidence import estimator
from keyturn.models.confidence.evidence import NAMES

SHIPPED = Path(estimator.__file__).with_name("confidence.json")
PARTS = 5

Numbers = NDArray[np.float64]
Chosen = NDArray[np.bool_]


@click.command()
@click.argument("rows", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1)
@click.option("--write", is_flag=True, help=f"Put the numbers into {SHIPPED.name}.")
def main(rows: tuple[Path, ...], write: bool) -> None:
    read = [json.loads(line) for path in rows for line in path.read_text().splitlines()]
    data = Data(read)
    click.echo(data.report(data.left_out()))
    bias, weights = data.fitted(data.parts >= 0)
    click.echo(f"{'bias':<14}{bias:>9.4f}")
    for name, weight in zip(NAMES, weights, strict=True):
        click.echo(f"{name:<14}{weight:>9.4f}")
    if write:
        numbers = {name: round(float(each), 4) for name, each in zip(NAMES, weights, strict=True)}
        shipped = {"bias": round(float(bias), 4), "weights": numbers}
        SHIPPED.write_text(json.dumps(shipped, indent=1) + "\n")


class Data:
    """The rows at which lines start, as arrays."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        lines = [(row["file"], row["pause"], row["line"]) for row in rows]
        rows = [
            row
            for row, line, last in zip(rows, lines, [None, *lines[:-1]], strict=True)
            if line != last
        ]
        self.features = np.array([row["features"] for row in rows])
        self.right = np.array([row["right"] for row in rows])
        self.shown = np.array([row["line"] == 0 for row in rows])  # suggestions: their first lines
        files = sorted({row["file"] for row in rows})
        random.Random(1).shuffle(files)
        part = {file: number % PARTS for number, file in enumerate(files)}
        self.parts = np.array([part[row["file"]] for row in rows])

    def fitted(self, chosen: Chosen) -> tuple[float, Numbers]:
        """Bias and weights by some of the rows."""
        model = LogisticRegression(C=np.inf, max_iter=1000)
        model.fit(self.features[chosen], self.right[chosen])
        return float(np.asarray(model.intercept_)[0]), np.asarray(model.coef_, np.float64)[0]

    def left_out(self) -> Numbers:
        """Each row's probability by a fit to the other parts."""
        likely = np.zeros(len(self.right))
        for part in range(PARTS):
            bias, weights = self.fitted(self.parts != part)
            here = self.parts == part
            likely[here] = 1 / (1 + np.exp(-bias - self.features[here] @ weights))
        return likely

    def report(self, likely: Numbers) -> str:
        """Of suggestions, by their first lines: what a user sees."""
        right = np.where(self.right, likely, 1 - likely)
        pairs = zip(likely[self.shown], self.right[self.shown], strict=True)
        judged = [(float(p), bool(right)) for p, right in pairs]
        return (
            f"{len(judged)} suggestions: log loss {-np.log(right).mean():.4f},"
            f" right {precision(judged):.3f}, of the likeliest half {precision(judged, 0.5):.3f},"
            f" area {area(judged) or 0:.3f}, error {calibration_error(judged):.3f}"
        )


if __name__ == "__main__":
    main()
