"""Figures of a diagnosis and of tuning, from their records."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from .charts import BLUE, COLOURS, DASHES, INK, MARKERS, RED, axes, drawn, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Record = Mapping[str, Any]
AXIS_OF = {
    "accuracy": "accuracy (share of cues)",
    "error": "error at hidden entries (root mean square)",
}
"""What the two objectives of `tune` measure, and the label of its axis."""


@drawn
def margins(records: Sequence[Record], ax: "Axes | None" = None) -> "Axes":
    """Draw the margins of all patterns in order, attractors apart from others.

    Args:
        records: those of `diagnose(memory).to_records()`.
        ax: axes to draw on.

    Raises:
        DataError: if they hold no pattern with a margin.
    """
    lines = _of(records, "diagnosed pattern", {"margin", "attractor"}, "diagnosed patterns",
                "report.to_records()")  # fmt: skip
    lines = sorted((x for x in lines if x["margin"] is not None), key=lambda x: x["margin"])
    if not lines:
        raise DataError(
            "records must hold patterns with margins, but these have none: all patterns are "
            "equal, or the memory declares no scores."
        )
    ax = axes(ax)
    for is_attractor, name, colour, marker in (
        (True, "attractor", BLUE, "o"), (False, "lost", RED, "x"),
    ):  # fmt: skip
        points = [(place, line["margin"]) for place, line in enumerate(lines, 1)
                  if line["attractor"] is is_attractor]  # fmt: skip
        ax.plot([x for x, _ in points], [y for _, y in points], marker, color=colour, ms=3.5,
                label=f"{name} ({len(points)})")  # fmt: skip
    ax.axhline(0, color=INK, lw=0.8)
    return finish(ax, ("patterns, by margin", "margin Δ"), legend=True)


@drawn
def tuning(records: Sequence[Record], ax: "Axes | None" = None) -> "Axes":
    """Draw accuracy or error over β with standard errors, a curve per similarity and separation.

    Args:
        records: those of `tune(…).to_records()`.
        ax: axes to draw on.

    Raises:
        DataError: if they hold no point of a curve.
    """
    lines = _of(records, "tuning", {"case", "beta"}, "points of tuning", "tuned.to_records()")
    measure = next((name for name in AXIS_OF if all(name in line for line in lines)), None)
    if measure is None:
        raise DataError(
            "records must hold points of tuning for one objective, with accuracy or error. "
            "Use tuned.to_records()."
        )
    cases = list(dict.fromkeys(line["case"] for line in lines))
    similarities = list(dict.fromkeys(case.split(", ")[0] for case in cases))
    separations = list(dict.fromkeys(case.split(", ")[-1] for case in cases))
    has_two_keys = len(separations) > 1  # colours are similarities then, dashes separations
    named = [*similarities, *separations] if has_two_keys else cases
    ax = axes(ax, height=2.8 + 0.16 * max(0, (len(named) - 1) // 2))
    for case in cases:
        similarity, separation = case.split(", ")[0], case.split(", ")[-1]
        place = similarities.index(similarity)
        dash = separations.index(separation) if has_two_keys else place
        points = [line for line in lines if line["case"] == case]
        ax.errorbar(
            [x["beta"] for x in points], [x[measure] for x in points],
            yerr=[x[f"{measure}_se"] for x in points], ms=4, lw=1.4, capsize=2,
            color=COLOURS[place % len(COLOURS)], marker=MARKERS[place % len(MARKERS)],
            ls=DASHES[dash % len(DASHES)], label=None if has_two_keys else case,
        )  # fmt: skip
    if has_two_keys:
        for name, colour, marker in zip(similarities, COLOURS, MARKERS, strict=False):
            ax.plot([], [], color=colour, marker=marker, ls="none", ms=4, label=name)
        for name, dash_style in zip(separations, DASHES, strict=False):
            ax.plot([], [], color=INK, lw=1.4, ls=dash_style, label=name)
    for line in records:
        if line.get("experiment") == "tuned":
            ax.axvline(line["beta"], color=INK, lw=0.8, ls=":")
    ax.set_xscale("log")
    if measure == "accuracy":
        ax.set_ylim(-0.03, 1.03)
    labels = ("inverse temperature β (dotted: chosen)", AXIS_OF[measure])
    return finish(ax, labels, legend=True)


def _of(records: object, kind: str, fields: set[str], name: str, source: str) -> list[Record]:
    every = records if isinstance(records, (list, tuple)) else []
    lines = [x for x in every if isinstance(x, Mapping) and x.get("experiment") == kind]
    if not lines or not all(fields <= set(line) for line in lines):
        raise DataError(f"records must hold {name}. Use {source}.")
    return lines
