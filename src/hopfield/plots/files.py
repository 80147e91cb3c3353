"""Any file of records as one sheet of figures."""

import math
from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from .charts import WIDTH, energies, figure
from .fields import landscape, recovered
from .theory import comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Record = dict[str, Any]
Panel = Callable[["Axes"], Any]

AXES = {"n": "patterns n", "units": "units N", "damage": "damage",
        "temperature": "temperature T", "beta": "β", "case_beta": "β", "alpha": "α",
        "degree": "degree d", "dim": "dimension d", "queries": "queries"}  # fmt: skip
"""Fields that are swept, and how an axis names them."""
SHOWN = {"recall": "recalled", "capacity": "n", "thermal": "overlap", "metastable": "k",
         "census": "stored", "speed": "best"}  # fmt: skip
"""The result that stands for an experiment; of others, the first that has a deviation."""
VALUES = {"recalled": "recalled", "n": "capacity n", "overlap": "overlap m", "stored":
          "stored, of all ends", "k": "k, weights that sum to .9", "best": "milliseconds",
          "accuracy": "entries right", "exact": "exact", "right": "right pattern"}  # fmt: skip
COLUMNS = 3
"""Panels beside each other."""
HEIGHT = 3.4
MOST_CASES = 6
"""Curves in one panel."""


def sheet(lines: Sequence[Record]) -> "Figure":
    """Every figure that records can show, on one sheet.

    Records of `hopfield reproduce` bring their figures along; of other experiments those that
    were swept are drawn as curves, landscapes, ways, energies and images as what they are.

    Raises:
        DataError: where there is nothing to draw.
    """
    panels = _panels(lines)
    if not panels:
        raise DataError(
            "the records hold nothing to draw: no figure, no swept field, no picture. "
            "Sweep a field of the config, such as n, and run again."
        )
    columns = min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    whole = figure(HEIGHT * rows)
    whole.set_figwidth(WIDTH * columns)
    for i, (title, draw) in enumerate(panels, 1):
        ax = whole.add_subplot(rows, columns, i)
        draw(ax)
        ax.set_title(title, fontsize=9, loc="right", color="0.35", pad=30)
    return whole


def _panels(lines: Sequence[Record]) -> list[tuple[str, Panel]]:
    """Titles and drawings."""
    brought = [line for line in lines if line["experiment"] == "figure"]
    if brought:
        return [(each["result"], _brought(each, lines)) for each in brought]
    panels: list[tuple[str, Panel]] = []
    for name in dict.fromkeys(line["experiment"] for line in lines):
        mine = [line for line in lines if line["experiment"] == name]
        panels += [(name, draw) for draw in (_special(mine) or _curves(name, mine))]
    return panels


def _brought(each: Record, lines: Sequence[Record]) -> Panel:
    """A figure that the records describe themselves."""
    series = [
        line for line in lines
        if line["experiment"] == "series" and line["result"] == each["result"]
        and line["figure"] == each["name"]
    ]  # fmt: skip
    return lambda ax: comparison(series, (each["x"], each["y"]), ax, log=each["log"])


def _special(mine: Sequence[Record]) -> list[Panel]:
    """Records that are pictures themselves; the first of each kind."""
    first = mine[0]
    if "ways" in first:
        return [lambda ax: landscape(first, ax)]
    if "position" in first:
        series = [
            {"name": line["case"], "kind": "measured", "error": None,
             "x": line["position"], "y": line["energy"]}
            for line in mine[:MOST_CASES]
        ]  # fmt: skip
        return [lambda ax: comparison(series, ("way from pattern 1 to 2", "energy E"), ax)]
    if "traces" in first:
        return [lambda ax: energies(first["traces"], ax)]
    if {"original", "cue", "retrieved", "known", "shape"} <= first.keys():
        return [lambda ax: recovered(first["original"], first["cue"], first["retrieved"],
                                     first["shape"], known=first["known"], ax=ax)]  # fmt: skip
    return []


def _curves(name: str, mine: Sequence[Record]) -> list[Panel]:
    """One panel of curves, where a field was swept; else none."""
    y = SHOWN.get(name) or next((key for key in mine[0] if f"{key}_sd" in mine[0]), None)
    swept = [(len({line.get(key) for line in mine}), key) for key in AXES
             if key != y and isinstance(mine[0].get(key), (int, float))]  # fmt: skip
    count, x = max(swept, key=lambda pair: pair[0], default=(0, ""))
    if y is None or count < 2:
        return []
    cases = list(dict.fromkeys(str(line.get("case")) for line in mine))[:MOST_CASES]
    series = [_curve(case, [line for line in mine if str(line.get("case")) == case], x, y)
              for case in cases]  # fmt: skip
    values = [value for each in series for value in each["x"]]
    wide = min(values) > 0 and max(values) / min(values) > 50
    return [lambda ax: comparison(series, (AXES[x], VALUES.get(y, y)), ax, log="x" if wide else "")]


def _curve(case: str, mine: Sequence[Record], x: str, y: str) -> Record:
    """Means by x: standard errors from the records' deviations, or from several records."""
    places = sorted({line[x] for line in mine if line.get(x) is not None})
    means, errors = [], []
    for place in places:
        there = [line for line in mine if line[x] == place]
        found = [float(line[y]) for line in there]
        means.append(fmean(found))
        if len(there) > 1:
            errors.append(stdev(found) / math.sqrt(len(found)))
        else:
            line = there[0]
            errors.append(line.get(f"{y}_sd", 0.0) / math.sqrt(line.get("samples", 1)))
    return {"name": case, "kind": "measured", "x": places, "y": means, "error": errors}
