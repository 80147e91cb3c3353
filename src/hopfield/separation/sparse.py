"""Separations with weights of exactly 0: sparsemax, α-entmax and top-k."""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_integer
from ..ranks import Ranks
from .base import (
    Separation,
    at_least_float32,
    check_parameter,
    largest_value,
    max_gathered_rows,
    smallest_value,
)
from .clamping import with_clamped_beta, with_score_axis
from .partial import Partial, Readout, Rows, check_mergeable, entropy, sum_of_blocks
from .prior import arguments, check_factors, prior_of
from .softmax import Softmax, log_mean
from .tsallis import ALPHA_RANGE, tsallis_potential, tsallis_weights

PLACE_ROUNDING = 1e-12
"""Part of k by which a sum of priors may miss k: rounding must not give a share to the next."""


class SparseSeparation(Separation):
    """A separation whose weights are exactly 0 below a threshold on the scores."""

    shift_invariant = True
    takes_prior = True
    beta: float | Tensor

    @abstractmethod
    def potential(
        self,
        scores: Float[Tensor, "*batch n"],
        prior: Float[Tensor, "*#batch n"] | None = None,
        total: float | None = None,
    ) -> Float[Tensor, "*batch"]:
        """Return F(s); `scores` and `prior` may leave out patterns without weight.

        `total` is then the sum of all priors, or without priors the number of all patterns.
        """

    def partial(self, scores: Float[Tensor, "*batch n"], rows: Rows) -> "CandidatePartial":
        """Return a partial readout with those of the rows that may have weight."""
        index = torch.arange(len(rows), device=scores.device) + rows.start
        part: tuple[Tensor, ...] = scores, index.expand(scores.shape)
        prior, total = prior_of(rows), None
        if prior is not None:
            prior, total = prior.to(scores.device), float(prior.sum())
            part = *part, prior.expand(scores.shape)
        return CandidatePartial(self, len(rows), (part,), 0, total).pruned()

    def split_beta(self) -> tuple[Separation, float | Tensor]:
        """Return the same separation at β = 1, and β."""
        return replace(cast(Any, self), beta=1.0), self.beta

    def parameter_range(self, name: str) -> tuple[float, float]:
        """Return the range of α; β is positive."""
        return ALPHA_RANGE if name == "alpha" else (0.0, torch.inf)

    @abstractmethod
    def _floor(self, scores: Tensor, prior: Tensor | None = None) -> Tensor:
        """Return the score `(*batch, 1)` below which no pattern has weight, now or after others."""


