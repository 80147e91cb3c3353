"""Every β from one pass over the scores.

The weights at a cue depend on β through exp(β s) alone. So the scores of a batch of cues are
computed once, the best few of them kept, and all β read from these; what the others add is bounded
by the smaller of exp(β s_k) each and of their cumulants, β·mean + ½β²·variance.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..cue import Cue
from ..separation import Entmax, Separation, Softmax, Sparsemax
from ..similarity import SIMILARITIES, Plain

FEW = 8
"""Scores of a cue that are kept."""

MAKERS: dict[str, Callable[[Tensor | float], Separation]] = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "entmax": lambda beta: Entmax(1.5, beta),
}
"""Separations by name, as functions of β."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Patterns that were damaged, and what is left of them.

    Attributes:
        places: which patterns, `(cues,)`.
        rows: these patterns, `(cues, dim)`.
        cue: damaged.
    """

    places: Int[Tensor, " cues"]
    rows: Float[Tensor, "cues dim"]
    cue: Cue

    def first(self, count: int) -> "Batch":
        """The first of them."""
        return Batch(self.places[:count], self.rows[:count], self.cue[:count])


class _Products:
    """Rows whose products with one batch of states are computed once, whatever scores them."""

    def __init__(self, rows: Tensor) -> None:
        """Nothing is computed yet."""
        self.rows = rows
        self._last: tuple[Tensor, Tensor] | None = None

    def scores(self, state: Tensor) -> Tensor:
        """X·x, a copy each time: some similarities overwrite it."""
        last = self._last
        if last is None or last[0].dtype != state.dtype or not torch.equal(last[0], state):
            self._last = last = (state, state @ self.rows.T.to(state.dtype))
        return last[1].clone()

    def squares(self, mask: Tensor | None) -> Tensor:
        """Σ_i m_i x_μi²."""
        return Plain(self.rows).squares(mask)


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of the scores of a batch.

    Attributes:
        own: of the right pattern, `(cues,)`.
        few: the best of all others, `(cues, k)`, descending.
        same: which of these are copies of the right pattern.
        mean: of all that is left.
        variance: likewise.
        left: how many are left.
    """

    own: Tensor
    few: Tensor
    same: Tensor
    mean: Tensor
    variance: Tensor
    left: int

    @property
    def lead(self) -> Tensor:
        """By how much the right pattern is ahead of the best other that is no copy."""
        return self.own - self.few.masked_fill(self.same, -torch.inf).amax(-1)


def kept(patterns: Tensor, batch: Batch, names: tuple[str, ...], clean: bool) -> dict[str, Kept]:
    """The scores by each similarity, at the cues or at the undamaged patterns.

    Copies of a pattern count as that pattern.
    """
    state = batch.rows if clean else batch.cue.state
    state = state.to(patterns.dtype)
    known = None if clean else batch.cue.known
    if known is not None:
        state = torch.where(known, state, 0.0)
        if bool((known == known[0]).all()):
            known = known[0]
    block = _Products(patterns)
    found = {}
    for name in names:
        scores = SIMILARITIES[name](block, state, known)
        found[name] = _kept(scores, batch, patterns)
    return found


def _kept(scores: Tensor, batch: Batch, patterns: Tensor) -> Kept:
    own = scores.gather(-1, batch.places[:, None])
    total, squares = scores.sum(-1), scores.square().sum(-1)
    scores.scatter_(-1, batch.places[:, None], -torch.inf)
    few, at = scores.topk(min(FEW, scores.shape[-1] - 1), dim=-1)
    size = torch.maximum(own.abs(), few.abs())
    same = (few - own).abs() <= 1e-4 * size + 1e-12  # copies score alike, but for rounding
    cue, rank = same.nonzero(as_tuple=True)
    same[cue, rank] = (patterns[at[cue, rank]] == batch.rows[cue].to(patterns.dtype)).all(-1)
    named = torch.cat([own, few], dim=-1)
    left = scores.shape[-1] - named.shape[-1]
    mean = (total - named.sum(-1)) / max(1, left)
    variance = ((squares - named.square().sum(-1)) / max(1, left) - mean.square()).clamp_min(0)
    return Kept(own.squeeze(-1), few, same, mean, variance, left)


def weights(scores: Kept, betas: Float[Tensor, " betas"], name: str) -> Float[Tensor, "betas cues"]:
    """The weight of the right pattern at each β."""
    top = torch.maximum(scores.own, scores.few[:, 0])[:, None]
    gaps = torch.cat([scores.own[:, None], scores.few], dim=-1) - top
    mine = torch.nn.functional.pad(scores.same.to(gaps.dtype), (1, 0), value=1.0)
    if name != "softmax":  # what is left has no weight, or hardly any
        shares = MAKERS[name](betas[:, None])(gaps.expand(len(betas), *gaps.shape))
        return (shares * mine).sum(-1)
    beta = betas[:, None]
    power = (betas[:, None, None] * gaps).clamp_min(-80).exp()
    rest = torch.zeros_like(power[..., 0])
    if scores.left:
        edge = beta * (scores.few[:, -1] - top[:, 0])
        spread = beta * (scores.mean - top[:, 0]) + beta.square() * scores.variance / 2
        rest = scores.left * torch.minimum(edge, spread).clamp(-80, 80).exp()
    return (power * mine).sum(-1) / (power.sum(-1) + rest)
