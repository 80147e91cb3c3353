"""The interface of a separation: a potential F on the scores, and its gradient, the weights."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, is_dataclass, replace
from functools import reduce
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_float, check_number, is_traced, short_repr, version_of
from ..errors import DomainError, OptionError, ShapeError
from ..overrides import check_overrides
from .prior import arguments, prior_of

MAX_GATHERED_ROWS = 4096
"""Largest number of rows with weight that a readout copies out of a block.

With more, a weighted sum of the whole block is faster.
"""

SUM_TOLERANCE = 1e-3
"""Largest difference from 1 of the sum of weights that should sum to one: more is an error."""


def max_gathered_rows(count: int) -> int:
    """Return the number of rows with weight up to which copying them beats reading all `count`."""
    return min(MAX_GATHERED_ROWS, count // 4)


@runtime_checkable
class Rows(Protocol):
    """Consecutive patterns and their weighted sum: all that a separation needs of a block."""

    @property
    def start(self) -> int:
        """Return the index of the first row."""

    def __len__(self) -> int: ...

    def weighted_sum(self, weights: Tensor, at: Tensor | None = None) -> Tensor:
        """Return weights @ rows[at], for all rows if `at` is None."""


@dataclass(frozen=True, eq=False)
class Readout:
    """The result of reading a memory at a batch of states, one entry per state.

    Attributes:
        state: the sum of patterns by their weights, Xᵀ∇F(s), `(*batch, dim)`.
        potential: F(s), `(*batch)`.
        index: the pattern with the largest weight, `(*batch)`; the first of those that tie. Weights
            include the prior.
        weight: the weight of that pattern, `(*batch)`.
        entropy: entropy of the weights, −Σ p log p in nats, `(*batch)`.
        mean: the mean of patterns by their weights, Xᵀ∇F(s)/Σ∇F(s), where the separation says
            `mean_ascends`, NaN if all weights are 0; None elsewhere.
    """

    state: Tensor
    potential: Tensor
    index: Tensor
    weight: Tensor
    entropy: Tensor
    mean: Tensor | None = None


class Partial(ABC):
    """A readout of some of the rows; `merge` adds other rows, and `result` finishes it."""

    @property
    def kept_scores(self) -> int:
        """Return how many scores are kept until the end; none by default."""
        return 0

    @abstractmethod
    def merge(self, other: "Partial") -> "Partial":
        """Return the partial readout of both sets of rows."""

    @abstractmethod
    def result(self, blocks: Iterable[Rows]) -> Readout:
        """Return the readout; a partial readout without sums of rows reads them from `blocks`."""


class Separation(ABC):
    """A potential F on the scores s, and its gradient ∇F(s), the weights.

    A subclass needs `potential` and `__call__` to work in every memory. F should satisfy F(0) = 0,
    so that energies need no further constant, and be convex, or the energy can rise. Parameters
    are numbers, or tensors broadcastable to the batch of the scores.

    The other members are optional: they allow faster or more exact computations. Their defaults are
    right for every F, except `simplex`: set it to False if the weights do not sum to one.
    """

    simplex: ClassVar[bool] = True
    """True if the weights are non-negative and sum to one."""

    mean_ascends: ClassVar[bool] = False
    """True if weights are non-negative, and the mean of patterns by their weights never lowers F.

    For scores −½‖x_μ − x‖² this holds if a rising function of F is convex. An update of a
    `ModernHopfield` is then this mean; weights that sum to one need no such statement.
    """

    shift_invariant: ClassVar[bool] = False
    """True if F(s + c) = F(s) + c with the same weights: a readout may then shift the scores."""

    takes_prior: ClassVar[bool] = False
    """True if `potential` and `__call__` take the prior w of each pattern as a second argument.

    A prior of 2 must equal a pattern stored twice, with the weights of both added.
    """

    def __init_subclass__(cls) -> None:
        """Check that the methods of the class take the arguments that they get."""
        check_overrides(cls, Separation, ("prior",) if cls.takes_prior is True else ())

    @abstractmethod
    def potential(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
        """Return the potential F(s)."""

    @abstractmethod
    def __call__(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Return the weights ∇F(s)."""

    def partial(self, scores: Float[Tensor, "*batch n"], rows: Rows) -> Partial:
        """Return the contribution of these rows to a readout; `scores` may be overwritten.

        The default gathers the scores of all patterns, O(batch·n), and reads the rows at the end.
        """
        return GatheredPartial(self, ((rows.start, scores, prior_of(rows)),))

    def inverse_width(self) -> float | None:
        """Return β such that score differences far below 1/β hardly change the weights.

        None, the default, means unknown.
        """
        return None

    def score_window(self, count: int) -> float | None:
        """Return the distance below the best of `count` scores beyond which weights are negligible.

        All weights beyond it sum to at most the rounding error of float64. None, the default, means
        that there is no such distance.
        """
        return None

    def softmax_beta(self) -> float | Tensor | None:
        """Return β if the weights are softmax(βs) over all patterns; None, the default, if not."""
        return None

    def split_beta(self) -> "tuple[Separation, float | Tensor]":
        """Return a separation G and β such that F(s) = G(βs)/β; by default self and 1."""
        return self, 1.0

    def parameter_range(self, name: str) -> tuple[float, float]:
        """Return the open interval in which a layer may learn a parameter; (−∞, ∞) by default."""
        return -torch.inf, torch.inf

    def flip_gain(self, scores: Float[Tensor, "*any"]) -> Float[Tensor, "*any"] | None:
        """Return g(s) = f(s + 1) − f(s − 1) if F(s) = Σ_μ f(s_μ); None, the default, if not.

        For ±1 patterns, with s the score without unit i, f changes by g(s) when unit i changes from
        the opposite of the pattern's entry to that entry.
        """
        return None

    def flip_gain_rounding(self, largest: float) -> float:
        """Return the relative error of `flip_gain`, in units of eps, for scores up to `largest`.

        The default is right for smooth f.
        """
        return 8 + 4 * largest

    def exact_flip_sign(self, levels: "list[tuple[int, int]]") -> int | None:
        """Return the sign of Σ count·g(level) in exact arithmetic, with g of `flip_gain`.

        None, the default, means that sums below their rounding error count as ties. A separation
        with `flip_gain` may override this only if g is a whole number at whole levels.

        Args:
            levels: pairs of a whole score and a count, which may be negative; the highest first.
        """
        return None

    def is_sum_over_patterns(self) -> bool:
        """Return True if `flip_gain` gives g, and raise unless it gives one value per score."""
        scores = torch.ones(2, 3, dtype=torch.float64)
        gain = self.flip_gain(scores)
        if gain is not None and (not isinstance(gain, Tensor) or gain.shape != scores.shape):
            raise ShapeError(
                f"{type(self).__name__}.flip_gain must return one value for each score, of shape "
                f"{tuple(scores.shape)} for scores of this shape, but returned {short_repr(gain)}."
            )
        return gain is not None

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return False
        return vars(self).keys() == vars(other).keys() and all(
            _equal(value, vars(other)[name]) for name, value in vars(self).items()
        )

    def __hash__(self) -> int:
        """Hash the class: equal separations are of one class."""
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in vars(self).items())})"


