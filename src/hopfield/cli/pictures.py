"""Pictures in files and folders, and masks of the pixels that are known."""

import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..data.images import (
    SUFFIXES,
    as_text,
    listed_problems,
    open_picture,
    pictures_in,
    read_picture,
)
from ..errors import DataError, HopfieldError
from ..pictures import PIXELS, TOO_LARGE, PictureForm, import_pillow
from .form import RowForm
from .progress import track
from .reading import ReadOptions, Rows

T = TypeVar("T")

SIZE = (64, 64)
"""Height and width of stored pictures, unless --size says otherwise."""

LARGEST_SIDE = 4096
GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16L", "I;16B")
"""Pillow's modes without colours."""


def is_picture(path: Path) -> bool:
    """Return whether a path is a folder, or ends as pictures do."""
    return path.is_dir() or path.suffix.lower() in SUFFIXES


def read_pictures(
    paths: Sequence[str], options: ReadOptions, form: RowForm | None
) -> tuple[Rows, RowForm, list[str]]:
    """Return the rows of pictures, their form, and a line for each that was left out."""
    files = [file for path in paths for file in _files(Path(path))]
    if form is None:
        size, mode = parse_size(options.pictures.size), options.pictures.mode or _mode(files)
        form = RowForm("pictures", (*size, 3) if mode == "RGB" else size)
    rows, names = [], []
    problems: dict[str, str] = {}
    for file in track(files, "Reading pictures"):
        size, place = _place(form, options.pictures.half)
        numbers, problem = _quietly(read_picture, file, PictureForm(form.mode, size))
        if problem:
            problems[as_text(file.as_posix())] = problem
            continue
        if options.missing == "transparent":
            numbers[~_reduced(_upright(file, "RGBA")[..., 3] >= 128, size)] = np.nan
        picture = torch.full(form.shape, torch.nan)
        picture[place] = torch.from_numpy(numbers)
        rows.append(picture.flatten())
        names.append(as_text(file.as_posix()))
    if problems and not (options.pictures.skip and rows):
        raise _unreadable(problems, len(files))
    values = [Path(name).parent.name for name in names] if options.values else None
    skipped = [f"{name!r} {problem}" for name, problem in problems.items()]
    return Rows(torch.stack(rows), names, values), form, skipped


def parse_size(text: str) -> tuple[int, int]:
    """Return height and width from text such as "64x48", the width first."""
    if not text:
        return SIZE
    match = re.fullmatch(r"(\d{1,5})\s*[x×X]\s*(\d{1,5})", text.strip())
    sides = (int(match[2]), int(match[1])) if match else (0, 0)
    if not all(1 <= side <= LARGEST_SIDE for side in sides):
        raise HopfieldError(
            f"--size must be a width and a height of 1 to {LARGEST_SIDE} pixels, such as 64x48, "
            f"but is {text!r}."
        )
    return sides


def read_mask(file: Path, form: RowForm) -> Tensor:
    """Return the entries that a picture marks as known by white, `(dim,)`."""
    known = torch.from_numpy(_reduced(_upright(file, "L") >= 128, form.size))
    return (known[..., None].expand(form.shape) if form.mode == "RGB" else known).flatten()


def _place(form: RowForm, half: str) -> tuple[tuple[int, int], tuple[slice, slice]]:
    """Return height and width of a picture or a half of it, and its place in the whole."""
    height, width = form.size
    upper, left = height - height // 2, width - width // 2
    whole = slice(None)
    return {
        "top": ((upper, width), (slice(upper), whole)),
        "bottom": ((upper, width), (slice(height - upper, None), whole)),
        "left": ((height, left), (whole, slice(left))),
        "right": ((height, left), (whole, slice(width - left, None))),
    }.get(half, ((height, width), (whole, whole)))


def _upright(file: Path, mode: str) -> np.ndarray:
    try:
        return _quietly(_converted, file, mode)
    except Exception:  # Pillow raises errors of every class on damaged files
        raise DataError(
            f"--known must be a picture, white where pixels are known, but {str(file)!r} cannot be "
            "read."
        ) from None


def _converted(file: Path, mode: str) -> np.ndarray:
    from PIL import ImageOps

    with open_picture(file) as image:
        if image.width * image.height > PIXELS:
            raise DataError(TOO_LARGE)
        return np.asarray(ImageOps.exif_transpose(image).convert(mode))


def _quietly(function: Callable[..., T], *arguments: Any) -> T:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about details of files that it can read
        return function(*arguments)


def _reduced(shown: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    # A pixel of the smaller picture is known if all are of which it is the mean.
    module: Any = import_pillow()
    share = module.fromarray(shown.astype(np.float32)).resize(size[::-1], module.Resampling.BOX)
    return np.asarray(np.asarray(share) > 1 - 1e-3)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(pictures_in(path))
    if not files:
        raise DataError(
            f"{str(path)!r} must hold pictures ({', '.join(SUFFIXES)}), but holds none."
        )
    return files


def _mode(files: Sequence[Path]) -> str:
    """Return "RGB" if one of the pictures may have colours, else "L"."""
    return "RGB" if any(_quietly(_has_colours, file) for file in files) else "L"


def _has_colours(file: Path) -> bool:
    try:
        with open_picture(file) as image:
            return image.mode not in GREY_MODES
    except Exception:  # reading it will say what is wrong
        return False


def _unreadable(problems: dict[str, str], count: int) -> DataError:
    pictures = "a picture" if count == 1 else f"{len(problems)} of {count} pictures"
    advice = " --skip leaves such files out." if len(problems) < count else ""
    return DataError(f"{pictures} cannot be read: {listed_problems(problems)}.{advice}")
