"""Draw the pictures of the pages from the records."""

import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from hopfield import plots
from hopfield.experiments import records

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMAGES = Path(__file__).parents[2] / "docs" / "images"


def draw(results: Path) -> None:
    """Draw one picture per file of records."""
    for path in sorted(results.glob("*.jsonl")):
        lines = records.read(path)[1]
        axes = DRAWN[path.stem](lines)
        figure = axes.figure.figure  # the whole, not a part of one
        figure.savefig(IMAGES / f"learned_{path.stem}.svg", metadata={"Date": None})


def _curves(lines: list[records.Record], by: str, label: str) -> "Axes":
    """Draw the mean loss of each epoch over the seeds, with its deviation."""
    series = []
    for name in dict.fromkeys(line[by] for line in lines):
        curves = [line["curve"] for line in lines if line[by] == name]
        means = [statistics.fmean(each) for each in zip(*curves, strict=True)]
        spread = [statistics.pstdev(each) for each in zip(*curves, strict=True)]
        epochs = range(1, len(means) + 1)
        series.append(plots.series(f"{label}{name}", epochs, means, spread))
    return plots.comparison(series, ("epoch", "training loss"))


def _bars(lines: list[records.Record]) -> "Axes":
    """Draw the AUC of every pooling in percent."""
    bars = []
    for case, pooling in dict.fromkeys((line["case"], line["pooling"]) for line in lines):
        found = [one["auc"] for one in records.select(lines, "sets", case=case, pooling=pooling)]
        name = f"{pooling}, {case.split()[0]}"
        bars.append((name, statistics.fmean(found), statistics.stdev(found)))
    return plots.rates(bars, "AUC")


def _errors(lines: list[records.Record]) -> "Axes":
    """Draw the test error in percent by degree: mean over the seeds and deviation."""
    degrees = sorted({line["degree"] for line in lines})
    each = [[100 - 100 * r["accuracy"] for r in lines if r["degree"] == d] for d in degrees]
    means, spread = map(statistics.fmean, each), map(statistics.stdev, each)
    series = [plots.series("test images", degrees, list(means), list(spread))]
    return plots.comparison(series, ("degree", "error in %"))


DRAWN = {
    "lookup": lambda lines: _curves(lines, "case", ""),
    "dense": lambda lines: _curves(lines, "degree", "degree "),
    "retrieve": lambda lines: _curves(lines, "case", ""),
    "mnist": _errors,
    "sets": _bars,
    "complete": lambda lines: plots.energies([line["energies"] for line in lines], step="step"),
}
