"""Post-transforms: each update ends on a sphere.

These are the Hopfield–Fenchel–Young energies of Santos et al. (2024, arXiv:2411.08590). With
z = Xᵀ∇F(s), a projection P and a radius r, the update x' and the energy are

    x' = ∇Ψ*(z) = r Pz/‖Pz‖,    Ψ*(z) = r‖Pz‖ − Mr,    E(x) = Ψ(x) − F(s).

"unit_norm" has P = 1 and r = 1; "layer_norm" subtracts the mean, and r = √dim. The conjugate of Ψ*
is 0 on the ball ‖x‖ ≤ r of vectors x = Px, and ∞ elsewhere. Weights that sum to one give ‖z‖ ≤ M,
the largest norm of a pattern. A finite Ψ with slope M outside has then the same update, and E ≥ 0:

    Ψ(x) = M max(r, ‖Px‖) + M‖x − Px‖.

F is convex in x, so that F(s(x')) − F(s(x)) ≥ z·x' − z·x ≥ Ψ(x') − Ψ(x): E never rises.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import DomainError

UNDECIDED = 16.0
"""Entries of a sum up to this number of eps·M are rounding error, and have no direction."""

NORM_SLACK = 0.01
"""Relative excess of ‖x‖² over r² up to which known entries fit: half precision rounds by less."""


@dataclass(frozen=True)
class PostTransform:
    """The map z → r Pz/‖Pz‖, and its potential Ψ.

    Attributes:
        name: a word for messages and files.
        is_centred: True if P subtracts the mean of the entries, False if P = 1.
    """

    name: str
    is_centred: bool

    def radius_squared(self, dim: int) -> float:
        """r²."""
        return float(dim) if self.is_centred else 1.0

    def potential(self, state: Tensor, largest_norm: Tensor | float) -> Tensor:
        """Ψ(x) = M max(r, ‖Px‖) + M‖x − Px‖."""
        centred, radius = self._centred(state, None), self.radius_squared(state.shape[-1]) ** 0.5
        size = torch.linalg.vector_norm(centred, dim=-1).clamp_min(radius)
        if self.is_centred:
            size = size + torch.linalg.vector_norm(state - centred, dim=-1)
        return largest_norm * size

    def __call__(
        self, sums: Tensor, state: Tensor, held: Tensor | None, largest_norm: Tensor | float
    ) -> Tensor:
        """Return x' for sums z at the states x; where Pz = 0 a state stays.

        If entries are held, x' is the best among the states on the sphere with these entries: their
        sum and norm leave a sphere for the others.

        Raises:
            DomainError: if held entries are larger than the sphere.
        """
        ahead = self._centred(sums, held)
        # Divided by the largest entry: squares of small numbers underflow.
        largest = ahead.detach().abs().amax(-1, keepdim=True)
        is_decided = largest > UNDECIDED * torch.finfo(sums.dtype).eps * largest_norm
        ahead = ahead / torch.where(is_decided, largest, 1.0)
        length = torch.linalg.vector_norm(ahead, dim=-1, keepdim=True).clamp_min(1.0)
        if held is None:
            after = ahead * (self.radius_squared(sums.shape[-1]) ** 0.5 / length)
        else:
            middle, radius = self._room(state, held)
            after = middle + ahead * (radius / length)
        return torch.where(is_decided, after, state)

    def _centred(self, values: Tensor, held: Tensor | None) -> Tensor:
        # P of the entries that are not held; 0 at the others.
        if held is None:
            return values - values.mean(-1, keepdim=True) if self.is_centred else values
        values = torch.where(held, 0.0, values)
        if not self.is_centred:
            return values
        mean = values.sum(-1, keepdim=True) / _count(~held)
        return torch.where(held, 0.0, values - mean)

    def _room(self, state: Tensor, held: Tensor) -> tuple[Tensor, Tensor]:
        # Middle and radius of the sphere that held entries leave to the others, per state.
        kept, count = torch.where(held, state, 0.0), _count(~held)
        middle = -kept.sum(-1, keepdim=True) / count * self.is_centred
        whole = self.radius_squared(state.shape[-1])
        squares = kept.square().sum(-1, keepdim=True) + count * middle.square()
        too_large = (squares > whole * (1 + NORM_SLACK)) & ~held.all(-1, keepdim=True)
        if bool(too_large.any()):
            query = int(too_large.nonzero()[0, 0])
            largest = "norm 1" if not self.is_centred else "mean 0 and variance 1"
            raise DomainError(
                f"cue must have known entries of a vector of {largest} with post={self.name!r}, "
                f"but those of query {query} are too large: they alone need a squared norm of "
                f"{float(squares[query, 0]):.4g}, more than {whole:g}. Scale the cue as the "
                "patterns, or fill unknown entries before, and leave known= out."
            )
        return middle, (whole - squares).clamp_min(0.0).sqrt()


def _count(free: Tensor) -> Tensor:
    return free.sum(-1, keepdim=True).clamp_min(1)


POST_TRANSFORMS = {
    post.name: post
    for post in (PostTransform("unit_norm", False), PostTransform("layer_norm", True))
}
"""The post-transforms by name."""
