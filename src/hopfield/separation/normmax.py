"""Normmax: a sparse separation by a norm of the weights."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import is_traced
from .base import at_least_float32, check_parameter, largest_value, smallest_value
from .clamping import with_clamped_beta, with_score_axis
from .prior import check_factors, multiplicities
from .sparse import SparseSeparation
from .tsallis import ALPHA_RANGE

MOST_STEPS = 60
"""Largest number of Newton's steps; about ten are needed, and all are made in traced code."""


@dataclass(frozen=True, eq=False)
class Normmax(SparseSeparation):
    """Sparse separation by normmax (Blondel et al. 2020; Santos et al. 2024).

    F(s) = max_p p·s + β⁻¹ (‖1/n‖_α − ‖p‖_α),    ∇F(s) = normmax_α(βs).

    F is the root of mean_μ [1 + κ(s_μ − F)]₊^r = 1 with r = α/(α − 1) and κ = β n^{1/r}, and the
    weights are ∝ [1 + κ(s_μ − F)]₊^{r−1}. A pattern that scores 1/β or more below the best has
    weight 0 for every α; the larger α, the more equal are the weights of the others. With priors
    w, the mean is weighted, n is Σw, and the weights are ∝ w[1 + κ(s − F)]₊^{r−1}.

    Args:
        alpha: α in [1.01, 10]; a tensor that requires grad is learnable.
        beta: β ≥ 0; a tensor that requires grad is learnable.
    """

    alpha: float | Tensor = 2.0
    beta: float | Tensor = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", check_parameter("alpha", self.alpha, *ALPHA_RANGE))
        object.__setattr__(self, "beta", check_parameter("beta", self.beta, low=0.0))

    def inverse_width(self) -> float:
        """Return β: scores 1/β or more below the best have no weight."""
        return largest_value(self.beta)

    def score_window(self, count: int) -> float | None:
        """Return 1/β: scores further below the best have no weight."""
        beta = smallest_value(self.beta)
        return 1 / beta if beta else None

    def __call__(
        self, scores: Float[Tensor, "*batch n"], prior: Float[Tensor, "*#batch n"] | None = None
    ) -> Float[Tensor, "*batch n"]:
        """Return normmax_α(βs)."""
        equation = self._equation(scores, prior)
        weights = equation.slopes(equation.root())
        return (weights / weights.sum(-1, keepdim=True)).to(scores.dtype)

    def potential(
        self,
        scores: Float[Tensor, "*batch n"],
        prior: Float[Tensor, "*#batch n"] | None = None,
        total: float | None = None,
    ) -> Float[Tensor, "*batch"]:
        """Return F(s)."""
        equation = self._equation(scores, prior, total)
        return (equation.top + equation.root()).squeeze(-1).to(scores.dtype)

    def _equation(
        self, scores: Tensor, prior: Tensor | None, total: float | None = None
    ) -> "_NormEquation":
        # In float64: r may be large, and τ is a small difference where β is small.
        exact, beta = with_clamped_beta(at_least_float32(scores).double(), self.beta)
        times, n = multiplicities(exact, check_factors(prior, scores), total)
        top = exact.detach().amax(-1, keepdim=True)
        alpha = with_score_axis(self.alpha, exact)
        return _NormEquation(exact - top, top, times, n, alpha / (alpha - 1), beta)

    def _floor(self, scores: Tensor, prior: Tensor | None = None) -> Tensor:
        exact, beta = with_clamped_beta(scores.double(), self.beta)
        if prior is None:
            return exact.amax(-1, keepdim=True) - 1 / beta
        # All weight on one pattern: F ≥ s_μ + β⁻¹(n^{−1/r} − w_μ^{−1/r}).
        reach = prior.double() ** (1 / with_score_axis(self.alpha, exact) - 1) / beta
        return (exact - reach).amax(-1, keepdim=True)


@dataclass(frozen=True, eq=False)
class _NormEquation:
    """The equation mean_w [1 + κ(g − δ)]₊^r = 1 for δ = F − max s, with gaps g = s − max s ≤ 0.

    Patterns without weight may be left out of `gap`; they count in `n`.
    """

    gap: Tensor
    top: Tensor
    times: Tensor
    n: Tensor
    r: Tensor
    beta: float | Tensor

    def root(self) -> Tensor:
        """Return δ, `(*batch, 1)`, with derivatives."""
        with torch.no_grad():
            delta = self._search()
        inputs = (self.gap, self.beta, self.r)
        differentiable = any(isinstance(x, Tensor) and x.requires_grad for x in inputs)
        if is_traced() or (differentiable and torch.is_grad_enabled()):
            # From the root a step of Newton's method stays there, but has its first derivatives;
            # two steps have the second ones too.
            delta = delta + self._step(delta)
            delta = delta + self._step(delta)
        return delta

    def slopes(self, delta: Tensor) -> Tensor:
        """Return w[1 + κ(g − δ)]₊^{r−1}."""
        base = 1 + self._kappa() * (self.gap - delta)
        inside = base > 0
        powers = torch.where(inside, base, 1.0) ** (self.r - 1)  # the slope of 0^(r−1) may be ∞
        return self.times * torch.where(inside, powers, 0.0)

    def _search(self) -> Tensor:
        # The r-norm of [1 + κ(g − δ)]₊ is convex in δ and close to a line: from a lower bound on,
        # Newton's steps never pass the root. The bounds are F with all weight on one pattern, and
        # with equal weights.
        reach = self.times ** (-1 / self.r) - self.n ** (-1 / self.r)
        delta = (self.gap - reach / self.beta).amax(-1, keepdim=True)
        total = self.times.sum(-1, keepdim=True)
        mean = (self.times * self.gap).sum(-1, keepdim=True) / total
        delta = torch.where(total == self.n, torch.maximum(delta, mean), delta)
        eps = torch.finfo(delta.dtype).eps
        for _ in range(MOST_STEPS):
            step = self._step(delta)
            delta = delta + step
            if not is_traced() and not bool((step > eps * delta.abs()).any()):
                break
        return delta

    def _step(self, delta: Tensor) -> Tensor:
        # (N − 1)/(−dN/dδ), where N is the r-norm relative to that of ones.
        kappa = self._kappa()
        u = kappa * (self.gap - delta)
        inside = u > -1
        u = torch.where(inside, u, 0.0)
        excess = torch.where(inside, torch.expm1(self.r * torch.log1p(u)), -1.0)
        missing = self.n - self.times.sum(-1, keepdim=True)
        power = ((self.times * excess).sum(-1, keepdim=True) - missing) / self.n
        slope = kappa * self.slopes(delta).sum(-1, keepdim=True) / self.n
        log_power = torch.log1p(power)
        return torch.expm1(log_power / self.r) * (log_power * (1 - 1 / self.r)).exp() / slope

    def _kappa(self) -> Tensor:
        largest = torch.finfo(self.n.dtype).max / 4
        return (self.beta * self.n ** (1 / self.r)).clamp_max(largest)
