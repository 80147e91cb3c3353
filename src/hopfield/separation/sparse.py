"""Separations with weights of exactly 0: sparsemax, α-entmax and top-k."""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_integer
from .base import (
    Partial,
    Readout,
    Rows,
    Separation,
    at_least_float32,
    check_mergeable,
    check_parameter,
    entropy,
    largest_value,
    max_gathered_rows,
    smallest_value,
    weighted_part,
    with_clamped_beta,
    with_score_axis,
)
from .softmax import Softmax
from .tsallis import ALPHA_RANGE, tsallis_potential, tsallis_weights


class _Sparse(Separation):
    """A separation whose weights are exactly 0 below a threshold on the scores."""

    shift_invariant = True
    beta: float | Tensor

    @abstractmethod
    def potential(
        self, scores: Float[Tensor, "*batch n"], count: int | None = None
    ) -> Float[Tensor, "*batch"]:
        """Return F(s) for `count` patterns, by default n.

        `scores` may leave out patterns without weight; `count` includes them.
        """

    def partial(self, scores: Float[Tensor, "*batch n"], rows: Rows) -> "CandidatePartial":
        """Return a partial readout with those of the rows that may have weight."""
        index = torch.arange(len(rows), device=scores.device) + rows.start
        part = scores, index.expand(scores.shape)
        return CandidatePartial(self, len(rows), (part,), 0).pruned()

    def split_beta(self) -> tuple[Separation, float | Tensor]:
        """Return the same separation at β = 1, and β."""
        return replace(cast(Any, self), beta=1.0), self.beta

    @abstractmethod
    def _floor(self, scores: Tensor) -> Tensor:
        """Return the score `(*batch, 1)` below which no pattern has weight, now or after others."""


