"""Figures and their axes; bars, energies and durations."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from ..errors import DataError, HopfieldError, missing_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
T = TypeVar("T")

BLUE, ORANGE, GREEN, RED = "#0072b2", "#d98c00", "#009e73", "#d55e00"
INK = "#1d2126"
COLOURS = (BLUE, RED, GREEN, ORANGE, "#aa4a83", INK)
MARKERS = "os^Dvx"
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
UNKNOWN = (0.72, 0.85, 0.95)
"""Colour of unknown entries of a cue."""
WIDTH = 4.0
"""Width in inches. Wider figures have text too small to read on a phone."""
MAX_LABELS = 12
"""Largest number of measured places that label a logarithmic axis."""
MAX_LABEL_LENGTH = 6
MIN_DISTANCE = 0.13
"""Least distance of two labels, as a part of the axis. Labels closer than this overprint."""


def drawn(function: Callable[P, T]) -> Callable[P, T]:
    """Wrap a function that draws: values that cannot be drawn raise `DataError`."""
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        signature.bind(*args, **kwargs)  # a wrong number or name of arguments stays a TypeError
        try:
            return function(*args, **kwargs)
        except HopfieldError:
            raise
        except Exception as error:  # matplotlib and NumPy raise many kinds
            raise DataError(
                f"plots.{function.__name__} needs values that can be drawn, but they ended in "
                f"{type(error).__name__}: {error}"
            ) from error

    return call


@drawn
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


def finish(
    ax: "Axes", labels: tuple[str, str], grid: Literal["x", "y"] = "y", *, legend: bool = False
) -> "Axes":
    """Label both axes, keep two spines, and add a faint grid and a legend above."""
    ax.set(xlabel=labels[0], ylabel=labels[1])
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis=grid, lw=0.6, alpha=0.4)
    ax.set_axisbelow(True)
    if legend:
        legend_above(ax, ncols=2, fontsize=8, columnspacing=1.2, handlelength=1.8)
    return ax


def legend_above(ax: "Axes", **style: Any) -> None:
    """Draw a legend above the axes, without a frame unless `style` has one."""
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.1}
    ax.legend(**{"frameon": False, **place, **style})


def literal(name: str) -> str:
    """Return the name so that matplotlib shows a $ instead of reading a formula."""
    return name.replace("$", r"\$")


def label_places(ax: "Axes", places: Sequence[float], log: bool) -> None:
    """Label the x axis at measured places, where these are few, short and far enough apart.

    Otherwise a logarithmic axis has labels at powers of ten; one that spans less than two of them
    has labels at 1, 2 and 5. A linear axis of whole numbers has labels at whole numbers.
    """
    if not log:
        if all(x == int(x) for x in places):
            ax.locator_params(axis="x", integer=True)
        return
    ax.set_xticks([], minor=True)
    labels = [f"{x:g}" for x in places]
    is_short = all(len(label) <= MAX_LABEL_LENGTH and "e" not in label for label in labels)
    if 1 < len(places) <= MAX_LABELS and is_short:
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


@drawn
def rates(bars: Sequence[tuple[str, float, float]], label: str, ax: "Axes | None" = None) -> "Axes":
    """Draw horizontal bars in percent, each with its standard deviation and its value.

    Args:
        bars: name, mean and standard deviation, as shares between 0 and 1.
        label: the quantity.
        ax: axes to draw on.
    """
    ax = axes(ax, height=0.8 + 0.3 * len(bars))
    means = [100 * mean for _, mean, _ in bars]
    low = [min(100 * sd, mean) for (_, _, sd), mean in zip(bars, means, strict=True)]
    high = [min(100 * sd, 100 - mean) for (_, _, sd), mean in zip(bars, means, strict=True)]
    places = range(len(bars))
    ax.barh(places, means, color=BLUE, height=0.62)
    ax.errorbar(means, places, xerr=(low, high), fmt="none", ecolor=INK, capsize=3, lw=1.2)
    for place, mean, up in zip(places, means, high, strict=True):
        ax.text(mean + up + 2, place, f"{mean:.0f}", va="center", fontsize=9)
    ax.set_yticks(places, [literal(name) for name, _, _ in bars])
    ax.invert_yaxis()
    ax.set_xlim(0, 112)
    ax.set_xticks(range(0, 101, 25))
    return finish(ax, (f"{label} (%)", ""), "x")


@drawn
def energies(
    traces: Sequence[Sequence[float]],
    ax: "Axes | None" = None,
    *,
    step: str = "sweep",
    colour: str = BLUE,
) -> "Axes":
    """Draw energy curves, one per cue, from the cue (step 0) on."""
    ax = axes(ax)
    for trace in traces:
        ax.plot(range(len(trace)), trace, color=colour, alpha=0.55, lw=1.1, marker=".", ms=4)
    ax.locator_params(axis="x", integer=True)
    return finish(ax, (f"{step} t", "energy E"))


@drawn
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
    return finish(ax, (label, ""), "x")
