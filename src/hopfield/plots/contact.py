"""A contact sheet: the pictures of each query side by side, with a caption."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..pictures import import_pillow
from .charts import UNKNOWN

if TYPE_CHECKING:
    from PIL.Image import Image

CELL = 128
"""Pixels of the longer side of a picture on the sheet."""
GAP = 6
MARGIN = 18
LINE = 15
"""Pixels from one line of text to the next."""
TEXT, PALE = (40, 40, 40), (140, 140, 140)
COLUMNS = 6
"""Largest number of queries side by side."""


class Query(NamedTuple):
    """The pictures of a query.

    Attributes:
        pictures: values in [0, 1], `(h, w)` or `(h, w, 3)`, NaN where unknown; None for no picture.
        captions: lines of text below.
    """

    pictures: Sequence[np.ndarray | None]
    captions: Sequence[str]


def contact_sheet(queries: Sequence[Query], heads: Sequence[str]) -> "Image":
    """Return a sheet of all queries, about as wide as high, as a picture of Pillow.

    Args:
        queries: pictures of one size, as many per query as `heads`.
        heads: what each picture of a query is.
    """
    module: Any = import_pillow()
    from PIL import ImageDraw

    font = _font()
    width, height = _cell_size(queries)
    across = len(heads) * (width + GAP) - GAP
    down = LINE + height + GAP + LINE * max(len(query.captions) for query in queries)
    columns = round(math.sqrt(len(queries) * (down + MARGIN) / (across + MARGIN)))
    columns = max(1, min(COLUMNS, columns))
    rows = -(-len(queries) // columns)
    sheet = module.new(
        "RGB", (columns * (across + MARGIN) + MARGIN, rows * (down + MARGIN) + MARGIN), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for place, query in enumerate(queries):
        left = MARGIN + place % columns * (across + MARGIN)
        top = MARGIN + place // columns * (down + MARGIN)
        for k, (head, picture) in enumerate(zip(heads, query.pictures, strict=True)):
            x = left + k * (width + GAP)
            draw.text((x, top), head, PALE, font)
            if picture is None:
                box = (x, top + LINE, x + width - 1, top + LINE + height - 1)
                draw.rectangle(box, outline=PALE)
                draw.text((x + width / 2, top + LINE + height / 2), "none", PALE, font, anchor="mm")
            else:
                sheet.paste(_enlarged(module, picture, (width, height)), (x, top + LINE))
        for k, caption in enumerate(query.captions):
            text = _cut(caption, font, across)
            draw.text((left, top + LINE + height + GAP + k * LINE), text, TEXT, font)
    return sheet


def _font() -> Any:
    from PIL import ImageFont

    try:
        return ImageFont.truetype("DejaVuSans.ttf", 11)  # it has more letters than Pillow's own
    except OSError:
        return ImageFont.load_default(size=11)


def _cell_size(queries: Sequence[Query]) -> tuple[int, int]:
    """Return width and height: a whole multiple of small pictures, a part of large ones."""
    height, width = next(p.shape for q in queries for p in q.pictures if p is not None)[:2]
    scale = CELL / max(height, width)
    scale = float(int(scale)) if scale >= 1 else scale
    return max(1, round(width * scale)), max(1, round(height * scale))


def _enlarged(module: Any, picture: np.ndarray, size: tuple[int, int]) -> Any:
    colours = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    colours = np.where(np.isnan(colours), np.asarray(UNKNOWN), colours)
    levels = (255 * colours.clip(0, 1)).round().astype(np.uint8)
    enlarges = size[0] >= levels.shape[1]
    filters = module.Resampling
    return module.fromarray(levels).resize(size, filters.NEAREST if enlarges else filters.BOX)


def _cut(text: str, font: Any, width: float) -> str:
    """Return the end of a text that fits, which of a path is the name of the file."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("…" + text) > width:
        text = text[1:]
    return "…" + text
