"""Fields of networks of sequences, where each stored step x_μ leads to the step y_μ after it."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from ..readout import BlockView, ValuedBlock, read, with_values
from ..separation import Separation
from ..similarity import ScoreFunction
from .flips import EPS, EXACT_SIZE

WIDTHS = 100
"""Widths below the largest score beyond which weights do not matter, so that their rounding does
not either."""


def following_field(
    blocks: Iterable[ValuedBlock],
    state: Float[Tensor, "batch dim"],
    score: ScoreFunction,
    separation: Separation,
    ahead: float = 1.0,
    stay: float = 0.0,
) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch 1"]]:
    """Return Σ_μ (a y_μ + r x_μ) ∇F(s)_μ, and (a + r) Σ_μ |∇F(s)_μ|, a bound of its size.

    Args:
        blocks: the steps, ±1, whose values are the steps that follow.
        state: the states, in float64.
        score: a function of block, state and mask that returns s.
        separation: F.
        ahead: a.
        stay: r.
    """
    views = [_view(block, ahead, stay) for block in blocks]
    sums = read(views, state, score, separation).state
    return sums[:, :-1], (ahead + stay) * sums[:, -1:]


def _view(block: ValuedBlock, ahead: float, stay: float) -> BlockView:
    following = with_values(block)

    def weighted_sum(weights: Tensor, at: Tensor | None = None) -> Tensor:
        parts = [ahead * following.weighted_sum(weights, at)] if ahead else []
        parts += [stay * block.weighted_sum(weights, at)] if stay else []
        return sum(parts[1:], parts[0])

    return with_sum_of_weights(BlockView(block, weighted_sum))


def with_sum_of_weights(block: ValuedBlock) -> BlockView:
    """Return a view of the block whose weighted sums have one more column, Σ |w|."""

    def weighted_sum(weights: Tensor, at: Tensor | None = None) -> Tensor:
        total = weights.abs().sum(-1, keepdim=True)
        return torch.cat([block.weighted_sum(weights, at), total], dim=-1)

    return BlockView(block, weighted_sum)


def field_rounding(
    size: Float[Tensor, "batch 1"],
    separation: Separation,
    shape: tuple[int, int],
    whole: bool,
    resolution: float = 0.0,
) -> Float[Tensor, "batch 1"]:
    """Return a bound of the rounding error of a field.

    Args:
        size: the bound of its size.
        separation: F.
        shape: n and N, the largest score.
        whole: whether factors and scores are whole numbers: sums of powers are then exact.
        resolution: the rounding error of a score.
    """
    (count, dim), width = shape, separation.inverse_width()
    if width is None:
        of_weights, of_scores = 4.0 * dim, 4.0 * dim
    else:
        of_weights, of_scores = min(2 * width * dim, WIDTHS), 0.0 if math.isinf(width) else width
    error = EPS * (8 + count + of_weights) + resolution * (count + of_scores)
    is_power = separation.softmax_beta() is None and separation.exact_flip_sign([]) is not None
    return torch.where(size < EXACT_SIZE, 0.0, error * size) if whole and is_power else error * size
