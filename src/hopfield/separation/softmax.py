"""The softmax separation of the modern network, computed block by block as an online softmax."""

import decimal
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from ..ranks import Ranks, first_best
from .base import (
    Separation,
    at_least_float32,
    check_parameter,
    largest_value,
    max_gathered_rows,
    smallest_value,
)
from .clamping import beta_after_merge, with_clamped_beta
from .partial import Partial, Readout, Rows, check_mergeable
from .prior import check_factors, prior_of

GROUP_SIZE = 64
"""Scores per group when the largest score is searched: first the best group, then within it."""

GROUP_FROM_SCORES = 2**16
"""Scores per call from which on groups are used; with fewer scores torch.max is faster."""

LN_2 = math.log(2.0)

SKIP_FROM_ROWS = 256
"""Rows per block from which on rows of weight 0 may be skipped; in smaller blocks all are read."""

SKIP_BELOW_SUM = 64.0
"""Σ exp(β(s − s_max)) below which rows of weight 0 may be skipped; above, all rows are read."""


@dataclass(frozen=True, eq=False)
class Softmax(Separation):
    """The separation of Ramsauer et al. (2021), eq. 3; also of Demircigil et al. (2017) on ±1.

    F(s) = β⁻¹ log mean_μ exp(β s_μ),    ∇F(s) = softmax(β s).

    At β = 0, F is the mean score and all weights are equal. At β = ∞, F is the largest score, and
    all patterns that attain it share the weight. With priors w, the mean is weighted,
    F = β⁻¹ log(Σ w exp(βs)/Σ w), and the weights are ∝ w exp(βs).

    Args:
        beta: β ≥ 0, the inverse temperature: a number, or a tensor that broadcasts to the batch.
    """

    beta: float | Tensor = 1.0
    shift_invariant = True
    takes_prior = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", check_parameter("beta", self.beta, low=0.0))

    def potential(
        self, scores: Float[Tensor, "*batch n"], prior: Float[Tensor, "*#batch n"] | None = None
    ) -> Float[Tensor, "*batch"]:
        """F(s)."""
        exact, beta = self._exact(at_least_float32(scores))
        sums, _, _ = SoftmaxSums.of(
            exact, beta, exact.detach().amax(-1), prior=check_factors(prior, exact)
        )
        return sums.potential().to(scores.dtype)

    def __call__(
        self, scores: Float[Tensor, "*batch n"], prior: Float[Tensor, "*#batch n"] | None = None
    ) -> Float[Tensor, "*batch n"]:
        """softmax(β s)."""
        exact, beta = with_clamped_beta(at_least_float32(scores), self.beta)
        prior = check_factors(prior, exact)
        exponent = beta * (exact - exact.detach().amax(-1, keepdim=True))
        exponent = exponent if prior is None else exponent + prior.double().log().to(exponent)
        return torch.softmax(exponent, dim=-1).to(scores.dtype)

    def partial(self, scores: Float[Tensor, "*batch n"], rows: Rows) -> "SoftmaxPartial":
        """Return the sums of exp(βs) and exp(βs)·row over these rows; overwrites `scores`."""
        exact, beta = self._exact(scores)
        largest, index = _largest(exact.detach() if exact.requires_grad else exact)
        prior, strongest = prior_of(rows), None
        sums, power, highest = SoftmaxSums.of(exact, beta, largest, inplace=True, prior=prior)
        if prior is not None:
            strongest, index = power.max(-1)
        index = index + rows.start if rows.start else index
        weighted_sum = _sum_rows(rows, power.to(scores.dtype), highest)
        return SoftmaxPartial(sums, weighted_sum, index, scores.dtype, strongest)

    def _exact(self, scores: Tensor) -> "tuple[Tensor, float | Tensor]":
        is_zero = not isinstance(self.beta, Tensor) and self.beta == 0
        return (scores, 0.0) if is_zero else with_clamped_beta(scores, self.beta)

    def inverse_width(self) -> float:
        """Return the largest β: score differences far below 1/β hardly change the weights."""
        return largest_value(self.beta)

    def score_window(self, count: int) -> float | None:
        """Return log(n/ε)/β: scores further below the best have less weight than ε together."""
        beta = smallest_value(self.beta)
        return math.log(count / torch.finfo(torch.float64).eps) / beta if beta else None

    def softmax_beta(self) -> float | Tensor:
        """Return β: all weights are softmax(βs)."""
        return self.beta

    def split_beta(self) -> tuple[Separation, float | Tensor]:
        """Return G = `Softmax(1.0)` and β, with F(s) = G(βs)/β."""
        return replace(self, beta=1.0), self.beta

    def exact_flip_sign(self, levels: list[tuple[int, int]]) -> int:
        """Return the exact sign of Σ count·exp(β·level), which decides whether a ±1 unit flips."""
        return exact_sign_of_exponentials(levels, float(self.beta))


