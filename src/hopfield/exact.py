"""Exact signs of the sums that decide dense units, for decisions below rounding."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from .separation import Separation
from .separation.prior import whole_multiples

MOST_COUNTS = 2**20
"""Entries of a table of counts: 8 MB."""

EXACT_SUM = 2.0**53
"""Sum of whole multiples of priors from which on float64 may round it: then Python adds them."""


def exact_signs(
    levels: Float[Tensor, "k n"],
    signs: Float[Tensor, "k n"],
    separation: Separation,
    prior: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, " k"]:
    """Return the signs of Σ_μ signs_μ g(levels_μ), row by row, in exact arithmetic.

    Scores without the unit, `levels`, are whole numbers; g(u) = f(u + 1) − f(u − 1), which is
    ∝ exp(βu) for Softmax. Patterns of equal level are counted first: the sum is zero where all
    counts are. For β > ½ log n the highest level that does not cancel decides. A pattern with a
    prior w counts w times: w is the float64 number, a whole multiple of a power of two.

    Args:
        levels: s^{∖i}, one row for each decision.
        signs: x_μi = ±1.
        separation: F, with `softmax_beta` or `exact_flip_sign`.
        prior: w of each pattern, or None.
    """
    total: int | float = levels.shape[-1]
    if prior is not None:
        multiples = whole_multiples(prior)
        total = float(multiples.sum())
        if total >= EXACT_SUM:
            return _signs_of_large_multiples(levels, signs, separation, multiples)
        signs = signs * multiples
    top = levels.amax(-1, keepdim=True)
    depth = (top - levels).long() // 2  # scores without a unit lie 2 apart
    width = int(depth.max()) + 1
    parts = torch.arange(len(levels)).split(max(1, MOST_COUNTS // width))
    tables = ((_counts(depth[p], signs[p], width), top[p, 0]) for p in parts)
    return torch.cat([_signs(*table, total, separation) for table in tables])


def _counts(depth: Tensor, signs: Tensor, width: int) -> Tensor:
    return signs.new_zeros(len(depth), width).scatter_add_(-1, depth, signs)


def _signs(counts: Tensor, top: Tensor, total: int | float, separation: Separation) -> Tensor:
    occupied = counts != 0
    first = occupied.long().argmax(-1, keepdim=True)
    result = counts.gather(-1, first).squeeze(-1).sign()  # 0 where all cancel
    undecided, beta = occupied.any(-1), separation.softmax_beta()
    if beta is not None:
        if float(beta) > 0.5 * math.log(total):
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


def _signs_of_large_multiples(
    levels: Tensor, signs: Tensor, separation: Separation, multiples: Tensor
) -> Tensor:
    # For Softmax in float64 where that suffices, else row by row in whole numbers of any size.
    beta, total = separation.softmax_beta(), float(multiples.sum())
    result, undecided = levels.new_zeros(len(levels)), torch.ones(len(levels), dtype=torch.bool)
    saturated = beta is not None and float(beta) > 0.5 * math.log(total)
    if beta is not None:
        gap = min(float(beta), 0.5 * math.log(total) + 0.5) * (levels - levels.amax(-1, True))
        terms = gap.exp() * multiples
        field, size = (terms * signs).sum(-1), terms.sum(-1)
        rounding = torch.finfo(terms.dtype).eps * (8 + levels.shape[-1] + gap.abs().amax(-1))
        result, undecided = field.sign(), field.abs() <= rounding * size
    numbers = [int(number) for number in multiples.tolist()]
    for row in undecided.nonzero().squeeze(-1).tolist():
        counts: dict[int, int] = {}
        entries = zip(levels[row].tolist(), signs[row].tolist(), numbers, strict=True)
        for level, sign, number in entries:
            counts[int(level)] = counts.get(int(level), 0) + int(sign) * number
        pairs = [(level, counts[level]) for level in sorted(counts, reverse=True) if counts[level]]
        if pairs and saturated:
            result[row] = 1 if pairs[0][1] > 0 else -1
        else:
            result[row] = (separation.exact_flip_sign(pairs) or 0) if pairs else 0
    return result
