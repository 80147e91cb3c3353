"""Kinds of states at which a memory ends: stored, inverse, a mixture, or spurious."""

import torch
from torch import Tensor

from ..checks import has_only_signs
from ..metrics import cosine, overlap

MASS = 0.9
"""Share of the weights whose patterns count as effective (Ramsauer et al. 2021)."""
LARGEST_MIXTURE = 7
"""Largest number of patterns in a mixture; a mixture of more counts as spurious."""


def n_effective(shares: Tensor) -> Tensor:
    """k, the smallest number of weights whose sizes sum to 0.9 of all, per state."""
    descending = shares.double().abs().sort(dim=-1, descending=True).values
    total = descending.sum(-1, keepdim=True)
    # Rounding must not ask for one more where the sum is .9 exactly.
    return 1 + (descending.cumsum(-1) < (MASS - 1e-9) * total).sum(-1)


def kinds_of_states(rows: Tensor, states: Tensor, near: float) -> dict[str, Tensor]:
    """Masks of the states that are stored, inverse, mixtures and spurious: one per state.

    `near` is the overlap, or cosine, from which a state counts as another one.
    """
    alike = overlap_or_cosine(rows, states[:, None])
    stored = alike.amax(-1) >= near
    inverse = ~stored & (alike.amin(-1) <= -near)
    mixture = torch.zeros_like(stored)
    for count in range(2, min(LARGEST_MIXTURE, len(rows)) + 1):
        mixture |= overlap_or_cosine(_mixtures(rows, alike, count), states) >= near
    mixture &= ~stored & ~inverse
    spurious = ~stored & ~inverse & ~mixture
    return {"stored": stored, "inverse": inverse, "mixture": mixture, "spurious": spurious}


def _mixtures(rows: Tensor, alike: Tensor, count: int) -> Tensor:
    """Mix the `count` patterns nearest to each state; ±1: signs of sums, 0 where they tie."""
    if not has_only_signs(rows):
        return rows[alike.topk(count, dim=-1).indices].mean(dim=1)
    index = alike.abs().topk(count, dim=-1).indices
    signs = alike.gather(-1, index).sign()
    mixed: Tensor = (signs[..., None] * rows[index]).sum(dim=1).sign()
    return mixed


def overlap_or_cosine(rows: Tensor, states: Tensor) -> Tensor:
    """Overlap of ±1 patterns with states, or else the cosine; one value per row."""
    return overlap(rows, states) if has_only_signs(rows) else cosine(rows, states)
