"""Exact signs of the sums that decide dense units, for decisions below rounding."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from .separation import Separation

MOST_COUNTS = 2**20
"""Entries of a table of counts: 8 MB."""


def exact_signs(
    levels: Float[Tensor, "k n"], signs: Float[Tensor, "k n"], separation: Separation
) -> Float[Tensor, " k"]:
    """Return the signs of Σ_μ signs_μ g(levels_μ), row by row, in exact arithmetic.

    Scores without the unit, `levels`, are whole numbers; g(u) = f(u + 1) − f(u − 1), which is
    ∝ exp(βu) for Softmax. Patterns of equal level are counted first: the sum is zero where all
    counts are. For β > ½ log n the highest level that does not cancel decides.

    Args:
        levels: s^{∖i}, one row for each decision.
        signs: x_μi = ±1.
        separation: F, with `softmax_beta` or `exact_flip_sign`.
    """
    top = levels.amax(-1, keepdim=True)
    depth = (top - levels).long() // 2  # scores without a unit lie 2 apart
    width = int(depth.max()) + 1
    parts = torch.arange(len(levels)).split(max(1, MOST_COUNTS // width))
    return torch.cat([_signs(depth[p], signs[p], top[p, 0], width, separation) for p in parts])


def _signs(depth: Tensor, signs: Tensor, top: Tensor, width: int, separation: Separation) -> Tensor:
    counts = signs.new_zeros(len(depth), width).scatter_add_(-1, depth, signs)
    occupied = counts != 0
    first = occupied.long().argmax(-1, keepdim=True)
    result = counts.gather(-1, first).squeeze(-1).sign()  # 0 where all cancel
    undecided, beta = occupied.any(-1), separation.softmax_beta()
    if beta is not None:
        if float(beta) > 0.5 * math.log(signs.shape[-1]):
            return result
        undecided &= ~_first_outweighs(counts, first, float(beta))
    decisions: dict[tuple[tuple[int, int], ...], int] = {}
    for row in undecided.nonzero().squeeze(-1).tolist():
        level = int(top[row])
        places = occupied[row].nonzero().squeeze(-1).tolist()
        pairs = tuple((level - 2 * place, int(counts[row, place])) for place in places)
        if pairs not in decisions:
            decisions[pairs] = separation.exact_flip_sign(list(pairs)) or 0
        result[row] = decisions[pairs]
    return result


def _first_outweighs(counts: Tensor, first: Tensor, beta: float) -> Tensor:
    # True where the highest level that does not cancel outweighs all lower ones together.
    below = torch.arange(counts.shape[-1], device=counts.device) - first
    rest = (counts.abs() * torch.exp(-2 * beta * below.clamp_min(0))) * (below > 0)
    return counts.gather(-1, first).abs().squeeze(-1) > (1 + 1e-9) * rest.sum(-1)
