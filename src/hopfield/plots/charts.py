"""Figures, their axes, and charts: images, bars, curves, histograms, durations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import missing_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED = "#0072b2", "#d98c00", "#009e73", "#d55e00"
INK = "#1d2126"
SERIES = ((BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-."), (RED, "D", ":"))
UNKNOWN = (0.72, 0.85, 0.95)
"""Colour of unknown entries of a cue."""
WIDTH = 4.0
"""Width in inches. Wider figures have text too small to read on a phone."""
MAX_LABELS = 12
"""Largest number of measured places that label a logarithmic axis."""
MAX_LABEL_LENGTH = 6
MIN_DISTANCE = 0.13
"""Least distance of two labels, as a part of the axis. Labels closer than this overprint."""
MIN_COLUMNS = 6
"""Smallest number of columns of pictures. Fewer pictures are not enlarged."""


def figure(height: float = 2.8) -> "Figure":
    """Return an empty figure, without a window and without global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_extra("matplotlib", "plots") from None
    return Figure(figsize=(WIDTH, height), layout="constrained")


def axes(ax: "Axes | None", height: float = 2.8) -> "Axes":
    """Return the axes, or those of a new figure for None."""
    return figure(height).add_subplot() if ax is None else ax


def literal(name: str) -> str:
    """Return the name so that matplotlib shows a $ instead of reading a formula."""
    return name.replace("$", r"\$")


def label_places(ax: "Axes", places: Sequence[float], log: bool) -> None:
    """Label the x axis at measured places, where these are few, short and far enough apart.

    Otherwise a logarithmic axis that spans less than two powers of ten has labels at 1, 2 and 5.
    A linear axis of whole numbers has labels at whole numbers.
    """
    if not log:
        if all(x == int(x) for x in places):
            ax.locator_params(axis="x", integer=True)
        return
    ax.set_xticks([], minor=True)
    labels = [f"{x:g}" for x in places]
    if 1 < len(places) <= MAX_LABELS and max(map(len, labels)) <= MAX_LABEL_LENGTH:
        ratio = (places[-1] / places[0]) ** MIN_DISTANCE
        chosen = [0]
        for i in range(1, len(places)):
            if places[i] / places[chosen[-1]] > ratio:
                chosen.append(i)
        ax.set_xticks([places[i] for i in chosen], [labels[i] for i in chosen])
    elif ax.get_xlim()[1] < 100 * ax.get_xlim()[0]:
        from matplotlib.ticker import LogLocator

        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")


