"""Bags of rows, of different lengths, as one padded tensor and its mask."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..checks import check_float, dtype_name, short_repr
from ..errors import DeviceError, InputTypeError, ShapeError


def pad_bags(bags: Sequence[Tensor] | Tensor) -> tuple[Tensor, Tensor]:
    """Pad bags with zeros to one length.

    Args:
        bags: tensors `(n_i, length)`, or a nested tensor of them. A bag may be empty, not all.

    Returns:
        The rows `(batch, n, length)`, and a `padding_mask` `(batch, n)` that is True for padding.
    """
    if isinstance(bags, Tensor) and bags.is_nested:
        bags = bags.unbind()
    rows = [_check_bag(f"bags[{i}]", bag) for i, bag in enumerate(_check_sequence(bags))]
    for i, bag in enumerate(rows):
        for error, kind, one, first in (
            (ShapeError, "rows of one length", bag.shape[-1], rows[0].shape[-1]),
            (InputTypeError, "one dtype", dtype_name(bag), dtype_name(rows[0])),
            (DeviceError, "one device", bag.device, rows[0].device),
        ):
            if one != first:
                raise error(
                    f"bags must have {kind}, but bags[0] has {first} and bags[{i}] has {one}."
                )
    lengths = torch.tensor([len(bag) for bag in rows], device=rows[0].device)
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    if not padded.numel():
        raise ShapeError("bags must hold at least one row, but all are empty.")
    return padded, torch.arange(padded.shape[1], device=lengths.device) >= lengths[:, None]


def _check_sequence(bags: object) -> Sequence[Tensor]:
    if isinstance(bags, (list, tuple)) and bags:
        return bags
    raise InputTypeError(
        f"bags must be a list of tensors (n, length), at least one, but is {short_repr(bags)}."
    )


def _check_bag(name: str, bag: object) -> Tensor:
    rows = check_float(name, bag)
    if rows.ndim != 2:
        raise ShapeError(f"{name} must have shape (n, length), but has {tuple(rows.shape)}.")
    return rows
