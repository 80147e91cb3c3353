"""k-subsets: a separation whose weights are those of sets of k patterns."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_integer
from .base import at_least_float32, check_parameter, largest_value
from .clamping import with_clamped_beta
from .prior import check_factors, multiplicities
from .sparse import SparseSeparation, score_at_place


@dataclass(frozen=True, eq=False)
class KSubsets(SparseSeparation):
    """Structured separation: SparseMAP of k-subsets (Santos et al. 2024).

    F(s) = max_q q·s + (2β)⁻¹ (1/n − ‖q‖²)   over 0 ≤ q ≤ 1/k, Σq = 1,
    ∇F(s) = [βs − τ] cut to [0, 1/k], with τ such that the weights sum to one.

    The weights are means of sets of k patterns: each of the k best weighs exactly 1/k if the k-th
    best score leads the next one by at least 1/(kβ). k = 1 is Sparsemax. If fewer than k patterns
    are stored, all weigh the same; those that a mask hides do not count. The SparseMAP of the
    paper, with weights kq, has kβ for β. With priors w, q ≤ w/k, ‖q‖² is Σq²/w and n is Σw.

    Args:
        k: how many patterns belong to a set, at least 1.
        beta: β ≥ 0; a tensor that requires grad is learnable.
    """

    k: int = 2
    beta: float | Tensor = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", check_integer("k", self.k, low=1))
        object.__setattr__(self, "beta", check_parameter("beta", self.beta, low=0.0))

    def inverse_width(self) -> float:
        """Return kβ: a lead of 1/(kβ) of the k-th best score leaves the next one no weight."""
        return self.k * largest_value(self.beta)

    def __call__(
        self, scores: Float[Tensor, "*batch n"], prior: Float[Tensor, "*#batch n"] | None = None
    ) -> Float[Tensor, "*batch n"]:
        """Return the weights q."""
        _, times, n, _, d = self._solve(scores, prior)
        return (times * (1 + d) / n).to(scores.dtype)

    def potential(
        self,
        scores: Float[Tensor, "*batch n"],
        prior: Float[Tensor, "*#batch n"] | None = None,
        total: float | None = None,
    ) -> Float[Tensor, "*batch"]:
        """Return F = max s + Σq(s − max s) − Σwd²/(2κn), which has all digits as β → 0."""
        exact, times, n, kappa, d = self._solve(scores, prior, total)
        top = exact.detach().amax(-1, keepdim=True)
        missing = n - times.sum(-1, keepdim=True)  # d = −1
        squares = (times * d.square()).sum(-1, keepdim=True) + missing
        gain = (times * (1 + d) * (exact - top)).sum(-1, keepdim=True)
        return (top + (gain - squares / (2 * kappa)) / n).squeeze(-1).to(scores.dtype)

    def _solve(
        self, scores: Tensor, prior: Tensor | None, total: float | None = None
    ) -> tuple[Tensor, ...]:
        # The scores, w, n, κ = nβ and d in q = w(1 + d)/n.
        exact, beta = with_clamped_beta(at_least_float32(scores).double(), self.beta)
        times, n = multiplicities(exact, check_factors(prior, scores), total)
        kappa = (n * beta).clamp_max(torch.finfo(exact.dtype).max / 8)
        top = exact.detach().amax(-1, keepdim=True)
        present = (times * (exact.detach() - top > _far(scores.dtype))).sum(-1, keepdim=True)
        cap = (n / present.clamp_max(self.k) - 1).clamp_min(0)
        # Relative to the k-th best score: d of patterns further than 1 + cap from it is cut.
        z = kappa * (exact - score_at_place(exact.detach(), self.k, prior))
        z = torch.minimum(torch.maximum(z, -cap - 2), cap + 2)
        return exact, times, n, kappa, _deviations(z, cap, times, n)

    def _floor(self, scores: Tensor, prior: Tensor | None = None) -> Tensor:
        # Weight below it would leave the k best with 1/k each, and so more than 1 in all.
        exact, beta = with_clamped_beta(scores.detach().double(), self.beta)
        return score_at_place(exact, self.k, prior) - 1 / (self.k * beta)


def _far(dtype: torch.dtype) -> float:
    # Masked patterns, and those without a common entry, have scores near the lowest number.
    return max(torch.finfo(dtype).min / 128, -1e249)


def _deviations(z: Tensor, cap: Tensor, times: Tensor, n: Tensor) -> Tensor:
    """Return d = z − t cut to [−1, cap], with t such that Σ w(1 + d) = n.

    Σ w d falls in straight lines between the 2n numbers z + 1, where d becomes −1, and z − cap,
    from which d falls. Sorting them finds the line of the root, and so which d are cut; t then
    follows from sums over the others.
    """
    missing = n - times.sum(-1, keepdim=True)
    with torch.no_grad():
        ends, order = torch.cat([z - cap, z + 1], -1).sort(-1)
        changes = torch.cat([times, -times], -1).gather(-1, order)
        falls = changes.cumsum(-1)[..., :-1] * ends.diff(dim=-1)
        start = cap * times.sum(-1, keepdim=True) - missing
        place = (falls.cumsum(-1) <= start).sum(-1, keepdim=True).clamp_max(ends.shape[-1] - 2)
        middle = (ends.gather(-1, place) + ends.gather(-1, place + 1)) / 2
        is_zero, is_full = z + 1 <= middle, z - cap >= middle
    between = torch.where(is_zero | is_full, 0.0, times)
    size = between.sum(-1, keepdim=True)
    cut = torch.where(is_full, cap, 0.0) - torch.where(is_zero, 1.0, 0.0)
    known = (times * cut).sum(-1, keepdim=True) - missing
    t = ((between * z).sum(-1, keepdim=True) + known) / torch.where(size > 0, size, 1.0)
    t = torch.where(size > 0, t, middle)
    free = z - t
    # Only rounding leaves the limits. The gradient is that of z − t: the sum of d is constant.
    limited = torch.minimum(torch.maximum(free, -torch.ones_like(cap)), cap)
    free = free + (limited - free).detach()
    return torch.where(is_zero | is_full, cut, free)