def pictures(
    rows: Sequence[tuple[str, Sequence[Sequence[int]]]],
    shape: Sequence[int],
    *,
    known: Sequence[Sequence[int]] | None = None,
    masked: str = "cue",
    columns: Sequence[str] | None = None,
    light: bool = False,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw rows of images, such as stored, cue and retrieved, with a label before each row.

    Args:
        rows: label and images, each image a sequence of 0 … 255.
        shape: (height, width), or (channels, height, width).
        known: for the row labelled `masked`, 0 where an entry is unknown and tinted.
        masked: label of that row.
        columns: labels above the images.
        light: 255 is white, as in photographs; else it is ink, which is drawn dark.
        ax: axes to draw on.
    """
    canvas, centres, gap = _canvas(rows, shape, known, masked, light)
    if ax is None:
        ax = _sheet(canvas.shape[0] / canvas.shape[1], head=0.24 if columns else 0.02)
    ax.imshow(canvas, interpolation="none", aspect="equal")
    ax.set_yticks(centres, [literal(label) for label, _ in rows])
    step = shape[-1] + gap
    names = list(columns or [])
    ax.set_xticks([step * i + (shape[-1] - 1) / 2 for i in range(len(names))], names)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    return ax


def _sheet(aspect: float, head: float) -> "Axes":
    left, right = 0.85, 0.05
    width = WIDTH - left - right
    height = width * aspect + head + 0.02
    new = figure(height)
    new.set_layout_engine("none")
    return new.add_axes((left / WIDTH, 0.02 / height, width / WIDTH, width * aspect / height))


def _canvas(
    rows: Sequence[tuple[str, Sequence[Sequence[int]]]],
    shape: Sequence[int],
    known: Sequence[Sequence[int]] | None,
    masked: str,
    light: bool,
) -> tuple[np.ndarray, list[float], int]:
    height, width = shape[-2:]
    gap = max(1, height // 8)
    most = max(MIN_COLUMNS, *(len(images) for _, images in rows))
    canvas = np.zeros((len(rows) * (height + gap) - gap, most * (width + gap) - gap, 4))
    centres = []
    for line, (label, images) in enumerate(rows):
        top = line * (height + gap)
        centres.append(top + (height - 1) / 2)
        for column, image in enumerate(images):
            left = column * (width + gap)
            mask = known[column] if known is not None and label == masked else None
            canvas[top : top + height, left : left + width] = _coloured(image, shape, mask, light)
    return canvas, centres, gap


def _coloured(
    image: Sequence[int], shape: Sequence[int], known: Sequence[int] | None, light: bool
) -> np.ndarray:
    planes = np.asarray(image, dtype=float).reshape(-1, *shape[-2:]) / 255
    rgba = np.ones((*planes.shape[1:], 4))
    grey = planes[0] if light else 1 - planes[0]
    rgba[..., :3] = np.moveaxis(planes, 0, -1) if len(planes) == 3 else grey[..., None]
    if known is not None:
        hidden = np.asarray(known).reshape(-1, *shape[-2:])[0] == 0
        rgba[hidden, :3] = UNKNOWN
    return rgba


def rates(bars: Sequence[tuple[str, float, float]], label: str, ax: "Axes | None" = None) -> "Axes":
    """Draw horizontal bars in percent, each with its standard deviation and its value.

    Args:
        bars: name, mean and standard deviation, as shares between 0 and 1.
        label: the quantity.
        ax: axes to draw on.
    """
    ax = axes(ax, height=0.8 + 0.3 * len(bars))
    names = [name for name, _, _ in bars]
    means = [100 * mean for _, mean, _ in bars]
    low = [min(100 * sd, mean) for (_, _, sd), mean in zip(bars, means, strict=True)]
    high = [min(100 * sd, 100 - mean) for (_, _, sd), mean in zip(bars, means, strict=True)]
    places = range(len(bars))
    ax.barh(places, means, color=BLUE, height=0.62)
    ax.errorbar(means, places, xerr=(low, high), fmt="none", ecolor=INK, capsize=3, lw=1.2)
    for place, mean, up in zip(places, means, high, strict=True):
        ax.text(mean + up + 2, place, f"{mean:.0f}", va="center", fontsize=9)
    ax.set_yticks(places, [literal(name) for name in names])
    ax.invert_yaxis()
    ax.set_xlim(0, 112)
    ax.set_xticks(range(0, 101, 25))
    ax.set_xlabel(f"{label} (%)")
    return style_axes(ax, "x")


def energies(
    traces: Sequence[Sequence[float]],
    ax: "Axes | None" = None,
    *,
    step: str = "sweep",
    colour: str = BLUE,
    name: str | None = None,
) -> "Axes":
    """Draw energy curves, one per cue, from the cue (step 0) on."""
    ax = axes(ax)
    for i, trace in enumerate(traces):
        ax.plot(
            range(len(trace)), trace, color=colour, alpha=0.55, lw=1.1, marker=".", ms=4,
            label=name if i == 0 else None,
        )  # fmt: skip
    ax.set_xlabel(f"{step} t")
    ax.set_ylabel("energy E")
    ax.locator_params(axis="x", integer=True)
    return style_axes(ax, "y")


def lines(
    series: Sequence[tuple[str, Sequence[float], Sequence[float], Sequence[float]]],
    labels: tuple[str, str],
    ax: "Axes | None" = None,
    *,
    log: bool = False,
) -> "Axes":
    """Draw curves with standard deviations, each (name, x, mean, sd); `log` makes x logarithmic."""
    ax = axes(ax)
    for (name, x, mean, sd), (colour, marker, style) in zip(series, SERIES, strict=False):
        ax.errorbar(
            x, mean, yerr=sd, color=colour, marker=marker, ls=style, label=literal(name),
            ms=5, lw=1.6, capsize=2.5, elinewidth=1,
        )  # fmt: skip
    if log:
        ax.set_xscale("log")
        label_places(ax, sorted({x for _, all_x, _, _ in series for x in all_x}), log)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    if len(series) > 1:
        _legend(ax)
    return style_axes(ax, "y")


def histogram(
    counts: Sequence[tuple[str, Sequence[int]]], label: str, ax: "Axes | None" = None
) -> "Axes":
    """Draw counts of 1, 2, 3 … in percent of their sum, side by side for each (name, counts)."""
    ax = axes(ax)
    width = 0.8 / len(counts)
    for i, ((name, values), (colour, _, _)) in enumerate(zip(counts, SERIES, strict=False)):
        total = max(1, sum(values))
        places = [k + 1 + (i - (len(counts) - 1) / 2) * width for k in range(len(values))]
        heights = [100 * value / total for value in values]
        ax.bar(places, heights, width=width, color=colour, label=literal(name))
    last = max(k for _, values in counts for k, value in enumerate(values) if value) + 1
    ax.set_xlim(0.4, last + 0.6)
    ax.set_xticks(range(1, last + 1, 1 if last <= 12 else 2))
    ax.set_xlabel(label)
    ax.set_ylabel("cues (%)")
    _legend(ax)
    return style_axes(ax, "y")


def durations(points: Sequence[tuple[str, float]], label: str, ax: "Axes | None" = None) -> "Axes":
    """Draw values as points on a logarithmic scale, which has no 0 where bars could start."""
    ax = axes(ax, height=0.8 + 0.36 * len(points))
    places = range(len(points))
    ax.plot([value for _, value in points], places, color=BLUE, marker="o", ls="none", ms=7)
    for place, (_, value) in zip(places, points, strict=True):
        ax.text(value * 1.3, place, f"{value:.3g}", va="center", fontsize=9)
    ax.set_yticks(places, [literal(name) for name, _ in points])
    ax.set_ylim(len(points) - 0.5, -0.5)
    ax.set_xscale("log")
    ax.set_xlim(min(v for _, v in points) / 3, max(v for _, v in points) * 6)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xticks([], minor=True)
    ax.set_xlabel(label)
    return style_axes(ax, "x")


def _legend(ax: "Axes") -> None:
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=9,
        borderaxespad=0.1, columnspacing=1.2,
    )  # fmt: skip


def style_axes(ax: "Axes", grid: Literal["x", "y"]) -> "Axes":
    """Keep two spines, and add a faint grid across one direction."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis=grid, lw=0.6, alpha=0.4)
    ax.set_axisbelow(True)
    return ax