def _equal(a: object, b: object) -> bool:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return torch.equal(torch.as_tensor(a), torch.as_tensor(b))
    return bool(a == b)


@dataclass(frozen=True, eq=False)
class GatheredPartial(Partial):
    """A partial readout that keeps scores and priors of each block, and sums at the end."""

    separation: Separation
    parts: tuple[tuple[int, Tensor, Tensor | None], ...]

    @property
    def kept_scores(self) -> int:
        """Return the number of all scores."""
        return sum(scores.numel() for _, scores, _ in self.parts)

    def merge(self, other: Partial) -> "GatheredPartial":
        """Return a partial readout with the scores of both, in the order of the rows."""
        parts = self.parts + check_mergeable(self, other).parts
        return GatheredPartial(self.separation, tuple(sorted(parts, key=lambda part: part[0])))

    def result(self, blocks: Iterable[Rows]) -> Readout:
        """Weigh all patterns at once, then sum block by block."""
        scores = torch.cat([scores for _, scores, _ in self.parts], dim=-1)
        priors = [prior for _, _, prior in self.parts if prior is not None]
        if priors and not self.separation.takes_prior:
            raise OptionError(
                f"separation must take the priors of these patterns, but "
                f"{type(self.separation).__name__} does not. Set takes_prior = True there, and let "
                "both its methods take (scores, prior)."
            )
        given = arguments(scores, torch.cat(priors) if priors else None)
        before = version_of(scores)
        weights, potential = self.separation(*given), self.separation.potential(*given)
        if version_of(scores) != before:
            raise OptionError(
                f"{type(self.separation).__name__} must not modify the scores, but wrote to them. "
                "Work on scores.clone()."
            )
        _check_shapes(self.separation, scores, weights, potential)
        dtype = torch.promote_types(scores.dtype, torch.float32)
        weights, potential = weights.to(dtype), potential.to(dtype)
        size = weights.abs()
        total = size.sum(-1, keepdim=True)
        if not is_traced():
            _check_numbers(self.separation, scores, total, potential)
            if self.separation.simplex:
                _check_simplex(self.separation, weights, total[..., 0])
        shares = size / total.clamp_min(torch.finfo(total.dtype).tiny)
        weight, index = shares.max(-1)
        state = reduce(torch.add, (weighted_part(rows, weights) for rows in blocks))
        return Readout(
            state=state,
            potential=potential,
            index=index,
            weight=weight,
            entropy=entropy(shares),
            mean=state / total if self.separation.mean_ascends else None,
        )


