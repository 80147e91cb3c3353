"""A model of few patterns: the strongest rivals one by one, all others as one more.

The others have the score F(s) = β⁻¹ log Σ exp(βs_ν), taken to first order in the state, and pull
towards their weighted mean. In the span of so few rows a step costs next to nothing. Its first step
from the state at which the others were read is exact; it goes on as far as the model holds (where
it moves on, others may become strong), and there they are read anew.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..iteration import HALF
from ..memories import ModernHopfield
from ..separation import Separation, Softmax, TopK
from .rows import Rows

RIVALS, MOST_RIVALS = 32, 128
"""Patterns followed one by one: more where more can have weight, or no more are stored."""
SHARPEST = 1e30
"""β above this acts like ∞, and multiplies 0."""
ROUNDS, WIDENED = 60, 2.0
"""How often the others are read, at most; and how much further each time the model is trusted."""
READINGS, UNBOUND = 3, 2
"""Of Softmax, whose others all keep some weight and curve the score: how often they are read, on
average over patterns, while the model is trusted no further than it says (a state that passes near
an unstable mixture goes astray else); then so often with no limit, for what has not settled."""
STEPS = 400
"""Steps between two readings, at most."""
SETTLED = 1e-6
"""Largest change of a weight, or of an entry in units of the largest, of what has settled."""
REREAD = 1e-4
"""What reading the others once more may change of it, as in `retrieve`."""
EPS = torch.finfo(torch.float64).eps
CURVED = 0.1
"""β times the second-order term of the others' score up to which the first order serves."""


def sharpness(separation: Separation) -> float:
    """One over the scores within which patterns share the weight; 0 where nothing is known."""
    return min(separation.inverse_width() or 0.0, SHARPEST)


@dataclass(frozen=True, eq=False)
class Span:
    """Rows that a state is a weighted sum of, and what scores each of them.

    Attributes:
        pulled: the rows, `(batch, m, dim)`.
        scored: a row's score is scored·x (over ‖x‖ where `divided`) + bias, `(batch, m, dim)`.
        bias: `(batch, m)`.
        divided: whether scores are divided by the norm of the state.
        centred: whether that is the norm of what is left without its mean.
        trust: how far from its start the model serves, `(batch)`.
    """

    pulled: Tensor
    scored: Tensor
    bias: Tensor
    divided: bool
    centred: bool
    trust: Tensor

    def followed(
        self, start: Float[Tensor, "batch dim"], memory: ModernHopfield, wider: float
    ) -> tuple[Float[Tensor, "batch m"], Float[Tensor, "batch dim"], Tensor]:
        """Weights and state where the dynamics settles or leaves the model; who has settled."""
        products = self.scored @ self.pulled.mT
        gram = self._gram() if self.divided else products
        moved = self.pulled - start[:, None]
        apart = moved @ moved.mT
        scores = (self.scored @ start[:, :, None]).squeeze(-1)
        if self.divided:
            scores = scores / _size(start, self.centred)
        here = memory.separation(scores + self.bias)
        weights, active = here.clone(), torch.arange(len(start), device=start.device)
        settled = torch.zeros_like(self.trust, dtype=torch.bool)
        settled_at = SETTLED + 64 * EPS * sharpness(memory.separation) * float(products.abs().max())
        kept: tuple[Tensor, ...] = (
            products,
            gram,
            apart,
            self.bias,
            (wider * self.trust.clamp_min(0)).square(),
        )
        for _ in range(STEPS):
            products, gram, apart, bias, trust = kept
            scores = _times(products, here)
            if self.divided:
                norm = torch.linalg.vecdot(_times(gram, here), here)[:, None]
                scores = scores / norm.clamp_min(1e-300).sqrt()
            inside = torch.linalg.vecdot(_times(apart, here), here) <= trust
            following = torch.where(inside[:, None], memory.separation(scores + bias), here)
            still = inside & ((following - here).abs().amax(-1) <= settled_at)
            weights[active], settled[active] = following, still
            goes = (inside & ~still).nonzero().squeeze(-1)
            if not len(goes):
                break
            here = following
            if 4 * len(goes) <= 3 * len(active) or len(goes) < 8:
                active, here = active[goes], following[goes]
                kept = tuple(each[goes] for each in kept)
        return weights, (weights[:, None] @ self.pulled).squeeze(1), settled

    def _gram(self) -> Float[Tensor, "batch m m"]:
        """Products of the rows, of what is left without their mean where that is the norm."""
        seen = self.pulled - self.pulled.mean(-1, keepdim=True) if self.centred else self.pulled
        return seen @ seen.mT


def followed(
    memory: ModernHopfield, rows: Rows, at: Int[Tensor, " batch"]
) -> tuple[Tensor, Tensor]:
    """Whether each pattern keeps more than half of the weight; if not, who has more than half.

    That is the first of equal patterns, and −1 where nobody has.
    """
    state, winner = rows.take(at), torch.full_like(at, -1)
    active = torch.arange(len(at), device=at.device)
    soft = isinstance(memory.separation, Softmax)
    read, unbound = 0, 0
    for turn in range(ROUNDS):
        read += len(active)
        unbound += soft and read > READINGS * len(at)
        wider = (1e150 if unbound else 1.0) if soft else WIDENED**turn
        here = state[active]
        scores = rows.scores(here, memory.similarity)
        weights = memory.separation(scores)
        winner[active] = _winner(rows, weights)
        rivals = _rivals(memory, weights, scores)
        span = _span(memory, rows, here, scores, weights, rivals)
        _, following, settled = span.followed(here, memory, wider)
        beyond = span.trust <= 0  # others than the rivals have weight
        if bool(beyond.any()):
            following[beyond] = rows.weighted_sum(weights[beyond])
        state[active] = following
        noise = 64 * EPS * sharpness(memory.separation) * float(scores.abs().max())
        allowed = torch.where(beyond, SETTLED, REREAD) + noise
        stays = _moved(here, following) <= allowed
        active = active[~(stays & (settled | beyond))]
        if not len(active) or unbound == UNBOUND:
            break
    own = winner == rows.copy_of[at]
    return own, torch.where(own, -1, winner)


