"""The polynomial separations of dense associative memories (Krotov & Hopfield 2016)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_integer
from ..ranks import Ranks, first_best
from .base import Separation, at_least_float32
from .partial import Partial, Readout, Rows, check_mergeable
from .prior import check_factors, prior_of


class _PowerSum(Separation):
    """A sum of powers, F(s) = Σ_μ u_μ^d with u = s, or u = max(0, s) if it is rectified.

    With priors w, F(s) = Σ_μ w_μ u_μ^d.
    """

    simplex = False
    takes_prior = True
    is_rectified: ClassVar[bool]
    degree: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "degree", check_integer("degree", self.degree, low=1))

    def _base(self, scores: Tensor) -> Tensor:
        return scores.clamp_min(0) if self.is_rectified else scores

    def potential(
        self, scores: Float[Tensor, "*batch n"], prior: Float[Tensor, "*#batch n"] | None = None
    ) -> Float[Tensor, "*batch"]:
        """Return F(s) = Σ u^d."""
        terms = self._base(at_least_float32(scores)) ** self.degree
        return _times(terms, check_factors(prior, scores)).sum(-1).to(scores.dtype)

    def __call__(
        self, scores: Float[Tensor, "*batch n"], prior: Float[Tensor, "*#batch n"] | None = None
    ) -> Float[Tensor, "*batch n"]:
        """Return ∇F(s) = d u^{d−1}; for max(0, s) itself, the derivative at 0 is taken as 0."""
        weights = self.degree * self._base(at_least_float32(scores)) ** (self.degree - 1)
        if self.is_rectified:
            weights = torch.where(scores > 0, weights, 0.0)
        return _times(weights, check_factors(prior, scores)).to(scores.dtype)

    def partial(self, scores: Float[Tensor, "*batch n"], rows: Rows) -> "AdditivePartial":
        prior = prior_of(rows)
        weights, potential = self(scores, prior), self.potential(scores, prior)
        size = weights.abs()
        size_log_size = size * torch.where(size > 0, size, 1.0).log()  # xlogy's slope at 0 is NaN
        # |w| would rank s and −s alike. The largest score is the largest power with a sign.
        signed = scores if prior is None else _times(scores.sign() * self._power(scores), prior)
        largest, at = signed.max(-1)
        return AdditivePartial(
            sums=torch.stack([potential, size.sum(-1), size_log_size.sum(-1)]),
            weighted_sum=rows.weighted_sum(weights),
            largest=largest,
            index=at + rows.start,
            strongest=size.gather(-1, at[..., None]).squeeze(-1),
        )

    def _power(self, scores: Tensor) -> Tensor:
        return scores.abs() ** max(1, self.degree - 1)

    def flip_gain(self, scores: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """Return u(s + 1)^d − u(s − 1)^d."""
        return self._base(scores + 1) ** self.degree - self._base(scores - 1) ** self.degree

    def flip_gain_rounding(self, largest: float) -> float:
        """Return the relative error of `flip_gain`, in units of eps.

        The error of a power grows with its degree, and f(u + 1) − f(u − 1) ≈ 2d f(u)/u cancels.
        """
        return 8 * self.degree + 4 * largest / self.degree

    def exact_flip_sign(self, levels: list[tuple[int, int]]) -> int:
        def power(score: int) -> int:
            return (max(0, score) if self.is_rectified else score) ** self.degree

        total = sum(count * (power(u + 1) - power(u - 1)) for u, count in levels)
        return (total > 0) - (total < 0)


def _times(terms: Tensor, prior: Tensor | None) -> Tensor:
    return terms if prior is None else terms * prior.to(terms)


@dataclass(frozen=True, eq=False)
class Polynomial(_PowerSum):
    """Polynomial separation of Krotov & Hopfield (2016).

    F(s) = Σ_μ s_μ^d,    ∇F(s) = d s^{d−1}.

    Convex for even degrees only. Degree 2 is the classical network: E = 2N·E_classical − nN.

    Args:
        degree: d ≥ 1 (the interaction order n of the paper).
    """

    degree: int = 2
    is_rectified = False


@dataclass(frozen=True, eq=False)
class RectifiedPolynomial(_PowerSum):
    """Rectified polynomial separation of Krotov & Hopfield (2016).

    F(s) = Σ_μ max(0, s_μ)^d,    ∇F(s) = d max(0, s)^{d−1}.

    Args:
        degree: d ≥ 1 (the interaction order n of the paper).
    """

    degree: int = 2
    is_rectified = True


@dataclass(frozen=True, eq=False)
class AdditivePartial(Partial):
    """A partial readout for a potential that is a sum over patterns: the sums of parts add up.

    A readout has shares |w|/Σ|w| of w = ∇F in the place of weights that sum to one.

    Attributes:
        sums: F, Σ|w| and Σ|w| log |w|, stacked along the first axis.
        weighted_sum: the sum of rows by w.
        largest: the largest score; with priors w, the largest w sign(s) |s|^{d−1}.
        index: the first pattern with that score.
        strongest: |w| of that pattern.
    """

    sums: Tensor
    weighted_sum: Tensor
    largest: Tensor
    index: Tensor
    strongest: Tensor

    def merge(self, other: Partial) -> "AdditivePartial":
        """Add the sums, and keep the larger score."""
        other = check_mergeable(self, other)
        better = other.largest > self.largest
        return AdditivePartial(
            sums=self.sums + other.sums,
            weighted_sum=self.weighted_sum + other.weighted_sum,
            largest=torch.maximum(self.largest, other.largest),
            index=torch.where(better, other.index, self.index),
            strongest=torch.where(better, other.strongest, self.strongest),
        )

    def merge_ranks(self, ranks: Ranks, separation: Separation) -> "AdditivePartial":
        """Add the sums of all ranks, and keep the largest score."""
        largest, indices = ranks.gather(self.largest, self.index)
        index = first_best(indices, largest)
        strongest = torch.where(self.index == index, self.strongest, 0.0)
        added = ranks.sum(*self.sums, self.weighted_sum, strongest)
        sums = torch.stack(added[:3])
        return AdditivePartial(sums, added[3], largest.amax(0), index, added[4])

    def result(self, blocks: Iterable[Rows]) -> Readout:
        """Return the readout; shares are 0 where Σ|w| is 0."""
        potential, total, size_log_size = self.sums
        weighted, total = total > 0, total.clamp_min(torch.finfo(total.dtype).tiny)
        return Readout(
            state=self.weighted_sum,
            potential=potential,
            index=self.index,
            weight=self.strongest / total,
            entropy=torch.where(weighted, total.log() - size_log_size / total, 0.0),
        )