def _check_shapes(
    separation: Separation, scores: Tensor, weights: object, potential: object
) -> None:
    parts = ("weights", weights, scores.shape), ("a potential", potential, scores.shape[:-1])
    for name, value, shape in parts:
        if not isinstance(value, Tensor) or value.shape != shape:
            raise ShapeError(
                f"{type(separation).__name__} must return {name} of shape {tuple(shape)} for "
                f"scores of shape {tuple(scores.shape)}, but returned {short_repr(value)}."
            )


def _check_numbers(
    separation: Separation, scores: Tensor, total: Tensor, potential: Tensor
) -> None:
    for name, values in (("weights", total), ("a potential", potential)):
        if bool(values.isnan().any()):
            least, largest = scores.aminmax()
            raise DomainError(
                f"{type(separation).__name__} must return {name} without NaN, but returned NaN. "
                f"Its formula must hold for all scores: these lie between {least:.3g} and "
                f"{largest:.3g}."
            )


def _check_simplex(separation: Separation, weights: Tensor, total: Tensor) -> None:
    sums = weights.sum(-1)
    if bool((total - sums > SUM_TOLERANCE).any()):
        found = f"the least is {weights.min():.4g}"
    elif bool(((sums - 1).abs() > SUM_TOLERANCE).any()):
        found = f"a sum is {sums.flatten()[(sums - 1).abs().argmax()]:.4g}"
    else:
        return
    raise DomainError(
        f"{type(separation).__name__} must return weights that are at least 0 and sum to one, as "
        f"simplex = True states, but {found}. Set simplex = False for other weights; those of a "
        "potential sum to one only if F(s + c) = F(s) + c."
    )


def weighted_part(rows: Rows, weights: Tensor) -> Tensor:
    """Return the weighted sum of these rows, given the weights of all rows."""
    return rows.weighted_sum(weights[..., rows.start : rows.start + len(rows)])


P = TypeVar("P", bound=Partial)


def check_mergeable(partial: P, other: Partial) -> P:
    """Return `other` if it has the same class as `partial`."""
    if not isinstance(other, type(partial)):
        raise TypeError(f"{type(partial).__name__} does not merge with {type(other).__name__}")
    return other


def check_parameter(
    name: str,
    value: object,
    low: float,
    high: float = torch.inf,
    hint: str = "Choose one in this range.",
) -> float | Tensor:
    """Return `value` if it is a number in range, or a floating point tensor of such numbers."""
    if not isinstance(value, Tensor):
        return check_number(name, value, low=low, high=high, hint=hint)
    check_float(name, value)
    if is_traced():
        return value
    inside = (value >= low) & (value <= high)
    if not bool(inside.all()):
        outside = value[~inside][0].item()
        check_number(f"every entry of {name}", outside, low=low, high=high, hint=hint)
    return value


def at_least_float32(scores: Tensor) -> Tensor:
    """Check the scores, and return them in float32 or wider."""
    check_float("scores", scores)
    if scores.ndim == 0 or scores.shape[-1] == 0:
        raise ShapeError(
            "scores must have shape (*batch, n) with n ≥ 1, one score per pattern, but have shape "
            f"{tuple(scores.shape)}. Score at least one pattern."
        )
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def with_parameters(separation: Separation, **parameters: Any) -> Separation:
    """Return a copy of a separation with other parameters."""
    if is_dataclass(separation):
        return replace(separation, **parameters)
    other = copy(separation)
    vars(other).update(parameters)
    return other


def largest_value(parameter: "float | Tensor") -> float:
    """Return the largest entry of a parameter, as a number."""
    if isinstance(parameter, Tensor):
        return float(parameter.detach().amax())
    return float(parameter)


def smallest_value(parameter: "float | Tensor") -> float:
    """Return the smallest entry of a parameter, as a number."""
    return -largest_value(-parameter)


def entropy(weights: Tensor) -> Tensor:
    """Return the entropy of weights over the last axis, −Σ p log p in nats."""
    return torch.special.entr(weights).sum(-1) + 0.0  # no −0
