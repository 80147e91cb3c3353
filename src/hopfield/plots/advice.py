"""Pictures of a diagnosis and of tuning, and of how good both are, from their records."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from .charts import BLUE, INK, RED, axes, style_axes
from .theory import COLOURS, DASHES, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Record = Mapping[str, Any]

SAID = ("diagnosed pattern", "tuning", "prediction", "tuned against grid")
"""Records that are drawn here, by the name of their experiment."""
FIELDS = {
    "diagnosed pattern": {"margin", "attractor"},
    "tuning": {"case", "beta", "right", "right_se"},
    "prediction": {"set", "similarity", "separation", "n", "fixed", "attractor"},
    "tuned against grid": {"case", "tuned", "best", "behind_se", "ratio"},
}
PROMISED = 99
"""Percent of the patterns of which it must be rightly said whether they are attractors: dotted."""


def margins(records: Sequence[Record], ax: "Axes | None" = None) -> "Axes":
    """The margin of every pattern, in order, and which of them are attractors.

    Args:
        records: of `diagnose(memory).to_records()`.
        ax: axes to draw on.

    Raises:
        DataError: where there is no diagnosed pattern.
    """
    lines = _of(records, "diagnosed pattern", "diagnosed patterns", "report.to_records()")
    lines = sorted((x for x in lines if x["margin"] is not None), key=lambda x: x["margin"])
    if not lines:
        raise DataError(
            "records must hold patterns that have rivals, but all of these are copies of one. "
            "Store different patterns."
        )
    ax = axes(ax)
    for held, name, colour, marker in (
        (True, "attractor", BLUE, "o"), (False, "no attractor", RED, "x"),
    ):  # fmt: skip
        places = [i for i, line in enumerate(lines, 1) if line["attractor"] is held]
        values = [line["margin"] for line in lines if line["attractor"] is held]
        ax.plot(places, values, marker, color=colour, ms=3.5, label=f"{name} ({len(places)})")
    ax.axhline(0, color=INK, lw=0.8)
    ax.set_xlabel("patterns, by margin")
    ax.set_ylabel("margin Δ")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=9)
    return style_axes(ax, "y")


def tuning(records: Sequence[Record], ax: "Axes | None" = None) -> "Axes":
    """The share of right cues over β, with standard errors, for each similarity and separation.

    Args:
        records: of `tune(…).to_records()`.
        ax: axes to draw on.

    Raises:
        DataError: where there is no point of a curve.
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
            [x["beta"] for x in mine], [x["right"] for x in mine],
            yerr=[x["right_se"] for x in mine], ms=4, lw=1.4, capsize=2,
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
    ax.set_ylabel("share of cues right")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8)
    return style_axes(ax, "y")


def _style(like: int, kind: int) -> dict[str, Any]:
    return {"color": COLOURS[like % len(COLOURS)], "marker": MARKERS[like % len(MARKERS)],
            "ls": DASHES[kind % len(DASHES)]}  # fmt: skip


def predictions(records: Sequence[Record], ax: "Axes | None" = None) -> "Axes":
    """Of how many patterns it was rightly said whether they are attractors, by set.

    Softmax is told apart by similarity, the sparse separations are drawn by name.

    Args:
        records: of `python docs/make_diagnosis.py measure`.
        ax: axes to draw on.

    Raises:
        DataError: where there is no such record.
    """
    lines = _of(records, "prediction", "predictions", "docs/diagnosis/records.jsonl")
    names = [*dict.fromkeys(x["set"] for x in lines)]
    kinds = [x["similarity" if x["separation"] == "softmax" else "separation"] for x in lines]
    likes = [*dict.fromkeys(kinds)]
    ax = axes(ax, height=1.1 + 0.36 * len(names))
    for place, like in enumerate(likes):
        mine = [x for x, kind in zip(lines, kinds, strict=True) if kind == like]
        shares = [100 * min(x["fixed"], x["attractor"]) / x["n"] for x in mine]
        off = 0.66 / len(likes) * (place - (len(likes) - 1) / 2)
        ax.plot(shares, [names.index(x["set"]) + off for x in mine], MARKERS[place % len(MARKERS)],
                color=COLOURS[place % len(COLOURS)], ms=4.5, mfc="none", mew=1.1,
                label=like)  # fmt: skip
    ax.axvline(PROMISED, color=INK, lw=0.8, ls=":")
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel("patterns rightly judged (%)")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=8,
              columnspacing=1.2, handletextpad=0.2)  # fmt: skip
    return style_axes(ax, "x")


def against_grid(records: Sequence[Record], ax: "Axes | None" = None) -> "Axes":
    """What was tuned beside the best of a grid, on the same cues; to the right the time it took.

    Args:
        records: of `python docs/make_diagnosis.py measure`.
        ax: axes to draw on.

    Raises:
        DataError: where there is no such record.
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


def _of(records: object, kind: str, name: str, way: str) -> list[Record]:
    every = records if isinstance(records, (list, tuple)) else []
    lines = [x for x in every if isinstance(x, Mapping) and x.get("experiment") == kind]
    if not lines or not all(FIELDS[kind] <= set(line) for line in lines):
        raise DataError(f"records must hold {name}. Use {way}.")
    return lines
