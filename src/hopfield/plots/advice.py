"""Figures of a diagnosis, of tuning, and of tuning compared with a grid, from their records."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from .charts import BLUE, INK, RED, axes, style_axes
from .theory import COLOURS, DASHES, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Record = Mapping[str, Any]

FIELDS = {
    "diagnosed pattern": {"margin", "attractor"},
    "tuning": {"case", "beta", "accuracy", "accuracy_se"},
    "tuned against grid": {"case", "tuned", "best", "behind_se", "ratio"},
}
"""The fields that a figure needs, by the experiment of its records."""


def margins(records: Sequence[Record], ax: "Axes | None" = None) -> "Axes":
    """Draw the margins of all patterns in order, attractors apart from others.

    Args:
        records: those of `diagnose(memory).to_records()`.
        ax: axes to draw on; None makes a figure.

    Raises:
        DataError: if they hold no pattern with a margin.
    """
    lines = _of(records, "diagnosed pattern", "diagnosed patterns", "report.to_records()")
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
        places = [i for i, line in enumerate(lines, 1) if line["attractor"] is is_attractor]
        values = [line["margin"] for line in lines if line["attractor"] is is_attractor]
        ax.plot(places, values, marker, color=colour, ms=3.5, label=f"{name} ({len(places)})")
    ax.axhline(0, color=INK, lw=0.8)
    ax.set_xlabel("patterns, by margin")
    ax.set_ylabel("margin Δ")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=9)
    return style_axes(ax, "y")


def tuning(records: Sequence[Record], ax: "Axes | None" = None) -> "Axes":
    """Draw accuracy over β with standard errors, one curve per similarity and separation.

    Args:
        records: those of `tune(…).to_records()`.
        ax: axes to draw on; None makes a figure.

    Raises:
        DataError: if they hold no point of a curve.
    """
    lines = _of(records, "tuning", "points of tuning", "tuned.to_records()")
    cases = list(dict.fromkeys(line["case"] for line in lines))
    kinds = list(dict.fromkeys(case.split(", ")[-1] for case in cases))
    likes = list(dict.fromkeys(case.split(", ")[0] for case in cases))
    named = cases if len(kinds) == 1 else [*likes, *kinds]
    ax = axes(ax, height=2.8 + 0.16 * max(0, (len(named) - 1) // 2))
    for case in cases:
        mine = [line for line in lines if line["case"] == case]
        like, kind = likes.index(case.split(", ")[0]), kinds.index(case.split(", ")[-1])
        style = _style(like, kind if len(kinds) > 1 else like)
        ax.errorbar(
            [x["beta"] for x in mine], [x["accuracy"] for x in mine],
            yerr=[x["accuracy_se"] for x in mine], ms=4, lw=1.4, capsize=2,
            label=case if len(kinds) == 1 else None, **style,
        )  # fmt: skip
    if len(kinds) > 1:  # colours and markers are similarities, dashes separations
        for place, like in enumerate(likes):
            ax.plot([], [], ms=4, label=like, **{**_style(place, 0), "ls": "none"})
        for place, kind in enumerate(kinds):
            ax.plot([], [], color=INK, lw=1.4, ls=DASHES[place % len(DASHES)], label=kind)
    for line in records:
        if line.get("experiment") == "tuned":
            ax.axvline(line["beta"], color=INK, lw=0.8, ls=":")
    ax.set_xscale("log")
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("inverse temperature β (dotted: chosen)")
    ax.set_ylabel("accuracy (share of cues)")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8)
    return style_axes(ax, "y")


def _style(like: int, kind: int) -> dict[str, Any]:
    return {"color": COLOURS[like % len(COLOURS)], "marker": MARKERS[like % len(MARKERS)],
            "ls": DASHES[kind % len(DASHES)]}  # fmt: skip


def against_grid(records: Sequence[Record], ax: "Axes | None" = None) -> "Axes":
    """Draw shares recalled by tuned settings and by the best of a grid, on the same cues.

    Args:
        records: those of `python docs/make_diagnosis.py measure`.
        ax: axes to draw on; None makes a figure.

    Raises:
        DataError: if they hold no such comparison.
    """
    lines = _of(records, "tuned against grid", "tuning beside a grid",
                "docs/diagnosis/records.jsonl")  # fmt: skip
    ax = axes(ax, height=1.1 + 0.36 * len(lines))
    places = range(len(lines))
    ax.plot([100 * x["best"] for x in lines], places, "s", mfc="none", color=RED, ms=8, mew=1.2,
            label="best of the grid")  # fmt: skip
    ax.errorbar([100 * x["tuned"] for x in lines], places, fmt="o", color=BLUE, ms=4, capsize=2.5,
                xerr=[100 * x["behind_se"] for x in lines], label="tuned")  # fmt: skip
    for place, line in zip(places, lines, strict=True):
        ax.text(1.03, place, f"{line['ratio']:.3f}", va="center", fontsize=8,
                transform=ax.get_yaxis_transform())  # fmt: skip
    ax.text(1.03, -0.08, "time / grid", fontsize=8, transform=ax.transAxes, va="top")
    names = [line["case"].replace(", ", ",\n", 1) for line in lines]
    ax.set_yticks(places, names, fontsize=8)
    ax.set_ylim(len(lines) - 0.5, -0.5)
    ax.set_xlabel("cues recalled (%)")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8,
              columnspacing=1.2, handletextpad=0.2)  # fmt: skip
    return style_axes(ax, "x")


def _of(records: object, kind: str, name: str, source: str) -> list[Record]:
    every = records if isinstance(records, (list, tuple)) else []
    lines = [x for x in every if isinstance(x, Mapping) and x.get("experiment") == kind]
    if not lines or not all(FIELDS[kind] <= set(line) for line in lines):
        raise DataError(f"records must hold {name}. Use {source}.")
    return lines
