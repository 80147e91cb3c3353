"""Every β from one pass over the scores.

The weights at a cue depend on β through exp(β s) alone. So the scores of a batch of cues are
computed once, the best few of them kept, and all β read from these; what the others add is bounded
by the smaller of exp(β s_k) each and of their cumulants, β·mean + ½β²·variance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..cue import Cue
from ..readout import BLOCK_SCORES
from ..separation import SEPARATIONS
from ..similarity import SIMILARITIES, Plain

FEW = 6
"""Scores of a cue that are kept."""

TUNED = ("softmax", "sparsemax", "entmax")
"""Names of separations whose β can be tuned."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Patterns that were damaged, and what is left of them.

    Attributes:
        places: which patterns, `(cues,)`.
        rows: these patterns, `(cues, dim)`.
        state: damaged, `(cues, dim)`.
        known: which entries are known, likewise; None without a mask.
    """

    places: Int[Tensor, " cues"]
    rows: Float[Tensor, "cues dim"]
    state: Float[Tensor, "cues dim"]
    known: Bool[Tensor, "cues dim"] | None = None

    @property
    def cue(self) -> Cue:
        """What to retrieve by."""
        return Cue(self.state, self.known)

    def __len__(self) -> int:
        """How many cues."""
        return len(self.places)

    def at(self, part: slice) -> "Batch":
        """Some of them."""
        known = None if self.known is None else self.known[part]
        return Batch(self.places[part], self.rows[part], self.state[part], known)

    def homes(self) -> "Batch":
        """The patterns themselves, undamaged."""
        return Batch(self.places, self.rows, self.rows)


class _Products:
    """Rows whose products with one batch of states are computed once, whatever scores them."""

    def __init__(self, rows: Tensor, many: bool) -> None:
        """Nothing is computed yet; `many`: the products are asked for more than once."""
        self.rows = rows
        self._many = many
        self._last: tuple[Tensor, Tensor] | None = None

    def scores(self, state: Tensor) -> Tensor:
        """X·x, a copy each time: some similarities overwrite it."""
        last = self._last
        if last is None or last[0].dtype != state.dtype or not torch.equal(last[0], state):
            products = state @ self.rows.T.to(state.dtype)
            if not self._many:
                return products
            self._last = last = (state, products)
        return last[1].clone()

    def squares(self, mask: Tensor | None) -> Tensor:
        """Σ_i m_i x_μi²."""
        return Plain(self.rows).squares(mask)


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of the scores of a batch by each of some similarities.

    Attributes:
        own: of the right pattern, `(similarities, cues)`.
        few: the best of all others, `(similarities, cues, k)`, descending.
        same: which of these are copies of the right pattern.
        mean: of all that is left, `(similarities, cues)`.
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

    def with_more(self, more: "Sequence[Kept]", place: int | None = None) -> "Kept":
        """Those of these cues and of others as of one batch; by all similarities, or by one."""
        mine = slice(None) if place is None else slice(place, place + 1)
        names = ("own", "few", "same", "mean", "variance")
        joined: dict[str, Any] = {
            name: torch.cat([getattr(self, name)[mine], *(getattr(each, name) for each in more)], 1)
            for name in names
        }
        return replace(self, **joined)


def kept(patterns: Tensor, batch: Batch, names: Sequence[str]) -> Kept:
    """The scores by each similarity, some cues at a time: never cues × n at once.

    Copies of a pattern count as that pattern.
    """
    size = max(1, BLOCK_SCORES // (len(names) * len(patterns)))
    if len(batch) > size:
        parts = [slice(start, start + size) for start in range(0, len(batch), size)]
        first, *more = [kept(patterns, batch.at(part), names) for part in parts]
        return first.with_more(more)
    state, known = batch.state.to(patterns.dtype), batch.known
    if known is not None:
        state = torch.where(known, state, 0.0)
        if bool((known == known[:1]).all()):
            known = known[0]
    block = _Products(patterns, many=len(names) > 1)
    scores = [SIMILARITIES[name](block, state, known) for name in names]
    return _kept(torch.stack(scores) if len(names) > 1 else scores[0][None], batch, patterns)


def _kept(scores: Tensor, batch: Batch, patterns: Tensor) -> Kept:
    """The scores `(similarities, cues, n)` are overwritten."""
    own_at = batch.places[:, None].expand(len(scores), -1, -1)
    own = scores.gather(-1, own_at)
    total, size = scores.sum(-1), torch.linalg.vector_norm(scores, dim=-1)
    scores.scatter_(-1, own_at, -torch.inf)
    few, at = scores.topk(min(FEW, scores.shape[-1] - 1), dim=-1)
    same = (few - own).abs() <= 1e-4 * torch.maximum(own.abs(), few.abs()) + 1e-12
    if bool(same.any()):  # copies score alike, but for rounding
        like, cue, rank = same.nonzero(as_tuple=True)
        rows = batch.rows[cue].to(patterns.dtype)
        same[like, cue, rank] = (patterns[at[like, cue, rank]] == rows).all(-1)
    named = torch.cat([own, few], dim=-1)
    left = scores.shape[-1] - named.shape[-1]
    mean = (total - named.sum(-1)) / max(1, left)
    squares = (size.square() - named.square().sum(-1)) / max(1, left)
    variance = (squares - mean.square()).clamp_min(0)
    return Kept(own.squeeze(-1), few, same, mean, variance, left)


def weights(
    scores: Kept, betas: Float[Tensor, "similarities betas"], name: str
) -> Float[Tensor, "similarities betas cues"]:
    """The weight of the right pattern at each β of each similarity."""
    top = torch.maximum(scores.own, scores.few[..., 0])[..., None]
    gaps = torch.cat([scores.own[..., None], scores.few], dim=-1).sub_(top)[:, None]
    if name != "softmax":  # what is left has no weight, or hardly any
        count = betas.shape[-1]
        shares = SEPARATIONS[name](beta=betas[..., None])(gaps.expand(-1, count, -1, -1))
        return _mine(shares, scores)
    beta = betas[..., None]
    power = (beta[..., None] * gaps).clamp_min_(-80).exp_()
    total = power.sum(-1)
    if scores.left:
        edge = beta * gaps[..., -1]
        half = beta * (scores.variance[:, None] / 2)  # not β² first, which may overflow
        spread = beta * (scores.mean[:, None] - top[:, None, :, 0] + half)
        total = total + scores.left * torch.minimum(edge, spread).clamp_(-80, 80).exp_()
    return _mine(power, scores) / total


def _mine(shares: Tensor, scores: Kept) -> Tensor:
    """What the right pattern and its copies have together."""
    own = shares[..., 0]
    if bool(scores.same.any()):
        own = own + (shares[..., 1:] * scores.same[:, None]).sum(-1)
    return own