class _Tsallis(SparseSeparation):
    """A sparse separation with the weights of α-entmax: also sparsemax, which is α = 2."""

    alpha: float | Tensor

    def inverse_width(self) -> float:
        """Return (α − 1)β: scores 1/((α − 1)β) or more below the best have no weight."""
        return (largest_value(self.alpha) - 1) * largest_value(self.beta)

    def score_window(self, count: int) -> float | None:
        """Return 1/((α − 1)β): scores further below the best have no weight."""
        inverse = (smallest_value(self.alpha) - 1) * smallest_value(self.beta)
        return 1 / inverse if inverse else None

    def __call__(
        self, scores: Float[Tensor, "*batch n"], prior: Float[Tensor, "*#batch n"] | None = None
    ) -> Float[Tensor, "*batch n"]:
        exact = self._exact(at_least_float32(scores))
        return tsallis_weights(*exact, check_factors(prior, scores)).to(scores.dtype)

    def potential(
        self,
        scores: Float[Tensor, "*batch n"],
        prior: Float[Tensor, "*#batch n"] | None = None,
        total: float | None = None,
    ) -> Float[Tensor, "*batch"]:
        exact, prior = self._exact(at_least_float32(scores).double()), check_factors(prior, scores)
        return tsallis_potential(*exact, prior, total).to(scores.dtype)

    def _floor(self, scores: Tensor, prior: Tensor | None = None) -> Tensor:
        exact, alpha, beta = self._exact(scores)
        if prior is None:
            return exact.amax(-1, keepdim=True) - 1 / ((alpha - 1) * beta)
        # No weight exceeds one: w[(α − 1)βs − τ]^(1/(α − 1)) ≤ 1 bounds τ from below.
        reach = prior.double() ** (1 - alpha.double()) / ((alpha - 1) * beta).double()
        return (exact.double() - reach).amax(-1, keepdim=True)

    def _exact(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # The scores, α and β in a dtype that can hold their products.
        exact, beta = with_clamped_beta(scores, self.beta)
        beta = torch.as_tensor(beta, dtype=exact.dtype, device=exact.device)
        return exact, with_score_axis(self.alpha, exact), beta


@dataclass(frozen=True, eq=False)
class Entmax(_Tsallis):
    """Sparse separation by α-entmax (Peters et al. 2019; Santos et al. 2024).

    F(s) = max_p p·s + β⁻¹ (H_α(p) − H_α(1/n)),   H_α(p) = Σ_μ (p_μ − p_μ^α) / (α(α−1)),
    ∇F(s) = α-entmax(βs) = [(α−1)βs − τ]₊^{1/(α−1)}, with τ such that the weights sum to one.

    α → 1 is Softmax, α = 2 Sparsemax. With priors w, H_α(p) = Σ_μ w_μ (q_μ − q_μ^α)/(α(α−1)) with
    q = p/w, n is Σw, and ∇F(s) = w[(α−1)βs − τ]₊^{1/(α−1)}.

    Args:
        alpha: α in [1.01, 10]; a tensor that requires grad is learnable.
        beta: β ≥ 0.
    """

    alpha: float | Tensor = 1.5
    beta: float | Tensor = 1.0

    def __post_init__(self) -> None:
        way = "Choose one in this range; α = 1 is Softmax."
        object.__setattr__(self, "alpha", check_parameter("alpha", self.alpha, *ALPHA_RANGE, way))
        object.__setattr__(self, "beta", check_parameter("beta", self.beta, low=0.0))


@dataclass(frozen=True, eq=False)
class Sparsemax(_Tsallis):
    """Sparse separation by sparsemax (Martins & Astudillo 2016; Hu et al. 2023).

    F(s) = max_p p·s + (2β)⁻¹ (1/n − ‖p‖²),
    ∇F(s) = sparsemax(βs), the point of the simplex nearest to βs; α-entmax at α = 2.

    Args:
        beta: β ≥ 0.
    """

    beta: float | Tensor = 1.0
    alpha = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", check_parameter("beta", self.beta, low=0.0))


@dataclass(frozen=True, eq=False)
class TopK(SparseSeparation):
    """Softmax over the k largest scores; every other weight is exactly zero.

    F(s) = β⁻¹ log mean exp(βs) over the k largest,   ∇F(s) = softmax(βs) over them.

    Where several scores tie for the last places, they share the weight of those places equally,
    so that the answer does not depend on the order of storage. With priors w, a pattern takes w
    places: patterns take part in the order of their scores until Σw = k, the last one in part.

    Args:
        k: how many patterns take part, at least 1; all of them where fewer are stored.
        beta: β ≥ 0.
    """

    k: int = 1
    beta: float | Tensor = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", check_integer("k", self.k, low=1))
        object.__setattr__(self, "beta", check_parameter("beta", self.beta, low=0.0))

    def inverse_width(self) -> float:
        """Return β."""
        return largest_value(self.beta)

    def score_window(self, count: int) -> float | None:
        """Return the score window of a softmax over k scores."""
        return Softmax(self.beta).score_window(min(self.k, count))

    def __call__(
        self, scores: Float[Tensor, "*batch n"], prior: Float[Tensor, "*#batch n"] | None = None
    ) -> Float[Tensor, "*batch n"]:
        """Return softmax(βs) over the k largest scores, 0 elsewhere."""
        exact, beta = with_clamped_beta(at_least_float32(scores), self.beta)
        share = self._shares(exact, check_factors(prior, scores))
        gap = exact - exact.detach().amax(-1, keepdim=True)
        power = torch.where(share > 0, (beta * gap).exp() * share, 0.0)
        return (power / power.sum(-1, keepdim=True)).to(scores.dtype)

    def potential(
        self,
        scores: Float[Tensor, "*batch n"],
        prior: Float[Tensor, "*#batch n"] | None = None,
        total: float | None = None,
    ) -> Float[Tensor, "*batch"]:
        """Return F(s), which the k largest scores determine."""
        exact, prior = at_least_float32(scores), check_factors(prior, scores)
        if prior is None:
            return Softmax(self.beta).potential(largest_scores(exact, self.k)).to(scores.dtype)
        exact, beta = with_clamped_beta(exact, self.beta)
        share, top = self._shares(exact, prior), exact.detach().amax(-1, keepdim=True)
        x = torch.where(share > 0, beta * (exact - top), 0.0)
        sum_exp, sum_expm1 = (share * x.exp()).sum(-1), (share * x.expm1()).sum(-1)
        beta = beta.squeeze(-1) if isinstance(beta, Tensor) else beta
        potential = top.squeeze(-1) + log_mean(sum_exp, sum_expm1, share.sum(-1)) / beta
        return potential.to(scores.dtype)

    def _shares(self, scores: Tensor, prior: Tensor | None) -> Tensor:
        # How many of the k places each pattern takes: 1, or w; where the last ones tie, a share.
        last = self._floor(*arguments(scores, prior))
        larger, tied = scores > last, scores == last
        if prior is None:
            places = min(self.k, scores.shape[-1]) - larger.sum(-1, keepdim=True)
            # Whole numbers divide in float32, whatever the dtype of the scores.
            return torch.where(larger, 1.0, tied * (places.to(scores.dtype) / tied.sum(-1, True)))
        times = prior.to(scores).expand(scores.shape)
        places = self.k - torch.where(larger, times, 0.0).sum(-1, keepdim=True)
        wanted = torch.where(tied, times, 0.0).sum(-1, keepdim=True)
        return torch.where(larger, times, tied * times * (places / wanted).clamp(0.0, 1.0))

    def _floor(self, scores: Tensor, prior: Tensor | None = None) -> Tensor:
        return score_at_place(scores.detach(), self.k, prior)


def largest_scores(scores: Tensor, k: int) -> Tensor:
    """Return the k largest scores in any order; all of them if there are fewer."""
    # Unsorted: sorting would take most of the time for large k.
    return scores if k >= scores.shape[-1] else scores.topk(k, sorted=False).values


def score_at_place(scores: Tensor, k: int, prior: Tensor | None) -> Tensor:
    """Return the k-th largest score, `(*batch, 1)`; a pattern with prior w takes w places."""
    if prior is None:
        return largest_scores(scores, k).amin(-1, keepdim=True)
    ordered, order = scores.sort(dim=-1, descending=True)
    taken = prior.double().expand(scores.shape).gather(-1, order).cumsum(-1)
    place = (taken < k * (1 - PLACE_ROUNDING)).sum(-1, keepdim=True)
    return ordered.gather(-1, place.clamp_max(scores.shape[-1] - 1))


@dataclass(frozen=True, eq=False)
class CandidatePartial(Partial):
    """A partial readout of a sparse separation: it keeps the patterns that can still have weight.

    The weights are known once all rows have scores, so that rows are summed at the end.

    Attributes:
        separation: the separation that gives the weights.
        count: the number of rows that have scores so far.
        parts: scores and indices of the candidates, the patterns that can have weight, each
            `(*batch, k)`, and their priors, if there are any.
        least: the number of candidates per state after those without weight were last dropped.
        total: the sum of the priors so far, or None.
    """

    separation: SparseSeparation
    count: int
    parts: tuple[tuple[Tensor, ...], ...]
    least: int
    total: float | None = None
    ranks: Ranks | None = None
    keeps_scores = True

    @property
    def kept_scores(self) -> int:
        """Number of candidates of all states together."""
        return sum(part[0].numel() for part in self.parts)

    def pruned(self) -> "CandidatePartial":
        """Return a partial readout without candidates that cannot have weight, if they are many.

        Each state keeps the same number of candidates: the largest number that one of them needs.
        """
        scores, *others = self._joined()
        count = scores.shape[-1]
        floor = self.separation._floor(scores.detach(), *others[1:])
        keep = int((scores >= floor).sum(-1).max()) if scores.numel() else count
        if keep <= count // 2:  # else there is too little to gain
            scores, at = scores.topk(keep, dim=-1, sorted=False)
            others = [other.gather(-1, at) for other in others]
        return replace(self, parts=((scores, *others),), least=scores.shape[-1])

    def merge(self, other: Partial) -> "CandidatePartial":
        """Join the candidates; whenever their number has doubled, drop those without weight."""
        other = check_mergeable(self, other)
        parts, count = self.parts + other.parts, self.count + other.count
        total = None if self.total is None or other.total is None else self.total + other.total
        merged = CandidatePartial(self.separation, count, parts, self.least, total)
        size = sum(part[0].shape[-1] for part in parts)
        return merged.pruned() if size >= 2 * max(self.least, 1) else merged

    def merge_ranks(self, ranks: Ranks, separation: Separation) -> "CandidatePartial":
        """Gather the candidates of all ranks."""
        part, total = ranks.columns(*self.pruned()._joined()), self.total
        if total is not None:
            total = float(ranks.sum(torch.tensor([total], dtype=torch.float64))[0])
        chosen = cast(SparseSeparation, separation)
        return CandidatePartial(chosen, ranks.count, (part,), part[0].shape[-1], total, ranks)

    def result(self, blocks: Iterable[Rows]) -> Readout:
        """Compute the weights, and sum the rows of blocks with a pattern that has weight."""
        scores, index, *priors = self._joined()
        prior = priors[0] if priors else None
        total = self.total if priors else float(self.count)
        total = None if scores.shape[-1] == self.count else total
        weights = self.separation(*arguments(scores, prior))
        ranked = scores
        if prior is not None:  # the largest weight; of equal ones the larger score
            ranked = scores.masked_fill(weights < weights.amax(-1, keepdim=True), -torch.inf)
        top = ranked == ranked.amax(-1, keepdim=True)
        first = torch.where(top, index, torch.iinfo(index.dtype).max).min(-1).values
        return Readout(
            state=self._weighted_sum(weights, index, blocks),
            potential=self.separation.potential(scores, prior, total),
            index=first,
            weight=weights.amax(-1),
            entropy=entropy(weights),
        )

    def _joined(self) -> tuple[Tensor, ...]:
        if len(self.parts) == 1:
            return self.parts[0]
        return tuple(torch.cat(columns, dim=-1) for columns in zip(*self.parts, strict=True))

    def _weighted_sum(self, weights: Tensor, index: Tensor, blocks: Iterable[Rows]) -> Tensor:
        if 8 * weights.shape[-1] > self.count:  # most blocks hold many of the candidates
            full = weights.new_zeros(*weights.shape[:-1], self.count).scatter(-1, index, weights)
            return sum_of_blocks(blocks, full, self.ranks)
        weights = weights if self.ranks is None else self.ranks.enter(weights)
        total = None
        for rows in blocks:
            at = index - rows.start
            inside = (at >= 0) & (at < len(rows)) & (weights > 0)
            if total is not None and not bool(inside.any()):
                continue
            part = self._block_sum(rows, at, inside, weights)
            total = part if total is None else total + part
        if total is None:
            raise ValueError("a readout needs at least one block of rows")
        return total if self.ranks is None else self.ranks.sum(total)[0]

    @staticmethod
    def _block_sum(rows: Rows, at: Tensor, inside: Tensor, weights: Tensor) -> Tensor:
        # Reads no rows but those with weight, if they are few.
        places, which = at[inside].unique(return_inverse=True)
        if len(places) > max_gathered_rows(len(rows)):
            full = weights.new_zeros(*weights.shape[:-1], len(rows))
            full = full.scatter_add(-1, at.clamp(0, len(rows) - 1), weights * inside)
            return rows.weighted_sum(full)
        gathered = weights.new_zeros(*weights.shape[:-1], len(places))
        queries = inside.nonzero(as_tuple=True)[:-1]
        gathered = gathered.index_put((*queries, which), weights[inside], accumulate=True)
        return rows.weighted_sum(gathered, places)
