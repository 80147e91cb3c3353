"""The interface of a separation: a potential F on the scores and its gradient, the weights."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_float, check_number, is_traced
from ..errors import ShapeError

MOST_GATHERED_ROWS = 4096
"""Rows of a block up to which copying the rows with weight can beat reading all."""


def most_gathered(count: int) -> int:
    """Return the number of rows of `count` up to which copying them beats reading all."""
    return min(MOST_GATHERED_ROWS, count // 4)


@runtime_checkable
class Rows(Protocol):
    """Consecutive patterns, the part of a block that a separation needs."""

    @property
    def start(self) -> int:
        """Index of the first row."""

    def __len__(self) -> int:
        """Number of rows."""

    def weighted_sum(self, weights: Tensor, at: Tensor | None = None) -> Tensor:
        """weights @ rows[at]; None takes all rows."""


@dataclass(frozen=True, eq=False)
class Readout:
    """The result of reading a memory at a batch of states, one entry per state.

    Attributes:
        state: Xᵀ∇F(s), `(*batch, dim)`.
        potential: F(s), `(*batch)`.
        index: the strongest pattern, `(*batch)`; the first of those that tie.
        weight: its weight, `(*batch)`.
        entropy: −Σ p log p of the weights in nats, `(*batch)`.
    """

    state: Tensor
    potential: Tensor
    index: Tensor
    weight: Tensor
    entropy: Tensor


class Partial(ABC):
    """A readout of some of the rows, which can be merged with that of others."""

    @abstractmethod
    def merge(self, other: "Partial") -> "Partial":
        """Return the partial of both sets of rows."""

    @abstractmethod
    def result(self, blocks: Iterable[Rows]) -> Readout:
        """Return the readout; `blocks` are all rows, for partials that sum at the end."""


class Separation(ABC):
    """A potential F on the scores s, and its gradient ∇F(s), the weights.

    A subclass needs `potential` and `__call__` to work in every memory. F should satisfy F(0) = 0,
    so that energies need no further constant, and be convex, or the energy can rise. Parameters
    are numbers, or tensors broadcastable to the batch of the scores.

    The other members describe F further: faster or more exact computations ask for them. Their
    defaults hold for every F.
    """

    simplex: ClassVar[bool] = True
    """True where the weights are non-negative and sum to one."""

    shift_invariant: ClassVar[bool] = False
    """True where F(s + c) = F(s) + c and the weights stay: scores may then arrive shifted."""

    @abstractmethod
    def potential(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
        """F(s)."""

    @abstractmethod
    def __call__(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """∇F(s), the weights."""

    def partial(self, scores: Float[Tensor, "*batch n"], rows: Rows) -> Partial:
        """Return the contribution of these rows to a readout; `scores` may be overwritten.

        The default gathers the scores of all patterns, O(batch·n), and reads the rows at the end.
        """
        return GatheredPartial(self, ((rows.start, scores),))

    def inverse_width(self) -> float | None:
        """Return one over the difference of scores below which weights are alike: β of Softmax.

        None by default: unknown.
        """
        return None

    def score_window(self, count: int) -> float | None:
        """Return the distance below the best of `count` scores beyond which weights do not matter.

        They sum to at most the rounding of float64. None by default: no such distance.
        """
        return None

    def softmax_beta(self) -> float | Tensor | None:
        """Return β where the weights are softmax(βs) of all patterns; None by default."""
        return None

    def split_beta(self) -> "tuple[Separation, float | Tensor]":
        """Return G and β with F(s) = G(βs)/β; (self, 1) by default."""
        return self, 1.0

    def parameter_range(self, name: str) -> tuple[float, float]:
        """Return the open interval of a parameter that a layer learns; (−∞, ∞) by default."""
        return -torch.inf, torch.inf

    def flip_gain(self, scores: Float[Tensor, "*any"]) -> Float[Tensor, "*any"] | None:
        """Return g(s) = f(s + 1) − f(s − 1) where F(s) = Σ_μ f(s_μ); None by default."""
        return None

    def flip_gain_rounding(self, largest: float) -> float:
        """Return the relative error of `flip_gain` in eps for scores up to `largest`.

        The default holds for smooth f.
        """
        return 8 + 4 * largest

    def exact_flip_sign(self, levels: "list[tuple[int, int]]") -> int | None:
        """Return the sign of Σ count·g(level) over pairs (level, count) in exact arithmetic.

        The pairs come with the highest level first. For an F with `flip_gain` it implies that g is
        a whole number at whole levels. None by default: a sum below its rounding is then a tie.
        """
        return None

    def __eq__(self, other: object) -> bool:
        """Compare class and parameters."""
        if type(other) is not type(self):
            return False
        return vars(self).keys() == vars(other).keys() and all(
            _equal(value, vars(other)[name]) for name, value in vars(self).items()
        )

    def __hash__(self) -> int:
        """Hash the class: equal separations are of one class."""
        return hash(type(self))

    def __repr__(self) -> str:
        """Return the call that makes it."""
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in vars(self).items())})"


def _equal(a: object, b: object) -> bool:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return torch.equal(torch.as_tensor(a), torch.as_tensor(b))
    return bool(a == b)


@dataclass(frozen=True, eq=False)
class GatheredPartial(Partial):
    """The partial of any separation: the scores of all rows so far, `(start, scores)` per block."""

    separation: Separation
    parts: tuple[tuple[int, Tensor], ...]

    def merge(self, other: Partial) -> "GatheredPartial":
        """Keep the scores of both."""
        parts = self.parts + check_mergeable(self, other).parts
        return GatheredPartial(self.separation, tuple(sorted(parts, key=lambda part: part[0])))

    def result(self, blocks: Iterable[Rows]) -> Readout:
        """Weigh all patterns at once, then sum block by block."""
        scores = torch.cat([scores for _, scores in self.parts], dim=-1)
        weights = self.separation(scores)
        size = weights.abs()
        total = size.sum(-1, keepdim=True)
        shares = size / total.clamp_min(torch.finfo(total.dtype).tiny)
        weight, index = shares.max(-1)
        return Readout(
            state=sum_blocks(weights, blocks),
            potential=self.separation.potential(scores),
            index=index,
            weight=weight,
            entropy=entropy(shares),
        )


def sum_blocks(weights: Tensor, blocks: Iterable[Rows]) -> Tensor:
    """Return weights @ rows over all blocks."""
    total = None
    for rows in blocks:
        part = rows.weighted_sum(weights[..., rows.start : rows.start + len(rows)])
        total = part if total is None else total + part
    if total is None:
        raise ValueError("a readout needs at least one block of rows")
    return total


P = TypeVar("P", bound=Partial)


def check_mergeable(one: P, other: Partial) -> P:
    """Return `other` if it is of the class of `one`."""
    if not isinstance(other, type(one)):
        raise TypeError(f"{type(one).__name__} does not merge with {type(other).__name__}")
    return other


def check_parameter(
    name: str,
    value: object,
    low: float,
    high: float = torch.inf,
    way: str = "Choose one in this range.",
) -> float | Tensor:
    """Return `value` if it is a number in range, or a floating point tensor of such numbers."""
    if not isinstance(value, Tensor):
        return check_number(name, value, low=low, high=high, hint=way)
    check_float(name, value)
    if is_traced():
        return value
    inside = (value >= low) & (value <= high)
    if not bool(inside.all()):
        wrong = value[~inside][0].item()
        check_number(f"every entry of {name}", wrong, low=low, high=high, hint=way)
    return value


def at_least_float32(scores: Tensor) -> Tensor:
    """Return checked scores in the precision that sums over them need."""
    check_float("scores", scores)
    if scores.ndim == 0 or scores.shape[-1] == 0:
        raise ShapeError(
            "scores must have shape (*batch, n) with n ≥ 1, one score per pattern, but have shape "
            f"{tuple(scores.shape)}. Score at least one pattern."
        )
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def with_score_axis(value: "float | Tensor", scores: Tensor) -> Tensor:
    """Return a parameter as a tensor like the scores, with a trailing axis of length 1."""
    if isinstance(value, Tensor) and value.ndim:
        shapes = zip(reversed(value.shape), reversed(scores.shape[:-1]), strict=False)
        if any(1 not in pair and pair[0] != pair[1] for pair in shapes):
            raise ShapeError(
                "a parameter of a separation must be one number, or broadcast to the batch of the "
                f"scores, {tuple(scores.shape[:-1])}, but has shape {tuple(value.shape)}."
            )
    return torch.as_tensor(value, dtype=scores.dtype, device=scores.device)[..., None]


def clamped_beta(beta: "float | Tensor", scores: Tensor) -> "float | Tensor":
    """Return β clamped to where β·score neither vanishes nor is NaN; tensors get a score axis.

    At the upper end the formulas agree with β = ∞ up to rounding. At the lower end they agree with
    β = 0, unless scores are as large as 1/β: see `upcast_if_beta_underflows`.
    """
    low, high = _lowest_beta(scores.dtype), torch.finfo(scores.dtype).max
    if isinstance(beta, Tensor):
        return with_score_axis(beta, scores).clamp(low, high)
    return min(max(beta, low), high)


def upcast_if_beta_underflows(scores: Tensor, beta: "float | Tensor") -> Tensor:
    """Return scores in float64 where β is too small for float32: scores may be as large as 1/β.

    Traced code cannot look at the values of a tensor β, and leaves the scores.
    """
    if scores.dtype == torch.float64:
        return scores
    low = _lowest_beta(scores.dtype)
    if isinstance(beta, Tensor):
        return scores if is_traced() or not bool((beta < low).any()) else scores.double()
    return scores if beta >= low else scores.double()


@cache
def _lowest_beta(dtype: torch.dtype) -> float:
    # The least β at which β·score has all digits for scores down to eps.
    return torch.finfo(dtype).tiny * 2.0**26


def largest_value(parameter: "float | Tensor") -> float:
    """Return the largest entry of a parameter, as a number."""
    if isinstance(parameter, Tensor):
        return float(parameter.detach().amax())
    return float(parameter)


def smallest_value(parameter: "float | Tensor") -> float:
    """Return the smallest entry of a parameter, as a number."""
    return -largest_value(-parameter)


def entropy(weights: Tensor) -> Tensor:
    """−Σ p log p over the last axis, in nats."""
    return torch.special.entr(weights).sum(-1) + 0.0  # no −0
