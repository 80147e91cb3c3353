"""Similarities: scores s_μ of stored patterns x_μ at a state x.

`separation(euclidean(patterns, state)) @ patterns` is one update. With a mask m (`known`, True for
known entries) only known entries count; m broadcasts to the states. A similarity of your own is a
function of rows, state and mask:

    def nearest(rows, state, known):
        return -(state[..., None, :] - rows).abs().amax(-1)

    ModernHopfield(4.0, similarity=nearest)
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from .checks import (
    check_choice,
    check_device,
    check_dim,
    check_finite,
    check_float,
    check_patterns,
    check_size,
    traced,
)
from .cue import check_known
from .errors import ShapeError


@runtime_checkable
class RowProducts(Protocol):
    """Rows X as a similarity sees them: only `rows` needs them as numbers."""

    @property
    def rows(self) -> Tensor:
        """X, `(n, dim)`."""

    def scores(self, state: Tensor) -> Tensor:
        """X·x for each state x, `(*batch, n)`."""

    def squares(self, mask: Tensor | None) -> Tensor:
        """Σ_i m_i x_μi², `(*batch | (), n)`; m = 1 for None."""


ScoreFunction = Callable[..., Tensor]
"""(rows `(n, dim)`, state `(*batch, dim)`, known or None) → scores `(*batch, n)`."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """A score function and the facts that others rely on.

    Call it as `similarity(patterns, state, known=None)`; it returns `(*batch, n)` in float32 at
    least. A similarity equals its name: `memory.similarity == "dot"`.

    Args:
        name: a word for messages and files.
        function: the scores. It gets the rows, in the precision of the state, as a tensor.
        degree: the power of c by which scores grow if data grow by c, or None if that is unknown.
            It tells a width in scores (1/β) from a width in states (β^(−1/degree)).
        is_affine: whether s_μ = x_μ·x + bias_μ + shared.
        descends: whether the update x' = Xᵀ∇F(s) never raises the energy.
        half_squared_norm: whether E = −F(s) + ½‖x‖² + ½M², as for the dot product; else E = −F(s).
        reads_blocks: whether `function` gets a block (`RowProducts`) instead of a tensor. A block
            computes X·x and Σ x_μ² without unpacking its rows.
        bias: for affine scores, `(block, state, known) → bias`, or None where it is 0.
        shared: the part all patterns share, `(state, known) → (*batch)`, or None where it is 0.
    """

    name: str
    function: ScoreFunction
    degree: int | None = None
    is_affine: bool = False
    descends: bool = False
    half_squared_norm: bool = False
    reads_blocks: bool = False
    bias: Callable[[RowProducts, Tensor, Tensor | None], Tensor] | None = None
    shared: Callable[[Tensor, Tensor | None], Tensor] | None = None

    def __call__(
        self, patterns: RowProducts | Tensor, state: Tensor, known: Tensor | None = None
    ) -> Tensor:
        """Scores of the patterns, a tensor or a block, at the states.

        Raises, where the patterns are a tensor: ShapeError, InputTypeError, DeviceError,
        DomainError.
        """
        if isinstance(patterns, Tensor) or not hasattr(patterns, "scores"):
            patterns, state = _checked(patterns, state, known)
        if self.reads_blocks:
            return self.function(patterns, state, known)
        rows = patterns.rows
        wide = torch.promote_types(rows.dtype, state.dtype)
        scores = self.function(rows.to(wide), state.to(wide), known)
        if scores.shape != (*state.shape[:-1], len(rows)):
            raise ShapeError(
                f"similarity {self.name} must return scores of shape "
                f"{(*state.shape[:-1], len(rows))}, one per state and row, but returned "
                f"{tuple(scores.shape)}."
            )
        return scores

    def relative(self, block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
        """Scores of an affine similarity without the part that all patterns share.

        Far from the patterns, rounding of −½‖x‖² exceeds the differences between scores.
        """
        scores = block.scores(_masked(state, known))
        return scores if self.bias is None else scores.add_(self.bias(block, state, known))

    def __eq__(self, other: object) -> bool:
        """Equal to its name, and to the same function under that name."""
        if isinstance(other, Similarity):
            return (self.name, self.function) == (other.name, other.function)
        return self.name == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        """As the name."""
        return hash(self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a built-in similarity as its name."""
        if SIMILARITIES.get(self.name) is self:
            return as_similarity, (self.name,)
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    def __repr__(self) -> str:
        """The name in quotes, as a constructor takes it."""
        return repr(self.name)

    def __str__(self) -> str:
        """The name."""
        return self.name


