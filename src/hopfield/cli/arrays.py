"""Arrays in files: .npy, .npz and .safetensors."""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..data.files import DAMAGE, PATTERNS
from ..errors import DataError
from ..inputs.arrays import as_tensor
from .reading import ReadOptions, Rows, read_lines, to_values, unknown_name

SUFFIXES = (".npy", ".npz", ".safetensors")
KINDS = ("b", "i", "u", "f")
"""NumPy's kinds of dtypes that hold real numbers."""

EXACT_INTEGER = 2**24
"""Largest whole number up to which float32 holds all."""


def read_arrays(file: Path, options: ReadOptions) -> tuple[Rows, tuple[int, ...]]:
    """Return the rows of a file of arrays, and the shape of one."""
    arrays = _contents(file)
    patterns = _numbers(file, arrays[_choose(file, arrays, options.array)], options)
    if patterns.ndim == 1:
        patterns = patterns[None]
    if patterns.ndim < 1 or 0 in patterns.shape:
        raise DataError(
            f"{str(file)!r} must hold an array (n, …), one pattern per row, but holds one of shape "
            f"{tuple(patterns.shape)}."
        )
    count = len(patterns)
    names = _along(file, arrays, "--names", options.names, count)
    values = _along(file, arrays, "--values", options.values, count)
    rows = Rows(
        patterns.flatten(1),
        names or [f"{file.as_posix()}[{k}]" for k in range(count)],
        None if values is None else to_values(values),
    )
    return rows, tuple(patterns.shape[1:])


def _contents(file: Path) -> dict[str, np.ndarray | Tensor]:
    suffix = file.suffix.lower()
    try:
        if suffix == ".npy":
            with file.open("rb") as opened:
                return {"": np.lib.format.read_array(opened)}
        if suffix == ".npz":
            with np.load(file) as archive:
                return {name: archive[name] for name in archive.files}
        with safe_open(file, "pt") as tensors:
            if "memory" in (tensors.metadata() or {}):
                raise DataError(
                    f"{str(file)!r} must hold arrays, but is a memory. Give the inputs it was made "
                    "of, or the file as the memory of hopfield recall."
                )
            return {name: tensors.get_tensor(name) for name in tensors.keys()}
    except DataError:
        raise
    except (SafetensorError, *DAMAGE):
        raise DataError(
            f"{str(file)!r} must be an intact {suffix} file of numbers (no dtype=object), but is "
            "not."
        ) from None


def _choose(file: Path, arrays: dict[str, np.ndarray | Tensor], wanted: str) -> str:
    names = list(arrays)
    if names == [""]:
        return ""
    if wanted:
        if wanted not in arrays:
            raise unknown_name("--array", "an array", wanted, names, str(file))
        return wanted
    usual = [name for plain in PATTERNS for name in names if name.lower() == plain]
    if usual or len(names) == 1:
        return (usual or names)[0]
    raise DataError(
        f"{str(file)!r} must hold one array, or one named {' or '.join(PATTERNS)}, but holds "
        f"{', '.join(names) or 'none'}. Choose one by --array NAME."
    )


def _numbers(file: Path, values: np.ndarray | Tensor, options: ReadOptions) -> Tensor:
    """Return real numbers in floating point; 8-bit ones become [0, 1], as in pictures."""
    if isinstance(values, np.ndarray):
        is_real = values.dtype.kind in KINDS and values.dtype.itemsize <= 8
    else:
        is_real = not values.is_complex()
    if not is_real:
        raise DataError(f"{str(file)!r} must hold real numbers, but holds {values.dtype}.")
    if isinstance(values, np.ndarray):
        values = as_tensor(values, None)
    number = options.missing_number()
    gaps = None if number is None else values == number
    if values.dtype == torch.uint8:
        values = values.float() / 255
    elif not values.is_floating_point():
        largest = int(values.long().abs().max()) if values.numel() else 0
        values = values.float() if largest <= EXACT_INTEGER else values.double()
    if gaps is not None and bool(gaps.any()):
        values = values.masked_fill(gaps, torch.nan)
    return values


def _along(
    file: Path, arrays: dict[str, np.ndarray | Tensor], option: str, name: str, count: int
) -> list[str] | None:
    """Return the texts, one per row, that an option names: an array of the file or a text file."""
    if not name:
        return None
    if name not in arrays:
        known = list(filter(None, arrays))
        return read_lines(option, name, "an array", known, count, str(file))
    array = arrays[name]
    if array.shape != (count,):
        raise DataError(
            f"{option} must name an array of one entry per row, ({count},), but {name!r} of "
            f"{str(file)!r} has shape {tuple(array.shape)}."
        )
    return [str(entry) for entry in array.tolist()]


def read_mask(file: Path, shape: torch.Size) -> Tensor:
    """Return a mask of known entries from a file: one for all rows, or one per row."""
    arrays = _contents(file) if file.suffix.lower() in SUFFIXES else {}
    if len(arrays) != 1:
        raise DataError(f"--known must be a .npy file of a mask, but is {str(file)!r}.")
    mask = np.asarray(next(iter(arrays.values())))
    if mask.dtype.kind not in KINDS or not ((mask == 0) | (mask == 1)).all():
        raise DataError("--known must hold True or 1 where an entry is known, and False or 0.")
    count, dim = shape
    if mask.size not in (dim, count * dim):
        raise DataError(
            f"--known must have {dim} entries, or {count} × {dim}, but has {mask.size}."
        )
    return torch.from_numpy(mask.astype(bool)).reshape(-1, dim).expand(count, dim)
