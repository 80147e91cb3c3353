"""Energies: E(x) = R(x) − F(s(x)) + const, one formula for every network (docs/notation.md)."""

import torch
from jaxtyping import Float
from torch import Tensor

from .checks import check_dim, check_float
from .coupling import Coupling, Full, check_square
from .errors import ShapeError
from .similarity import Similarity, as_similarity


def classical(
    state: Float[Tensor, "*batch dim"],
    coupling: Coupling | Float[Tensor, "dim dim"],
    thresholds: Tensor | None = None,
) -> Float[Tensor, "*batch"]:
    """E = −½ xᵀWx + b·x (Hopfield 1982).

    Args:
        state: x.
        coupling: W, as `rules.hebbian` and the other rules return it, or a `Coupling`.
        thresholds: b; None is 0.

    Raises:
        ShapeError, InputTypeError: where these do not fit one another.
    """
    check_float("state", state)
    if not isinstance(coupling, Coupling):
        coupling = Full(check_square("coupling", coupling))
        check_dim("state", state, len(coupling.entries))
        state = state.to(torch.promote_types(state.dtype, coupling.dtype))
    if thresholds is not None and check_float("thresholds", thresholds).shape != state.shape[-1:]:
        raise ShapeError(
            f"thresholds must have shape ({state.shape[-1]},), one a unit, but have shape "
            f"{tuple(thresholds.shape)}. Give one number for each unit."
        )
    value = -coupling.quadratic(state) / 2
    return value if thresholds is None else value + (state * thresholds).sum(-1)


def dense(potential: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """E = −F(Xx) (Krotov & Hopfield 2016; Demircigil et al. 2017 with F = β⁻¹ log mean exp).

    Args:
        potential: F, as `separation.potential(similarity.dot(patterns, state))` gives it.

    Raises:
        InputTypeError: where it is no floating point tensor.
    """
    return -check_float("potential", potential)


def modern(
    state: Float[Tensor, "*batch dim"],
    potential: Float[Tensor, "*batch"],
    largest_norm: Float[Tensor, "*#batch"] | float = 0.0,
    similarity: str | Similarity = "dot",
    known: Tensor | None = None,
) -> Float[Tensor, "*batch"]:
    """E = ½‖x‖² − F(s) + ½M² for the dot product, −F(s) for every other similarity.

    Euclidean scores contain −½‖x‖² already, and weights that sum to one pass it on to F. On the
    convex hull of the patterns 0 ≤ E ≤ 2M² (Ramsauer et al. 2021, eq. 2). For cosine, correlation
    and Manhattan the update is no descent step of this value.

    Args:
        state: x, `(*batch, dim)`.
        potential: F(s(x)), `(*batch)`, as `separation.potential(similarity.dot(patterns, state))`
            gives it.
        largest_norm: M = max ‖x_μ‖, one for all states or one per state; 0 leaves it out.
        similarity: the one that the scores came from, or its name.
        known: mask m where only known entries counted in s; then R = ½‖m⊙x‖².

    Raises:
        ShapeError, InputTypeError, OptionError: where these do not fit one another.
    """
    check_float("state", state)
    if check_float("potential", potential).shape != state.shape[:-1]:
        raise ShapeError(
            f"potential must have shape {tuple(state.shape[:-1])}, one number a state, but has "
            f"shape {tuple(potential.shape)}. Use separation.potential(scores)."
        )
    if not as_similarity(similarity).half_squared_norm:
        return -potential
    own = state if known is None else torch.where(known, state, 0.0)
    norm = torch.linalg.vector_norm(own, dim=-1)  # without a copy of the state
    return torch.addcmul(largest_norm**2 / 2 - potential, norm, norm, value=0.5)
