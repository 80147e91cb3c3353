"""Bounds of a certified readout, computed when somebody reads them."""

import math
from functools import partial

import torch
from torch import Tensor

from ..bound import Bound
from ..readout import LONG_BLOCK
from ..separation import Readout, Separation
from ..similarity import Similarity
from ..stores import Store
from .pairwise import eps_of_products
from .query_batch import beta_of

KEPT_ENTRIES = 2**13
"""Entries of states up to which a copy of them is kept; of more, their norms are computed at once,
which takes longer for few entries, and less memory."""


def bound_of(
    store: Store,
    masked: Tensor,
    similarity: Similarity,
    separation: Separation,
    readout: Readout,
    crowded: Tensor | None = None,
    unread: Tensor | None = None,
) -> Bound:
    """Return the bounds of a readout; patterns and states may change before they are computed.

    Args:
        store: the rows.
        masked: m⊙x.
        similarity: gave the scores.
        separation: the separation.
        readout: the readout of all states.
        crowded: the queries that were read in full, to which only rounding applies; None for all.
        unread: a bound of the weight of the rows that were not read.
    """
    masked, potential = masked.detach(), readout.potential.detach()
    states = masked.clone() if masked.numel() <= KEPT_ENTRIES else _lengths(masked)[:, None]
    is_single = potential.dtype == torch.float32
    eps = eps_of_products() if is_single else torch.finfo(potential.dtype).eps
    summary, weight = store.summary(), readout.weight.detach().clone()
    rows = summary.largest_norm, len(store), store.dim, summary.squared_norms.dtype
    given = states, potential, weight, rows, (similarity, separation), eps, crowded, unread
    return Bound.later(partial(_bound_of_kept, *given))


def _lengths(masked: Tensor) -> Tensor:
    return torch.linalg.vector_norm(masked, dim=-1, dtype=torch.float64)


def _bound_of_kept(
    states: Tensor,
    potential: Tensor,
    weight: Tensor,
    rows: tuple[float, int, int, torch.dtype],
    scoring: tuple[Similarity, Separation],
    eps: float,
    crowded: Tensor | None,
    unread: Tensor | None,
) -> Bound:
    (largest_norm, count, dim, stored_dtype), (similarity, separation) = rows, scoring
    beta, lengths, stored = beta_of(separation), _lengths(states), torch.finfo(stored_dtype)
    result, exact_eps = torch.finfo(potential.dtype), torch.finfo(torch.float64).eps
    # Small squares underflow; all together they lose at most dim * tiny.
    largest = math.sqrt(largest_norm**2 + dim * stored.tiny)
    reach = lengths.clamp_min(largest)
    size = torch.maximum(potential.double().abs(), reach.square() / 2)
    # The ½M² of dot products is as exact as the norms that are stored.
    inexact = max(0.0, stored.eps - result.eps) if similarity.half_squared_norm else 0.0
    constant = 4 * inexact * largest**2 + dim * result.tiny
    kappa = 1 + beta * largest * reach
    # A sum of n terms loses eps/2 per term at most, and never more than the smaller addend: the
    # rows other than the strongest one lose their own weight at most.
    terms = min(count, LONG_BLOCK) + count / LONG_BLOCK
    summed = (1 - weight.double()).clamp(0.0, eps / 2 * terms)
    # No two points of the rows' convex hull are further apart than 2M.
    state = largest * (16 * eps * kappa + summed).clamp_max(2)
    # Equal entries round in the same direction: a product of dim terms then loses eps/2 per term.
    energy = eps * (8 * kappa * size + dim / 2 * largest * reach) + constant
    if crowded is None or unread is None:
        return Bound(state, energy, torch.zeros_like(state))
    scores = exact_eps * dim * (largest + lengths).square()  # rounding of one score in float64
    near = largest * (2 * unread + torch.expm1(2 * beta * scores) + result.eps).clamp_max(2)
    gap = -torch.log1p(-unread) / max(beta, 1e-300) + scores + 8 * result.eps * size + constant
    return Bound(torch.where(crowded, state, near), torch.where(crowded, energy, gap), unread)
