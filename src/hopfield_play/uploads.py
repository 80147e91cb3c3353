"""Pictures that a browser cannot read, read by the library: sizes are limited before decoding."""

import io
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hopfield import HopfieldError
from hopfield.data.images import FORMATS
from hopfield.errors import DataError
from hopfield.pictures import PictureForm, import_pillow, problem_of, to_numbers

MOST_PIXELS = 2**22
"""Largest number of pixels of an uploaded picture: decoded, it takes 4 bytes for each."""


def light_of(content: bytes, side: int) -> Tensor:
    """Return a picture as light values in [0, 1], `(side²,)`; white is 1.

    Raises:
        DataError: if the content is no picture that the library reads, or too large.
    """
    try:
        return torch.from_numpy(_read(content, PictureForm("L", (side, side)))).flatten()
    except HopfieldError:
        raise
    except Exception:  # Pillow raises errors of every class on damaged files
        raise DataError("The library cannot read this file as a picture.") from None


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
