"""Data sets of arrays, lists, tables and pictures in memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import check_dense, check_float, short_repr
from ..errors import InputTypeError, ShapeError
from ..inputs import Target, patterns_from
from ..inputs.arrays import check_int64
from .dataset import Dataset

WHOLE = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
"""The dtypes of tensors that are converted like arrays."""


def from_array(
    array: Any,
    labels: Any = None,
    *,
    names: Sequence[str] | None = None,
    title: str = "array",
) -> Dataset:
    """Make a data set of an array, list, DataFrame or pictures, by the rule of all memories.

    `store`, `retrieve`, `nearest`, `energy` and `update` take the same forms, and results are
    tensors. A tensor is taken as it is: floating point, one pattern per row. Of other forms,

    - numbers of a floating point array or table stay as they are, in their dtype;
    - uint8 is divided by 255 and uint16 by 65535, but not in tables;
    - other whole numbers, and numbers in lists, stay as they are;
    - bools become 0 and 1, or −1 and +1 in a binary network, which takes nothing else but −1
      and +1;
    - a picture of Pillow becomes grey or RGB, as `load` reads it; one of 1 bit becomes bools;
    - a list is stacked; the columns of a DataFrame of pandas or polars, or of an Arrow table, are
      the entries.

    Numbers without a floating point dtype get that of the patterns stored, or float32. Further
    patterns are cast to the dtype of the first.

    The first axis of patterns counts them, and all others are one pattern: `(n, height, width)` and
    `(n, height, width, colours)` become n rows. In a cue the last axes whose lengths multiply to
    `dim` are one pattern, and all before count them; `Retrieval.state` has the shape of the cue. A
    mask `known` has the shape of the cue, of one picture, or of its pixels without colours.

    Args:
        array: n patterns.
        labels: n whole numbers or strings; strings are numbered in alphabetical order, and
            `Dataset.classes` names them.
        names: one name per pattern.
        title: the name of the data set.

    Raises:
        InputTypeError, ShapeError, DomainError: naming all that must change.
    """
    if isinstance(array, Tensor) and check_dense("array", array).dtype in WHOLE:
        array = array.cpu().numpy()
    if isinstance(array, Tensor):
        images = check_float("array", array).detach().clone()
    else:
        rows, shape = patterns_from(array, Target(), False)
        images = rows.reshape(shape)
    numbers, classes = (None, ()) if labels is None else _numbered(labels, len(images))
    return Dataset(images, numbers, title, "memory", None, classes, names)


def _numbered(labels: Any, count: int) -> tuple[Tensor, tuple[str, ...]]:
    is_tensor = isinstance(labels, Tensor) and check_dense("labels", labels).dtype in WHOLE
    try:
        given = np.asarray(labels.cpu() if is_tensor else labels)
    except Exception:  # of ragged lists, and of objects of others
        given = np.array(None)
    if given.dtype.kind == "O" and all(isinstance(label, str) for label in given.ravel()):
        given = given.astype(str)
    if given.dtype.kind not in "iuU":
        raise InputTypeError(
            f"labels must be whole numbers or strings, one per pattern, but are "
            f"{short_repr(labels)}."
        )
    if given.shape != (count,):
        raise ShapeError(
            f"labels must have shape ({count},), one per pattern, but have {given.shape}."
        )
    check_int64("labels", labels, given)
    if given.dtype.kind == "U":
        names, numbers = np.unique(given, return_inverse=True)
        return torch.from_numpy(numbers).long(), tuple(map(str, names))
    return torch.from_numpy(given.astype(np.int64)), ()
