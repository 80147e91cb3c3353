"""The dense separation of the modern network, and the partial that makes it stream."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .base import (
    Partial,
    Readout,
    Rows,
    Separation,
    check_parameter,
    few_rows,
    fine,
    sharpness,
    wide,
)

GROUP = 64
"""Scores whose largest is found before it is asked which of them it is."""

WORTHWHILE = 256
"""Rows from which on it is worth looking for those without weight."""

PEAKED = 64.0
"""Σ exp(β(s − s_max)) from which on it is not."""


@dataclass(frozen=True, eq=False)
class Softmax(Separation):
    """Dense separation of Ramsauer et al. (2021), eq. 3; on ±1 that of Demircigil et al. (2017).

    F(s) = β⁻¹ log mean_μ exp(β s_μ),    ∇F(s) = softmax(β s).

    At β = 0 these are the mean of the scores and equal weights; at β = ∞ their maximum, with the
    weight shared by all patterns that attain it.

    Args:
        beta: β ≥ 0, in units of one over the scores.
    """

    beta: float | Tensor = 1.0

    def __post_init__(self) -> None:
        """Check β."""
        object.__setattr__(self, "beta", check_parameter("beta", self.beta, low=0.0))

    def potential(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
        """F(s)."""
        exact = fine(wide(scores), self.beta)
        sums, _, _ = _Sums.of(exact, self.beta, exact.detach().amax(-1))
        return sums.potential().to(scores.dtype)

    def __call__(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """softmax(β s)."""
        exact = fine(wide(scores), self.beta)
        gap = exact - exact.detach().amax(-1, keepdim=True)
        return torch.softmax(sharpness(self.beta, gap) * gap, dim=-1).to(scores.dtype)

    def partial(self, scores: Float[Tensor, "*batch n"], rows: Rows) -> "Exponential":
        """The sums of exp(βs) over these rows, and of exp(βs)·row; `scores` are overwritten."""
        exact = fine(scores, self.beta)
        top, index = _largest(exact.detach() if exact.requires_grad else exact)
        sums, power, peak = _Sums.of(exact, self.beta, top, lean=True)
        index = index + rows.start if rows.start else index
        pulled = _pulled(rows, power.to(scores.dtype), peak)
        return Exponential(sums, pulled, index, scores.dtype)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over n rows with scores s, relative to the largest, s_max; with x = β(s − s_max) ≤ 0.

    `excess` = Σ expm1(x) = `total` − n is kept beside `total` = Σ exp(x) because the one is exact
    for small β and the other for large β; None where no total is more than n/2.
    """

    count: int
    beta: "float | Tensor"
    top: Tensor
    total: Tensor
    excess: Tensor | None
    spread: Tensor  # Σ x exp(x)

    @classmethod
    def of(
        cls, scores: Tensor, beta: "float | Tensor", top: Tensor, lean: bool = False
    ) -> tuple["_Sums", Tensor, float]:
        """The sums over the last axis of `scores`, whose largest is `top`; exp(x); its largest sum.

        `lean` overwrites the scores, and looks at values to leave out what they do not need: not
        under compile or vmap.
        """
        sharp = sharpness(beta, scores)
        learnt = isinstance(sharp, Tensor) and sharp.requires_grad
        lean = lean and not (scores.requires_grad or learnt)
        x, power = _exponentials(scores, sharp, top.unsqueeze(-1), lean)
        total, count = power.sum(-1), scores.shape[-1]
        peak = total.max().item() if lean and total.numel() else math.inf
        # Far from small β the sum itself is exact.
        excess = torch.expm1(x).sum(-1) if peak > count / 2 else None
        spread = (x.mul_(power) if lean else x * power).sum(-1)
        sharp = sharp.squeeze(-1) if isinstance(sharp, Tensor) else sharp
        return cls(count, sharp, top, total, excess, spread), power, peak

    def shifted(self, top: Tensor) -> tuple["_Sums", Tensor]:
        """The same sums relative to a larger `top`, and the factor exp(β(s_max − top))."""
        x = self.beta * (self.top - top)
        factor = x.exp()
        excess = None
        if self.excess is not None:
            excess = self.excess * factor + self.count * torch.expm1(x)
        spread = self.spread * factor + self.total * _product(factor, x)
        return _Sums(self.count, self.beta, top, self.total * factor, excess, spread), factor

    def __add__(self, other: "_Sums") -> "_Sums":
        """Sums over both sets of rows; both must be relative to the same top."""
        count, total = self.count + other.count, self.total + other.total
        excess = None
        if self.excess is not None or other.excess is not None:
            one, two = (
                each.total - each.count if each.excess is None else each.excess
                for each in (self, other)
            )
            excess = one + two
        return _Sums(count, self.beta, self.top, total, excess, self.spread + other.spread)

    def potential(self) -> Tensor:
        """β⁻¹ log mean exp(βs)."""
        if self.excess is None:
            return (self.total / self.count).log_().div_(self.beta).add_(self.top)
        return self.top + log_of_mean(self.total, self.excess, self.count) / self.beta


