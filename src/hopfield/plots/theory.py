"""Measured curves with theory and published numbers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .charts import BLUE, GREEN, INK, ORANGE, RED, axes, label_places, literal, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (BLUE, RED, GREEN, ORANGE, "#aa4a83", INK)
MARKERS = "os^Dvx"
DASHES = ("-", "--", "-.", ":")
MAX_NAMES = 8
"""Largest number of names in a legend. Of more curves, only measured ones are named."""
CROWD = 40
"""Number of points from which they are drawn small."""


def comparison(
    series: Sequence[Mapping[str, Any]],
    labels: tuple[str, str],
    ax: "Axes | None" = None,
    *,
    log: str = "",
) -> "Axes":
    """Draw measured points with standard errors, theory as lines, published numbers hollow.

    Args:
        series: curves, each with `name`, `x`, `y`, `error` (or None) and `kind`: "measured",
            "theory" or "published". Theory and published numbers have the colour of the measured
            curve whose name is part of theirs; measured curves of one name share a colour.
        labels: of both axes, with symbols and units.
        ax: axes to draw on.
        log: "x", "y" or "xy" for logarithmic axes.
    """
    count = len({curve["name"] for curve in series})
    unnamed = {_named(curve, count) for curve in series} - {None}
    ax = axes(ax, height=2.8 + 0.16 * max(0, (len(unnamed) - 1) // 2))
    measured = [curve for curve in series if curve["kind"] == "measured"]
    names = list(dict.fromkeys(curve["name"] for curve in measured))
    unmatched = 0
    for curve in series:
        match = max((name for name in names if name in curve["name"]), key=len, default=None)
        place = -1 if match is None else names.index(match)
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        name = _named(curve, count)
        label = literal(name) if name is not None and name in unnamed else None
        unnamed.discard(name)
        if curve["kind"] == "measured":
            points({**curve, "name": label}, ax, colour, marker)
        elif curve["kind"] == "published":
            ax.plot(curve["x"], curve["y"], "o" if match is None else marker, mfc="none", ms=9,
                    mew=1.2, color=colour, label=None if match else label)  # fmt: skip
        else:
            dash = DASHES[unmatched % len(DASHES)] if match is None else "-"
            unmatched += match is None
            ax.plot(curve["x"], curve["y"], dash, color=colour, lw=1.3, label=label, zorder=1)
    for axis in log:
        ax.set(**{f"{axis}scale": "log"})
    label_places(ax, sorted({x for curve in measured for x in curve["x"]}), "x" in log)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8,
              borderaxespad=0.1, columnspacing=1.2, handlelength=1.8)  # fmt: skip
    return style_axes(ax, "y")


def _named(curve: Mapping[str, Any], count: int) -> str | None:
    return curve["name"] if count <= MAX_NAMES or curve["kind"] == "measured" else None


def points(curve: Mapping[str, Any], ax: "Axes", colour: str, marker: str) -> None:
    """Draw measured points; those without errors, as along a path, are joined by a thin line."""
    crowded = len(curve["x"]) > CROWD
    if curve["error"] is None:
        style = {"ms": 2, "alpha": 0.5} if crowded else {"ms": 4, "lw": 0.8, "ls": "-"}
        ax.plot(curve["x"], curve["y"], marker, color=colour, label=curve["name"],
                **({"ls": "none"} | style))  # fmt: skip
        return
    ax.errorbar(curve["x"], curve["y"], yerr=curve["error"], fmt=marker, color=colour, ms=4.5,
                label=curve["name"], capsize=2.5, elinewidth=1.1, zorder=3)  # fmt: skip
