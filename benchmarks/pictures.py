"""Draw pictures from the records of benchmarks."""

import io
from collections.abc import Sequence
from typing import Any

from hopfield.plots import BLUE, COLOURS, INK, MARKERS, comparison, figure, series

from .harness import Record

LABELS = {"seconds": "seconds", "extra_mib": "extra memory (MiB)"}
LEAST = {"seconds": 0.0, "extra_mib": 0.01}
"""Smallest value drawn, for the logarithm; memory is counted in pages."""


def svg(drawing: Any, digest: str) -> str:
    """Return a figure as text, equal for equal records; `digest` is their checksum."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "hopfield", "svg.fonttype": "none"}):
        file = io.StringIO()
        drawing.savefig(file, format="svg", metadata={"Date": None, "Description": digest})
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def speeds(bars: Sequence[tuple[str, float, float]]) -> Any:
    """Draw bars of measured speeds with a mark at each target: (name, speed, target)."""
    drawing = figure(height=0.8 + 0.32 * len(bars))
    drawing.set_figwidth(8)  # half of it for the names
    ax = drawing.add_subplot()
    places = range(len(bars))
    ax.barh(places, [speed for _, speed, _ in bars], color=BLUE, height=0.6, label="measured")
    ax.plot([target for *_, target in bars], places, "|", color=INK, ms=14, mew=2.5, label="target")
    ax.set_xscale("log")
    ax.set_yticks(places, [name for name, *_ in bars], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("speed (×)")
    ax.legend(fontsize=8, loc="lower right")
    ax.spines[["top", "right"]].set_visible(False)
    ax.margins(y=0.01)
    return drawing


def growth(records: Sequence[Record], field: str) -> Any:
    """Draw a field of `update` and of naive torch by n, one curve per number of queries."""
    curves = []
    for queries in sorted({line["queries"] for line in records}):
        for name, way in (("update", "update"), ("naive", "naive torch")):
            own = [r for r in records if r["queries"] == queries and r["case"] == way]
            own.sort(key=lambda line: line["n"])
            n = [line["n"] for line in own]
            values = [max(line[field], LEAST[field]) for line in own]
            curves.append(series(f"{name}, batch {queries}", n, values))
    return comparison(curves, ("patterns n", LABELS[field]), log="xy").figure


def overhead(records: Sequence[Record]) -> Any:
    """Draw the time of each call over that of naive torch, with the allowance."""
    ways = list(dict.fromkeys(line["case"] for line in records))
    plain = [line["seconds"] for line in records if line["case"] == ways[0]]
    drawing = figure(height=3.2)
    ax = drawing.add_subplot()
    for way, colour, marker in zip(ways[1:], COLOURS, MARKERS, strict=False):
        ratios = [1 / line["speed"] for line in records if line["case"] == way]
        ax.plot(plain, ratios, marker, color=colour, ms=4.5, alpha=0.8, label=way)
    times = sorted({*plain, 1e-3, 0.999e-3})
    allowed = [1.1 if seconds >= 1e-3 else 1 + 1e-4 / seconds for seconds in times]
    ax.plot(times, allowed, color=INK, lw=1.2, label="allowed")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("seconds of naive torch")
    ax.set_ylabel("time / time of naive torch")
    ax.legend(fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    return drawing
