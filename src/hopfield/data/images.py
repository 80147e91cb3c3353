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
    labels = None
    if folders:
        groups = [_images_in(folder) for folder in folders]
        files = [file for group in groups for file in group]
        labels = torch.tensor([label for label, group in enumerate(groups) for _ in group])
    if not files:
        raise DataError(
            f"{str(folder)!r} must hold images ({', '.join(SUFFIXES)}) or IDX files, but holds "
            "neither."
        )
    images = [_grey(file) for file in files]
    for file, image in zip(files, images, strict=True):
        if image.shape != images[0].shape:
            raise DataError(
                f"images must all have one size, but {files[0].name!r} has {_size(images[0])} "
                f"pixels and {file.name!r} has {_size(image)}."
            )
    classes = tuple(each.name for each in folders)
    name = folder.resolve().name
    return Dataset(torch.from_numpy(np.stack(images)), labels, name, str(folder), None, classes)


def _images_in(folder: Path) -> list[Path]:
    """Image files of a folder in the order of their names, without hidden ones."""
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and file.is_file() and not file.name.startswith(".")
    )


def _grey(file: Path) -> np.ndarray:
    """Read an image as grey values in [0, 1], as it is meant to be seen."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise missing_extra("pillow", "data") from None
    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
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
    except bombs:
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


def _size(image: np.ndarray) -> str:
    """Width × height, the order of image programs."""
    return f"{image.shape[1]} × {image.shape[0]}"
