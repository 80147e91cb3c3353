"""Pictures of a diagnosis and of tuning, from their records."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from .charts import BLUE, INK, RED, SERIES, axes, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Record = Mapping[str, Any]


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
    return plain(ax, "y")


def tuning(records: Sequence[Record], ax: "Axes | None" = None) -> "Axes":
    """The share of right cues over β, with standard errors, for each similarity and separation.

    Args:
        records: of `tune(…).to_records()`.
        ax: axes to draw on.

    Raises:
        DataError: where there is no point of a curve.
    """
    lines = _of(records, "tuning", "points of tuning", "tuned.to_records()")
    ax = axes(ax)
    cases = list(dict.fromkeys(line["case"] for line in lines))
    for case, (colour, marker, style) in zip(cases, SERIES, strict=False):
        mine = [line for line in lines if line["case"] == case]
        ax.errorbar(
            [x["beta"] for x in mine], [x["right"] for x in mine],
            yerr=[x["right_se"] for x in mine],
            color=colour, marker=marker, ls=style, ms=4, lw=1.4, capsize=2, label=case,
        )  # fmt: skip
    for line in records:
        if line.get("experiment") == "tuned":
            ax.axvline(line["beta"], color=INK, lw=0.8, ls=":")
    ax.set_xscale("log")
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("β (dotted: chosen)")
    ax.set_ylabel("right pattern has most weight")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8)
    return plain(ax, "y")


def _of(records: object, kind: str, name: str, way: str) -> list[Record]:
    """The records of a kind, or an error that says where they come from."""
    every = records if isinstance(records, (list, tuple)) else []
    lines = [x for x in every if isinstance(x, Mapping) and x.get("experiment") == kind]
    fields = {"diagnosed pattern": {"margin", "attractor"}}.get(
        kind, {"case", "beta", "right", "right_se"}
    )
    if not lines or not all(fields <= set(line) for line in lines):
        raise DataError(f"records must hold {name}. Use {way}.")
    return lines
