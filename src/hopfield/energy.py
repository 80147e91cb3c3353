"""Energies: E(x) = R(x) − F(s(x)) + const, one formula for every network (docs/notation.md).

R = ½‖x‖² for the modern network with the dot product, Ψ with a post-transform, and 0 for all
others. Constants of an energy are added here and nowhere else.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from .checks import check_dim, check_float, check_number, is_broadcastable, is_traced
from .coupling import Coupling, FullCoupling, check_square, check_symmetric, check_thresholds
from .cue import check_known
from .errors import DomainError, ShapeError
from .post import PostTransform
from .similarity import Similarity, as_similarity


def classical(
    state: Float[Tensor, "*batch dim"],
    coupling: Coupling | Float[Tensor, "dim dim"],
    thresholds: Tensor | None = None,
) -> Float[Tensor, "*batch"]:
    """E = −½ xᵀWx + b·x (Hopfield 1982).

    Args:
        state: x.
        coupling: W = Wᵀ, as `rules.hebbian` and the other rules return it, or a `Coupling`.
        thresholds: b; None is 0.

    Raises:
        ShapeError, InputTypeError, DomainError: if the arguments do not fit.
    """
    check_float("state", state)
    if not isinstance(coupling, Coupling):
        weights = check_square("coupling", coupling)
        if not is_traced():
            check_symmetric("coupling", weights, "use from_coupling(coupling, symmetric=False)")
        coupling = FullCoupling(weights)
        check_dim("state", state, len(coupling.entries))
        state = state.to(torch.promote_types(state.dtype, coupling.dtype))
    if thresholds is not None:
        check_thresholds(thresholds, state)
    value = -coupling.quadratic(state) / 2
    return value if thresholds is None else value + (state * thresholds).sum(-1)


def graded(
    state: Float[Tensor, "*batch dim"],
    coupling: Coupling | Float[Tensor, "dim dim"],
    thresholds: Tensor | None = None,
    width: float = 1.0,
) -> Float[Tensor, "*batch"]:
    """E = −½ vᵀWv + b·v + width·Σ ∫₀^v artanh (Hopfield 1984), −1 ≤ v ≤ 1.

    The integral is ½[(1 + v) ln(1 + v) + (1 − v) ln(1 − v)], and ln 2 at v = ±1.

    Args:
        state: v.
        coupling: W, as for `classical`.
        thresholds: b; None is 0.
        width: leak/gain; 0 is the classical network.

    Raises:
        ShapeError, InputTypeError, DomainError: if the arguments do not fit.
    """
    value = classical(state, coupling, thresholds)
    width = check_number("width", width, low=0.0, high=1e150)
    if bool((state.detach().abs() > 1).any()):
        raise DomainError("state must lie between −1 and 1 in every entry, but does not.")
    integral = (
        torch.special.xlog1py(1 + state, state) + torch.special.xlog1py(1 - state, -state)
    ) / 2
    return value + width * integral.sum(-1)


def dense(potential: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """E = −F(Xx) (Krotov & Hopfield 2016; Demircigil et al. 2017 with F = β⁻¹ log mean exp).

    Args:
        potential: F, as `separation.potential(similarity.dot(patterns, state))` gives it.

    Raises:
        InputTypeError: if `potential` is not a floating point tensor.
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

    Euclidean scores already contain −½‖x‖². With weights that sum to one, F contains this term too,
    so that it is not added again. On the convex hull of the patterns 0 ≤ E ≤ 2M² (Ramsauer et al.
    2021, eq. 2). For cosine, correlation and Manhattan similarity an update can raise E.

    Args:
        state: x, `(*batch, dim)`.
        potential: F(s(x)), `(*batch)`, as `separation.potential(similarity.dot(patterns, state))`
            gives it.
        largest_norm: M = max ‖x_μ‖, one for all states or one per state; 0 leaves it out.
        similarity: the similarity that gave the scores, or its name.
        known: mask m of the entries that counted in s; then R = ½‖m⊙x‖².

    Raises:
        ShapeError, InputTypeError, DomainError, OptionError: if the arguments do not fit.
    """
    check_float("state", state)
    if check_float("potential", potential).shape != state.shape[:-1]:
        raise ShapeError(
            f"potential must have shape {tuple(state.shape[:-1])}, one number per state, but has "
            f"shape {tuple(potential.shape)}. Use separation.potential(scores)."
        )
    if isinstance(largest_norm, Tensor):
        shape = check_float("largest_norm", largest_norm).shape
        if not is_broadcastable(shape, state.shape[:-1]):
            raise ShapeError(
                f"largest_norm must be one number, or one for each state of {tuple(state.shape)}, "
                f"but has shape {tuple(shape)}. Use largest_norm.max()."
            )
    else:
        check_number("largest_norm", largest_norm, low=0.0, high=1e150)
    if known is not None:
        state = torch.where(check_known(known, state), state, 0.0)
    return modern_of_checked(state, potential, largest_norm, as_similarity(similarity))


def modern_of_checked(
    masked: Tensor, potential: Tensor, largest_norm: Tensor | float, similarity: Similarity
) -> Tensor:
    """Return `modern` for checked arguments; `masked` is the state with 0 at unknown entries."""
    if not similarity.half_squared_norm:
        return -potential
    norm = torch.linalg.vector_norm(masked, dim=-1)  # without a copy of the state
    constant = torch.rsub(potential, largest_norm**2 / 2)
    return torch.addcmul(constant, norm, norm, value=0.5)


def with_post_of_checked(
    masked: Tensor,
    potential: Tensor,
    largest_norm: Tensor | float,
    similarity: Similarity,
    post: PostTransform,
) -> Tensor:
    """Return E = Ψ(x) − F(Xx + bias) of a network with a post-transform; affine scores only.

    The term that all scores share is no function of a convex F: E is without it.
    """
    value = post.potential(masked, largest_norm) - potential
    shared = None if similarity.affine is None else similarity.affine.shared
    return value if shared is None else value + shared(masked, None)
