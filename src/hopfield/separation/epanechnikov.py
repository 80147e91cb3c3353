"""The log-sum-ReLU separation: the Epanechnikov kernel of density estimation."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..ranks import Ranks, first_best
from .base import Separation, at_least_float32, check_parameter, largest_value
from .clamping import beta_after_merge, with_clamped_beta
from .partial import Partial, Readout, Rows, check_mergeable
from .prior import check_factors, prior_of

FLOOR = 2.0**-100
"""ε: the value of a mean of kernels that are all 0, far below the rounding of any other mean."""


@dataclass(frozen=True, eq=False)
class Epanechnikov(Separation):
    """Log-sum-ReLU (LSR) separation of Hoover et al. (2025), for the Euclidean distance.

    F(s) = β⁻¹ log mean_μ [1 + βs_μ]₊,    ∇F(s) ∝ 1 for the active patterns, βs_μ > −1, else 0.

    With s_μ = −½‖x_μ − x‖² the active patterns lie within √(2/β) of the state, −F is the logarithm
    of a kernel density, and an update moves to the mean of the active patterns. F is not convex
    and its weights do not sum to one, but [1 + βs]₊ is convex, so that the mean never lowers F.
    Where no pattern is active, all weights are 0 and F = β⁻¹ log ε with ε = 2⁻¹⁰⁰.

    With priors w, the mean of the kernels is weighted, and the weights are ∝ w.

    Args:
        beta: β ≥ 0. If all distances are at least r, every pattern is a minimum of the energy if
            β ≥ 2/r². Two patterns at distance r have another minimum between them if
            2/r² < β < 8/r², and no other pattern is near.
    """

    beta: float | Tensor = 1.0
    simplex = False
    takes_prior = True
    mean_ascends = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", check_parameter("beta", self.beta, low=0.0))

    def potential(
        self, scores: Float[Tensor, "*batch n"], prior: Float[Tensor, "*#batch n"] | None = None
    ) -> Float[Tensor, "*batch"]:
        """Return F(s)."""
        sums, beta, _ = self._sums(at_least_float32(scores), check_factors(prior, scores))
        return sums.potential(beta).to(scores.dtype)

    def __call__(
        self, scores: Float[Tensor, "*batch n"], prior: Float[Tensor, "*#batch n"] | None = None
    ) -> Float[Tensor, "*batch n"]:
        """Return ∇F(s): one over the sum of the kernels for active patterns, 0 for others."""
        sums, _, active = self._sums(at_least_float32(scores), check_factors(prior, scores))
        return (active / sums.total()[..., None]).to(scores.dtype)

    def partial(self, scores: Float[Tensor, "*batch n"], rows: Rows) -> "KernelPartial":
        """Return the sums of kernels, and of the active rows."""
        prior = prior_of(rows)
        sums, beta, active = self._sums(scores, prior)
        strongest = active.amax(-1)
        best = scores.masked_fill(active < strongest[..., None], -torch.inf)
        largest, index = best.max(-1)
        return KernelPartial(
            beta=beta,
            sums=sums,
            weighted_sum=rows.weighted_sum(active.to(scores.dtype)),
            strongest=strongest,
            largest=largest,
            index=index + rows.start,
        )

    def inverse_width(self) -> float:
        """Return β."""
        return largest_value(self.beta)

    def _sums(
        self, scores: Tensor, prior: Tensor | None
    ) -> "tuple[KernelSums, float | Tensor, Tensor]":
        # The sums, β, and w of the active patterns, 0 for others.
        exact, beta = with_clamped_beta(scores, self.beta)
        cut = (beta * exact).clamp_min(-1)
        times = torch.ones_like(cut) if prior is None else prior.to(cut).expand(cut.shape)
        active = torch.where(cut > -1, times, 0.0)
        terms = times, times * (1 + cut), times * cut, active, torch.xlogy(active, active)
        sums = KernelSums(*(term.sum(-1) for term in terms))
        return sums, beta.squeeze(-1) if isinstance(beta, Tensor) else beta, active


class KernelSums(NamedTuple):
    """Sums over n patterns of their kernels k_μ = [1 + βs_μ]₊; with priors w, of w·k.

    Attributes:
        n: the number of patterns, or Σw.
        kernels: Σk.
        kernels_minus_n: Σ(k − 1), which has all digits of Σk − n as β → 0.
        active: the number of active patterns; with priors Σw over them.
        log_prior: Σ w log w over the active patterns.
    """

    n: Tensor
    kernels: Tensor
    kernels_minus_n: Tensor
    active: Tensor
    log_prior: Tensor

    def potential(self, beta: float | Tensor) -> Tensor:
        """Return F = β⁻¹ log(ε + Σk/n)."""
        difference, kernels = self.kernels_minus_n / self.n, self.kernels / self.n
        near = difference.abs() < 0.5
        accurate = torch.log1p(torch.where(near, difference, 0.0))
        return torch.where(near, accurate, (FLOOR + kernels).log()) / beta

    def total(self) -> Tensor:
        """Return nε + Σk."""
        return self.n * FLOOR + self.kernels

    def merge(self, other: "KernelSums") -> "KernelSums":
        """Add the sums."""
        return KernelSums(*map(torch.add, self, other))


@dataclass(frozen=True, eq=False)
class KernelPartial(Partial):
    """A partial readout of `Epanechnikov`.

    Attributes:
        beta: β.
        sums: the sums of kernels.
        weighted_sum: Σ w·row over the active patterns.
        strongest: the largest w of an active pattern, 0 if none is active.
        largest: the largest score of the patterns with this w.
        index: the first pattern with this w and score.
    """

    beta: float | Tensor
    sums: KernelSums
    weighted_sum: Tensor
    strongest: Tensor
    largest: Tensor
    index: Tensor

    def merge(self, other: Partial) -> "KernelPartial":
        """Add the sums, and keep the stronger pattern, of equal ones that with the larger score."""
        other = check_mergeable(self, other)
        ties = other.strongest == self.strongest
        better = (other.strongest > self.strongest) | (ties & (other.largest > self.largest))
        return KernelPartial(
            beta=self.beta,
            sums=self.sums.merge(other.sums),
            weighted_sum=self.weighted_sum + other.weighted_sum,
            strongest=torch.where(better, other.strongest, self.strongest),
            largest=torch.where(better, other.largest, self.largest),
            index=torch.where(better, other.index, self.index),
        )

    def merge_ranks(self, ranks: Ranks, separation: Separation) -> "KernelPartial":
        """Add the sums of all ranks, and keep the strongest pattern."""
        strongest, largest, index = ranks.gather(self.strongest, self.largest, self.index)
        total, *sums = ranks.sum(self.weighted_sum, *self.sums)
        beta = beta_after_merge(self.beta, separation, self.largest)
        first = first_best(index, strongest, largest)
        best = strongest.amax(0), largest.amax(0)
        return KernelPartial(beta, KernelSums(*sums), total, *best, first)

    def result(self, blocks: Iterable[Rows]) -> Readout:
        """Return the readout; weight and entropy are those of shares that sum to one."""
        total = self.sums.total()
        is_active = self.sums.active > 0
        count = torch.where(is_active, self.sums.active, 1.0)
        entropy = count.log() - self.sums.log_prior / count
        return Readout(
            state=self.weighted_sum / total[..., None].to(self.weighted_sum.dtype),
            potential=self.sums.potential(self.beta),
            index=self.index,
            weight=self.strongest / count,
            entropy=torch.where(is_active, entropy, 0.0).clamp_min(0.0),
            mean=self.weighted_sum / self.sums.active[..., None].to(self.weighted_sum.dtype),
        )
