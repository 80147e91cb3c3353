"""The polynomial separations of dense associative memories (Krotov & Hopfield 2016)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_integer
from .base import Partial, Readout, Rows, Separation, wide


@dataclass(frozen=True, eq=False)
class Polynomial(Separation):
    """Polynomial separation of Krotov & Hopfield (2016).

    F(s) = Σ_μ s_μ^d,    ∇F(s) = d s^{d−1}.

    Convex for even degrees only. Degree 2 is the classical network: E = 2N·E_classical − nN.

    Args:
        degree: d ≥ 1 (the interaction order n of the paper).
    """

    degree: int = 2
    simplex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the degree."""
        object.__setattr__(self, "degree", check_integer("degree", self.degree, low=1))

    def terms(self, scores: Tensor) -> Tensor:
        """f(s) of each pattern; F is their sum."""
        return scores**self.degree

    def potential(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
        """F(s)."""
        return self.terms(wide(scores)).sum(-1).to(scores.dtype)

    def __call__(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """d s^{d−1}."""
        return (self.degree * wide(scores) ** (self.degree - 1)).to(scores.dtype)

    def partial(self, scores: Float[Tensor, "*batch n"], rows: Rows) -> "Additive":
        """The sums over these rows."""
        return Additive.of(self, scores, rows)


@dataclass(frozen=True, eq=False)
class RectifiedPolynomial(Separation):
    """Rectified polynomial separation of Krotov & Hopfield (2016).

    F(s) = Σ_μ max(0, s_μ)^d,    ∇F(s) = d max(0, s)^{d−1}.

    Args:
        degree: d ≥ 1 (the interaction order n of the paper).
    """

    degree: int = 2
    simplex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the degree."""
        object.__setattr__(self, "degree", check_integer("degree", self.degree, low=1))

    def terms(self, scores: Tensor) -> Tensor:
        """f(s) of each pattern; F is their sum."""
        return scores.clamp_min(0) ** self.degree

    def potential(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
        """F(s)."""
        return self.terms(wide(scores)).sum(-1).to(scores.dtype)

    def __call__(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """d max(0, s)^{d−1}; the derivative at 0 of degree 1 is taken as 0."""
        weights = self.degree * wide(scores).clamp_min(0) ** (self.degree - 1)
        return torch.where(scores > 0, weights, 0.0).to(scores.dtype)

    def partial(self, scores: Float[Tensor, "*batch n"], rows: Rows) -> "Additive":
        """The sums over these rows."""
        return Additive.of(self, scores, rows)


@dataclass(frozen=True, eq=False)
class Additive(Partial):
    """Partial readout of a potential that is a sum over patterns: everything adds.

    The weight of the strongest pattern is its share of Σ|∇F|, the entropy that of the shares.
    """

    sums: Tensor  # F, Σ|w|, Σ|w| log |w| with w = ∇F, one after another along the first axis
    pulled: Tensor
    top: Tensor
    index: Tensor
    strongest: Tensor  # |w| of the pattern with the largest score

    @classmethod
    def of(cls, separation: Separation, scores: Tensor, rows: Rows) -> "Additive":
        """The sums over `rows` with these scores."""
        weights = separation(scores)
        size = weights.abs()
        spread = size * torch.where(size > 0, size, 1.0).log()  # xlogy's slope at 0 is NaN
        top, at = scores.max(-1)
        return cls(
            sums=torch.stack([separation.potential(scores), size.sum(-1), spread.sum(-1)]),
            pulled=rows.pull(weights),
            top=top,
            index=at + rows.start,
            strongest=size.gather(-1, at[..., None]).squeeze(-1),
        )

    def merge(self, other: Partial) -> "Additive":
        """Both sets of rows together."""
        if not isinstance(other, Additive):
            raise TypeError(f"Additive merges with its like, not {type(other).__name__}")
        better = other.top > self.top
        return Additive(
            sums=self.sums + other.sums,
            pulled=self.pulled + other.pulled,
            top=torch.maximum(self.top, other.top),
            index=torch.where(better, other.index, self.index),
            strongest=torch.where(better, other.strongest, self.strongest),
        )

    def result(self, blocks: Iterable[Rows]) -> Readout:
        """The readout."""
        potential, total, spread = self.sums
        weighted, total = total > 0, total.clamp_min(torch.finfo(total.dtype).tiny)
        return Readout(
            state=self.pulled,
            potential=potential,
            index=self.index,
            weight=self.strongest / total,
            entropy=torch.where(weighted, total.log() - spread / total, 0.0),
        )
