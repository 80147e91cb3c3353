"""Pictures of Pillow as numbers in [0, 1]: upright, opaque, grey or RGB, of one size."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import missing_extra

COLOURS = ("L", "RGB")
"""Colours that a picture can have as numbers: grey `(h, w)`, or red, green, blue `(h, w, 3)`."""

PIXELS = 50_000_000
"""Largest number of pixels per picture. A small file can announce many times as much."""

TOO_LARGE = f"has more than {PIXELS} pixels"
EIGHT_BITS = ("1", "L", "P", "PA", "LA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
"""Pillow's modes that become grey or RGB without loss of anything but colour."""

SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I")
"""Pillow's modes of grey with 16 bits; "I" has 32, of which a .pgm file uses 16."""


@dataclass(frozen=True)
class PictureForm:
    """The form that pictures get.

    Attributes:
        mode: "L" or "RGB".
        size: (height, width), or None to keep the size of each picture.
        background: the grey level in [0, 1] that shows through transparent places.
    """

    mode: str = "L"
    size: tuple[int, int] | None = None
    background: float = 1.0


def problem_of(image: Any, form: PictureForm) -> str:
    """Say why this picture of Pillow cannot get the form; empty if it can."""
    if image.width * image.height > PIXELS:
        return TOO_LARGE
    if image.mode not in EIGHT_BITS + SIXTEEN_BITS:
        return f"has values of Pillow's mode {image.mode!r}"
    # The further frames of an MPO file, as phones write, are previews and depths of the first.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        return f"has {image.n_frames} frames. Save each as a file"
    if image.mode == "I" and not all(0 <= end <= 65535 for end in image.getextrema()):
        return "has 32 bits per pixel"
    return ""


def to_numbers(image: Any, form: PictureForm) -> np.ndarray:
    """Return a picture without a problem as float32 in [0, 1], `(h, w)` or `(h, w, 3)`."""
    if image.mode in SIXTEEN_BITS:
        return _from_sixteen_bits(image, form)
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        level = round(255 * form.background)
        ground = Image.new("RGBA", upright.size, (level, level, level, 255))
        upright = Image.alpha_composite(ground, upright.convert("RGBA")).convert("RGB")
    numbers = np.array(_resized(upright.convert(form.mode), form), dtype=np.float32)
    numbers /= 255
    return numbers


def _from_sixteen_bits(image: Any, form: PictureForm) -> np.ndarray:
    from PIL import Image, ImageOps

    levels = np.asarray(ImageOps.exif_transpose(image)).astype(np.float32)
    grey = levels / 65535
    if isinstance(transparent := image.info.get("transparency"), int):
        grey[levels == transparent] = form.background
    if form.size is not None:
        # Pillow resizes 16 bits by the nearest pixel only.
        grey = np.array(_resized(Image.fromarray(grey), form)).clip(0, 1)
    return grey if form.mode == "L" else np.repeat(grey[:, :, None], 3, axis=2)


def _resized(image: Any, form: PictureForm) -> Any:
    if form.size is None or form.size[::-1] == image.size:
        return image
    from PIL import Image

    # The mean of the area: what one pixel hides spreads no further than into the pixels over it.
    return image.resize(form.size[::-1], Image.Resampling.BOX)


def import_pillow() -> Any:
    """Return the module PIL.Image, or raise the error that names the extra."""
    try:
        from PIL import Image
    except ImportError:
        raise missing_extra("pillow", "data") from None
    return Image
