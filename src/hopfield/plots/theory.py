"""Measured curves with theory and published numbers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .charts import COLOURS, DASHES, MARKERS, axes, drawn, finish, label_places, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_NAMES = 8
"""Largest number of names in a legend. Of more curves, only measured ones are named."""
CROWD = 40
"""Number of points from which they are drawn small."""


@drawn
def series(
    name: str,
    x: Sequence[float],
    y: Sequence[float],
    error: Sequence[float] | None = None,
    kind: str = "measured",
) -> dict[str, Any]:
    """Return a curve for `comparison`; `kind` is "measured", "theory" or "published"."""
    return {"name": name, "kind": kind, "x": list(x), "y": list(y), "error": error}


@drawn
def comparison(
    curves: Sequence[Mapping[str, Any]],
    labels: tuple[str, str],
    ax: "Axes | None" = None,
    *,
    log: str = "",
) -> "Axes":
    """Draw measured points with errors, theory as lines, published numbers hollow.

    A thin line joins measured points where no theory is drawn, or where they have no errors.

    Args:
        curves: as `series` makes them. Theory and published numbers have the colour of the
            measured curve whose name is part of theirs; measured curves of one name share a colour.
        labels: of both axes, with symbols and units.
        ax: axes to draw on.
        log: "x", "y" or "xy" for logarithmic axes.
    """
    measured = [curve for curve in curves if curve["kind"] == "measured"]
    names = list(dict.fromkeys(curve["name"] for curve in measured))
    every = {curve["name"] for curve in curves}
    unnamed = every if len(every) <= MAX_NAMES else set(names)
    ax = axes(ax, height=2.8 + 0.16 * max(0, (len(unnamed) - 1) // 2))
    unmatched = 0
    for curve in curves:
        name = curve["name"]
        match = max((other for other in names if other in name), key=len, default=None)
        place = -1 if match is None else names.index(match)
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        label = literal(name) if name in unnamed else None
        unnamed = unnamed - {name}
        if curve["kind"] == "measured":
            is_joined = curve["error"] is None or len(measured) == len(curves)
            _points(ax, curve, is_joined, color=colour, marker=marker, label=label)
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
    return finish(ax, labels, legend=True)


def _points(ax: "Axes", curve: Mapping[str, Any], is_joined: bool, **style: Any) -> None:
    is_crowded = len(curve["x"]) > CROWD
    style |= {"ls": "-" if is_joined and not is_crowded else "none", "lw": 0.8}
    if curve["error"] is None:
        size = {"ms": 2, "alpha": 0.5} if is_crowded else {"ms": 4}
        ax.plot(curve["x"], curve["y"], **style, **size)
    else:
        ax.errorbar(curve["x"], curve["y"], yerr=curve["error"], ms=4.5, capsize=2.5, zorder=3,
                    elinewidth=1.1, **style)  # fmt: skip
