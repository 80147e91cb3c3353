"""Similarities: how much a stored pattern has in common with a state.

Each takes rows x_μ, `(n, dim)`, and states x, `(*batch, dim)`, and returns the scores s,
`(*batch, n)`, in float32 at least: `separation(euclidean(patterns, state)) @ patterns` is one
update. With a mask m (`known`, True where an entry is known) only known entries count; m broadcasts
to the states. Readouts give a block instead of a tensor: all but Manhattan need nothing of the rows
but two products, so that packed rows can serve them too.

Raises, where the rows are a tensor: ShapeError, InputTypeError, DeviceError, DomainError.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from .checks import (
    check_device,
    check_dim,
    check_finite,
    check_float,
    check_patterns,
    check_size,
    traced,
)
from .cue import check_known


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


@dataclass(frozen=True, eq=False)
class Plain:
    """Rows of no store, in the precision that is computed in."""

    rows: Tensor

    def scores(self, state: Tensor) -> Tensor:
        """X·x."""
        return state @ self.rows.T.to(state.dtype)

    def squares(self, mask: Tensor | None) -> Tensor:
        """Σ_i m_i x_μi²."""
        squared = self.rows.square()
        return squared.sum(-1) if mask is None else mask @ squared.T.to(mask.dtype)


def dot(patterns: RowProducts | Tensor, state: Tensor, known: Tensor | None = None) -> Tensor:
    """s_μ = Σ_i m_i x_μi x_i."""
    block, state = _given(patterns, state, known)
    return block.scores(_masked(state, known))


def euclidean(patterns: RowProducts | Tensor, state: Tensor, known: Tensor | None = None) -> Tensor:
    """s_μ = −½ Σ_i m_i (x_μi − x_i)², as a dot product with one bias a pattern.

    Needs X·x and Σ m x_μ²; the subtraction costs up to M²·eps, as architecture.md's slack allows.
    """
    block, state = _given(patterns, state, known)
    masked = _masked(state, known)
    scores = _nearness(block, state, known).add_(_own(masked, state).unsqueeze(-1))
    whole = scores.requires_grad or traced()  # or in place, which spares a copy
    return scores.clamp_max(0) if whole else scores.clamp_(max=0)


def relative(
    similarity: Similarity, state: Tensor, known: Tensor | None
) -> tuple[Similarity, Tensor | None]:
    """Scores less what all patterns share, and that, one number a state; None where there is none.

    Weights that sum to one do not notice, and F takes it up: F(s + c) = F(s) + c. Far from the
    patterns −½‖x‖² would drown in its rounding what tells them apart.
    """
    if similarity is not euclidean:
        return similarity, None
    return _nearness, _own(_masked(state, known), state)


def _nearness(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
    """Σ_i m_i x_μi x_i − ½ Σ_i m_i x_μi²."""
    return block.scores(_masked(state, known)).sub_(_squares(block, state, known) / 2)


def _own(masked: Tensor, state: Tensor) -> Tensor:
    """−½ Σ_i m_i x_i²."""
    return (masked * state).sum(-1) / -2


def cosine(patterns: RowProducts | Tensor, state: Tensor, known: Tensor | None = None) -> Tensor:
    """s_μ = x_μ·x / (‖x_μ‖ ‖x‖) over known entries; 0 where either is the zero vector."""
    block, state = _given(patterns, state, known)
    masked = _masked(state, known)
    norms = _squares(block, state, known).sqrt()
    return _ratio(block.scores(masked), norms, masked.norm(dim=-1, keepdim=True))


def correlation(
    patterns: RowProducts | Tensor, state: Tensor, known: Tensor | None = None
) -> Tensor:
    """s_μ = Pearson correlation of x_μ and x over known entries; 0 where either is constant."""
    block, state = _given(patterns, state, known)
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


def manhattan(patterns: RowProducts | Tensor, state: Tensor, known: Tensor | None = None) -> Tensor:
    """s_μ = −Σ_i m_i |x_μi − x_i|."""
    block, state = _given(patterns, state, known)
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


def _given(
    patterns: RowProducts | Tensor, state: Tensor, known: Tensor | None
) -> tuple[RowProducts, Tensor]:
    """Rows as a block, and states in its precision; what is no block comes from outside."""
    if not isinstance(patterns, Tensor) and hasattr(patterns, "scores"):
        return patterns, state
    rows = check_size("patterns", check_patterns("patterns", patterns))
    state = check_dim("state", check_float("state", state), rows.shape[-1])
    check_device("state", state, rows.device)
    if known is not None:
        known = check_known(known, state)
    shown = check_finite("state", _masked(state, known))
    wide = torch.promote_types(torch.promote_types(rows.dtype, state.dtype), torch.float32)
    return Plain(rows.to(wide)), check_size("state", shown.to(wide))


def _masked(state: Tensor, known: Tensor | None) -> Tensor:
    return state if known is None else torch.where(known, state, 0.0)


def _squares(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
    """Σ_i m_i x_μi², in the precision of the state also where the block keeps a lesser one."""
    if known is not None:
        return block.squares(known.to(state.dtype))
    kept = block.squares(None)
    if kept.dtype.itemsize >= state.dtype.itemsize:
        return kept
    return block.squares(state.new_ones(state.shape[-1]))


def _ratio(products: Tensor, norms: Tensor, own: Tensor) -> Tensor:
    """products / (norms · own), 0 where a norm is 0."""
    scale = norms * own
    safe = torch.where(scale > 0, scale, 1.0)
    return torch.where(scale > 0, (products / safe).clamp(-1, 1), 0.0)