@dataclass(frozen=True, eq=False)
class SoftmaxSums:
    """Sums over n patterns relative to their largest score, with x_μ = β(s_μ − s_max) ≤ 0.

    With priors w, a pattern counts w times in each sum; x exp(x) becomes (x + log w) w exp(x).

    Attributes:
        count: n; with priors Σ w.
        beta: β; a tensor has the shape of the batch.
        largest: s_max.
        sum_exp: Σ exp(x).
        sum_expm1: Σ (exp(x) − 1). Equal to sum_exp − n, but accurate as β → 0; None if
            sum_exp ≤ n/2 for all states: log(sum_exp/n) is then accurate. At β = 0 its limit
            relative to β, Σ (s − s_max).
        sum_x_exp: Σ x exp(x), from which the entropy follows.
    """

    count: int | Tensor
    beta: "float | Tensor"
    largest: Tensor
    sum_exp: Tensor
    sum_expm1: Tensor | None
    sum_x_exp: Tensor

    @classmethod
    def of(
        cls,
        scores: Tensor,
        beta: "float | Tensor",
        largest: Tensor,
        inplace: bool = False,
        prior: Tensor | None = None,
    ) -> tuple["SoftmaxSums", Tensor, float]:
        """Return the sums over the last axis of `scores`, exp(x), and the largest sum_exp.

        Every exp(x) below eps^2.5 becomes 0. `inplace` overwrites the scores unless gradients need
        them. It then skips sums that the values make unnecessary, which fails under torch.compile
        and vmap.

        Args:
            scores: `(*batch, n)`.
            beta: β as `with_clamped_beta` returns it; a tensor has a last axis of length 1.
            largest: the largest score per state, `(*batch)`.
            inplace: whether the scores may be overwritten.
            prior: w > 0, `(*batch | (), n)`, or None: then w exp(x) is returned.
        """
        if prior is not None:
            return cls._with_prior(scores, beta, largest, prior.to(scores.device))
        if not isinstance(beta, Tensor) and beta == 0:
            return cls._equal_weights(scores, largest)
        learnt = isinstance(beta, Tensor) and beta.requires_grad
        inplace = inplace and not (scores.requires_grad or learnt)
        # The largest exp(x) is 1: below eps^2.5 all others together are below rounding, and their
        # rows need not be read. At −1e4 exp(x) is 0, and x·exp(x) too.
        # Powers of 2 are up to four times as fast as torch.exp, and as exact: x here is x/ln 2.
        least, top = _least_exponent(scores.dtype), largest.unsqueeze(-1)
        if inplace:
            x = torch.threshold_(scores.sub_(top).mul_(beta / LN_2), least, -1e4)
        else:
            x = torch.threshold((scores - top) * (beta / LN_2), least, -1e4)
        power = torch.exp2(x)
        sum_exp, count = power.sum(-1), scores.shape[-1]
        highest = sum_exp.max().item() if inplace and sum_exp.numel() else math.inf
        sum_expm1 = torch.expm1(x * LN_2).sum(-1) if highest > count / 2 else None
        sum_x_exp = (x.mul_(power) if inplace else x * power).sum(-1) * LN_2
        beta = beta.squeeze(-1) if isinstance(beta, Tensor) else beta
        return cls(count, beta, largest, sum_exp, sum_expm1, sum_x_exp), power, highest

    @classmethod
    def _with_prior(
        cls, scores: Tensor, beta: "float | Tensor", largest: Tensor, prior: Tensor
    ) -> tuple["SoftmaxSums", Tensor, float]:
        # Log w is added to x, never divided by β: at β = 0 the weights are w, at β = ∞ they are w
        # where x = 0. As in `of`, powers of 2, and nothing below eps^2.5 of the largest.
        log_prior, prior = prior.double().log2().to(scores.dtype), prior.to(scores.dtype)
        gap, is_zero = scores - largest.unsqueeze(-1), not isinstance(beta, Tensor) and beta == 0
        x, least = gap * (beta / LN_2), _least_exponent(scores.dtype)
        x = torch.where(x > least + log_prior.amin() - log_prior.amax(), x, -1e4)
        exponent = x + log_prior
        power = torch.exp2(exponent)
        expm1 = gap if is_zero else torch.expm1(x * LN_2)
        sum_exp, sum_x_exp = power.sum(-1), (exponent * power).sum(-1) * LN_2
        beta = beta.squeeze(-1) if isinstance(beta, Tensor) else beta
        sum_expm1 = (prior * expm1).sum(-1)
        return cls(prior.sum(-1), beta, largest, sum_exp, sum_expm1, sum_x_exp), power, 0.0

    @classmethod
    def _equal_weights(cls, scores: Tensor, largest: Tensor) -> tuple["SoftmaxSums", Tensor, float]:
        count, zeros = scores.shape[-1], torch.zeros_like(largest)
        gap = scores - largest.unsqueeze(-1)
        power = torch.zeros_like(gap).mul_(gap).add_(1)  # slopes are 0, but exist
        return cls(count, 0.0, largest, zeros + count, gap.sum(-1), zeros), power, float(count)

    def relative_to(self, largest: Tensor) -> tuple["SoftmaxSums", Tensor]:
        """Return the sums relative to a larger score, and the factor exp(β(s_max − largest))."""
        x = self.beta * (self.largest - largest)
        factor = x.exp()
        sum_expm1 = None
        if not isinstance(self.beta, Tensor) and self.beta == 0 and self.sum_expm1 is not None:
            sum_expm1 = self.sum_expm1 + self.count * (self.largest - largest)
        elif self.sum_expm1 is not None:
            sum_expm1 = self.sum_expm1 * factor + self.count * torch.expm1(x)
        # At x = −∞ the factor is 0, and the product of both must be 0, not NaN.
        finite = x.clamp_min(torch.finfo(x.dtype).min)
        sum_x_exp = self.sum_x_exp * factor + self.sum_exp * torch.where(
            factor > 0, factor * finite, 0.0
        )
        sum_exp = self.sum_exp * factor
        return SoftmaxSums(self.count, self.beta, largest, sum_exp, sum_expm1, sum_x_exp), factor

    def __add__(self, other: "SoftmaxSums") -> "SoftmaxSums":
        """Add sums over other rows, relative to the same score."""
        sum_expm1 = None
        if self.sum_expm1 is not None or other.sum_expm1 is not None:
            one, two = (
                sums.sum_exp - sums.count if sums.sum_expm1 is None else sums.sum_expm1
                for sums in (self, other)
            )
            sum_expm1 = one + two
        return replace(
            self,
            count=self.count + other.count,
            sum_exp=self.sum_exp + other.sum_exp,
            sum_expm1=sum_expm1,
            sum_x_exp=self.sum_x_exp + other.sum_x_exp,
        )

    def potential(self) -> Tensor:
        """F(s) = s_max + β⁻¹ log(Σ exp(x)/n)."""
        if self.sum_expm1 is None:
            return (self.sum_exp / self.count).log_().div_(self.beta).add_(self.largest)
        if not isinstance(self.beta, Tensor) and self.beta == 0:
            return self.largest + self.sum_expm1 / self.count
        return self.largest + log_mean(self.sum_exp, self.sum_expm1, self.count) / self.beta


