"""Landscapes, phase diagrams, couplings and weights."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..experiments import landscape as measured_landscape
from .charts import BLUE, INK, ORANGE, RED, axes, drawn, finish, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

LEVELS = 18
"""Number of contours of a landscape."""
Grid = Sequence[Sequence[float]]


@drawn
def landscape(memory: Any, ax: "Axes | None" = None, *, patterns: "Tensor | None" = None) -> "Axes":
    """Draw energies of a memory on a plane through its patterns, with trajectories.

    The plane goes through three patterns; patterns of two entries are all drawn where they are. Of
    ±1 patterns it is a square between two of them and their inverses.

    Args:
        memory: one of the library, or your own with `energy(state)` and `update(state)`; or what
            was measured: a record of `energy_plane`, or a mapping of `x`, `y` (of the grid),
            `energy` (one row per y), `positions` (of patterns), `trajectories` (positions of each
            state) and `labels` (of both axes).
        ax: axes to draw on.
        patterns: the patterns of the plane, `(n, dim)`; None takes the first of `memory.patterns`.
    """
    line = memory if isinstance(memory, Mapping) else measured_landscape(memory, patterns)
    ax = axes(ax, height=3.4)
    filled = ax.contourf(line["x"], line["y"], line["energy"], levels=LEVELS, cmap="cividis")
    for i, path in enumerate(np.asarray(line["trajectories"], dtype=float)):
        ax.plot(path[:, 0], path[:, 1], color="white", lw=1.2, marker=".", ms=4,
                label="states" if i == 0 else None)  # fmt: skip
    positions = np.asarray(line["positions"], dtype=float)
    ax.plot(positions[:, 0], positions[:, 1], "D", color=RED, mec="white", ms=8, ls="",
            label="patterns", clip_on=False, zorder=3)  # fmt: skip
    ax.figure.colorbar(filled, ax=ax, label="energy E", shrink=0.85)
    ax.set_xlim(min(line["x"]), max(line["x"]))
    ax.set_ylim(min(line["y"]), max(line["y"]))
    ax.set_aspect("equal")
    labels = line.get("labels", ("x", "y"))
    ax.set(xlabel=labels[0], ylabel=labels[1])
    legend_above(ax, ncols=2, frameon=True, facecolor="0.55", fontsize=9)
    return ax


@drawn
def phases(
    x: Sequence[float],
    y: Sequence[float],
    values: Grid,
    labels: tuple[str, str, str],
    ax: "Axes | None" = None,
    *,
    limit: tuple[Sequence[float], Sequence[float]] | None = None,
) -> "Axes":
    """Draw a phase diagram: a share at each pair of settings, and the limit of theory.

    Args:
        x: settings along the horizontal axis.
        y: settings along the vertical axis.
        values: shares between 0 and 1, one row per y.
        labels: of x, of y, and of the values.
        ax: axes to draw on.
        limit: (x, y) of the line of theory.
    """
    ax = axes(ax, height=3.2)
    mesh = ax.pcolormesh(x, y, np.asarray(values), cmap="cividis", vmin=0, vmax=1)
    ax.figure.colorbar(mesh, ax=ax, label=labels[2])
    if limit is not None:
        ax.plot(*limit, color="white", lw=3)
        ax.plot(*limit, color=RED, lw=1.6, ls="--", label="theory")
        legend_above(ax)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    return ax


@drawn
def couplings(matrix: Grid, ax: "Axes | None" = None) -> "Axes":
    """Draw a coupling W: blue where negative, orange where positive, white at 0."""
    from matplotlib.colors import LinearSegmentedColormap

    ax = axes(ax, height=3.4)
    entries = np.asarray(matrix).astype(float, casting="same_kind")
    most = float(np.abs(entries).max()) or 1.0
    colours = LinearSegmentedColormap.from_list("couplings", [BLUE, "white", ORANGE])
    image = ax.imshow(entries, cmap=colours, vmin=-most, vmax=most, interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label="coupling Wᵢⱼ", shrink=0.85)
    ax.set(xlabel="unit j", ylabel="unit i")
    return ax


@drawn
def weights(
    values: Sequence[float],
    ax: "Axes | None" = None,
    *,
    label: str = "weight p",
    marked: int | None = None,
) -> "Axes":
    """Draw a quantity per pattern, such as weights or overlaps, as bars, one of them `marked`."""
    ax = axes(ax)
    colours = [RED if i == marked else BLUE for i in range(len(values))]
    bars = ax.bar(range(len(values)), values, color=colours)
    if marked is not None:
        bars[marked].set_hatch("//")
    ax.axhline(0, color=INK, lw=0.8)
    return finish(ax, ("pattern μ", label))
