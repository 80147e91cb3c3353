"""Sets of one's own: folders of images, arrays and tables."""

import csv
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError, OptionError, missing_extra
from .dataset import Dataset
from .idx import load_folder, splits_in

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".tif", ".tiff", ".webp")
PATTERNS = ("patterns", "x", "images", "data")
LABELS = ("labels", "label", "y")
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars", r"\s+": "spaces"}
"""What pandas calls each of them, and what it is called in a message."""
DAMAGE = (
    *(OSError, ValueError, EOFError, TypeError, MemoryError, SyntaxError, LookupError),
    *(RuntimeError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
"""What numpy and pillow were seen to raise on damaged files."""

_Row = tuple[int, list[str]]


def load_path(path: Path, split: str | None) -> Dataset:
    """A folder of images or IDX files, or a .npy, .npz or .csv file."""
    if path.is_dir() and splits_in(path):
        return load_folder(path, split)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _npz(path, split)
    if split is not None:
        raise OptionError(
            f"{str(path)!r} is one set without a split, but split is {split!r}. Leave split out."
        )
    if path.is_dir():
        return _images(path)
    if suffix == ".npy":
        return _dataset(path, _array(path))
    if suffix == ".csv":
        return _csv(path)
    ending = f"ends in {suffix!r}" if suffix else "has no ending"
    raise DataError(
        f"{str(path)!r} must be a folder, or end in .npy, .npz or .csv, but {ending}. "
        "Images and IDX files are loaded by the folder they are in."
    )


def _dataset(
    path: Path, values: np.ndarray, labels: np.ndarray | None = None, split: str | None = None
) -> Dataset:
    """Check, scale and label the values of a file."""
    if values.ndim < 2 or 0 in values.shape:
        raise DataError(
            f"{str(path)!r} must hold an array (n, …), one pattern a row, but holds one of shape "
            f"{values.shape}. Patterns are rows."
        )
    if labels is not None and labels.shape != values.shape[:1]:
        raise DataError(
            f"{str(path)!r} must hold one label for each of {len(values)} patterns, but labels "
            f"have shape {labels.shape}. Save as many labels as patterns."
        )
    images, note = _scaled(path, values)
    numbers, classes = (None, ()) if labels is None else _numbered(path, labels)
    return Dataset(images, numbers, path.name, f"{path}{note}", split, classes)


def _scaled(path: Path, values: np.ndarray) -> tuple[Tensor, str]:
    """Values in [0, 1] by the rule of `load`, and a note where they were mapped linearly."""
    if values.dtype.kind not in "buif":
        raise DataError(
            f"{str(path)!r} must hold real numbers, but holds {values.dtype}. "
            "Save it again with values.astype('float32')."
        )
    if values.dtype == np.uint8:
        return torch.from_numpy(values.astype(np.float32)).div_(255), ""
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        place = ", ".join(map(str, bad[0]))
        raise DataError(
            f"{str(path)!r} must hold finite numbers, but the one at [{place}] is "
            f"{values[tuple(bad[0])]}. Replace or leave out what is missing."
        )
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return torch.from_numpy(values.astype(np.float32)), ""
    if low == high:
        raise DataError(
            f"{str(path)!r} holds the value {low:g} everywhere, which cannot be scaled to [0, 1]. "
            "Give patterns that differ, or values between 0 and 1."
        )
    if not math.isfinite(high - low):
        raise DataError(
            f"{str(path)!r} holds values from {low:g} to {high:g}, too far apart to be scaled to "
            "[0, 1]. Scale them before saving."
        )
    unit = (values.astype(np.float64) - low) / (high - low)
    return torch.from_numpy(unit.astype(np.float32)), f" (scaled from [{low:g}, {high:g}])"


def _numbered(path: Path, labels: np.ndarray) -> tuple[Tensor, tuple[str, ...]]:
    """Labels as int64, and their names where they are text."""
    if labels.dtype.kind == "U":
        names, numbers = np.unique(labels, return_inverse=True)
        return torch.from_numpy(numbers).long(), tuple(map(str, names))
    whole = labels.dtype.kind in "bui" or (
        labels.dtype.kind == "f" and bool((labels == np.floor(labels)).all())
    )
    if not whole or bool((np.abs(labels.astype(np.float64)) > 2**53).any()):
        raise DataError(
            f"{str(path)!r} must have whole numbers or text as labels, but has {labels.dtype} "
            f"such as {labels.flat[0]!r}. Save them with labels.astype('int64')."
        )
    return torch.from_numpy(labels.astype(np.int64)), ()


def _array(path: Path) -> np.ndarray:
    """The array of a .npy file."""
    try:
        with path.open("rb") as file:
            return np.lib.format.read_array(file)
    except DAMAGE:
        raise _unreadable(path, "array") from None


def _npz(path: Path, split: str | None) -> Dataset:
    """Patterns and labels of a .npz file, by their names."""
    try:
        with path.open("rb") as file, np.load(file) as archive:
            names = {name.lower(): name for name in archive.files}
            x, y, found = _npz_names(path, names, split)
            values = archive[names[x]]
            labels = archive[names[y]] if y else None
    except DataError:
        raise
    except DAMAGE:
        raise _unreadable(path, "set of arrays") from None
    return _dataset(path, values, labels, found)


def _npz_names(
    path: Path, names: dict[str, str], split: str | None
) -> tuple[str, str | None, str | None]:
    """Names of the patterns and the labels, and the split they are of."""
    there = [s for s in ("train", "test") if f"x_{s}" in names]
    plain = next((name for name in PATTERNS if name in names), None)
    if split is None and plain is None and len(names) == 1 and not there:
        return next(iter(names)), None, None
    if split is None and plain is not None:
        return plain, next((name for name in LABELS if name in names), None), None
    chosen = split or (there[0] if there else None)
    if chosen in there:
        return f"x_{chosen}", f"y_{chosen}" if f"y_{chosen}" in names else None, chosen
    wanted = f"'x_{split}'" if split else ", ".join(map(repr, (*PATTERNS, "x_train")))
    if there or plain:
        hint = f"Use split={there[0]!r}." if there else "Leave split out."
    else:
        hint = "Save with np.savez(path, patterns=…, labels=…)."
    raise DataError(
        f"{str(path)!r} must hold an array named {wanted}, but holds "
        f"{', '.join(map(repr, names.values())) or 'none'}. {hint}"
    )


def _unreadable(path: Path, what: str) -> DataError:
    return DataError(
        f"{str(path)!r} is no intact {what} of plain numbers in numpy's format. "
        "Save it again with np.save or np.savez, and no dtype=object."
    )


def _csv(path: Path) -> Dataset:
    """A table of numbers, with an optional header and an optional column named "label"."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            rows = ((reader.line_num, [cell.strip() for cell in row]) for row in reader if row)
            values, labels = _table(path, rows)
    except (OSError, UnicodeDecodeError, csv.Error):
        raise DataError(f"{str(path)!r} is no readable text. Save it as CSV in UTF-8.") from None
    return _dataset(path, values, labels)


def _table(path: Path, rows: Iterator[_Row]) -> tuple[np.ndarray, np.ndarray | None]:
    """The numbers of a table, and its labels."""
    start = list(islice(rows, 2))
    _check_separator(path, [row for _, row in start])
    rows = chain(start, rows)
    first = next(rows, (1, []))
    header = first[1]
    if header and None not in map(_number, header):  # the first row is a pattern already
        header = [f"column {i}" for i in range(1, len(header) + 1)]
        rows = chain([first], rows)
    if "" in header:
        raise DataError(
            f"{str(path)!r} has no name for column {header.index('') + 1}. Name it, or leave row "
            "numbers out (in pandas: to_csv(…, index=False))."
        )
    label = next((i for i, name in enumerate(header) if name.lower() == "label"), None)
    values, labels = [], []
    for line, row in rows:
        values.append(_cells(path, line, row, header, label))
        labels.append("" if label is None else row[label])
    if not values:
        raise DataError(f"{str(path)!r} holds no rows of numbers. Put one pattern on each line.")
    return np.stack(values), None if label is None else _column(labels)


def _check_separator(path: Path, rows: list[list[str]]) -> None:
    """Raise DataError where every one of the first rows has another sign between its numbers."""
    for sign, name in SEPARATORS.items():
        if rows and all(_separates(sign, row) for row in rows):
            commas = ".replace(',', '.', regex=True)" if any(len(row) > 1 for row in rows) else ""
            raise DataError(
                f"{str(path)!r} must have commas between its columns, but has {name}. Convert it, "
                f"in pandas: pd.read_csv({str(path)!r}, sep={sign!r}, header=None, dtype=str)"
                f"{commas}.to_csv('commas.csv', header=False, index=False)."
            )


def _separates(sign: str, row: list[str]) -> bool:
    """Whether `sign` stands in a row; spaces, which names may have, between numbers only."""
    if sign in (";", "\t", "|"):
        return any(sign in cell for cell in row)
    parts = row[0].split()
    return len(row) == 1 < len(parts) and None not in map(_number, parts)


def _cells(
    path: Path, line: int, row: list[str], header: list[str], label: int | None
) -> np.ndarray:
    """The numbers of one row, without the label."""
    if len(row) != len(header):
        raise DataError(
            f"{str(path)!r} must have {len(header)} columns, but line {line} has {len(row)}. "
            "Put commas between the numbers, and as many on every line."
        )
    numbers = []
    for i, (name, cell) in enumerate(zip(header, row, strict=True)):
        number = _number(cell)
        if i == label and cell:
            continue
        if number is None or not math.isfinite(number):
            raise DataError(
                f"{str(path)!r} must hold finite numbers, but line {line} has {cell!r} under "
                f"{name!r}. Replace it or leave the row out; only a column 'label' may be text."
            )
        numbers.append(number)
    return np.array(numbers, dtype=np.float64)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _column(cells: list[str]) -> np.ndarray:
    """A column of labels: numbers where all are, else text."""
    numbers = [_number(cell) for cell in cells]
    return np.array(cells if None in numbers else numbers)


def _images(path: Path) -> Dataset:
    """A folder of images of one size; subfolders are classes."""
    files = _pictures(path)
    folders = sorted(p for p in path.iterdir() if p.is_dir() and _pictures(p))
    if files and folders:
        raise DataError(
            f"{str(path)!r} has images both beside and in subfolders ({folders[0].name!r}). "
            "Subfolders are classes: put every image into one, or none."
        )
    labels = None
    if folders:
        groups = [_pictures(folder) for folder in folders]
        files = [file for group in groups for file in group]
        labels = torch.tensor([label for label, group in enumerate(groups) for _ in group])
    if not files:
        raise DataError(
            f"{str(path)!r} holds no images (files that end in {', '.join(IMAGES)}), nor IDX "
            "files. Name the folder they are in."
        )
    grey = [_grey(file) for file in files]
    for file, image in zip(files, grey, strict=True):
        if image.shape != grey[0].shape:
            raise DataError(
                f"images must all be of one size, but {files[0].name!r} has {_size(grey[0])} "
                f"pixels and {file.name!r} has {_size(image)}. Resize them, or sort them apart."
            )
    classes = tuple(folder.name for folder in folders)
    images = torch.from_numpy(np.stack(grey))
    return Dataset(images, labels, path.resolve().name, str(path), None, classes)


def _pictures(folder: Path) -> list[Path]:
    """Image files of a folder by name, without hidden ones."""
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in IMAGES and file.is_file() and not file.name.startswith(".")
    )


def _grey(file: Path) -> np.ndarray:
    """An image as grey values in [0, 1]; transparency is ignored."""
    try:
        from PIL import Image
    except ImportError:
        raise missing_extra("pillow", "data") from None
    try:
        with Image.open(file) as image:
            wide = image.mode.startswith(("I", "F"))
            values = np.asarray(image if wide else image.convert("L"), dtype=np.float32)
    except (*DAMAGE, Image.DecompressionBombError):
        raise DataError(
            f"{str(file)!r} is no readable image. Replace it, or take it out of the folder."
        ) from None
    if wide and (image.mode == "F" or values.min() < 0 or values.max() > 65535):
        raise DataError(
            f"{str(file)!r} must have 8 or 16 bits a pixel, but has 32. Save it as grey with 8."
        )
    return values / (65535 if wide else 255)


def _size(image: np.ndarray) -> str:
    """Width × height, as image programs say it."""
    return f"{image.shape[1]} × {image.shape[0]}"
