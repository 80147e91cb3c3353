"""Three ways to compute the field of a dense unit, F(s | x_i = +1) − F(s | x_i = −1).

Each gives a number with the sign of that difference, and a bound of its rounding error, in float64.
The levels s^{∖i} are the scores without unit i: s_μ^{∖i} = s_μ − x_μi x_i.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from ..readout import Block, all_scores, read
from ..rules import EXACT_INTEGERS
from ..separation import Readout, Separation, Softmax
from ..similarity import RowProducts, dot

EPS = torch.finfo(torch.float64).eps

EXACT_SIZE = 2.0**52
"""Σ |g| below which sums of whole numbers are exact; from it on they may be rounded."""

POTENTIAL_SCORES = 2**20
"""Largest number of scores per batch of potentials."""


def whole_dot(
    block: RowProducts, state: Float[Tensor, "*batch dim"], known: Tensor | None = None
) -> Float[Tensor, "*batch n"]:
    """Return the scores of ±1 rows, computed in float32 where that is exact: twice as fast."""
    exact = state.float() if state.shape[-1] < EXACT_INTEGERS[torch.float32] else state
    return dot(block, exact, known).double()


def saturated_beta(beta: "float | Tensor", count: int) -> float:
    """Return β, or the value above which every β makes the same decision for `count` patterns.

    Levels lie 2 apart, so that for β > ½ log n one pattern outweighs all at lower levels together.
    """
    return min(float(beta), 0.5 * math.log(count) + 0.5)


@dataclass(frozen=True, eq=False)
class FlipTable:
    """A table for kernels: how much a pattern adds to the field of a unit, by its level.

    Attributes:
        values: the summand at each level, `values[shift − level]`.
        shift: a number; −1 means one more than the best score of the query.
        rounding: the error of a sum, relative to the sum of absolute summands.
        exact_size: the sum of absolute summands below which sums are exact.
    """

    values: Tensor
    shift: int
    rounding: float
    exact_size: float


class FlipRule(ABC):
    """A way to compute the field of a dense unit."""

    has_exact_signs: bool
    """True where `exact_signs` decides fields below rounding. Else they are ties."""

    @abstractmethod
    def all_units(
        self, blocks: Iterable[Block], state: Float[Tensor, "batch dim"], readout: Readout | None
    ) -> tuple[Float[Tensor, "batch dim"], "Tensor | float"]:
        """Return the fields of all units and bounds of their rounding."""

    @abstractmethod
    def one_unit(
        self, levels: Float[Tensor, "*batch n"], column: Float[Tensor, "*#batch n"]
    ) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
        """Return the field of a unit from its levels and x_μi, and a bound of its rounding."""

    def table(self, count: int, dim: int) -> FlipTable | None:
        """Return the summands by level; None, the default, if the field is no sum over patterns."""
        return None


def flip_rule(separation: Separation) -> FlipRule:
    """Return the fastest rule that the separation allows."""
    beta = separation.softmax_beta()
    if beta is not None:
        return _SoftmaxFlips(float(beta))
    if separation.flip_gain(torch.zeros(1, dtype=torch.float64)) is not None:
        # Exact where g is a whole number at whole levels.
        return _AdditiveFlips(separation, separation.exact_flip_sign([]) is not None)
    return _PotentialFlips(separation)


@dataclass(frozen=True, eq=False)
class _SoftmaxFlips(FlipRule):
    """Σ_μ x_μi exp(βs_μ^{∖i}), which has the sign of the difference of the two logarithms."""

    beta: float
    has_exact_signs = True

    def all_units(
        self, blocks: Iterable[Block], state: Tensor, readout: Readout | None
    ) -> tuple[Tensor, float]:
        """(Xᵀp)_i − tanh(βx_i), p = softmax(βs): O(nN) for all units.

        log A± = ½ log(1 ± Xᵀp) + const. are the two potentials, as logsumexps; in float64 and with
        saturated β, neither underflows.
        """
        count = sum(len(block) for block in blocks)
        beta = saturated_beta(self.beta, count)
        if readout is None or beta != self.beta:
            readout = read(blocks, state, whole_dot, Softmax(beta))
        error = EPS * (8 + 2 * beta * state.shape[-1] + count)
        field = readout.state.detach()
        return field.sub_(state, alpha=math.tanh(beta)), error  # tanh(βx) = x tanh β

    def one_unit(self, levels: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        """Σ_μ x_μi exp(β(s_μ^{∖i} − max))."""
        count = levels.shape[-1]
        gap = saturated_beta(self.beta, count) * (levels - levels.amax(-1, keepdim=True))
        terms, rounding = gap.exp(), EPS * (8 + count + gap.abs().amax(-1))
        return terms @ column, rounding * terms.sum(-1)

    def table(self, count: int, dim: int) -> FlipTable:
        """exp(−β(s_max + 1 − level))."""
        steps = torch.arange(2 * dim + 3, dtype=torch.float64)
        beta = saturated_beta(self.beta, count)
        return FlipTable((-beta * steps).exp(), -1, EPS * (8 + count + beta * len(steps)), 0.0)


@dataclass(frozen=True, eq=False)
class _AdditiveFlips(FlipRule):
    """Σ_μ x_μi g(s_μ^{∖i}) with g(u) = f(u + 1) − f(u − 1), for F(s) = Σ_μ f(s_μ)."""

    separation: Separation
    has_exact_signs: bool

    def all_units(
        self, blocks: Iterable[Block], state: Tensor, readout: Readout | None
    ) -> tuple[Tensor, Tensor]:
        """½(Xᵀ(G⁻ + G⁺) + x_i Σ(G⁻ − G⁺))_i with G± = g(s ± 1); (Xᵀg(s))_i for x_i = 0."""
        field = torch.zeros_like(state)
        size = state.new_zeros(*state.shape[:-1], 1)
        unknown = bool((state == 0).any())
        for block in blocks:
            scores = whole_dot(block, state)
            below, above = self._gain(scores - 1), self._gain(scores + 1)
            part = block.weighted_sum(below + above) + state * (below - above).sum(-1, keepdim=True)
            if unknown:
                part = torch.where(state == 0, 2 * block.weighted_sum(self._gain(scores)), part)
            field = field + part / 2
            size = size + (below.abs() + above.abs()).sum(-1, keepdim=True)
        count = sum(len(block) for block in blocks)
        return field, self._error(size, count, state.shape[-1] + 1.0).expand(state.shape)

    def one_unit(self, levels: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        """Σ_μ x_μi g(s_μ^{∖i})."""
        terms = self._gain(levels)
        size = terms.abs().sum(-1)
        largest = float(levels.abs().max()) if levels.numel() else 0.0
        return terms @ column, self._error(size, levels.shape[-1], largest + 1)

    def table(self, count: int, dim: int) -> FlipTable:
        """g(level)."""
        steps = torch.arange(2 * dim + 3, dtype=torch.float64)
        rounding = self._rounding(count, dim + 1.0)
        exact_size = EXACT_SIZE if self.has_exact_signs else 0.0
        return FlipTable(self._gain(dim + 1 - steps), dim + 1, rounding, exact_size)

    def _gain(self, levels: Tensor) -> Tensor:
        return cast(Tensor, self.separation.flip_gain(levels))

    def _error(self, size: Tensor, count: int, largest: float) -> Tensor:
        error = self._rounding(count, largest) * size
        return torch.where(size < EXACT_SIZE, 0.0, error) if self.has_exact_signs else error

    def _rounding(self, count: int, largest: float) -> float:
        return EPS * (count + self.separation.flip_gain_rounding(largest))


@dataclass(frozen=True, eq=False)
class _PotentialFlips(FlipRule):
    """F(s^{∖i} + x_μi) − F(s^{∖i} − x_μi), two potentials per unit: for every F."""

    separation: Separation
    has_exact_signs = False

    def all_units(
        self, blocks: Iterable[Block], state: Tensor, readout: Readout | None
    ) -> tuple[Tensor, Tensor]:
        """Return fields and rounding, from levels `(batch, units, n)` of some units at a time."""
        columns = torch.cat([block.rows for block in blocks]).T.double()
        queries = state.split(max(1, POTENTIAL_SCORES // columns.shape[-1]))
        parts = [self._some_queries(blocks, part, columns) for part in queries]
        field, error = (torch.cat(part) for part in zip(*parts, strict=True))
        return field, error

    def _some_queries(
        self, blocks: Iterable[Block], state: Tensor, columns: Tensor
    ) -> tuple[Tensor, Tensor]:
        scores = all_scores(blocks, state, whole_dot)[:, None]
        units = torch.arange(len(columns)).split(max(1, POTENTIAL_SCORES // max(1, scores.numel())))
        parts = [
            self.one_unit(scores - columns[at] * state[:, at, None], columns[at]) for at in units
        ]
        field, error = (torch.cat(part, dim=-1) for part in zip(*parts, strict=True))
        return field, error

    def one_unit(self, levels: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        """F(s^{∖i} + x_μi) − F(s^{∖i} − x_μi)."""
        up = self.separation.potential(levels + column)
        down = self.separation.potential(levels - column)
        return up - down, EPS * (8 + levels.shape[-1]) * (up.abs() + down.abs())
