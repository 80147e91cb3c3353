"""A model of few patterns: a pattern, its strongest rivals one by one, all others as one more.

The others have the score F(s) = β⁻¹ log Σ exp(βs_ν), taken to first order in the state, and pull
towards their weighted mean. In the span of so few rows a step costs next to nothing; where it has
settled the others are read anew, and it goes on from there.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..memories import ModernHopfield
from ..separation import Separation, Softmax
from ..similarity import SIMILARITIES
from .rows import Rows

RIVALS = 32
ROUNDS = 2
"""How often the others are read."""
STEPS = 400
SETTLED = 1e-7


@dataclass(frozen=True, eq=False)
class Span:
    """Rows that a state is a weighted sum of, and what scores each of them.

    Attributes:
        pulled: the rows, `(batch, m, dim)`.
        scored: a row's score is scored·x (over ‖x‖ where `divided`) + bias, `(batch, m, dim)`.
        bias: `(batch, m)`.
        divided: whether scores are divided by the norm of the state.
        centred: whether that is the norm of what is left without its mean.
    """

    pulled: Tensor
    scored: Tensor
    bias: Tensor
    divided: bool
    centred: bool

    def settled(
        self, start: Float[Tensor, "batch dim"], separation: Separation
    ) -> tuple[Float[Tensor, "batch m"], Float[Tensor, "batch dim"]]:
        """Weights and state where the dynamics ends."""
        products = self.scored @ self.pulled.mT
        seen = self.pulled - self.pulled.mean(-1, keepdim=True) if self.centred else self.pulled
        gram = seen @ seen.mT
        scores = (self.scored @ start[:, :, None]).squeeze(-1)
        if self.divided:
            seen_start = start - start.mean(-1, keepdim=True) if self.centred else start
            scores = scores / seen_start.norm(dim=-1, keepdim=True).clamp_min(1e-300)
        weights = separation(scores + self.bias)
        active = torch.arange(len(start), device=start.device)
        for _ in range(STEPS):
            here = weights[active]
            scores = (products[active] @ here[:, :, None]).squeeze(-1)
            if self.divided:
                norm = (here[:, None] @ gram[active] @ here[:, :, None]).squeeze(-1)
                scores = scores / norm.clamp_min(1e-300).sqrt()
            following = separation(scores + self.bias[active])
            weights[active] = following
            active = active[(following - here).abs().amax(-1) > SETTLED]
            if not len(active):
                break
        return weights, (weights[:, None] @ self.pulled).squeeze(1)


def followed(
    memory: ModernHopfield, rows: Rows, at: Int[Tensor, " batch"]
) -> tuple[Tensor, Tensor]:
    """Whether each pattern keeps more than half of the weight; if not, who has more than half.

    That is the first of equal patterns, and −1 where nobody has.
    """
    state = rows.take(at)
    for _ in range(ROUNDS):
        scores = rows.scores(state, SIMILARITIES[memory.similarity])
        ahead = scores.scatter(-1, at[:, None], torch.inf)
        rivals = ahead.topk(min(RIVALS, rows.count), dim=-1).indices
        span = _span(memory, rows, state, scores, rivals)
        weights, state = span.settled(state, memory.separation)
    named = weights[:, : rivals.shape[-1]]
    group = rows.copy_of[rivals]
    # Copies share: each of the rivals gets what all equal to it have.
    shares = torch.where(group[:, :, None] == group[:, None], named[:, None], 0.0).sum(-1)
    best, place = shares.max(dim=-1)
    winner = torch.where(best > 0.5, group.gather(-1, place[:, None])[:, 0], -1)
    own = winner == rows.copy_of[at]
    return own, torch.where(own, -1, winner)


def _span(
    memory: ModernHopfield, rows: Rows, state: Tensor, scores: Tensor, rivals: Tensor
) -> Span:
    """The rivals, and for Softmax all others as one more row."""
    divided = memory.similarity in ("cosine", "correlation")
    centred = memory.similarity == "correlation"
    pulled = rows.take(rivals)
    scored = _directions(pulled, divided, centred)
    bias = pulled.new_zeros(pulled.shape[:2])
    if memory.similarity == "euclidean":
        bias = pulled.square().sum(-1) / -2
        scores = scores + state.square().sum(-1, keepdim=True) / 2
    if isinstance(memory.separation, Softmax) and rivals.shape[-1] < rows.count:
        beta = max(float(memory.separation.beta), 1e-12)
        others = scores.scatter(-1, rivals, -torch.inf)
        shares = torch.softmax(min(beta, 1e30) * others, dim=-1)
        mean = rows.pull(shares)
        toward = mean
        if divided:
            toward = _pulled_directions(rows, shares, centred)
        there = (toward * state).sum(-1)
        if divided:
            seen = state - state.mean(-1, keepdim=True) if centred else state
            there = there / seen.norm(dim=-1).clamp_min(1e-300)
        level = torch.logsumexp(min(beta, 1e30) * others, dim=-1) / beta
        pulled = torch.cat([pulled, mean[:, None]], dim=1)
        scored = torch.cat([scored, toward[:, None]], dim=1)
        bias = torch.cat([bias, (level - there)[:, None]], dim=1)
    return Span(pulled, scored, bias, divided, centred)


def _directions(rows: Tensor, divided: bool, centred: bool) -> Tensor:
    """The rows as a similarity scores them: without their mean, of norm 1."""
    seen = rows - rows.mean(-1, keepdim=True) if centred else rows
    return seen / seen.norm(dim=-1, keepdim=True).clamp_min(1e-300) if divided else seen


def _pulled_directions(rows: Rows, shares: Tensor, centred: bool) -> Tensor:
    """shares @ directions of all rows."""
    start, pulled = 0, shares.new_zeros(len(shares), rows.dim)
    for block in rows.blocks():
        stop = start + len(block.rows)
        pulled += shares[:, start:stop] @ _directions(block.rows, True, centred)
        start = stop
    return pulled
