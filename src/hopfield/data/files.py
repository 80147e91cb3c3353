"""Files of rows: .npy and .npz arrays, and tables of comma-separated values."""

import csv
import math
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError
from .dataset import Dataset
from .delimited import find_separator

UNPACKED = 2**30
"""Largest content of a compressed file, in bytes. A file can unpack to 1 000 times its size."""

PATTERNS = ("patterns", "x", "images", "data")
LABELS = ("labels", "label", "y")
DAMAGE = (
    *(OSError, ValueError, EOFError, TypeError, MemoryError, SyntaxError, LookupError),
    *(RuntimeError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
"""Errors that numpy was seen to raise on damaged files."""

NO_NUMBER = re.compile(r"could not convert string '(.*)' to float64 at row (\d+), column (\d+)")
"""numpy's message about a cell: it counts rows from 0 and columns from 1."""

MISSING = ("", "na", "n/a", "null", "none", "?")
"""Texts that usually mark a gap, in lower case."""

FILL_GAPS = " Fill its gaps by `hopfield impute`, or by HopfieldImputer in Python."


def load_npy(path: Path) -> Dataset:
    """Load the array of a .npy file."""
    with _intact(path), path.open("rb") as file:
        values = np.lib.format.read_array(file)
    return _dataset(path, values)


def load_npz(path: Path, split: str | None) -> Dataset:
    """Load the patterns and labels of a .npz file by their names."""
    with _intact(path), path.open("rb") as file, np.load(file) as archive:
        names = {name.lower(): name for name in archive.files}
        x, y, chosen = _npz_names(path, names, split)
        for member in archive.zip.infolist():
            if member.compress_type != zipfile.ZIP_STORED and member.file_size > UNPACKED:
                raise DataError(
                    f"{str(path)!r} must unpack to at most {UNPACKED} bytes per array, but "
                    f"{member.filename!r} has {member.file_size}. Save it with np.save."
                )
        values, labels = archive[names[x]], archive[names[y]] if y else None
    return _dataset(path, values, labels, chosen)


def _npz_names(
    path: Path, names: dict[str, str], split: str | None
) -> tuple[str, str | None, str | None]:
    """Return the names of the patterns, of the labels, and of the split they belong to."""
    plain = [(name, LABELS, None) for name in PATTERNS] if split is None else []
    splits = [(f"x_{each}", (f"y_{each}",), each) for each in ("train", "test")]
    wanted = [*plain, *(each for each in splits if split in (None, each[2]))]
    for x, labels, chosen in wanted:
        if x in names:
            return x, next((y for y in labels if y in names), None), chosen
    if split is None and len(names) == 1:
        return next(iter(names)), None, None
    raise DataError(
        f"{str(path)!r} must hold an array named {' or '.join(repr(x) for x, _, _ in wanted)}, but "
        f"holds {', '.join(map(repr, names.values())) or 'none'}."
    )


@contextmanager
def _intact(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except DAMAGE:
        raise DataError(
            f"{str(path)!r} must be an intact file of plain numbers in numpy's format (no "
            "dtype=object), but is not."
        ) from None


def load_csv(path: Path) -> Dataset:
    """Load a table of numbers, with an optional header and an optional column named "label"."""
    try:
        lines = [line for line in path.read_text("utf-8-sig").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{str(path)!r} must be text in UTF-8, but is not.") from None
    delimiter = find_separator("\n".join(lines[:2]))
    header = _header(path, lines[:1], delimiter)
    rows = lines[1:] if header else lines
    if not rows:
        raise DataError(f"{str(path)!r} must hold rows of numbers, but holds none.")
    return _dataset(path, *_table(path, rows, delimiter, header))


def _header(path: Path, lines: list[str], delimiter: str) -> list[str]:
    """Return the names of the columns; none if the first line holds numbers already."""
    try:
        first = next(csv.reader(lines, delimiter=delimiter), [])
    except csv.Error as error:
        raise DataError(f"{str(path)!r} must be a table of numbers, but {error}.") from None
    names = [cell.strip() for cell in first]
    if all(map(_is_number, names)):
        return []
    if "" in names:
        raise DataError(
            f"{str(path)!r} must name every column, but column {names.index('') + 1} has no name. "
            "Leave row numbers out, in pandas by to_csv(…, index=False)."
        )
    return names


def _table(
    path: Path, lines: list[str], delimiter: str, header: list[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    label = next((i for i, name in enumerate(header) if name.lower() == "label"), None)
    cells: list[str] = []

    def collect(cell: str) -> float:
        cells.append(cell.strip())
        return 0.0

    try:
        values = np.loadtxt(
            lines, delimiter=delimiter, comments=None, quotechar='"', ndmin=2, encoding="utf-8",
            converters=None if label is None else {label: collect},
        )  # fmt: skip
    except ValueError as error:
        reason = _reason(str(error).split(";")[0].rstrip("."), header)
        raise DataError(f"{str(path)!r} must be a table of numbers, but {reason}") from None
    if label is None:
        return values, None
    numbers = all(map(_is_number, cells))
    return np.delete(values, label, axis=1), np.array(cells, dtype=float if numbers else str)


def _reason(message: str, header: list[str]) -> str:
    """Return numpy's message, in terms of the file if it is about one cell."""
    if (found := NO_NUMBER.fullmatch(message)) is None:
        return f"{message}."
    cell, row, column = found[1], int(found[2]) + 1, int(found[3])
    name = f"under {header[column - 1]!r}" if column <= len(header) else f"in column {column}"
    return f"row {row} has {cell!r} {name}." + FILL_GAPS * (cell.strip().lower() in MISSING)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _dataset(
    path: Path, values: np.ndarray, labels: np.ndarray | None = None, split: str | None = None
) -> Dataset:
    if values.ndim < 2 or 0 in values.shape:
        raise DataError(
            f"{str(path)!r} must hold an array (n, …), one pattern per row, but holds one of shape "
            f"{values.shape}."
        )
    if labels is not None and labels.shape != values.shape[:1]:
        raise DataError(
            f"{str(path)!r} must hold one label for each of {len(values)} patterns, but labels "
            f"have shape {labels.shape}."
        )
    images, note = _scaled(path, values)
    numbers, classes = (None, ()) if labels is None else _numbered(path, labels)
    return Dataset(images, numbers, path.name, f"{path}{note}", split, classes)


def _scaled(path: Path, values: np.ndarray) -> tuple[Tensor, str]:
    """Scale to [0, 1] by the rule of `load`, with a note if the values were mapped linearly."""
    if values.dtype.kind not in "buif":
        raise DataError(f"{str(path)!r} must hold real numbers, but holds {values.dtype}.")
    if values.dtype == np.uint8:
        return torch.from_numpy(values.astype(np.float32)).div_(255), ""
    if not np.isfinite(values).all():
        place = np.argwhere(~np.isfinite(values))[0].tolist()
        raise DataError(
            f"{str(path)!r} must hold finite numbers, but the one at {place} is "
            f"{values[tuple(place)]}." + FILL_GAPS * bool(np.isnan(values[tuple(place)]))
        )
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return torch.from_numpy(values.astype(np.float32)), ""
    if low == high or not math.isfinite(high - low):
        raise DataError(
            f"{str(path)!r} must hold values that can be scaled to [0, 1], but they run from "
            f"{low:g} to {high:g}."
        )
    unit = (values.astype(np.float64) - low) / (high - low)
    return torch.from_numpy(unit.astype(np.float32)), f" (scaled from [{low:g}, {high:g}])"


def _numbered(path: Path, labels: np.ndarray) -> tuple[Tensor, tuple[str, ...]]:
    if labels.dtype.kind == "U" and "" not in labels:
        names, numbers = np.unique(labels, return_inverse=True)
        return torch.from_numpy(numbers).long(), tuple(map(str, names))
    numbers = labels.astype(np.float64) if labels.dtype.kind in "buif" else np.array(np.nan)
    if not (np.abs(numbers) <= 2**53).all() or (numbers != np.floor(numbers)).any():
        raise DataError(
            f"{str(path)!r} must have whole numbers or text as labels, but has {labels.dtype} "
            f"such as {labels.flat[0]!r}."
        )
    return torch.from_numpy(labels.astype(np.int64)), ()
