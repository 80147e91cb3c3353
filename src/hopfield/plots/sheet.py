"""One sheet with all figures of a file of records."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from .advice import margins, tuning
from .charts import WIDTH, drawn, durations, energies, figure, literal, rates
from .fields import landscape, phases
from .images import recovered
from .sweeps import VALUES, curves, main_result, mean_and_error, swept_fields, table
from .theory import comparison, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Record = dict[str, Any]
Panel = tuple[str, Callable[["Axes"], Any]]
"""Title of a panel, and the function that draws it."""

ADVICE = {"diagnosed pattern": ("diagnosis", margins), "tuning": ("tuning", tuning)}
"""Records of reports: the title of their panel, and the function that draws it."""
HEADS = ("diagnosis", "tuned")
"""Experiment of the first record of a report."""
MAKERS = (
    "hopfield demo and hopfield reproduce, experiments.run, diagnose(memory).to_records() and "
    "tune(…).to_records()"
)
"""Sources of records that can be drawn."""
KINDS = ("stored", "inverse", "mixture", "spurious")
"""Results of an attractor census, drawn together."""
COLUMNS = 3
"""Panels in a row."""
HEIGHT = 3.4
MOST_CASES = 6
"""Largest number of cases in one panel, and of landscapes or phase diagrams."""
GRID = 4
"""Settings of each of two fields from which a phase diagram replaces curves."""


@drawn
def sheet(lines: Sequence[Record]) -> "Figure":
    """Draw every figure that records can show, on one sheet.

    Records of `hopfield reproduce` contain descriptions of their figures. Other sweeps become
    curves, or over two fields phase diagrams; several cases become bars.

    Raises:
        DataError: where nothing can be drawn.
    """
    panels = _panels(lines)
    if not panels:
        names = list(dict.fromkeys(line["experiment"] for line in lines))
        held = f"{', '.join(map(repr, names[:MOST_CASES]))} of one setting" if names else "none"
        raise DataError(
            "records must hold something to draw (a figure, a swept field, a picture, a report), "
            f"but hold {held}, so there is nothing to draw. Give those of {MAKERS}."
        )
    columns = min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    whole = figure(HEIGHT * rows)
    whole.set_figwidth(WIDTH * columns)
    for i, (title, draw) in enumerate(panels, 1):
        ax = whole.add_subplot(rows, columns, i)
        draw(ax)
        legend = ax.get_legend()
        rows_above = math.ceil(len(legend.get_texts()) / 2) if legend else 0
        ax.set_title(literal(title), fontsize=9, loc="right", color="0.35",
                     pad=max(30, 13 * rows_above))  # fmt: skip
    return whole


def _panels(lines: Sequence[Record]) -> list[Panel]:
    figures = [line for line in lines if line["experiment"] == "figure"]
    if figures:
        return [(figure["result"], _described(figure, lines)) for figure in figures]
    panels: list[Panel] = []
    for report in _reports(lines):
        held = {line["experiment"] for line in report}
        panels += [
            (title, partial(draw, report)) for name, (title, draw) in ADVICE.items() if name in held
        ]
    for name in dict.fromkeys(line["experiment"] for line in lines):
        if name in (*ADVICE, *HEADS, "finding"):
            continue
        records = [line for line in lines if line["experiment"] == name]
        panels += _special(name, records) or _measured(name, records)
    return panels


def _reports(lines: Sequence[Record]) -> list[list[Record]]:
    reports: list[list[Record]] = [[]]
    for line in lines:
        if line["experiment"] in HEADS:
            reports.append([])
        reports[-1].append(line)
    return reports


def _described(figure: Record, lines: Sequence[Record]) -> Callable[["Axes"], Any]:
    key = ("series", figure["result"], figure["name"])
    parts = [x for x in lines if (x["experiment"], x.get("result"), x.get("figure")) == key]
    return lambda ax: comparison(parts, (figure["x"], figure["y"]), ax, log=figure["log"])


def _special(name: str, records: Sequence[Record]) -> list[Panel]:
    first = records[0]
    if "trajectories" in first:
        shown = records[:MOST_CASES]
        return [(f"{name}: {line.get('case')}", partial(landscape, line)) for line in shown]
    if "position" in first:
        paths = [series(x["case"], x["position"], x["energy"]) for x in records[:MOST_CASES]]
        return [(name, lambda ax: comparison(paths, ("path from pattern 1 to 2", "energy E"), ax))]
    if "traces" in first:
        return [(name, partial(energies, first["traces"]))]
    if {"original", "cue", "retrieved", "known", "shape"} <= first.keys():
        images = [first[field] for field in ("original", "cue", "retrieved", "shape")]
        return [(name, lambda ax: recovered(*images, known=first["known"], ax=ax))]
    return []


def _measured(name: str, records: Sequence[Record]) -> list[Panel]:
    most = MOST_CASES
    if name == "attractor_census":
        most *= len(KINDS)
        records = [
            {**line, "experiment": "kinds", "case": f"{line['case']}: {kind}",
             "share": line[kind], "share_sd": line[f"{kind}_sd"]}
            for line in records for kind in KINDS
        ]  # fmt: skip
    result = "share" if name == "attractor_census" else main_result(records)
    if result is None:
        return []
    cases = list(dict.fromkeys(str(line.get("case")) for line in records))[:most]
    chosen = [line for line in records if str(line.get("case")) in cases]
    groups = {case: [line for line in chosen if str(line.get("case")) == case] for case in cases}
    fields = swept_fields(chosen, result)
    if not fields:
        return [(name, _bars(groups, result))] if len(groups) > 1 else []
    if len(fields) == 2 and all(len({line[field] for line in chosen}) >= GRID for field in fields):
        return [(f"{name}: {case}", partial(phases, *table(lines, value=result)))
                for case, lines in groups.items()]  # fmt: skip
    return [(name, partial(curves, chosen, y=result))]


def _bars(groups: dict[str, list[Record]], result: str) -> Callable[["Axes"], Any]:
    bars = [(case, *mean_and_error(lines, result)) for case, lines in groups.items()]
    label = VALUES.get(result, result)
    if all(0 <= mean <= 1 for _, mean, _ in bars):
        return partial(rates, bars, label)
    return partial(durations, [(case, mean) for case, mean, _ in bars], label)
