"""Measurement beside theory."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .charts import BLUE, GREEN, INK, ORANGE, RED, axes, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (BLUE, RED, GREEN, ORANGE, "#aa4a83", INK)
MARKERS = "os^Dvx"
DASHES = ("-", "--", "-.", ":")
MOST_NAMED = 8
"""Names that a legend can hold; of more, only measured ones are named."""
MOST_TICKS = 9
CLOSE = 1.3
"""Places nearer than this factor share a label."""
CROWD = 40
"""From so many points on, they are drawn small."""


def comparison(
    series: Sequence[Mapping[str, Any]],
    labels: tuple[str, str],
    ax: "Axes | None" = None,
    *,
    log: str = "",
) -> "Axes":
    """Measured points with their standard errors, theory as lines, published numbers hollow.

    Args:
        series: each with `name`, `x`, `y`, `error` (or None) and `kind`: "measured", "theory" or
            "published". A line of theory has the colour of the measured series that its name
            contains.
        labels: of both axes, with symbols and units.
        ax: axes to draw on.
        log: "x", "y" or "xy" for logarithmic axes.
    """
    ax = axes(ax, height=2.8 + 0.16 * max(0, (len(series) - 2 + 1) // 2))
    measured = [each for each in series if each["kind"] == "measured"]
    colour = {each["name"]: COLOURS[i % len(COLOURS)] for i, each in enumerate(measured)}
    marker = {each["name"]: MARKERS[i % len(MARKERS)] for i, each in enumerate(measured)}
    free = 0
    for each in series:
        kin = next((name for name in colour if name in each["name"]), None)
        name = each["name"] if len(series) <= MOST_NAMED or each["kind"] == "measured" else None
        if each["kind"] == "measured":
            points(each, ax, colour[each["name"]], marker[each["name"]])
        elif each["kind"] == "published":
            ax.plot(each["x"], each["y"], marker[kin] if kin else "o", mfc="none", ms=9, mew=1.2,
                    color=colour[kin] if kin else INK, label=None if kin else name)  # fmt: skip
        else:
            line = colour[kin] if kin else INK
            dash = "-" if kin else DASHES[free % len(DASHES)]
            free += kin is None
            ax.plot(each["x"], each["y"], dash, color=line, lw=1.3, label=name, zorder=1)
    for axis in log:
        ax.set(**{f"{axis}scale": "log"})
    if "x" in log:
        _ticks(ax, sorted({x for each in measured for x in each["x"]}))
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8,
              borderaxespad=0.1, columnspacing=1.2, handlelength=1.8)  # fmt: skip
    return plain(ax, "y")


def _ticks(ax: "Axes", places: Sequence[float]) -> None:
    """Where few places were measured, these; between powers of ten no labels, they overlap."""
    ax.set_xticks([], minor=True)
    if 1 < len(places) <= MOST_TICKS:
        apart = [x for i, x in enumerate(places) if i == 0 or x / places[i - 1] > CLOSE]
        ax.set_xticks(apart, [f"{x:g}" for x in apart])


def points(each: Mapping[str, Any], ax: "Axes", colour: str, marker: str) -> None:
    """Measured points; where they follow each other, as along a way, joined by a thin line."""
    many = len(each["x"]) > CROWD
    if each["error"] is None:
        style = {"ms": 2, "alpha": 0.5} if many else {"ms": 4, "lw": 0.8, "ls": "-"}
        ax.plot(each["x"], each["y"], marker, color=colour, label=each["name"],
                **({"ls": "none"} | style))  # fmt: skip
        return
    ax.errorbar(each["x"], each["y"], yerr=each["error"], fmt=marker, color=colour, ms=4.5,
                label=each["name"], capsize=2.5, elinewidth=1.1, zorder=3)  # fmt: skip
