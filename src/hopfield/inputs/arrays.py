"""Arrays, lists, tables and pictures as NumPy arrays, whatever library they come from."""

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import is_own, short_repr
from ..errors import DataError, DomainError, InputTypeError, ShapeError
from ..pictures import PictureForm, problem_of, to_numbers


def as_array(value: object) -> np.ndarray | None:
    """Return an array of any dtype; None for a value of another kind."""
    is_array = hasattr(value, "__array__") or hasattr(value, "__array_interface__")
    if isinstance(value, type) or not (is_array or isinstance(value, (list, tuple))):
        return None
    try:
        array = np.asarray(value)
        array = _from_objects(array) if array.dtype.kind == "O" else array
    except Exception:  # whatever objects of others raise, they are no arrays
        return None
    return array if array.ndim else None


def _from_objects(array: np.ndarray) -> np.ndarray:
    """Return bools or float64, with NaN for None and pandas.NA; other objects unchanged."""
    entries = array.ravel().tolist()
    if entries and all(isinstance(entry, (bool, np.bool_)) for entry in entries):
        return array.astype(bool)
    missing = [entry is None or type(entry).__name__ == "NAType" for entry in entries]
    pairs = list(zip(entries, missing, strict=True))
    if not all(gap or isinstance(entry, (int, float, np.number, np.bool_)) for entry, gap in pairs):
        return array
    numbers = [math.nan if gap else float(entry) for entry, gap in pairs]
    return np.array(numbers).reshape(array.shape)


def bools_from(known: object) -> Tensor | None:
    """Return a mask of bools as a tensor; None for anything else."""
    if isinstance(known, Tensor):
        return known if known.dtype == torch.bool else None
    if is_own(known) or (is_picture(known) and known.mode != "1"):  # type: ignore[attr-defined]
        return None
    array = frame_array("known", known) if is_frame(known) else as_array(known)
    if isinstance(known, np.ma.MaskedArray):
        array = known.filled(False)
    return None if array is None or array.dtype.kind != "b" else as_tensor(array, None)


def is_frame(value: object) -> bool:
    """Return whether a value is a DataFrame or an Arrow table."""
    is_arrow = hasattr(value, "column_names") and hasattr(value, "itercolumns")
    return is_arrow or (hasattr(value, "columns") and hasattr(value, "to_numpy"))


def frame_array(name: str, frame: Any) -> np.ndarray | None:
    """Return the columns of a DataFrame of pandas or polars, or of an Arrow table, as one array."""
    if hasattr(frame, "itercolumns"):
        titles, columns = list(frame.column_names), list(frame.itercolumns())
    elif hasattr(frame, "iloc"):
        titles = list(frame.columns)
        columns = [frame.iloc[:, place] for place in range(len(titles))]
    else:
        titles = list(frame.columns)
        columns = [frame[title] for title in titles]
    arrays = [as_array(column) for column in columns]
    wrong = [
        str(title)
        for title, array in zip(titles, arrays, strict=True)
        if array is None or array.dtype.kind not in "biuf"
    ]
    if wrong:
        listed = ", ".join(map(repr, wrong[:5])) + (", …" if len(wrong) > 5 else "")
        use = (
            "Leave them out of the patterns; store(…, table=frame) keeps them beside the patterns."
        )
        if name == "coupling":
            use = f"If these name the units, use {name}.set_index({wrong[0]!r})."
        raise InputTypeError(f"{name} must be numbers, but the columns {listed} are not. {use}")
    whole = [array for array in arrays if array is not None]
    return np.stack(whole, axis=1) if whole else np.zeros((len(frame), 0))


def check_labels(name: str, matrix: Any, thresholds: Any = None) -> None:
    """Raise if rows, columns or thresholds name the units in different orders.

    Only the place of a number counts in the network, so that other orders would exchange weights.
    """
    columns = _labels(matrix, "columns")
    rows = f"{name}.loc[names, names], or {name}.reindex(index=names, columns=names, fill_value=0)"
    for kind, labels, use in (
        (f"{name}.index", _labels(matrix, "index"), rows),
        ("thresholds.index", _labels(thresholds, "index"), f"thresholds.loc[{name}.columns]"),
    ):
        if labels is None or columns is None or labels == columns:
            continue
        if set(labels) != set(columns) and list(range(len(labels))) in (labels, columns):
            continue  # one of them has no names, but pandas' default
        raise DomainError(
            f"{kind} must be the same labels as {name}.columns, in the same order, but is "
            f"{labels[:4]}, not {columns[:4]}. Use {use}."
        )


