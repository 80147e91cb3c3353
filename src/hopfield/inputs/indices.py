"""Places of stored patterns, as a user gives them."""

from collections.abc import Iterable
from numbers import Integral

import torch
from torch import Tensor

from ..checks import check_dense, check_integer, dtype_name, short_repr
from ..errors import InputTypeError, ShapeError


def check_indices(indices: object, count: int) -> Tensor:
    """Return row numbers as a 1-D tensor of distinct non-negative integers below `count`."""
    return torch.tensor(sorted(set(index_list(indices, count))), dtype=torch.long)


def index_list(indices: object, count: int) -> list[int]:
    """Return row numbers as non-negative integers below `count`, in their order."""
    if isinstance(indices, Tensor):
        indices = _listed(check_dense("indices", indices))
    elif isinstance(indices, Iterable) and not isinstance(indices, (str, bytes, dict)):
        if getattr(indices, "ndim", 1) > 0:  # an array of no axes cannot be listed
            indices = list(indices)
    places = []
    for row in indices if isinstance(indices, list) else [indices]:
        if isinstance(row, bool) or not isinstance(row, Integral):
            raise InputTypeError(
                "indices must be whole numbers, the places of stored patterns, but contain "
                f"{short_repr(row)}. Give one, or several as in remove([0, 2])"
                + (", or names=." if row is None or isinstance(row, str) else ".")
            )
        places.append(check_integer("indices", row, low=-count, high=count - 1) % count)
    return places


def _listed(indices: Tensor) -> list[int]:
    if indices.is_floating_point() or indices.is_complex() or indices.dtype == torch.bool:
        advice = "Use indices.nonzero().flatten()."
        if indices.dtype != torch.bool:
            places = "(memory.patterns == row).all(1).nonzero().flatten()"
            advice = f"Give for instance [0, 2]; the places of a row are {places}."
        raise InputTypeError(
            "indices must be whole numbers, the places of stored patterns, but are "
            f"{dtype_name(indices)}. {advice}"
        )
    if indices.ndim > 1:
        raise ShapeError(
            "indices must be one whole number or a row of them, but have shape "
            f"{tuple(indices.shape)}. Use indices.flatten()."
        )
    return [int(index) for index in indices.reshape(-1).tolist()]