class _Tsallis(_Sparse):
    """A sparse separation with the weights of α-entmax: also sparsemax, which is α = 2."""

    alpha: float | Tensor

    def inverse_width(self) -> float:
        """Return (α − 1)β: scores 1/((α − 1)β) or more below the best have no weight."""
        return (largest_value(self.alpha) - 1) * largest_value(self.beta)

    def score_window(self, count: int) -> float | None:
        """Return 1/((α − 1)β): scores further below the best have no weight."""
        inverse = (smallest_value(self.alpha) - 1) * smallest_value(self.beta)
        return 1 / inverse if inverse else None

    def __call__(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return tsallis_weights(*self._exact(at_least_float32(scores))).to(scores.dtype)

    def potential(
        self, scores: Float[Tensor, "*batch n"], count: int | None = None
    ) -> Float[Tensor, "*batch"]:
        exact = self._exact(at_least_float32(scores).double())
        return tsallis_potential(*exact, count or scores.shape[-1]).to(scores.dtype)

    def _floor(self, scores: Tensor) -> Tensor:
        exact, alpha, beta = self._exact(scores)
        return exact.amax(-1, keepdim=True) - 1 / ((alpha - 1) * beta)

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

    α → 1 is Softmax, α = 2 Sparsemax.

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

    def parameter_range(self, name: str) -> tuple[float, float]:
        """Return the range of α; β is positive."""
        return ALPHA_RANGE if name == "alpha" else (0.0, torch.inf)


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
class TopK(_Sparse):
    """Softmax over the k largest scores; every other weight is exactly zero.

    F(s) = β⁻¹ log mean exp(βs) over the k largest,   ∇F(s) = softmax(βs) over them.

    Where several scores tie for the last places, they share the weight of those places equally,
    so that the answer does not depend on the order of storage.

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

    def __call__(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Return softmax(βs) over the k largest scores, 0 elsewhere."""
        exact, beta = with_clamped_beta(at_least_float32(scores), self.beta)
        last = self._floor(exact)
        larger, tied = exact > last, exact == last
        places = min(self.k, scores.shape[-1]) - larger.sum(-1, keepdim=True)
        # Whole numbers divide in float32, whatever the dtype of the scores.
        share = torch.where(larger, 1.0, places.to(exact.dtype) / tied.sum(-1, keepdim=True))
        gap = exact - exact.detach().amax(-1, keepdim=True)
        power = torch.where(larger | tied, (beta * gap).exp() * share, 0.0)
        return (power / power.sum(-1, keepdim=True)).to(scores.dtype)

    def potential(
        self, scores: Float[Tensor, "*batch n"], count: int | None = None
    ) -> Float[Tensor, "*batch"]:
        """Return F(s), which the k largest scores determine."""
        largest = self._largest(at_least_float32(scores))
        return Softmax(self.beta).potential(largest).to(scores.dtype)

    def _floor(self, scores: Tensor) -> Tensor:
        return self._largest(scores.detach()).amin(-1, keepdim=True)

    def _largest(self, scores: Tensor) -> Tensor:
        # Unsorted: sorting would take most of the time for large k.
        count = scores.shape[-1]
        return scores if self.k >= count else scores.topk(self.k, sorted=False).values


@dataclass(frozen=True, eq=False)
class CandidatePartial(Partial):
    """A partial readout of a sparse separation: it keeps the patterns that can still have weight.

    The weights are known once all rows have scores, so that rows are summed at the end.

    Attributes:
        separation: the separation that gives the weights.
        count: the number of rows that have scores so far.
        parts: scores and indices of the candidates, the patterns that can have weight, each
            `(*batch, k)`.
        least: the number of candidates per state after those without weight were last dropped.
    """

    separation: _Sparse
    count: int
    parts: tuple[tuple[Tensor, Tensor], ...]
    least: int

    @property
    def kept_scores(self) -> int:
        """Number of candidates of all states together."""
        return sum(scores.numel() for scores, _ in self.parts)

    def pruned(self) -> "CandidatePartial":
        """Return a partial readout without candidates that cannot have weight, if they are many.

        Each state keeps the same number of candidates: the largest number that one of them needs.
        """
        scores, index = self._joined()
        count = scores.shape[-1]
        floor = self.separation._floor(scores.detach())
        keep = int((scores >= floor).sum(-1).max()) if scores.numel() else count
        if keep <= count // 2:  # else there is too little to gain
            scores, at = scores.topk(keep, dim=-1, sorted=False)
            index = index.gather(-1, at)
        return replace(self, parts=((scores, index),), least=scores.shape[-1])

    def merge(self, other: Partial) -> "CandidatePartial":
        """Join the candidates; whenever their number has doubled, drop those without weight."""
        other = check_mergeable(self, other)
        parts, count = self.parts + other.parts, self.count + other.count
        merged = CandidatePartial(self.separation, count, parts, self.least)
        size = sum(scores.shape[-1] for scores, _ in parts)
        return merged.pruned() if size >= 2 * max(self.least, 1) else merged

    def result(self, blocks: Iterable[Rows]) -> Readout:
        """Compute the weights, and sum the rows of blocks with a pattern that has weight."""
        scores, index = self._joined()
        weights = self.separation(scores)
        top = scores == scores.amax(-1, keepdim=True)
        first = torch.where(top, index, torch.iinfo(index.dtype).max).min(-1).values
        return Readout(
            state=self._weighted_sum(weights, index, blocks),
            potential=self.separation.potential(scores, self.count),
            index=first,
            weight=weights.amax(-1),
            entropy=entropy(weights),
        )

    def _joined(self) -> tuple[Tensor, Tensor]:
        if len(self.parts) == 1:
            return self.parts[0]
        scores, index = zip(*self.parts, strict=True)
        return torch.cat(scores, dim=-1), torch.cat(index, dim=-1)

    def _weighted_sum(self, weights: Tensor, index: Tensor, blocks: Iterable[Rows]) -> Tensor:
        if 8 * weights.shape[-1] > self.count:  # most blocks hold many of the candidates
            full = weights.new_zeros(*weights.shape[:-1], self.count).scatter(-1, index, weights)
            return reduce(torch.add, (weighted_part(rows, full) for rows in blocks))
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
        return total

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
