"""β within the range in which its products with scores keep their digits."""

from functools import cache
from typing import cast

import torch
from torch import Tensor

from ..checks import is_traced
from ..errors import ShapeError
from .base import smallest_value

SMALL_BETA = 1e-3
"""β below which a small β·score matters: energies divide it by β again."""

LEAST_EXPONENT = 2.0**-90
"""Largest β·score below which float32 would lose digits of the others."""


def with_score_axis(value: "float | Tensor", scores: Tensor) -> Tensor:
    """Return a parameter as a tensor like the scores, with a trailing axis of length 1."""
    if isinstance(value, Tensor) and value.ndim:
        shapes = zip(reversed(value.shape), reversed(scores.shape[:-1]), strict=False)
        if any(1 not in pair and pair[0] != pair[1] for pair in shapes):
            raise ShapeError(
                "a parameter of a separation must be one number, or broadcast to the batch of the "
                f"scores, {tuple(scores.shape[:-1])}, but has shape {tuple(value.shape)}."
            )
    return torch.as_tensor(value, dtype=scores.dtype, device=scores.device)[..., None]


def with_clamped_beta(scores: Tensor, beta: "float | Tensor") -> "tuple[Tensor, float | Tensor]":
    """Return scores and β such that β·score neither underflows nor is NaN.

    For a β so small that β·score would underflow in float32, the scores are returned in float64. A
    very large β is clamped to one whose results equal those of β = ∞ up to rounding. A tensor β
    gets an axis for the scores. Traced code cannot read its values, and keeps the dtype.
    """
    low, high = _beta_limits(scores.dtype)
    is_below = False
    if scores.dtype != torch.float64 and not (isinstance(beta, Tensor) and is_traced()):
        least = smallest_value(beta)
        is_below = least < low or (least < SMALL_BETA and _underflows(scores, least))
    if is_below:
        scores = scores.double()
        low, high = _beta_limits(scores.dtype)
    if isinstance(beta, Tensor):
        return scores, with_score_axis(beta, scores).clamp(low, high)
    return scores, min(max(beta, low), high)


def beta_after_merge(
    beta: "float | Tensor", separation: object, scores: Tensor
) -> "float | Tensor":
    """Return β, of the batch of `scores`, as parameter of a separation that ranks have merged.

    `beta` is that of one rank, whose gradient is the sum over ranks.
    """
    if not isinstance(beta, Tensor):
        return beta
    return cast(Tensor, with_clamped_beta(scores[..., None], vars(separation)["beta"])[1])[..., 0]


def _underflows(scores: Tensor, beta: float) -> bool:
    if is_traced() or not scores.numel():
        return False
    largest = torch.linalg.vector_norm(scores.detach(), torch.inf).item()
    return beta * largest < LEAST_EXPONENT


@cache
def _beta_limits(dtype: torch.dtype) -> tuple[float, float]:
    # From the lower one on, β·score has all its digits for every score of at least eps. Up to the
    # upper one β/ln 2 is finite.
    limits = torch.finfo(dtype)
    return limits.tiny * 2.0**26, limits.max / 2
