"""What states may read, and their scores."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputTypeError, say


def check_bool(name: str, mask: object) -> Tensor:
    """The mask, which must be a bool tensor."""
    if isinstance(mask, Tensor) and mask.dtype == torch.bool:
        return mask
    given = f"{mask.dtype}" if isinstance(mask, Tensor) else say(mask)
    raise InputTypeError(
        f"{name} must be a bool tensor, True where a pattern is ignored, but is {given}. "
        f"Use {name}.bool(), or a comparison."
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
