"""The interface of a separation: a potential F on the scores, and its gradient, the weights."""

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import is_dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_float, check_number, is_traced, short_repr
from ..errors import ShapeError
from ..overrides import check_overrides
from ..ranks import Ranks
from .partial import Partial, Rows
from .prior import prior_of

MAX_GATHERED_ROWS = 4096
"""Largest number of rows with weight that a readout copies out of a block.

With more, a weighted sum of the whole block is faster.
"""


def max_gathered_rows(count: int) -> int:
    """Return the number of rows with weight up to which copying them beats reading all `count`."""
    return min(MAX_GATHERED_ROWS, count // 4)


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
        from .gathered import GatheredPartial

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


def entered(separation: Separation, ranks: Ranks) -> Separation:
    """Return a separation for the rows of one rank; gradients of its parameters are summed."""
    learned = {
        name: ranks.enter(value)
        for name, value in vars(separation).items()
        if isinstance(value, Tensor) and value.requires_grad
    }
    return with_parameters(separation, **learned) if learned else separation


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
