"""Entries of rows in the forms that people have them: lists, arrays, columns of tables."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from ..checks import check_dense, short_repr
from ..errors import InputTypeError, ShapeError

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
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes, Mapping, set, frozenset)):
        example = f" Use [{short_repr(value)}]." if isinstance(value, (str, int)) else ""
        raise InputTypeError(
            f"{argument} must be a list with one entry per pattern, but is {short_repr(value)}."
            + example
        )
    if getattr(value, "ndim", 1) != 1:
        raise ShapeError(
            f"{argument} must have one axis, with one entry per pattern, but the shape is "
            f"{tuple(getattr(value, 'shape', ()))}."
        )
    entries = [_plain(entry) for entry in _entries(argument, value)]
    if count is not None and len(entries) != count:
        raise ShapeError(
            f"{argument} must have one entry per pattern, {count}, but the number is "
            f"{len(entries)}."
        )
    return entries


def _entries(argument: str, value: Any) -> list[Any]:
    if isinstance(value, Tensor):
        return check_dense(argument, value).tolist()
    method = next((name for name in TO_LIST if hasattr(value, name)), None)
    try:
        return list(value if method is None else getattr(value, method)())
    except Exception as error:
        raise InputTypeError(
            f"{argument} must be a list with one entry per pattern, but reading it fails."
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
        return any(isinstance(entry, str) for entry in _entries("values", value))
    return False