def _dot(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
    return block.scores(_masked(state, known))


def _euclidean(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
    # X·x and Σ m x_μ² suffice; the subtraction costs up to M²·eps.
    scores = euclidean.relative(block, state, known).add_(_shared(state, known).unsqueeze(-1))
    by_value = scores.requires_grad or traced()  # else in place, without a copy
    return scores.clamp_max(0) if by_value else scores.clamp_(max=0)


def _shared(state: Tensor, known: Tensor | None) -> Tensor:
    """−½ Σ_i m_i x_i²."""
    return (_masked(state, known) * state).sum(-1) / -2


def _half_squares(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
    """−½ Σ_i m_i x_μi²."""
    return _squares(block, state, known) / -2


def _cosine(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
    masked = _masked(state, known)
    norms = _squares(block, state, known).sqrt()
    return _ratio(block.scores(masked), norms, masked.norm(dim=-1, keepdim=True))


def _correlation(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
    # In float64: of rows far from 0 the variance is a small difference of large sums.
    mask = (state.new_ones(state.shape[-1]) if known is None else known).double()
    exact = state.double()
    count = mask.sum(-1, keepdim=True).clamp_min(1)
    centred = mask * (exact - (mask * exact).sum(-1, keepdim=True) / count)
    squares, total = block.squares(mask), block.scores(mask)
    variance = squares - total * (total / count)  # total² may overflow where Σ x² does not
    # The variance of a constant row, or state, is rounding only.
    noise = 4 * torch.finfo(torch.float64).eps * squares * count
    deviation = torch.where(variance > noise, variance, 0.0).sqrt().to(state.dtype)
    length = centred.norm(dim=-1, keepdim=True)
    size = (mask * exact).norm(dim=-1, keepdim=True)
    length = torch.where(length > 4 * torch.finfo(torch.float64).eps * size, length, 0.0)
    return _ratio(block.scores(centred.to(state.dtype)), deviation, length.to(state.dtype))


def _manhattan(rows: Tensor, state: Tensor, known: Tensor | None) -> Tensor:
    flat = state.reshape(-1, state.shape[-1])
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


dot = Similarity(
    "dot",
    _dot,
    degree=2,
    is_affine=True,
    descends=True,
    half_squared_norm=True,
    reads_blocks=True,
)
"""s_μ = Σ_i m_i x_μi x_i."""

euclidean = Similarity(
    "euclidean",
    _euclidean,
    degree=2,
    is_affine=True,
    descends=True,
    reads_blocks=True,
    bias=_half_squares,
    shared=_shared,
)
"""s_μ = −½ Σ_i m_i (x_μi − x_i)²."""

cosine = Similarity("cosine", _cosine, degree=0, reads_blocks=True)
"""s_μ = x_μ·x / (‖x_μ‖ ‖x‖) over known entries; 0 where either is the zero vector."""

correlation = Similarity("correlation", _correlation, degree=0, reads_blocks=True)
"""s_μ = Pearson correlation of x_μ and x over known entries; 0 where either is constant."""

manhattan = Similarity("manhattan", _manhattan, degree=1)
"""s_μ = −Σ_i m_i |x_μi − x_i|."""

SIMILARITIES: dict[str, Similarity] = {
    known.name: known for known in (dot, euclidean, cosine, correlation, manhattan)
}
"""The built-in similarities by name."""


def as_similarity(value: object) -> Similarity:
    """Resolve a name, a `Similarity` or a function `(rows, state, known) → scores`."""
    if isinstance(value, Similarity):
        return value
    if callable(value) and not isinstance(value, type):
        return Similarity(getattr(value, "__name__", type(value).__name__), value)
    return SIMILARITIES[check_choice("similarity", value, SIMILARITIES)]


@dataclass(frozen=True, eq=False)
class Plain:
    """Rows that no store holds, in the precision of the computation."""

    rows: Tensor

    def scores(self, state: Tensor) -> Tensor:
        """X·x."""
        return state @ self.rows.T.to(state.dtype)

    def squares(self, mask: Tensor | None) -> Tensor:
        """Σ_i m_i x_μi²."""
        squared = self.rows.square()
        return squared.sum(-1) if mask is None else mask @ squared.T.to(mask.dtype)


def _checked(patterns: object, state: Tensor, known: Tensor | None) -> tuple[RowProducts, Tensor]:
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
    stored = block.squares(None)
    if stored.dtype.itemsize >= state.dtype.itemsize:
        return stored
    return block.squares(state.new_ones(state.shape[-1]))


def _ratio(products: Tensor, norms: Tensor, length: Tensor) -> Tensor:
    """products / (norms · length), 0 where a norm is 0."""
    scale = norms * length
    safe = torch.where(scale > 0, scale, 1.0)
    return torch.where(scale > 0, (products / safe).clamp(-1, 1), 0.0)
