"""Three rules for the field of a unit in a dense network, F(s | x_i = +1) − F(s | x_i = −1).

The unit takes the sign of its field. Each rule returns a number of the same sign, and a bound of
its rounding error, in float64. Levels are the scores without unit i: s_μ^{∖i} = s_μ − x_μi x_i.

With a prior w a pattern counts w times. Where a field is a sum over patterns, all priors are first
divided by a common factor that makes them whole numbers. This changes no sign, and sums of priors
become exact.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from ..ranks import count_of, join, ranks_of
from ..readout import Block, read
from ..rules import EXACT_INTEGERS
from ..scores import all_scores
from ..separation import Readout, Separation, Softmax
from ..separation.prior import arguments, whole_multiples
from ..similarity import RowProducts, dot

EPS = torch.finfo(torch.float64).eps

LOG_PRIOR = 64
"""Bound, in units of eps, of rounding in a readout with priors, apart from βs and sums."""

EXACT_SIZE = 2.0**52
"""Sum of absolute values below which a float64 sum of whole numbers is exact."""

POTENTIAL_SCORES = 2**20
"""Largest number of scores whose potentials are computed at a time: 8 MiB in float64."""


def exact_dot(
    block: RowProducts, state: Float[Tensor, "*batch dim"], known: Tensor | None = None
) -> Float[Tensor, "*batch n"]:
    """Return exact scores of ±1 rows: in float32, which is twice as fast, if that is exact."""
    exact = state.float() if state.shape[-1] < EXACT_INTEGERS[torch.float32] else state
    return dot(block, exact, known).double()


def saturated_beta(beta: "float | Tensor", count: int | float) -> float:
    """Return β, or a smaller one with the same decisions for `count` patterns.

    Different levels are at least 2 apart. For β > ½ log n one pattern thus outweighs all patterns
    at lower levels together, and a larger β changes no decision. With priors, n is their sum after
    division by the common factor.
    """
    return min(float(beta), 0.5 * math.log(count) + 0.5)


@dataclass(frozen=True, eq=False)
class FlipTable:
    """A table for kernels: the summand of a pattern in the field of a unit, by its level.

    Attributes:
        values: the summand at each level, `values[shift − level]`.
        shift: the index of level 0. −1 means that it differs by query: the largest score plus 1.
        rounding: the rounding error of a field, relative to the sum of absolute summands.
        exact_size: the sum of absolute summands below which fields are exact.
    """

    values: Tensor
    shift: int
    rounding: float
    exact_size: float


class FlipRule(ABC):
    """A rule that computes the fields of units in a dense network."""

    has_exact_signs: bool
    """True if `exact_signs` decides fields below their rounding error; else they count as ties."""

    @abstractmethod
    def all_units(
        self, blocks: Iterable[Block], state: Float[Tensor, "batch dim"], readout: Readout | None
    ) -> tuple[Float[Tensor, "batch dim"], "Tensor | float"]:
        """Return the fields of all units, and bounds of their rounding errors."""

    @abstractmethod
    def one_unit(
        self, levels: Float[Tensor, "*batch n"], column: Float[Tensor, "*#batch n"]
    ) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
        """Return the field of a unit from its levels and x_μi, and a bound of its rounding."""

    def table(self, count: int, dim: int) -> FlipTable | None:
        """Return the summands by level; None, the default, if fields are not sums over patterns."""
        return None


def flip_rule(separation: Separation, prior: Float[Tensor, " n"] | None = None) -> FlipRule:
    """Return the fastest rule that the separation allows, for patterns with these priors."""
    beta, multiples = separation.softmax_beta(), None if prior is None else whole_multiples(prior)
    if beta is not None:
        return _SoftmaxFlips(float(beta), multiples)
    if separation.is_sum_over_patterns():
        # Signs are exact if g is a whole number at every whole level.
        return _AdditiveFlips(separation, separation.exact_flip_sign([]) is not None, multiples)
    return _PotentialFlips(separation, prior)


@dataclass(frozen=True, eq=False)
class _SoftmaxFlips(FlipRule):
    """Fields of a softmax separation, which have the sign of Σ_μ x_μi exp(βs_μ^{∖i})."""

    beta: float
    prior: Tensor | None
    has_exact_signs = True

    def all_units(
        self, blocks: Iterable[Block], state: Tensor, readout: Readout | None
    ) -> tuple[Tensor, float]:
        """Return (Xᵀp)_i − tanh(βx_i) with p = softmax(βs), in O(nN) for all units.

        Let A± = Σ exp(βs_μ) over the patterns with x_μi = ±1. The field A₊e^(−βx_i) − A₋e^(βx_i) is
        positive if ½ log(A₊/A₋) = artanh (Xᵀp)_i exceeds βx_i. With saturated β in float64, neither
        sum underflows.
        """
        count = count_of(blocks)
        beta = self._saturated_beta(count)
        if readout is None or beta != self.beta:
            readout = read(blocks, state, exact_dot, Softmax(beta))
        first = 8 if self.prior is None else LOG_PRIOR
        error = EPS * (first + 2 * beta * state.shape[-1] + count)
        field = readout.state.detach()
        return field.sub_(state, alpha=math.tanh(beta)), error  # tanh(βx) = x tanh β

    def one_unit(self, levels: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        """Return Σ_μ x_μi exp(β(s_μ^{∖i} − max s^{∖i})), and a bound of its rounding error."""
        count = levels.shape[-1]
        gap = self._saturated_beta(count) * (levels - levels.amax(-1, keepdim=True))
        terms, rounding = gap.exp(), EPS * (8 + count + gap.abs().amax(-1))
        terms = terms if self.prior is None else terms * self.prior
        return terms @ column, rounding * terms.sum(-1)

    def table(self, count: int, dim: int) -> FlipTable | None:
        """Return the summands exp(−β(s_max + 1 − level))."""
        if self.prior is not None:
            return None
        steps = torch.arange(2 * dim + 3, dtype=torch.float64)
        beta = self._saturated_beta(count)
        return FlipTable((-beta * steps).exp(), -1, EPS * (8 + count + beta * len(steps)), 0.0)

    def _saturated_beta(self, count: int) -> float:
        return saturated_beta(self.beta, count if self.prior is None else float(self.prior.sum()))


@dataclass(frozen=True, eq=False)
class _AdditiveFlips(FlipRule):
    """Fields of a potential F(s) = Σ_μ f(s_μ), which is a sum over patterns.

    They are Σ_μ x_μi g(s_μ^{∖i}) with g(u) = f(u + 1) − f(u − 1).
    """

    separation: Separation
    has_exact_signs: bool
    prior: Tensor | None

    def all_units(
        self, blocks: Iterable[Block], state: Tensor, readout: Readout | None
    ) -> tuple[Tensor, Tensor]:
        """Return the fields by weighted sums of all patterns, in O(nN) for all units.

        They are ½(Xᵀ(G⁻ + G⁺) + x_i Σ(G⁻ − G⁺))_i with G± = g(s ± 1); (Xᵀg(s))_i for x_i = 0.
        """
        field = torch.zeros_like(state)
        size, ranks = state.new_zeros(*state.shape[:-1], 1), None
        unknown = bool((state == 0).any())
        for block in blocks:
            ranks, scores, prior = ranks_of(block), exact_dot(block, state), None
            if self.prior is not None:
                prior = self.prior[block.start : block.start + len(block)]
            below, above = (self._gain(scores + step, prior) for step in (-1, 1))
            part = block.weighted_sum(below + above) + state * (below - above).sum(-1, keepdim=True)
            if unknown:
                gain = self._gain(scores, prior)
                part = torch.where(state == 0, 2 * block.weighted_sum(gain), part)
            field = field + part / 2
            size = size + (below.abs() + above.abs()).sum(-1, keepdim=True)
        if ranks is not None:
            field, size = ranks.sum(field, size)
        count = count_of(blocks)
        return field, self._error(size, count, state.shape[-1] + 1.0).expand(state.shape)

    def one_unit(self, levels: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        """Return Σ_μ x_μi g(s_μ^{∖i}), and a bound of its rounding error."""
        terms = self._gain(levels, self.prior)
        size = terms.abs().sum(-1)
        largest = float(levels.abs().max()) if levels.numel() else 0.0
        return terms @ column, self._error(size, levels.shape[-1], largest + 1)

    def table(self, count: int, dim: int) -> FlipTable | None:
        """Return the summands g(level)."""
        if self.prior is not None:
            return None
        steps = torch.arange(2 * dim + 3, dtype=torch.float64)
        rounding = self._rounding(count, dim + 1.0)
        exact_size = EXACT_SIZE if self.has_exact_signs else 0.0
        return FlipTable(self._gain(dim + 1 - steps, None), dim + 1, rounding, exact_size)

    def _gain(self, levels: Tensor, prior: Tensor | None) -> Tensor:
        gain = cast(Tensor, self.separation.flip_gain(levels))
        return gain if prior is None else gain * prior

    def _error(self, size: Tensor, count: int, largest: float) -> Tensor:
        error = self._rounding(count, largest) * size
        return torch.where(size < EXACT_SIZE, 0.0, error) if self.has_exact_signs else error

    def _rounding(self, count: int, largest: float) -> float:
        return EPS * (count + self.separation.flip_gain_rounding(largest))


@dataclass(frozen=True, eq=False)
class _PotentialFlips(FlipRule):
    """Fields of any separation, from two potentials per unit."""

    separation: Separation
    prior: Tensor | None
    has_exact_signs = False

    def all_units(
        self, blocks: Iterable[Block], state: Tensor, readout: Readout | None
    ) -> tuple[Tensor, Tensor]:
        """Return the fields; levels `(batch, units, n)` exist for few queries and units at once."""
        columns = join(blocks, lambda block: block.rows.T.double())
        queries = state.split(max(1, POTENTIAL_SCORES // columns.shape[-1]))
        parts = [self._some_queries(blocks, part, columns) for part in queries]
        field, error = (torch.cat(part) for part in zip(*parts, strict=True))
        return field, error

    def _some_queries(
        self, blocks: Iterable[Block], state: Tensor, columns: Tensor
    ) -> tuple[Tensor, Tensor]:
        scores = all_scores(blocks, state, exact_dot)[:, None]
        units = torch.arange(len(columns)).split(max(1, POTENTIAL_SCORES // max(1, scores.numel())))
        parts = [
            self.one_unit(scores - columns[at] * state[:, at, None], columns[at]) for at in units
        ]
        field, error = (torch.cat(part, dim=-1) for part in zip(*parts, strict=True))
        return field, error

    def one_unit(self, levels: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        """Return F(s^{∖i} + x_μi) − F(s^{∖i} − x_μi), and a bound of its rounding error."""
        up = self.separation.potential(*arguments(levels + column, self.prior))
        down = self.separation.potential(*arguments(levels - column, self.prior))
        return up - down, EPS * (8 + levels.shape[-1]) * (up.abs() + down.abs())
