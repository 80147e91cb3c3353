"""Pictures that a browser cannot read, read by the library: sizes are limited before decoding."""

import io
from typing import Any

import numpy as np

from hopfield import HopfieldError
from hopfield.data.images import FORMATS
from hopfield.errors import DataError
from hopfield.pictures import PictureForm, import_pillow, problem_of, to_numbers

from . import digits

MOST_PIXELS = 2**22
"""Largest number of pixels of an uploaded picture: decoded, it takes 4 bytes for each."""


def levels_of(content: bytes, side: int) -> str:
    """Return a picture as letters of levels in a square. Its darkest part is ink.

    Raises:
        DataError: if the content is no picture that the library reads, or too large.
    """
    try:
        grey = _read(content, PictureForm("L", (side, side)))
    except HopfieldError:
        raise
    except Exception:  # Pillow raises errors of every class on damaged files
        raise DataError("The library cannot read this file as a picture.") from None
    low, high = float(grey.min()), float(grey.max())
    ink = (high - grey) / (high - low) if high > low else np.zeros_like(grey)
    return digits.encode(np.floor(digits.LEVELS * ink + 0.5).astype(int).flatten().tolist())


def _read(content: bytes, form: PictureForm) -> np.ndarray:
    module: Any = import_pillow()
    module.init()  # registers the readers of all formats
    readers = [name for name in FORMATS if name in module.OPEN]
    with module.open(io.BytesIO(content), formats=readers) as image:
        if image.width * image.height > MOST_PIXELS:
            raise DataError(f"A picture may have up to {MOST_PIXELS} pixels here.")
        if problem := problem_of(image, form):
            raise DataError(f"The picture {problem}.")
        return to_numbers(image, form)