@dataclass(frozen=True, eq=False)
class Exponential(Partial):
    """Partial readout of `Softmax`: (max, Σ exp, Σ exp·row), merged as in an online softmax.

    The result uses up what was pulled. Sums may be finer than what they are told in, `dtype`.
    """

    sums: _Sums
    pulled: Tensor
    index: Tensor
    dtype: torch.dtype

    def merge(self, other: Partial) -> "Exponential":
        """Both sets of rows together."""
        if not isinstance(other, Exponential):
            raise TypeError(
                f"an Exponential partial merges with its like, not {type(other).__name__}"
            )
        top = torch.maximum(self.sums.top, other.sums.top)
        mine, my_factor = self.sums.shifted(top)
        theirs, their_factor = other.sums.shifted(top)
        pulled = self.pulled * my_factor[..., None] + other.pulled * their_factor[..., None]
        index = torch.where(other.sums.top > self.sums.top, other.index, self.index)
        return Exponential(mine + theirs, pulled.to(self.pulled.dtype), index, self.dtype)

    def result(self, blocks: Iterable[Rows]) -> Readout:
        """The readout: weights are exp(βs)/Σexp(βs)."""
        total, pulled = self.sums.total, self.pulled
        whole = total.unsqueeze(-1).to(self.dtype)
        entropy = torch.addcdiv(total.log(), self.sums.spread, total, value=-1)
        return Readout(
            state=pulled / whole if pulled.requires_grad else pulled.div_(whole),
            potential=self.sums.potential().to(self.dtype),
            index=self.index,
            weight=total.reciprocal().to(self.dtype),
            entropy=entropy.to(self.dtype),
        )


def log_of_mean(total: Tensor, excess: Tensor, count: int) -> Tensor:
    """log(Σ exp(x)/n) from Σ exp(x) and Σ expm1(x), x ≤ 0.

    Exact from β → 0, where the first alone leaves nothing but rounding, to β → ∞.
    """
    mean = excess / count
    near = torch.log1p(mean.clamp_min(-0.5))
    return torch.where(mean > -0.5, near, torch.log(total / count))


def _exponentials(
    scores: Tensor, beta: "float | Tensor", top: Tensor, lean: bool
) -> tuple[Tensor, Tensor]:
    """x = β(s − s_max), bounded from below, and exp(x), 0 at the bound; `lean` overwrites `scores`.

    The largest weight is 1, so that all those cut off, each below eps^2.5, are nothing beside it
    in this precision; and as zeros their rows need not be read.
    """
    lowest = 2.5 * math.log(torch.finfo(scores.dtype).eps)
    zero = 1.01 * math.exp(lowest)
    # Clamped first: exp is ten times slower where it underflows.
    if lean:
        x = scores.sub_(top).mul_(beta).clamp_(min=lowest)
        return x, torch.threshold_(x.exp(), zero, 0.0)
    x = (beta * (scores - top)).clamp_min(lowest)
    return x, torch.threshold(x.exp(), zero, 0.0)


def _pulled(rows: Rows, power: Tensor, peak: float) -> Tensor:
    """power @ rows, read only where some state has weight if most rows have none."""
    count = len(rows)
    if count >= WORTHWHILE and peak < PEAKED:
        flat, few = power.reshape(-1, count), few_rows(count)
        if int(flat[0].count_nonzero()) <= few:  # one state tells most often
            weighty = flat.sum(0).nonzero().squeeze(-1)
            if len(weighty) <= few:
                return rows.pull(power[..., weighty], weighty)
    return rows.pull(power)


def _largest(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The largest score and the first place that has it, four times as fast as `max`."""
    count = scores.shape[-1]
    if count % GROUP:
        return scores.max(-1)
    groups = scores.unflatten(-1, (-1, GROUP))
    top, group = groups.amax(-1).max(-1)
    best = groups.gather(-2, group[..., None, None].expand(*group.shape, 1, GROUP))
    return top, group * GROUP + best.squeeze(-2).argmax(-1)


def _product(factor: Tensor, x: Tensor) -> Tensor:
    """factor·x where the factor exp(x) is 0 because x → −∞, and their product therefore 0."""
    return torch.where(factor > 0, factor * x.clamp_min(torch.finfo(x.dtype).min), 0.0)