@dataclass(frozen=True, eq=False)
class SoftmaxPartial(Partial):
    """The partial of `Softmax`: s_max, Σ exp(x) and Σ exp(x)·row, merged by online softmax.

    Attributes:
        sums: the sums of numbers, in float64 if β is too small for float32.
        weighted_sum: Σ exp(x)·row, overwritten by `result`.
        index: the first pattern with the largest score; with priors, with the largest w exp(x).
        dtype: the dtype of the result.
        strongest: the largest w exp(x), or None without priors, where it is 1.
    """

    sums: SoftmaxSums
    weighted_sum: Tensor
    index: Tensor
    dtype: torch.dtype
    strongest: Tensor | None = None

    def merge(self, other: Partial) -> "SoftmaxPartial":
        """Rescale both partials to the larger score, and add them."""
        other = check_mergeable(self, other)
        largest = torch.maximum(self.sums.largest, other.sums.largest)
        sums, factor = self.sums.relative_to(largest)
        other_sums, other_factor = other.sums.relative_to(largest)
        total = self.weighted_sum * factor[..., None] + other.weighted_sum * other_factor[..., None]
        is_better, strongest = other.sums.largest > self.sums.largest, None
        if self.strongest is not None and other.strongest is not None:
            own, others = self.strongest * factor, other.strongest * other_factor
            is_better, strongest = others > own, torch.maximum(own, others)
        index = torch.where(is_better, other.index, self.index)
        total = total.to(self.weighted_sum.dtype)
        return SoftmaxPartial(sums + other_sums, total, index, self.dtype, strongest)

    def merge_ranks(self, ranks: Ranks, separation: Separation) -> "SoftmaxPartial":
        """Rescale to the largest score of all ranks, and add."""
        has_prior = self.strongest is not None
        own = torch.ones_like(self.sums.largest) if self.strongest is None else self.strongest
        largest, strongest, index = ranks.gather(self.sums.largest, own, self.index)
        top = largest.amax(0)
        key = strongest * (self.sums.beta * (largest - top)).exp() if has_prior else largest
        # A rank without rows adds nothing, but its powers must be finite.
        sums, factor = self.sums.relative_to(torch.maximum(top, self.sums.largest))
        below = sums.sum_exp - sums.count if sums.sum_expm1 is None else sums.sum_expm1
        count = torch.as_tensor(sums.count, dtype=sums.sum_exp.dtype)
        total, *added = ranks.sum(
            self.weighted_sum * factor[..., None], sums.sum_exp, below, sums.sum_x_exp, count
        )
        sum_exp, below, sum_x_exp, count = added
        number = count.to(sum_exp) if has_prior else ranks.count
        beta = beta_after_merge(self.sums.beta, separation, top)
        merged = SoftmaxSums(number, beta, top, sum_exp, below, sum_x_exp)
        best = key.amax(0) if has_prior else None
        total = total.to(self.weighted_sum.dtype)
        return SoftmaxPartial(merged, total, first_best(index, key), self.dtype, best)

    def result(self, blocks: Iterable[Rows]) -> Readout:
        """Divide the weighted sum by Σ exp(x)."""
        sum_exp, state = self.sums.sum_exp, self.weighted_sum
        divisor = sum_exp.unsqueeze(-1).to(self.dtype)
        entropy = torch.addcdiv(sum_exp.log(), self.sums.sum_x_exp, sum_exp, value=-1)
        if self.strongest is None:
            weight = sum_exp.reciprocal()
        else:  # rounding of log w can leave an entropy just below 0
            weight, entropy = self.strongest / sum_exp, entropy.clamp_min(0.0)
        return Readout(
            state=state / divisor if state.requires_grad else state.div_(divisor),
            potential=self.sums.potential().to(self.dtype),
            index=self.index,
            weight=weight.to(self.dtype),
            entropy=entropy.to(self.dtype),
        )


