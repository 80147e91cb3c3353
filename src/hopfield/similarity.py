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
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from .checks import (
    check_choice,
    check_device,
    check_dim,
    check_finite,
    check_float,
    check_norms,
    check_number,
    check_patterns,
    is_traced,
    short_repr,
)
from .cue import check_known
from .errors import InputTypeError
from .overrides import check_callable
from .own_scores import BlockFunction, RowFunction, name_of


@runtime_checkable
class RowProducts(Protocol):
    """The patterns X and their products; a packed store computes these without unpacking `rows`."""

    @property
    def rows(self) -> Tensor:
        """X, `(n, dim)`."""

    def scores(self, state: Tensor) -> Tensor:
        """X·x for each state x, `(*batch, n)`."""

    def squares(self, mask: Tensor | None) -> Tensor:
        """Σ_i m_i x_μi², `(*batch | (), n)`; m = 1 for None."""


ScoreFunction = Callable[..., Tensor]
"""(rows `(n, dim)`, state `(*batch, dim)`, known or None) → scores `(*batch, n)`."""


ROW_ARGUMENTS, BLOCK_ARGUMENTS = ("rows", "state", "known"), ("block", "state", "known")
"""Arguments of a function that is a similarity by itself, and of that of a `Similarity`."""


class Affine(NamedTuple):
    """Two terms of affine scores s_μ = x_μ·x + bias_μ + shared; None stands for 0."""

    bias: Callable[[RowProducts, Tensor, Tensor | None], Tensor] | None = None
    """(block, state, known) → bias_μ, `(*batch | (), n)`."""

    shared: Callable[[Tensor, Tensor | None], Tensor] | None = None
    """(state, known) → the term that all patterns share, `(*batch)`."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """A score function, and the properties that memories and separations ask for.

    Call it as `similarity(patterns, state, known=None)`; it returns `(*batch, n)` in float32 at
    least. A similarity equals its name: `memory.similarity == "dot"`.

    Args:
        name: a word for messages and files.
        function: (block, state, known) → scores. `block.rows` is the tensor of rows; `block.scores`
            and `block.squares` compute X·x and Σ x_μ² without unpacking them.
        degree: the exponent d if scaling all data by c scales the scores by c^d, or None if that
            is unknown. A width 1/β of scores is a width β^(−1/d) of states.
        descends: whether the update x' = Xᵀ∇F(s) never raises the energy.
        half_squared_norm: whether E = −F(s) + ½‖x‖² + ½M², as for the dot product; else E = −F(s).
        affine: the parts of affine scores; None for others.
    """

    name: str
    function: Callable[[RowProducts, Tensor, Tensor | None], Tensor]
    degree: int | None = None
    descends: bool = False
    half_squared_norm: bool = False
    affine: Affine | None = None

    sums_entries: ClassVar[bool] = False
    """True if scores are sums over entries: see `EntrySum`."""

    @property
    def is_affine(self) -> bool:
        """Return True if s_μ = x_μ·x + bias_μ + shared."""
        return self.affine is not None

    def __call__(
        self, patterns: RowProducts | Tensor, state: Tensor, known: Tensor | None = None
    ) -> Tensor:
        """Return the scores of the patterns, a tensor or a block, at the states.

        Raises, where the patterns are a tensor: ShapeError, InputTypeError, DeviceError,
        DomainError.
        """
        if isinstance(patterns, Tensor) or not hasattr(patterns, "scores"):
            patterns, state = _check_arguments(patterns, state, known)
        return self.function(patterns, state, known)

    def __post_init__(self) -> None:
        """Check all arguments."""
        if not isinstance(self.name, str):
            raise InputTypeError(f"name must be a word, but is {short_repr(self.name)}.")
        check_callable(f"the function of {self.name!r}", self.function, BLOCK_ARGUMENTS)
        is_built_in = getattr(self.function, "__module__", None) == __name__
        if not is_built_in and not isinstance(self.function, (BlockFunction, RowFunction)):
            object.__setattr__(self, "function", BlockFunction(self.function))
        if self.affine is not None and not isinstance(self.affine, Affine):
            raise InputTypeError(
                f"affine must be an Affine or None, but is {short_repr(self.affine)}. Use "
                "hopfield.similarity.Affine() for plain dot products."
            )
        if self.degree is not None:
            check_number("degree", self.degree)

    def without_shared(self, block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
        """Return x_μ·x + bias_μ, the affine scores without the term that all patterns share."""
        # Far from the patterns, rounding of −½‖x‖² exceeds the differences between scores.
        scores = block.scores(masked_state(state, known))
        if self.affine is None or self.affine.bias is None:
            return scores
        return scores.add_(self.affine.bias(block, state, known))

    def __eq__(self, other: object) -> bool:
        """Compare the name with a string, or name and function with another similarity."""
        if isinstance(other, Similarity):
            return (self.name, self.function) == (other.name, other.function)
        return self.name == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        """Hash the name."""
        return hash(self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a built-in similarity as its name."""
        if SIMILARITIES.get(self.name) is self:
            return as_similarity, (self.name,)
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    def __repr__(self) -> str:
        """Return the name in quotes, as a constructor takes it."""
        return repr(self.name)

    def __str__(self) -> str:
        """Return the name."""
        return self.name


