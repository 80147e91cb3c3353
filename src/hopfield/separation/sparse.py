"""Separations with exact zeros: sparsemax, α-entmax and top-k, and their common partial."""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_integer
from .base import (
    Partial,
    Readout,
    Rows,
    Separation,
    broadcast,
    check_parameter,
    entropy,
    few_rows,
    fine,
    sharpness,
    wide,
)
from .softmax import Softmax
from .tsallis import ALPHA_RANGE, tsallis_potential, tsallis_weights


@dataclass(frozen=True, eq=False)
class _Sparse(Separation):
    """A separation whose weights vanish exactly below a threshold on the scores."""

    def potential(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
        """F(s)."""
        return self._potential(wide(scores), scores.shape[-1]).to(scores.dtype)

    def __call__(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """∇F(s)."""
        return self._weights(wide(scores)).to(scores.dtype)

    def partial(self, scores: Float[Tensor, "*batch n"], rows: Rows) -> "Candidates":
        """The rows here that may have weight."""
        index = torch.arange(len(rows), device=scores.device) + rows.start
        return Candidates(self, len(rows), scores, index.expand(scores.shape)).pruned()

    @abstractmethod
    def _weights(self, scores: Tensor) -> Tensor:
        """∇F(s) in float32 or float64."""

    @abstractmethod
    def _potential(self, scores: Tensor, count: int) -> Tensor:
        """F(s) of `count` patterns, given at least the scores of those with weight."""

    @abstractmethod
    def _floor(self, scores: Tensor) -> Tensor:
        """A score `(*batch, 1)` below which a pattern has no weight, whatever else is stored."""


@dataclass(frozen=True, eq=False)
class _Tsallis(_Sparse):
    """The maths that sparsemax and α-entmax share, at α and β."""

    @abstractmethod
    def _parameters(self) -> "tuple[float | Tensor, float | Tensor]":
        """α and β."""

    def _weights(self, scores: Tensor) -> Tensor:
        alpha, beta = self._parameters()
        exact = fine(scores, beta)
        weights = tsallis_weights(exact, broadcast(alpha, exact), _sharp(beta, exact))
        return weights.to(scores.dtype)

    def _potential(self, scores: Tensor, count: int) -> Tensor:
        alpha, beta = self._parameters()
        exact = scores.double()
        value = tsallis_potential(
            exact, broadcast(alpha, exact), _sharp(beta, fine(scores, beta)).double(), count
        )
        return value.to(scores.dtype)

    def _floor(self, scores: Tensor) -> Tensor:
        alpha, beta = self._parameters()
        exact = fine(scores, beta)
        window = 1 / ((broadcast(alpha, exact) - 1) * sharpness(beta, exact))
        return exact.amax(-1, keepdim=True) - window


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
        """Check α and β."""
        way = "Choose one in this range; α = 1 is Softmax."
        object.__setattr__(self, "alpha", check_parameter("alpha", self.alpha, *ALPHA_RANGE, way))
        object.__setattr__(self, "beta", check_parameter("beta", self.beta, low=0.0))

    def _parameters(self) -> "tuple[float | Tensor, float | Tensor]":
        return self.alpha, self.beta


@dataclass(frozen=True, eq=False)
class Sparsemax(_Tsallis):
    """Sparse separation by sparsemax (Martins & Astudillo 2016; Hu et al. 2023).

    F(s) = max_p p·s + (2β)⁻¹ (1/n − ‖p‖²),
    ∇F(s) = sparsemax(βs), the point of the simplex nearest to βs; α-entmax at α = 2.

    Args:
        beta: β ≥ 0.
    """

    beta: float | Tensor = 1.0

    def __post_init__(self) -> None:
        """Check β."""
        object.__setattr__(self, "beta", check_parameter("beta", self.beta, low=0.0))

    def _parameters(self) -> "tuple[float | Tensor, float | Tensor]":
        return 2.0, self.beta


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
        """Check k and β."""
        object.__setattr__(self, "k", check_integer("k", self.k, low=1))
        object.__setattr__(self, "beta", check_parameter("beta", self.beta, low=0.0))

    def _weights(self, scores: Tensor) -> Tensor:
        last = self._floor(scores)
        above = scores > last
        tied = scores == last
        places = min(self.k, scores.shape[-1]) - above.sum(-1, keepdim=True)
        share = torch.where(above, 1.0, places / tied.sum(-1, keepdim=True))
        exact = fine(scores, self.beta)
        gap = exact - exact.detach().amax(-1, keepdim=True)
        power = (sharpness(self.beta, exact) * gap).exp() * share
        power = torch.where(above | tied, power, 0.0)
        return (power / power.sum(-1, keepdim=True)).to(scores.dtype)

    def _potential(self, scores: Tensor, count: int) -> Tensor:
        return Softmax(self.beta).potential(self._largest(scores))

    def _floor(self, scores: Tensor) -> Tensor:
        return self._largest(scores)[..., -1:].detach()

    def _largest(self, scores: Tensor) -> Tensor:
        return scores.topk(min(self.k, scores.shape[-1]), dim=-1).values


def _sharp(beta: "float | Tensor", scores: Tensor) -> Tensor:
    """`sharpness` as a tensor."""
    return torch.as_tensor(sharpness(beta, scores), dtype=scores.dtype, device=scores.device)


@dataclass(frozen=True, eq=False)
class Candidates(Partial):
    """Partial readout of a sparse separation: the patterns that can still have weight.

    Which of them do is known only when all rows have been seen, so rows are pulled at the end.
    """

    separation: _Sparse
    count: int
    scores: Tensor
    index: Tensor

    def pruned(self) -> "Candidates":
        """Without the patterns that cannot have weight; O(batch · largest support) remains."""
        count = self.scores.shape[-1]
        floor = self.separation._floor(self.scores.detach())
        keep = int((self.scores >= floor).sum(-1).max()) if self.scores.numel() else count
        if keep == count:
            return self
        scores, at = self.scores.topk(keep, dim=-1)
        return replace(self, scores=scores, index=self.index.gather(-1, at))

    def merge(self, other: Partial) -> "Candidates":
        """Both sets of rows together."""
        if not isinstance(other, Candidates):
            raise TypeError(f"Candidates merge with their like, not {type(other).__name__}")
        scores = torch.cat([self.scores, other.scores], dim=-1)
        index = torch.cat([self.index, other.index], dim=-1)
        return Candidates(self.separation, self.count + other.count, scores, index).pruned()

    def result(self, blocks: Iterable[Rows]) -> Readout:
        """The readout, pulling only from blocks that hold a pattern with weight."""
        weights = self.separation._weights(self.scores)
        top = self.scores == self.scores.amax(-1, keepdim=True)
        first = torch.where(top, self.index, torch.iinfo(self.index.dtype).max).min(-1).values
        return Readout(
            state=self._pull(weights, blocks),
            potential=self.separation._potential(self.scores, self.count),
            index=first,
            weight=weights.amax(-1),
            entropy=entropy(weights),
        )

    def _pull(self, weights: Tensor, blocks: Iterable[Rows]) -> Tensor:
        pulled = None
        for rows in blocks:
            at = self.index - rows.start
            here = (at >= 0) & (at < len(rows)) & (weights > 0)
            if pulled is not None and not bool(here.any()):
                continue
            part = self._pull_from(rows, at, here, weights)
            pulled = part if pulled is None else pulled + part
        if pulled is None:
            raise ValueError("a readout needs at least one block of rows")
        return pulled

    @staticmethod
    def _pull_from(rows: Rows, at: Tensor, here: Tensor, weights: Tensor) -> Tensor:
        """What candidates `here` in these rows pull, reading no others if they are few."""
        places, which = at[here].unique(return_inverse=True)
        if len(places) > few_rows(len(rows)):
            spread = weights.new_zeros(*weights.shape[:-1], len(rows))
            spread = spread.scatter_add(-1, at.clamp(0, len(rows) - 1), weights * here)
            return rows.pull(spread)
        few = weights.new_zeros(*weights.shape[:-1], len(places))
        queries = here.nonzero(as_tuple=True)[:-1]
        few = few.index_put((*queries, which), weights[here], accumulate=True)
        return rows.pull(few, places)