def log_mean(sum_exp: Tensor, sum_expm1: Tensor, count: int | Tensor) -> Tensor:
    """log(Σ exp(x)/n) for x ≤ 0, from Σ (exp(x) − 1) where the mean is near 1, else Σ exp(x)."""
    mean = sum_expm1 / count
    near = torch.log1p(mean.clamp_min(-0.5))
    return torch.where(mean > -0.5, near, torch.log(sum_exp / count))


@cache
def _least_exponent(dtype: torch.dtype) -> float:
    return 2.5 * math.log2(torch.finfo(dtype).eps)


def _sum_rows(rows: Rows, power: Tensor, highest: float) -> Tensor:
    # Returns power @ rows. If most rows have weight 0 for all states, reads only the others.
    count = power.shape[-1]
    if count >= SKIP_FROM_ROWS and highest < SKIP_BELOW_SUM:
        flat, most = power.reshape(-1, count), max_gathered_rows(count)
        if int(flat[0].count_nonzero()) <= most:  # cheap: usually the first state decides
            at = flat.sum(0).nonzero().squeeze(-1)
            if len(at) <= most:
                return rows.weighted_sum(power[..., at], at)
    return rows.weighted_sum(power)


def _largest(scores: Tensor) -> tuple[Tensor, Tensor]:
    # The largest score and its first place; by groups it is several times as fast as torch.max.
    count, size = scores.shape[-1], GROUP_SIZE
    if scores.numel() < GROUP_FROM_SCORES or count < 8 * size:
        return scores.max(-1)
    groups = scores.unfold(-1, size, size).amax(-1)
    if count % size:  # the last group overlaps the one before
        groups = torch.cat([groups, scores[..., -size:].amax(-1, keepdim=True)], -1)
    largest, group = groups.max(-1)
    start = (group * size).clamp_max_(count - size)
    members = start.unsqueeze(-1) + torch.arange(size, device=scores.device)
    return largest, start + scores.gather(-1, members).max(-1).indices  # argmax takes twice as long


def exact_sign_of_exponentials(levels: list[tuple[int, int]], beta: float) -> int:
    """Return the exact sign of Σ count·exp(β·level) over pairs (level, count).

    The pairs come with the highest level first, and no two levels are equal. The number of digits
    doubles until the sum exceeds its rounding error. This ends, since for β ≠ 0 the sum is not 0:
    e^β is transcendental for every rational β ≠ 0 (Lindemann).
    """
    if beta == 0:
        counts = sum(count for _, count in levels)
        return (counts > 0) - (counts < 0)
    highest, digits = levels[0][0], 50
    while True:
        with decimal.localcontext() as context:
            context.prec = digits
            terms = [
                count * (decimal.Decimal(beta) * (level - highest)).exp() for level, count in levels
            ]
            total = sum(terms, decimal.Decimal(0))
            size = sum((abs(term) for term in terms), decimal.Decimal(0))
            if abs(total) > size * len(levels) * decimal.Decimal(10) ** (3 - digits):
                return 1 if total > 0 else -1
        digits *= 2
