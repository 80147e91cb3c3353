"""Rows of images: stored, cue, retrieved, and their differences."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .charts import UNKNOWN, WIDTH, drawn, figure, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Images = Sequence[Sequence[int]]
MIN_COLUMNS = 6
"""Smallest number of columns of pictures. Fewer pictures are not enlarged."""


@drawn
def pictures(
    rows: Sequence[tuple[str, Images]],
    shape: Sequence[int],
    *,
    known: Images | None = None,
    masked: str = "cue",
    columns: Sequence[str] = (),
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
    height, width = shape[-2:]
    gap = max(1, height // 8)
    count = max(MIN_COLUMNS, *(len(images) for _, images in rows))
    canvas = np.zeros((len(rows) * (height + gap) - gap, count * (width + gap) - gap, 4))
    for line, (label, images) in enumerate(rows):
        top = line * (height + gap)
        for column, image in enumerate(images):
            left = column * (width + gap)
            mask = known[column] if known is not None and label == masked else None
            canvas[top : top + height, left : left + width] = _coloured(image, shape, mask, light)
    if ax is None:
        ax = _new_axes(canvas.shape[0] / canvas.shape[1], head=0.24 if columns else 0.02)
    ax.imshow(canvas, interpolation="none", aspect="equal")
    centres = np.arange(len(rows)) * (height + gap) + (height - 1) / 2
    ax.set_yticks(centres, [literal(label) for label, _ in rows])
    ax.set_xticks(np.arange(len(columns)) * (width + gap) + (width - 1) / 2, columns)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    return ax


@drawn
def recovered(
    original: Images,
    cue: Images,
    retrieved: Images,
    shape: Sequence[int],
    *,
    known: Images | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw images in rows: original, cue, retrieved, absolute difference; see `pictures`."""
    difference = np.abs(np.asarray(original, dtype=int) - np.asarray(retrieved, dtype=int))
    rows = [("original", original), ("cue", cue), ("retrieved", retrieved),
            ("difference", difference.tolist())]  # fmt: skip
    return pictures(rows, shape, known=known, ax=ax)


def _new_axes(aspect: float, head: float) -> "Axes":
    left, right = 0.85, 0.05
    width = WIDTH - left - right
    height = width * aspect + head + 0.02
    new = figure(height)
    new.set_layout_engine("none")
    return new.add_axes((left / WIDTH, 0.02 / height, width / WIDTH, width * aspect / height))


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
