"""Measured curves with theory and published numbers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .charts import BLUE, GREEN, INK, ORANGE, RED, axes, label_places, literal, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (BLUE, RED, GREEN, ORANGE, "#aa4a83", INK)
MARKERS = "os^Dvx"
DASHES = ("-", "--", "-.", ":")
MOST_NAMED = 8
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
        series: each with `name`, `x`, `y`, `error` (or None) and `kind`: "measured", "theory" or
            "published". Theory and published numbers have the colour of the measured series that
            their name contains; measured series of one name share a colour.
        labels: of both axes, with symbols and units.
        ax: axes to draw on.
        log: "x", "y" or "xy" for logarithmic axes.
    """
    count = len({each["name"] for each in series})
    unnamed = {_named(each, count) for each in series} - {None}
    ax = axes(ax, height=2.8 + 0.16 * max(0, (len(unnamed) - 1) // 2))
    measured = [each for each in series if each["kind"] == "measured"]
    names = list(dict.fromkeys(each["name"] for each in measured))
    free = 0
    for each in series:
        kin = max((name for name in names if name in each["name"]), key=len, default=None)
        place = -1 if kin is None else names.index(kin)
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        name = _named(each, count)
        label = literal(name) if name in unnamed else None
        unnamed.discard(name)
        if each["kind"] == "measured":
            points({**each, "name": label}, ax, colour, marker)
        elif each["kind"] == "published":
            ax.plot(each["x"], each["y"], "o" if kin is None else marker, mfc="none", ms=9, mew=1.2,
                    color=colour, label=None if kin else label)  # fmt: skip
        else:
            dash = DASHES[free % len(DASHES)] if kin is None else "-"
            free += kin is None
            ax.plot(each["x"], each["y"], dash, color=colour, lw=1.3, label=label, zorder=1)
    for axis in log:
        ax.set(**{f"{axis}scale": "log"})
    label_places(ax, sorted({x for each in measured for x in each["x"]}), "x" in log)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8,
              borderaxespad=0.1, columnspacing=1.2, handlelength=1.8)  # fmt: skip
    return style_axes(ax, "y")


def _named(each: Mapping[str, Any], count: int) -> str | None:
    return each["name"] if count <= MOST_NAMED or each["kind"] == "measured" else None


def points(each: Mapping[str, Any], ax: "Axes", colour: str, marker: str) -> None:
    """Draw measured points; those without errors, as along a path, are joined by a thin line."""
    many = len(each["x"]) > CROWD
    if each["error"] is None:
        style = {"ms": 2, "alpha": 0.5} if many else {"ms": 4, "lw": 0.8, "ls": "-"}
        ax.plot(each["x"], each["y"], marker, color=colour, label=each["name"],
                **({"ls": "none"} | style))  # fmt: skip
        return
    ax.errorbar(each["x"], each["y"], yerr=each["error"], fmt=marker, color=colour, ms=4.5,
                label=each["name"], capsize=2.5, elinewidth=1.1, zorder=3)  # fmt: skip
