"""Folders of images, read as grey by Pillow."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import DataError, missing_extra
from .dataset import Dataset
from .files import DAMAGE

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".tif", ".tiff", ".webp")
PIXELS = 50_000_000
"""Largest number of pixels per image. A small file can announce many times as much."""

TOO_LARGE = f"has more than {PIXELS} pixels"
EIGHT_BITS = ("1", "L", "P", "PA", "LA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
"""Pillow's modes that become grey without loss of anything but colour."""

SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I")
"""Pillow's modes of grey with 16 bits; "I" has 32, of which a .pgm file uses 16."""


def load_images(folder: Path) -> Dataset:
    """Load a folder of images of one size; subfolders are classes."""
    files = _images_in(folder)
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and _images_in(path))
    if files and folders:
        raise DataError(
            f"{str(folder)!r} must have images beside subfolders or in them, which are classes, "
            f"but has both ({files[0].name!r} and {folders[0].name!r})."
        )
    labelled = [(file, label) for label, place in enumerate(folders) for file in _images_in(place)]
    labels = torch.tensor([label for _, label in labelled]) if folders else None
    files = files or [file for file, _ in labelled]
    if not files:
        kinds = f"images ({', '.join(SUFFIXES)}) or IDX files"
        raise DataError(f"{str(folder)!r} must hold {kinds}, but holds neither.")
    images = [_grey(file) for file in files]
    sizes = [f"{image.shape[1]} × {image.shape[0]}" for image in images]
    for file, size in zip(files, sizes, strict=True):
        if size != sizes[0]:
            raise DataError(
                f"images must all have one size, but {files[0].name!r} has {sizes[0]} pixels and "
                f"{file.name!r} has {size}."
            )
    classes = tuple(place.name for place in folders)
    name = folder.resolve().name
    return Dataset(torch.from_numpy(np.stack(images)), labels, name, str(folder), None, classes)


def _images_in(folder: Path) -> list[Path]:
    return sorted(
        file for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and file.is_file() and not file.name.startswith(".")
    )  # fmt: skip


def _grey(file: Path) -> np.ndarray:
    """Read an image as grey values in [0, 1], as it is meant to be seen."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise missing_extra("pillow", "data") from None
    try:
        with Image.open(file) as image:
            problem, values = _problem(image), np.zeros(0)
            if not problem:
                upright = ImageOps.exif_transpose(image)
                if image.has_transparency_data:
                    upright = upright.convert("RGBA")
                wide = image.mode in SIXTEEN_BITS
                values = np.asarray(upright if wide else upright.convert("L"), dtype=np.float32)
                values /= 65535 if wide else 255
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        problem = TOO_LARGE
    except DAMAGE:
        problem = "is damaged"
    if not problem and not (0 <= values.min() and values.max() <= 1):
        problem = "has 32 bits per pixel"
    if problem:
        raise DataError(f"{str(file)!r} must be an image that can become grey, but {problem}.")
    return values


def _problem(image: Any) -> str:
    """Say what would be lost or made up if this image of Pillow became grey; empty if nothing."""
    if image.width * image.height > PIXELS:
        return TOO_LARGE
    if image.mode not in EIGHT_BITS + SIXTEEN_BITS:
        return f"has values of Pillow's mode {image.mode!r}"
    if getattr(image, "n_frames", 1) > 1:
        return f"has {image.n_frames} frames. Save each as a file"
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
        return "is transparent in places, whose grey depends on what lies below. Flatten it first"
    return ""
