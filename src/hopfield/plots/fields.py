"""Landscapes, phase diagrams, couplings, weights, and recovered images."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .charts import BLUE, INK, ORANGE, RED, axes, pictures, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = 18
"""Number of contours of a landscape."""
Grid = Sequence[Sequence[float]]


def landscape(line: Mapping[str, Any], ax: "Axes | None" = None) -> "Axes":
    """Draw energies on a plane through patterns, with trajectories.

    Args:
        line: a record of `energy_plane`, or these arrays: `x`, `y` (of the grid), `energy` (one row
            per y), `positions` (of patterns), `trajectories` (positions of each state), `labels`
            (of both axes).
        ax: axes to draw on.
    """
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
    for name, label in zip("xy", line.get("labels", ("x", "y")), strict=True):
        ax.set(**{f"{name}label": label})
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=True, facecolor="0.55",
              fontsize=9, borderaxespad=0.1)  # fmt: skip
    return ax


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
        x: settings along the first axis.
        y: along the second.
        values: shares between 0 and 1, one row per y.
        labels: of x, of y, and of the values.
        ax: axes to draw on.
        limit: (x, y) of the line of theory.
    """
    ax = axes(ax, height=3.2)
    mesh = ax.pcolormesh(
        x, y, np.asarray(values), cmap="cividis", vmin=0, vmax=1, shading="nearest"
    )
    ax.figure.colorbar(mesh, ax=ax, label=labels[2])
    if limit is not None:
        ax.plot(*limit, color="white", lw=3)
        ax.plot(*limit, color=RED, lw=1.6, ls="--", label="theory")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderaxespad=0.1)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    return ax


def couplings(matrix: Grid, ax: "Axes | None" = None) -> "Axes":
    """Draw a coupling W: blue where negative, orange where positive, white at 0."""
    from matplotlib.colors import LinearSegmentedColormap

    ax = axes(ax, height=3.4)
    entries = np.asarray(matrix, dtype=float)
    most = float(np.abs(entries).max()) or 1.0
    colours = LinearSegmentedColormap.from_list("couplings", [BLUE, "white", ORANGE])
    image = ax.imshow(entries, cmap=colours, vmin=-most, vmax=most, interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label="coupling Wᵢⱼ", shrink=0.85)
    ax.set_xlabel("unit j")
    ax.set_ylabel("unit i")
    return ax


def weights(
    values: Sequence[float],
    ax: "Axes | None" = None,
    *,
    label: str = "weight p",
    marked: int | None = None,
) -> "Axes":
    """Draw weights, or overlaps, of the patterns as bars, one of them `marked`.

    Args:
        values: one per pattern.
        ax: axes to draw on.
        label: the quantity, such as "overlap m".
        marked: number of a pattern.
    """
    ax = axes(ax)
    colours = [RED if i == marked else BLUE for i in range(len(values))]
    bars = ax.bar(range(len(values)), values, color=colours)
    if marked is not None:
        bars[marked].set_hatch("//")
    ax.axhline(0, color=INK, lw=0.8)
    ax.set_xlabel("pattern μ")
    ax.set_ylabel(label)
    return style_axes(ax, "y")


def recovered(
    original: Sequence[Sequence[int]],
    cue: Sequence[Sequence[int]],
    retrieved: Sequence[Sequence[int]],
    shape: Sequence[int],
    *,
    known: Sequence[Sequence[int]] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw images in rows: original, cue, retrieved, absolute difference.

    Args:
        original: images, each a sequence of 0 … 255, ink dark.
        cue: damaged images.
        retrieved: images from the memory.
        shape: (height, width), or (channels, height, width).
        known: 0 where an entry of the cue is unknown and tinted.
        ax: axes to draw on.
    """
    pairs = zip(original, retrieved, strict=True)
    difference = [[abs(a - b) for a, b in zip(one, two, strict=True)] for one, two in pairs]
    rows = [
        ("original", original),
        ("cue", cue),
        ("retrieved", retrieved),
        ("difference", difference),
    ]
    return pictures(rows, shape, known=known, ax=ax)
