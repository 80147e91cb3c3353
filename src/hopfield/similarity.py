"""Similarities: how much a stored pattern has in common with a state.

Each takes a block of rows x_μ and states x and returns the scores s, `(*batch, n)`. With a mask m
(`known`, True where an entry is known) only known entries count; m broadcasts to the states.
All but Manhattan need nothing of the rows but two products, so packed rows can serve them too.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class RowProducts(Protocol):
    """What a similarity asks of a block of rows X."""

    @property
    def rows(self) -> Tensor:
        """X, `(n, dim)`."""

    def scores(self, state: Tensor) -> Tensor:
        """X·x for each state x, `(*batch, n)`."""

    def squares(self, mask: Tensor | None) -> Tensor:
        """Σ_i m_i x_μi², `(*batch | (), n)`; m = 1 for None."""


Similarity = Callable[[RowProducts, Tensor, Tensor | None], Tensor]


def dot(block: RowProducts, state: Tensor, known: Tensor | None = None) -> Tensor:
    """s_μ = Σ_i m_i x_μi x_i."""
    return block.scores(_masked(state, known))


def euclidean(block: RowProducts, state: Tensor, known: Tensor | None = None) -> Tensor:
    """s_μ = −½ Σ_i m_i (x_μi − x_i)², as a dot product with one bias a pattern.

    Needs X·x and Σ m x_μ²; the subtraction costs up to M²·eps, as architecture.md's slack allows.
    """
    masked = _masked(state, known)
    own = (masked * state).sum(-1, keepdim=True)
    scores = block.scores(masked).sub_((block.squares(_as(known, state)) + own) / 2)
    return scores.clamp_max(0) if scores.requires_grad else scores.clamp_(max=0)


def cosine(block: RowProducts, state: Tensor, known: Tensor | None = None) -> Tensor:
    """s_μ = x_μ·x / (‖x_μ‖ ‖x‖) over known entries; 0 where either is the zero vector."""
    masked = _masked(state, known)
    norms = block.squares(_as(known, state)).sqrt()
    return _ratio(block.scores(masked), norms, masked.norm(dim=-1, keepdim=True))


def correlation(block: RowProducts, state: Tensor, known: Tensor | None = None) -> Tensor:
    """s_μ = Pearson correlation of x_μ and x over known entries; 0 where either is constant."""
    # In float64: of rows far from 0 the variance is a small difference of large sums.
    mask = (state.new_ones(state.shape[-1]) if known is None else known).double()
    exact = state.double()
    count = mask.sum(-1, keepdim=True).clamp_min(1)
    centred = mask * (exact - (mask * exact).sum(-1, keepdim=True) / count)
    squares, total = block.squares(mask), block.scores(mask)
    variance = squares - total * (total / count)  # total² may overflow where Σ x² does not
    # What is left of a constant row, or state, is rounding and no direction.
    noise = 4 * torch.finfo(torch.float64).eps * squares * count
    spread = torch.where(variance > noise, variance, 0.0).sqrt().to(state.dtype)
    own = centred.norm(dim=-1, keepdim=True)
    size = (mask * exact).norm(dim=-1, keepdim=True)
    own = torch.where(own > 4 * torch.finfo(torch.float64).eps * size, own, 0.0).to(state.dtype)
    return _ratio(block.scores(centred.to(state.dtype)), spread, own)


def manhattan(block: RowProducts, state: Tensor, known: Tensor | None = None) -> Tensor:
    """s_μ = −Σ_i m_i |x_μi − x_i|."""
    rows = block.rows.to(torch.promote_types(block.rows.dtype, state.dtype))
    flat = state.reshape(-1, state.shape[-1]).to(rows.dtype)
    if known is None or not len(flat):
        scores = -torch.cdist(flat, rows, p=1)
    elif known.ndim == 1:
        scores = -torch.cdist(flat[:, known], rows[:, known], p=1)
    else:
        masks = known.expand(state.shape).reshape(flat.shape).to(rows.dtype)
        scores = torch.stack(
            [-((rows - x).abs() * m).sum(-1) for x, m in zip(flat, masks, strict=True)]
        )
    return scores.reshape(*state.shape[:-1], len(rows))


SIMILARITIES: dict[str, Similarity] = {
    "dot": dot,
    "euclidean": euclidean,
    "cosine": cosine,
    "correlation": correlation,
    "manhattan": manhattan,
}
"""Every similarity by name."""


def _masked(state: Tensor, known: Tensor | None) -> Tensor:
    return state if known is None else torch.where(known, state, 0.0)


def _as(known: Tensor | None, state: Tensor) -> Tensor | None:
    return None if known is None else known.to(state.dtype)


def _ratio(products: Tensor, norms: Tensor, own: Tensor) -> Tensor:
    """products / (norms · own), 0 where a norm is 0."""
    scale = norms * own
    safe = torch.where(scale > 0, scale, 1.0)
    return torch.where(scale > 0, (products / safe).clamp(-1, 1), 0.0)
