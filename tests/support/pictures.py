"""Folders of pictures of many sizes, formats, colours and rotations, made for tests.

    python tests/support/pictures.py FOLDER [COUNT]

writes COUNT (300) of them. Each shows other smooth shapes, so that no two resemble each other.
"""

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

PNG_MODES = ("L", "RGB", "P", "LA", "RGBA", "1", "I;16")
JPEG_MODES = ("RGB", "L", "CMYK")
ORIENTATION = 0x0112
"""The EXIF tag that says how a picture must be turned to be upright."""

TURNED = {
    1: lambda image: image,
    2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
}
"""What a camera stores of an upright picture, by the orientation that it writes beside it."""


def scene(number: int, height: int, width: int) -> np.ndarray:
    """Draw smooth shapes of colour, uint8 `(height, width, 3)`; other numbers draw other shapes."""
    generator = np.random.default_rng(number)
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    total = np.zeros((height, width, 3))
    for _ in range(12):
        where, size = generator.random(2), generator.uniform(0.05, 0.3)
        colour = generator.uniform(-1, 1, 3)
        total += colour * np.exp(-((y - where[0]) ** 2 + (x - where[1]) ** 2) / size**2)[..., None]
    return np.clip(128 + 110 * total, 0, 255).astype(np.uint8)


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Convert an RGB picture to a mode, with transparency in the corner where it has any."""
    if mode == "I;16":
        levels = np.asarray(image.convert("L")).astype(np.uint16) * 257
        return Image.fromarray(levels)
    converted = image.convert(mode)
    if mode in ("LA", "RGBA"):
        alpha = Image.new("L", image.size, 255)
        alpha.paste(0, (0, 0, image.width // 8, image.height // 8))
        converted.putalpha(alpha)
    return converted


def write(folder: Path, number: int) -> Path:
    """Write one picture: even numbers as PNG, odd ones as JPEG that a camera may have turned."""
    generator = np.random.default_rng([7, number])
    height, width = (int(side) for side in generator.integers(40, 200, 2))
    image = Image.fromarray(scene(number, height, width))
    folder.mkdir(parents=True, exist_ok=True)
    if number % 2 == 0:
        path = folder / f"{number:03}.png"
        in_mode(image, PNG_MODES[number // 2 % len(PNG_MODES)]).save(path)
        return path
    path, orientation, exif = folder / f"{number:03}.jpg", 1 + number // 2 % 8, Image.Exif()
    exif[ORIENTATION] = orientation
    stored = TURNED[orientation](image.convert(JPEG_MODES[number // 2 % len(JPEG_MODES)]))
    stored.save(path, quality=90, exif=exif)
    return path


def make_collection(folder: Path, count: int = 300) -> list[Path]:
    """Write `count` pictures into a folder and some subfolders of it, and return their paths."""
    return [write(folder / f"album {number % 3}", number) for number in range(count)]


GREY = np.array([[[0, 51], [102, 255]], [[1, 2], [3, 4]]], dtype=np.uint8)
"""Two pictures of 2 × 2 pixels."""


def picture(path: Path, values: np.ndarray = GREY[0], mode: str = "L") -> None:
    """Save a picture, in a folder that is made if missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).convert(mode).save(path)


def png() -> bytes:
    """Return the file of a picture of noise."""
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8)
    Image.fromarray(noise).save(stream, "png")
    return stream.getvalue()


if __name__ == "__main__":
    paths = make_collection(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 300)
    print(f"{len(paths)} pictures in {sys.argv[1]}")
