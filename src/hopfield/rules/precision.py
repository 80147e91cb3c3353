"""Precision of learning: sums that are exact, and fields that count as zero."""

import torch
from torch import Tensor

from ..coupling import FullCoupling

EXACT_INTEGERS = {torch.float32: 2**24, torch.float64: 2**53}
"""Whole numbers up to these are exact."""


def upcast(patterns: Tensor) -> Tensor:
    """Convert to a precision that holds sums of n·N products of ±1 exactly; float32 at least."""
    return patterns.to(exact_dtype(patterns.dtype, patterns.numel()))


def exact_dtype(dtype: torch.dtype, largest: int) -> torch.dtype:
    """Return the narrowest dtype from float32 and `dtype` on that holds whole numbers exactly."""
    dtype = torch.promote_types(dtype, torch.float32)
    return dtype if largest < EXACT_INTEGERS[dtype] else torch.float64


def with_rounding_slack(weights: Tensor, is_symmetric: bool = True) -> FullCoupling:
    """Return the coupling of W whose fields count as zero up to their rounding."""
    slack = rounding_of(weights.norm(dim=-1), weights)
    return FullCoupling(weights, slack=slack, is_symmetric=is_symmetric)


def rounding_of(norms: Tensor, of: Tensor) -> float:
    """Return a bound of the rounding of a zero field, given ‖W_i‖ of each unit."""
    # A few ulp of ‖W_i‖‖x‖.
    size = norms.max().item() * len(norms) ** 0.5
    return 8 * torch.finfo(of.dtype).eps * size
