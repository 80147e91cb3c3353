"""Entries of rows in the forms that people have them: lists, arrays, columns of tables."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import numpy as np
from torch import Tensor

from ..checks import check_dense, short_repr
from ..errors import HopfieldError, InputTypeError, ShapeError

MISSING = ("NAType", "NaTType")
"""Types of pandas whose objects stand for a missing entry."""

TO_LIST = ("to_pylist", "tolist", "to_list")
"""Methods that return the entries as a list: of Arrow; of NumPy, torch and pandas; of polars."""


def listed(argument: str, value: object, count: int | None = None) -> list[Any]:
    """Return the entries of a list, array, Series or another iterable as plain Python objects.

    Args:
        argument: its name, for messages.
        value: an iterable with one axis, in a fixed order.
        count: the number of entries, one per pattern; None allows any number.
    """
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping, set, frozenset)):
        axes = getattr(value, "ndim", 1)
        if axes == 1:
            entries = _entries(argument, value, count)
            if count is None or len(entries) == count:
                return [_plain(entry) for entry in entries]
            found = len(entries) if len(entries) < count or hasattr(value, "__len__") else "more"
            raise ShapeError(
                f"{argument} must have one entry per pattern, {count}, but the number is {found}."
            )
        raise ShapeError(
            f"{argument} must have one axis, with one entry per pattern, but the shape is "
            f"{tuple(getattr(value, 'shape', ()))}."
        )
    is_entry = isinstance(value, (str, int)) and not isinstance(value, bool)
    raise InputTypeError(
        f"{argument} must be a list with one entry per pattern, but is {short_repr(value)}."
        + (f" Use [{short_repr(value)}]." if is_entry and count in (None, 1) else "")
    )


def _entries(argument: str, value: Iterable[Any], count: int | None) -> list[Any]:
    try:
        if isinstance(value, Tensor):
            return check_dense(argument, value).tolist()
        for method in TO_LIST:
            if hasattr(value, method):
                return list(getattr(value, method)())
        return list(islice(value, None if count is None else count + 1))
    except HopfieldError:
        raise
    except Exception as error:
        raise InputTypeError(
            f"{argument} must be a list with one entry per pattern, but reading it fails: "
            f"{short_repr(error)}."
        ) from error


def _plain(entry: Any) -> Any:
    if isinstance(entry, np.generic) or (isinstance(entry, Tensor) and entry.ndim == 0):
        return entry.item()
    if isinstance(entry, str):
        return str.__str__(entry)  # of a subclass the text
    if isinstance(entry, int) and not isinstance(entry, bool):
        return int(entry)
    return None if type(entry).__name__ in MISSING else entry


def has_strings(value: object) -> bool:
    """Return True for a list, array or Series with an entry that is a string."""
    if isinstance(value, Tensor) or getattr(value, "ndim", 1) != 1:
        return False
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufcmM":
        return False
    if isinstance(value, (list, tuple)) or any(hasattr(value, method) for method in TO_LIST):
        return any(isinstance(entry, str) for entry in _entries("values", value, None))  # type: ignore[arg-type]
    return False
