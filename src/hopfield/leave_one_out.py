"""Readouts without the row that is read: how well the other rows predict it.

One pass over the scores judges every separation, and so every β.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .separation import Separation
from .separation.prior import arguments

UNIFORM, NEAREST = 0.02, 8.0
"""Bounds of β times a difference of scores: below the first, weights hardly differ; above the
second, the row that leads by this difference has all of the weight."""
MOST_RANGE = 1e9
"""Largest ratio of the two bounds of β."""

Scored = tuple[Int[Tensor, " batch"], Float[Tensor, "batch n"]]
"""The places of some stored rows, and the scores of all rows at their states."""


def without_own(
    scores: Float[Tensor, "batch n"], own: Int[Tensor, " batch"]
) -> Float[Tensor, "batch others"]:
    """Return the scores of the other rows; the last row takes the place of the one left out."""
    return scores.scatter(-1, own[:, None], scores[:, -1:])[:, :-1]


def average_of_others(
    weights: Float[Tensor, "batch others"],
    own: Int[Tensor, " batch"],
    values: Float[Tensor, "n out"],
) -> Float[Tensor, "batch out"]:
    """Return the weighted sum of the values of the other rows, ordered as in `without_own`."""
    last = len(values) - 1
    moved = weights.gather(-1, own.clamp_max(last - 1)[:, None]) * (own < last)[:, None]
    return weights @ values[:-1] + moved * (values[-1] - values[own])


def left_out_losses(
    scored: Iterable[Scored],
    separations: Sequence[Separation],
    values: Float[Tensor, "n out"],
    loss: Callable[[Tensor, Tensor], Tensor],
    prior: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "separations rows"]:
    """Return the loss of each row if the others predict its value.

    Args:
        scored: rows and scores, some rows at a time.
        separations: one for each β, for instance.
        values: the values of all n ≥ 2 rows.
        loss: (predicted values, places of the rows) → one loss per row.
        prior: how often each row counts; a row is left out with all of its copies.
    """
    parts, start = [], 0
    for own, scores in scored:
        of_others = None if prior is None else without_own(prior.expand_as(scores), own)
        given = arguments(without_own(scores, own), of_others)
        place = torch.arange(start, start + len(own), device=own.device)
        predicted = (
            average_of_others(separation(*given).to(values.dtype), own, values)
            for separation in separations
        )
        parts.append(torch.stack([loss(each, place) for each in predicted]))
        start += len(own)
    return torch.cat(parts, dim=-1)


def beta_limits(scored: Iterable[Scored]) -> tuple[float, float]:
    """Return the range in which β matters: from nearly equal weights to the nearest row alone."""
    spreads, leads = [], []
    for own, scores in scored:
        others = without_own(scores, own)
        spreads.append(others.amax(-1) - others.mean(-1))
        if others.shape[-1] > 1:
            first, second = others.topk(2).values.unbind(-1)
            leads.append(first - second)
    spread = _median_above_0(spreads)
    if spread is None:
        return 1.0, 1.0
    lead = _median_above_0(leads) or spread
    return UNIFORM / spread, min(NEAREST / lead, MOST_RANGE * UNIFORM / spread)


def _median_above_0(parts: list[Tensor]) -> float | None:
    if not parts:
        return None
    values = torch.cat(parts)
    values = values[(values > 0) & values.isfinite()]
    return float(values.median()) if len(values) else None
