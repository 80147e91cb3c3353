"""Numbers as people have them, as tensors: arrays, lists, tables and pictures.

`data.from_array` states the rule.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import is_broadcastable, is_own, own_hint, short_repr
from ..errors import DomainError, InputTypeError, ShapeError
from .arrays import (
    as_array,
    as_tensor,
    bools_from,
    check_int64,
    frame_array,
    has_dtype,
    is_frame,
    is_picture,
    is_pictures,
    picture_array,
    pictures_array,
    stack_rows,
)

Given = Any
"""Input of a memory: a tensor, an array or list of numbers, a DataFrame, or pictures."""

LEVELS = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
"""Largest values of the dtypes that hold pixels; they become 1."""

CHANNELS = (3, 4)
"""Lengths of a last axis that holds the colours of a picture."""

COUPLINGS = ("coupling", "thresholds")
"""Arguments that are numbers of a network, not of patterns or states."""

NO_GAPS = "Leave those patterns out: only cues may have unknown entries here."
"""Advice on NaN in patterns of a network that stores no gaps."""

FORMS = "a tensor, an array or list of numbers, a DataFrame or pictures"


@dataclass(frozen=True)
class Target:
    """The tensors that arrays have to fit.

    Attributes:
        dim: the length of a pattern; None if any will do.
        dtype: the dtype of numbers that have none, such as those of lists.
        device: the device of the tensors.
        signs: True if bools become ±1.
    """

    dim: int | None = None
    dtype: torch.dtype = torch.float32
    device: torch.device | None = None
    signs: bool = False


def patterns_from(value: object, target: Target, has_mask: bool) -> tuple[Tensor, torch.Size]:
    """Return patterns `(n, dim)`, and their shape as given."""
    given = _numbers("patterns", value, target, has_mask)
    if is_picture(value):
        given = given[None]
    if given.ndim < 2:
        hint = " For a single pattern use [patterns]." if given.ndim else ""
        raise ShapeError(
            "patterns must have shape (n, dim) or, for pictures, (n, height, width), but have "
            f"shape {tuple(given.shape)}.{hint}"
        )
    _check_not_one_picture(value, given, target)
    length = math.prod(given.shape[1:])
    if target.dim is not None and length != target.dim:
        raise ShapeError(
            f"patterns must have {target.dim} entries each, as those stored, but have shape "
            f"{tuple(given.shape)}, {length} entries each.{_size_hint(value)}"
        )
    return given.reshape(len(given), length), given.shape


def states_from(
    name: str, value: object, target: Target, has_mask: bool = False
) -> tuple[Tensor, torch.Size]:
    """Return states `(*batch, dim)`, and their shape as given."""
    given = _numbers(name, value, target, has_mask)
    axes = pattern_axes(given.shape, target.dim)
    if axes is None:
        raise ShapeError(
            f"{name} must be a pattern of {target.dim} entries, or several, but has shape "
            f"{tuple(given.shape)}.{_size_hint(value)}"
        )
    return given.flatten(-axes), given.shape


def pattern_axes(shape: Sequence[int], dim: int | None) -> int | None:
    """Return the number of last axes that hold one pattern, at least 1; None if none do."""
    for axes in range(1, len(shape) + 1):
        if math.prod(shape[-axes:]) == dim:
            return axes
    return None


def mask_from(
    known: object,
    shape: torch.Size,
    rows: torch.Size,
    device: torch.device,
    name: str = "known",
) -> object:
    """Return the mask of rows `(*batch, dim)` that were given in another shape.

    A mask may have the shape of the pictures, of one of them, of their pixels without colours, or
    that of the rows, each of which it may broadcast to. Anything but bools is returned unchanged.
    """
    mask = bools_from(known)
    if mask is None:
        return known
    if not isinstance(known, Tensor):
        mask = mask.to(device)
    pixels, one = shape[:-1], shape[len(rows) - 1 : -1]
    if len(shape) - len(rows) == 2 and mask.shape in (pixels, one):  # (h, w) for (h, w, colours)
        mask = mask[..., None]
    if is_broadcastable(mask.shape, shape):
        return mask if len(shape) == len(rows) else mask.expand(shape).reshape(rows)
    axes = pattern_axes(mask.shape, rows[-1]) or 1
    flat = mask.flatten(-axes)
    if is_broadcastable(flat.shape, rows):
        return flat
    raise ShapeError(
        f"{name} must have the shape of the pattern or patterns, {tuple(shape)}, or that of one of "
        f"them, but has shape {tuple(mask.shape)}."
    )


def values_from(value: object, like: Tensor | None, device: torch.device | None) -> object:
    """Return lists and arrays of numbers as a tensor; other values unchanged."""
    array = None if isinstance(value, Tensor) or is_own(value) else as_array(value)
    if array is None or array.dtype.kind not in "biuf" or not array.size:
        return value
    check_int64("values", value, array)
    if array.dtype.kind in "iu":
        array = array.astype(np.int64)
    elif array.dtype.kind == "f" and (array.dtype.itemsize > 8 or not has_dtype(value)):
        array = array.astype(np.float64 if array.dtype.itemsize > 8 else np.float32)
    values = as_tensor(array, device)
    if like is not None and like.dtype != values.dtype:
        cast = values.to(like.dtype)
        both_float = values.is_floating_point() and like.is_floating_point()
        # Compared as values: float32 rounds both sides of cast == values.
        return cast if both_float or bool((cast.to(values.dtype) == values).all()) else values
    return values


def numbers_from(name: str, value: object, dtype: torch.dtype = torch.float32) -> object:
    """Return numbers that do not stand for pixels as a tensor, unscaled; tensors unchanged.

    Whole numbers and numbers without a dtype become `dtype`; whole ones float64 if it is too short.
    """
    if isinstance(value, Tensor) or is_own(value):
        return value
    array = frame_array(name, value) if is_frame(value) else as_array(value)
    if array is None or array.dtype.kind not in "biuf":
        raise _no_numbers(name, value, array)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8 and has_dtype(value):
        return as_tensor(array, None)
    wide = as_tensor(array.astype(np.float64), None)
    is_short = array.dtype.kind != "f" and bool((wide != wide.to(dtype)).any())
    return wide if is_short else wide.to(dtype)


def _numbers(name: str, value: object, target: Target, has_mask: bool) -> Tensor:
    """Return a tensor of the shape that the numbers have."""
    tensors = isinstance(value, (list, tuple)) and all(isinstance(row, Tensor) for row in value)
    if tensors and value:
        stacked = stack_rows(name, value)  # type: ignore[arg-type]
        if stacked.is_floating_point():
            return stacked
        value = stacked.cpu().numpy()
    array = _any_array(name, value)
    if array is None or array.dtype.kind not in "biuf":
        raise _no_numbers(name, value, array)
    if array.size == 0 and name == "patterns":
        raise ShapeError(
            f"{name} must hold at least one pattern of at least one entry, but have shape "
            f"{array.shape}."
        )
    if array.dtype.kind == "f" and not has_mask:
        _check_finite(name, array, value, target.signs)
    if target.signs and array.dtype.kind != "b":
        _check_signs(name, array, is_pictures(value), has_mask)
    return _scaled(array, value, target)


def _any_array(name: str, value: object) -> np.ndarray | None:
    if is_picture(value):
        return picture_array(name, value)
    if is_pictures(value):
        return pictures_array(name, value)  # type: ignore[arg-type]
    if is_own(value):
        raise InputTypeError(
            f"{name} must be {FORMS}, but is {short_repr(value)}.{own_hint(value)}"
        )
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise InputTypeError(
            f"{name} must be an array without masked entries, but is a masked array. Use "
            f"{name}.filled(0) with known=~numpy.ma.getmaskarray({name})."
        )
    return frame_array(name, value) if is_frame(value) else as_array(value)


def _scaled(array: np.ndarray, value: object, target: Target) -> Tensor:
    """Apply the rule that `data.from_array` states."""
    is_float = array.dtype.kind == "f" and has_dtype(value)
    if is_float and array.dtype.itemsize <= 8:
        return as_tensor(array, target.device)
    is_wide = target.dtype == torch.float64 or array.dtype.kind == "f"
    numbers = array.astype(np.float64 if is_wide else np.float32)
    if array.dtype.kind == "b" and target.signs:
        numbers = 2 * numbers - 1
    elif array.dtype in LEVELS and not is_frame(value):
        numbers = np.divide(numbers, LEVELS[array.dtype], dtype=numbers.dtype)
    tensor = as_tensor(numbers, target.device)
    return tensor if is_float else tensor.to(target.dtype)


def _check_finite(name: str, array: np.ndarray, value: object, signs: bool) -> None:
    if math.isfinite(array.sum(dtype=np.float64)) or np.isfinite(array).all():
        return
    kind = "NaN" if np.isnan(array).any() else "infinity"
    plain = name if hasattr(value, "dtype") else f"numpy.array({name}, dtype=float)"
    mask = f"known_{name}" if name in ("x", "y") else "known"
    hint = "" if name == "state" else f" If these are missing, use {mask}=numpy.isfinite({plain})."
    hint += " Only ModernHopfield.store takes it." if name == "patterns" else ""
    hint = f" {NO_GAPS}" if signs and name == "patterns" else hint
    raise DomainError(f"{name} must be finite, but contains {kind}.{hint}")


def _check_signs(name: str, array: np.ndarray, is_picture: bool, has_mask: bool) -> None:
    # What is to be −1 and what +1 is clear for bools alone.
    is_level, size = array.dtype in LEVELS, abs(array)
    if not is_level and (size == 1).all():
        return
    zeros_allowed = name != "patterns" and (has_mask or (array == -1).any())
    if zeros_allowed and not is_level and ((size == 1) | (size == 0) | (size != size)).all():
        return
    largest = array.max() if array.size else 0
    level = 127 if is_picture or (is_level and largest > 1) else 0
    verb = "hold" if name == "patterns" else "holds"
    came, hint = (
        f"{verb} numbers up to {largest:.7g}",
        f"Say which entries are +1, for instance numpy.asarray({name}) > {level}.",
    )
    if not is_picture and array.size and ((array == 0) | (array == 1)).all():
        came = f"{verb} 0 and 1"
        hint = f"Make them ±1, for instance 2.0 * numpy.asarray({name}) - 1."
        if name == "cue":
            hint += " Where 0 means missing, add known=numpy.asarray(cue) != 0."
    raise DomainError(
        f"{name} must be −1 or +1 in a binary network, or bools, of which True is +1, but {came}. "
        f"{hint}"
    )


def _no_numbers(name: str, value: object, array: np.ndarray | None) -> InputTypeError:
    kind, hint = short_repr(value), ""
    rows = value if isinstance(value, (list, tuple)) else []
    lengths = {len(row) for row in rows if hasattr(row, "__len__") and not isinstance(row, str)}
    if len(lengths) > 1:
        kind = f"a list of rows of {min(lengths)} to {max(lengths)} entries"
        gaps = "" if name in COUPLINGS else ", with NaN for those that are missing"
        hint = f" Give all rows the same number of entries{gaps}."
    elif isinstance(value, str) or (array is not None and array.dtype.kind == "U"):
        kind = kind if isinstance(value, str) else f"{kind} of text"
        hint = " Pictures are loaded from their paths by data.load; text needs an embedding."
        if name in COUPLINGS:
            hint = f" If the text is numbers, use numpy.array({name}, dtype=float)."
    elif array is not None:
        kind += f" of {'objects' if array.dtype.kind == 'O' else array.dtype}"
    elif hasattr(value, "toarray"):
        hint = f" Use {name}.toarray()."
    return InputTypeError(f"{name} must be {FORMS}, but is {kind}.{hint}")


def _check_not_one_picture(value: object, given: Tensor, target: Target) -> None:
    if isinstance(value, (list, tuple, Tensor)) or is_picture(value) or given.ndim != 3:
        return
    n, width, last = given.shape
    has_pixels = getattr(value, "dtype", None) in LEVELS
    if has_pixels and last in CHANNELS and width > last and width * last != target.dim:
        raise ShapeError(
            f"patterns must have shape (n, height, width) or (n, height, width, colours), but the "
            f"shape {tuple(given.shape)} may also be one picture of {last} colours. For one use "
            f"patterns[None]; for {n} patterns, patterns.reshape({n}, -1)."
        )


def _size_hint(value: object) -> str:
    one = value[0] if isinstance(value, (list, tuple)) and value else value
    if not is_picture(one):
        return ""
    return " Resize pictures as those stored were, by data.load(path, size=…, mode=…)."
