"""What states may read, and their scores."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import say
from ..errors import InputTypeError, ShapeError


def check_bool(name: str, mask: object) -> Tensor:
    """The mask, which must be a bool tensor."""
    if isinstance(mask, Tensor) and mask.dtype == torch.bool:
        return mask
    given = f"{mask.dtype}" if isinstance(mask, Tensor) else say(mask)
    raise InputTypeError(
        f"{name} must be a bool tensor, True where a pattern is ignored, but is {given}. "
        f"Use {name}.bool(), or a comparison."
    )


def both(padding: Tensor | None, association: Tensor | None, m: int, n: int) -> Tensor | None:
    """What either mask hides of m states and n patterns, `(batch | 1, heads | 1, m | 1, n)`."""
    if padding is not None:
        _check_shape("padding_mask", padding, (2,), (n,), f"(batch, {n})")
        padding = padding[:, None, None, :]
    if association is None:
        return padding
    shapes = f"({m}, {n}), (batch, {m}, {n}) or (batch, heads, {m}, {n})"
    _check_shape("association_mask", association, (2, 3, 4), (m, n), shapes)
    if association.ndim == 3:
        association = association.unsqueeze(1)
    association = association.expand(*association.shape[:-1], n)
    if padding is None:
        return association[None, None] if association.ndim == 2 else association
    if association.ndim == 4 and 1 != len(association) != len(padding) != 1:
        raise ShapeError(
            "padding_mask and association_mask must be of one batch, but are of "
            f"{len(padding)} and {len(association)} entries. Give as many."
        )
    return padding | association


def _check_shape(
    name: str, mask: Tensor, axes: tuple[int, ...], counts: tuple[int, ...], shapes: str
) -> None:
    """Refuse a mask that has not so many axes, or whose last ones hold neither 1 nor `counts`."""
    ends = zip(counts, check_bool(name, mask).shape[-len(counts) :], strict=False)
    if mask.ndim not in axes or any(given not in (1, count) for count, given in ends):
        raise ShapeError(
            f"{name} must have shape {shapes}, one entry for each pattern, "
            f"but has shape {tuple(mask.shape)}. Use unflatten, unsqueeze or expand."
        )


class Visible(NamedTuple):
    """What states may read, broadcastable to the scores `(*batch, m, n)`.

    Attributes:
        patterns: True where a pattern may be read; all of a row where none may.
        none: True for rows that may read none, `(…, m | 1, 1)`: what they read is 0.
    """

    patterns: Tensor
    none: Tensor

    @classmethod
    def of(cls, mask: Tensor) -> "Visible":
        """From a mask that is True where a pattern is to be ignored."""
        none = mask.all(-1, keepdim=True)
        return cls(~mask | none, none)


def scores(state: Tensor, stored: Tensor, visible: Visible | None) -> Tensor:
    """x Kᵀ in float32 at least, and so low for what is not visible that it has no weight."""
    return hidden(state @ stored.mT, visible)


def hidden(products: Tensor, visible: Visible | None) -> Tensor:
    """The scores that products are."""
    found = products.to(torch.promote_types(products.dtype, torch.float32))
    if visible is None:
        return found
    # Finite, or slopes are 0·∞; far enough from the end of the range to be subtracted from.
    return found.masked_fill(~visible.patterns, torch.finfo(found.dtype).min / 64)


def folded(tensor: Tensor, batch: Sequence[int]) -> Tensor:
    """`(*batch, a, b)` with exactly two axes before the last two."""
    tensor = tensor.expand(*batch, *tensor.shape[-2:])
    if len(batch) < 2:
        return tensor.reshape(*[1] * (2 - len(batch)), *tensor.shape)
    return tensor.flatten(0, len(batch) - 2)