def _labels(frame: Any, axis: str) -> list[Any] | None:
    index: Any = getattr(frame, axis, None)
    return list(index) if hasattr(index, "get_indexer") else None  # lists have a method `index`


def check_int64(name: str, given: object, array: np.ndarray) -> None:
    """Raise for whole numbers that int64 cannot hold: NumPy wraps them, or makes them floats."""
    is_wide = array.dtype.kind in "uf" and array.dtype.itemsize >= 8
    if not is_wide or not (np.abs(array) >= 2**63).any():
        return
    entries = given if isinstance(given, (list, tuple)) else array.ravel().tolist()
    for entry in entries:
        if isinstance(entry, (int, np.integer)) and not -(2**63) <= entry < 2**63:
            raise DomainError(
                f"{name} must be whole numbers that int64 can hold, but hold {entry}. Use text: "
                f"[str(entry) for entry in {name}]."
            )


def stack_rows(name: str, rows: Sequence[Tensor]) -> Tensor:
    """Return rows that are tensors as one tensor."""
    try:
        return torch.stack(list(rows))
    except RuntimeError:
        shapes = ", ".join(sorted({short_repr(row) for row in rows})[:3])
        raise ShapeError(
            f"{name} must be dense tensors of one shape and device, but are {shapes}."
        ) from None


def is_picture(value: object) -> bool:
    """Return whether a value is a picture of Pillow."""
    # Whoever has a picture of Pillow has imported it.
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def is_pictures(value: object) -> bool:
    """Return whether a list holds a picture."""
    return isinstance(value, (list, tuple)) and any(map(is_picture, value))


def picture_array(name: str, image: Any) -> np.ndarray:
    """Return a picture as bools if it has one bit per pixel, else as float32 in [0, 1]."""
    if image.mode == "1":
        return np.asarray(image)
    try:
        grey = image.mode in ("L", "LA") or image.mode.startswith("I")
        form = PictureForm("L" if grey else "RGB")
        problem = problem_of(image, form)
        numbers = np.zeros(0, np.float32) if problem else to_numbers(image, form)
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{name} must be intact pictures, but one is not: {error}.") from None
    if problem:
        raise DataError(f"{name} must be pictures of one frame and 16 bits, but one {problem}.")
    return numbers


def pictures_array(name: str, images: Sequence[Any]) -> np.ndarray:
    """Return pictures of one size as an array."""
    if not all(map(is_picture, images)):
        other = next(image for image in images if not is_picture(image))
        raise InputTypeError(
            f"{name} must all be pictures if one is, but one is {short_repr(other)}."
        )
    arrays = [picture_array(name, image) for image in images]
    kinds = {(array.shape, array.dtype.kind) for array in arrays}
    if len(kinds) > 1:
        forms = sorted({f"{i.mode} of {i.width} × {i.height}" for i in images})
        raise ShapeError(
            f"{name} must be pictures of one size and colour, but are {', '.join(forms[:4])}"
            f"{', …' if len(forms) > 4 else ''}. Use [image.convert('L').resize((width, height)) "
            "for image in images], or data.load(paths, size=…)."
        )
    return np.stack(arrays)


def as_tensor(array: np.ndarray, device: torch.device | None) -> Tensor:
    """Return a copy of an array as a tensor."""
    # A copy, because torch takes no arrays that run backwards, and warns of read-only ones.
    native = array.astype(array.dtype.newbyteorder("="), order="C", copy=True)
    return torch.from_numpy(native).to(device)


def has_dtype(value: object) -> bool:
    """Return whether numbers were given with a dtype; those of lists and pictures have none."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(hasattr(row, "dtype") for row in value)
    return not is_picture(value)
