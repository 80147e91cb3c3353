"""What a state is that the dynamics ended at: stored, inverse, a mixture, or spurious."""

import torch
from torch import Tensor

from ..metrics import cosine, overlap

MASS = 0.9
"""k is the fewest weights that sum to this (Ramsauer et al. 2021)."""
LARGEST_MIXTURE = 7
"""Mixtures of 3, 5 and 7 patterns are told from what is spurious; of ±1, odd ones alone."""


def carrying(shares: Tensor) -> Tensor:
    """k, the fewest weights whose sum is .9 of all; one a state."""
    descending = shares.double().sort(dim=-1, descending=True).values
    total = descending.sum(-1, keepdim=True)
    # Rounding must not ask for one more where the sum is .9 exactly.
    return 1 + (descending.cumsum(-1) < (MASS - 1e-9) * total).sum(-1)


def kind(rows: Tensor, states: Tensor, near: float) -> dict[str, Tensor]:
    """Whether each state is stored, inverse, a mixture, or spurious; exactly one of these."""
    alike = likeness(rows, states[:, None])
    stored = alike.amax(-1) >= near
    inverse = ~stored & (alike.amin(-1) <= -near)
    mixture = torch.zeros_like(stored)
    for count in range(2, min(LARGEST_MIXTURE, len(rows)) + 1):
        mixture |= likeness(_mixtures(rows, alike, count), states) >= near
    mixture &= ~stored & ~inverse
    return {
        "stored": stored,
        "inverse": inverse,
        "mixture": mixture,
        "spurious": ~stored & ~inverse & ~mixture,
    }


def _mixtures(rows: Tensor, alike: Tensor, count: int) -> Tensor:
    """The mixture of the `count` patterns nearest to each state; of ±1 none where it could tie."""
    if not is_binary(rows):
        return rows[alike.topk(count, dim=-1).indices].mean(dim=1)
    index = alike.abs().topk(count, dim=-1).indices
    signs = alike.gather(-1, index).sign()
    mixed: Tensor = (signs[..., None] * rows[index]).sum(dim=1).sign()
    return mixed


def likeness(rows: Tensor, states: Tensor) -> Tensor:
    """Overlap where the patterns are ±1, cosine otherwise; one value a row."""
    return overlap(rows, states) if is_binary(rows) else cosine(rows, states)


def is_binary(rows: Tensor) -> bool:
    """Whether all entries are ±1."""
    return bool((rows.abs() == 1).all())