class EntrySum(Similarity):
    """A similarity whose scores are sums over entries, Σ_i m_i f(x_μi, x_i).

    If patterns have gaps, the score of a pattern is scaled to the number of known entries of the
    state; otherwise a pattern would gain by entries that it lacks.
    """

    sums_entries = True


def _dot(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
    return block.scores(masked_state(state, known))


def _euclidean(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
    # Computed from X·x and Σ m x_μ², not from differences: the error is up to M²·eps.
    scores = _dot(block, state, known).add_(_minus_half_squares(block, state, known))
    scores = scores.add_(_minus_half_norm(state, known).unsqueeze(-1))
    must_copy = scores.requires_grad or is_traced()
    return scores.clamp_max(0) if must_copy else scores.clamp_(max=0)


def _minus_half_squares(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
    """−½ Σ_i m_i x_μi²."""
    return squares_of(block, state, known) / -2


def _minus_half_norm(state: Tensor, known: Tensor | None) -> Tensor:
    """−½ Σ_i m_i x_i²."""
    return (masked_state(state, known) * state).sum(-1) / -2


def _cosine(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
    masked = scale_rows(masked_state(state, known))
    squares = squares_of(block, state, known)
    if _may_underflow(squares, block, known):
        block = _scaled_block(block, known)
        mask = None if known is None else known.to(block.rows.dtype)
        squares = block.squares(mask).to(state.dtype)
    length = masked.norm(dim=-1, keepdim=True)
    return ratio_or_zero(block.scores(masked), squares.sqrt(), length)


def _correlation(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
    # In float64: for rows far from 0 the variance is a small difference of large sums.
    mask = (state.new_ones(state.shape[-1]) if known is None else known).double()
    exact = scale_rows(masked_state(state, known).double())
    count = mask.sum(-1, keepdim=True).clamp_min(1)
    centred = mask * (exact - (mask * exact).sum(-1, keepdim=True) / count)
    squares = block.squares(mask)
    if _may_underflow(squares, block, known):
        block = _scaled_block(block, known)
        squares = block.squares(mask)
    total = block.scores(mask)
    variance = squares - total * (total / count)  # total² may overflow where Σ x² does not
    # The variance of a constant row or state is only rounding error, and counts as 0.
    noise = 4 * torch.finfo(torch.float64).eps * squares * count
    deviation = torch.where(variance > noise, variance, 0.0).sqrt().to(state.dtype)
    length = centred.norm(dim=-1, keepdim=True)
    size = (mask * exact).norm(dim=-1, keepdim=True)
    length = torch.where(length > 4 * torch.finfo(torch.float64).eps * size, length, 0.0)
    return ratio_or_zero(block.scores(centred.to(state.dtype)), deviation, length.to(state.dtype))


def _manhattan(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
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


dot = EntrySum(
    "dot",
    _dot,
    degree=2,
    descends=True,
    half_squared_norm=True,
    affine=Affine(),
)
"""s_μ = Σ_i m_i x_μi x_i."""

euclidean = EntrySum(
    "euclidean",
    _euclidean,
    degree=2,
    descends=True,
    affine=Affine(_minus_half_squares, _minus_half_norm),
)
"""s_μ = −½ Σ_i m_i (x_μi − x_i)²."""

cosine = Similarity("cosine", _cosine, degree=0)
"""s_μ = x_μ·x / (‖x_μ‖ ‖x‖) over known entries; 0 where either is the zero vector."""

correlation = Similarity("correlation", _correlation, degree=0)
"""s_μ = Pearson correlation of x_μ and x over known entries; 0 where either is constant."""

manhattan = EntrySum("manhattan", _manhattan, degree=1)
"""s_μ = −Σ_i m_i |x_μi − x_i|."""

SIMILARITIES: dict[str, Similarity] = {
    similarity.name: similarity for similarity in (dot, euclidean, cosine, correlation, manhattan)
}
"""The built-in similarities by name."""


def as_similarity(value: object) -> Similarity:
    """Resolve a name, a `Similarity` or a function `(rows, state, known) → scores`."""
    if isinstance(value, Similarity):
        return value
    is_separation = hasattr(value, "potential")  # callable too, but with other arguments
    if callable(value) and not isinstance(value, type) and not is_separation:
        check_callable(f"similarity {name_of(value)}", value, ROW_ARGUMENTS)
        return Similarity(name_of(value), RowFunction(value))
    hint = f" Or give a function ({', '.join(ROW_ARGUMENTS)})."
    if isinstance(value, type) and not is_separation:
        hint = f" Use {value.__name__}(…), an object rather than the class."
    return SIMILARITIES[check_choice("similarity", value, SIMILARITIES, hint=hint)]


@dataclass(frozen=True, eq=False)
class TensorRows:
    """Patterns in a tensor rather than a store, in the precision of the computation."""

    rows: Tensor

    def scores(self, state: Tensor) -> Tensor:
        """X·x."""
        return state @ self.rows.T.to(state.dtype)

    def squares(self, mask: Tensor | None) -> Tensor:
        """Σ_i m_i x_μi²."""
        if mask is None:
            return self.rows.square().sum(-1)
        rows = self.rows.to(torch.promote_types(self.rows.dtype, mask.dtype))
        return mask.to(rows.dtype) @ rows.square().T


def scale_rows(rows: Tensor) -> Tensor:
    """Divide each row by its largest entry, so that squares neither overflow nor underflow."""
    largest = rows.detach().abs().amax(-1, keepdim=True)
    return rows / torch.where(largest > 0, largest, 1.0)


def _check_arguments(
    patterns: object, state: Tensor, known: Tensor | None
) -> tuple[RowProducts, Tensor]:
    rows = check_norms("patterns", check_patterns("patterns", patterns))
    state = check_dim("state", check_float("state", state), rows.shape[-1])
    check_device("state", state, rows.device)
    if known is not None:
        known = check_known(known, state)
    masked = check_finite("state", masked_state(state, known))
    dtype = torch.promote_types(torch.promote_types(rows.dtype, state.dtype), torch.float32)
    return TensorRows(rows.to(dtype)), check_norms("state", masked.to(dtype))


def masked_state(state: Tensor, known: Tensor | None) -> Tensor:
    """m⊙x."""
    return state if known is None else torch.where(known, state, 0.0)


def _scaled_block(block: RowProducts, known: Tensor | None) -> TensorRows:
    # In float64: the mask of one query can hide the largest entry and leave only small ones.
    rows = masked_state(block.rows, _shared(known))
    return TensorRows(scale_rows(rows if is_traced() else rows.double()))


def _may_underflow(squares: Tensor, block: RowProducts, known: Tensor | None) -> bool:
    # True if the squares of a nonzero row may underflow. Traced code cannot read values, and
    # always gets True.
    limits = torch.finfo(squares.dtype)
    if is_traced():
        return True
    small = squares < limits.tiny / limits.eps
    if not bool(small.any()):
        return False
    rows = masked_state(block.rows, _shared(known))
    return bool((small & (torch.linalg.vector_norm(rows, torch.inf, dim=-1) > 0)).any())


def _shared(known: Tensor | None) -> Tensor | None:
    # The mask, if one holds for all states.
    return known if known is not None and known.ndim == 1 else None


def squares_of(block: RowProducts, state: Tensor, known: Tensor | None) -> Tensor:
    """Σ_i m_i x_μi², at least in the precision of the state."""
    if known is not None:
        return block.squares(known.to(state.dtype))
    stored = block.squares(None)
    if stored.dtype.itemsize >= state.dtype.itemsize:
        return stored
    return block.squares(state.new_ones(state.shape[-1]))


def ratio_or_zero(products: Tensor, norms: Tensor, length: Tensor) -> Tensor:
    """products / (norms · length), 0 where a norm is 0."""
    scale = norms * length
    safe = torch.where(scale > 0, scale, 1.0)
    return torch.where(scale > 0, (products / safe).clamp(-1, 1), 0.0)