def _moved(here: Tensor, following: Tensor) -> Tensor:
    """The largest change of an entry, in units of the largest."""
    return (following - here).abs().amax(-1) / here.abs().amax(-1).clamp_min(1e-300)


def _winner(rows: Rows, weights: Float[Tensor, "batch n"]) -> Int[Tensor, " batch"]:
    """The first of the equal patterns that have more than half of the weight, else −1."""
    best = rows.copy_of[weights.argmax(-1)]
    share = (weights * (rows.copy_of == best[:, None])).sum(-1)
    return torch.where(share > HALF, best, -1)


def _rivals(memory: ModernHopfield, weights: Tensor, scores: Tensor) -> Int[Tensor, "batch m"]:
    """The strongest, and for sparse separations all that have weight, and some more; all of few."""
    count = RIVALS if scores.shape[-1] > MOST_RIVALS else MOST_RIVALS
    if not isinstance(memory.separation, Softmax):
        count = min(MOST_RIVALS, RIVALS + int((weights > 0).sum(-1).max()))
    return scores.topk(min(count, scores.shape[-1]), dim=-1).indices


def _span(
    memory: ModernHopfield,
    rows: Rows,
    state: Tensor,
    scores: Tensor,
    weights: Tensor,
    rivals: Tensor,
) -> Span:
    """The rivals, and for Softmax all others as one more row."""
    divided = memory.similarity in ("cosine", "correlation")
    centred = memory.similarity == "correlation"
    pulled = rows.take(rivals)
    scored = _directions(pulled, divided, centred)
    bias = pulled.new_zeros(pulled.shape[:2])
    if memory.similarity == "euclidean":
        bias = pulled.norm(dim=-1).square() / -2
    if rivals.shape[-1] == rows.count:
        trust = torch.full_like(scores[:, 0], torch.inf)
        return Span(pulled, scored, bias, divided, centred, trust)
    size = _size(state, centred)[:, 0] if divided else torch.ones_like(scores[:, 0])
    if not isinstance(memory.separation, Softmax):
        last = scores.scatter(-1, rivals, -torch.inf).amax(-1)
        floor = _floor(memory, scores, weights)
        spread = 2 / size if divided else rows.spread()
        return Span(pulled, scored, bias, divided, centred, (floor - last) / spread)
    beta = max(sharpness(memory.separation), 1e-12)
    level, mean, toward, width = _others(memory, rows, state, scores, rivals, beta)
    there = (toward * state).sum(-1) / size
    pulled = torch.cat([pulled, mean[:, None]], dim=1)
    scored = torch.cat([scored, toward[:, None]], dim=1) if divided else pulled
    bias = torch.cat([bias, (level - there)[:, None]], dim=1)
    trust = (2 * CURVED / (beta * width.clamp_min(1e-300))).sqrt() * size
    return Span(pulled, scored, bias, divided, centred, trust)


def _floor(memory: ModernHopfield, scores: Tensor, weights: Tensor) -> Tensor:
    """The score from which on a pattern has weight at this state, by a sparse separation."""
    separation = memory.separation
    if isinstance(separation, TopK):
        return scores.topk(min(separation.k, scores.shape[-1]), dim=-1).values[:, -1]
    alpha, beta = separation.alpha, separation.beta  # type: ignore[attr-defined]
    top = weights.amax(-1) ** (float(alpha) - 1)  # p = [(α − 1)βs − τ]₊^{1/(α−1)}
    floor: Tensor = scores.amax(-1) - top / max((float(alpha) - 1) * float(beta), 1e-300)
    return floor


def _others(
    memory: ModernHopfield, rows: Rows, state: Tensor, scores: Tensor, rivals: Tensor, beta: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of all that are no rivals: score, mean, what scores it, and variance about it."""
    divided = memory.similarity in ("cosine", "correlation")
    if memory.similarity == "euclidean":  # of the products: −½‖x‖² is common to all
        scores = scores + state.square().sum(-1, keepdim=True) / 2
    others = scores.scatter(-1, rivals, -torch.inf)
    shares = torch.softmax(beta * others, dim=-1)
    mean = rows.weighted_sum(shares)
    toward, squares = mean, shares @ rows.norms().square()
    if divided:
        toward = _pulled_directions(rows, shares, memory.similarity == "correlation")
        squares = torch.ones_like(squares)
    level = torch.logsumexp(beta * others, dim=-1) / beta
    return level, mean, toward, (squares - toward.square().sum(-1)).clamp_min(0)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    """Av of each of a batch."""
    return (matrix @ vector[:, :, None]).squeeze(-1)


def _size(state: Tensor, centred: bool) -> Tensor:
    """‖x‖, of what is left without its mean where that is what scores are divided by."""
    seen = state - state.mean(-1, keepdim=True) if centred else state
    return seen.norm(dim=-1, keepdim=True).clamp_min(1e-300)


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
