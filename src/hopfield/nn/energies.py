"""Potentials and energies of the states of a layer; a mask hides patterns from states."""

import torch
from jaxtyping import Float
from torch import Tensor

from .. import energy, similarity
from .masks import Mask, inner_products, masked_scores
from .scaled_separation import ScaledSeparation


def potential(
    separation: ScaledSeparation,
    state: Float[Tensor, "*batch m dim"],
    stored: Float[Tensor, "*#batch n dim"],
    mask: Mask | None,
) -> Float[Tensor, "*all m"]:
    """F(Kx) over the visible patterns, with F(0) = 0; 0 for states with no visible pattern."""
    beta, formula = separation.scale(state), separation.unit.potential
    value = formula(masked_scores(inner_products(beta * state, stored), mask))
    if mask is not None:
        # F(0) is 0 over all n patterns, but not over fewer: subtract F(0) over the visible ones.
        value = value - formula(masked_scores(inner_products(0 * state, stored), mask))
        value = value.masked_fill(mask.empty.squeeze(-1), 0.0)
    return value / (beta[..., 0] if isinstance(beta, Tensor) else beta)


def energies(
    separation: ScaledSeparation,
    state: Float[Tensor, "*batch m dim"],
    stored: Float[Tensor, "*#batch n dim"],
    mask: Mask | None,
) -> Float[Tensor, "*all m"]:
    """E(x) of `energy.modern` over the visible patterns; 0 for states with no visible pattern."""
    value = potential(separation, state, stored, mask)
    norms = torch.linalg.vector_norm(stored, dim=-1).to(value.dtype)[..., None, :]
    if mask is not None:
        norms = norms.masked_fill(~mask.visible, 0.0)
    value = energy.modern_of_checked(
        state.expand(*value.shape, -1), value, norms.amax(-1), similarity.dot
    )
    return value if mask is None else value.masked_fill(mask.empty.squeeze(-1), 0.0)
