"""The weights that a readout gives a few patterns of each query."""

from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from ..ranks import Ranks, ranks_of
from ..readout import BlockView, potential_only, read
from ..separation import Partial, Separation
from ..similarity import ScoreFunction, Similarity
from ..stores import Store
from .gaps import scores_of
from .options import blocks_of
from .pairwise import block_scores


class SoftmaxTotal:
    """Σ exp(βs) over all patterns, of which softmax weights are shares."""

    def __init__(self, separation: Separation) -> None:
        self.separation = separation
        self.partial: Partial | None = None
        self.ranks: Ranks | None = None

    def add(self, block: Any, scores: Tensor) -> None:
        """Add the patterns of a block; overwrites `scores`."""
        self.ranks = ranks_of(block)
        part = self.separation.partial(scores, potential_only(block))
        self.partial = part if self.partial is None else self.partial.merge(part)

    def largest(self) -> Tensor:
        """Return the largest weight of each query."""
        partial = cast(Partial, self.partial)
        if self.ranks is not None:
            partial = partial.merge_ranks(self.ranks, self.separation)
        return partial.result([]).weight

    def weights(self, scores: Tensor, largest: Tensor) -> Tensor:
        """Return the weights of the patterns that have these scores, the best first."""
        ratios = self.separation(scores)
        return largest.to(scores.dtype)[:, None] * (ratios / ratios[:, :1])


class WeightReader:
    """Reads the weights of a few patterns, other ones for each query."""

    def __init__(
        self,
        store: Store,
        similarity: Similarity | ScoreFunction,
        separation: Separation,
        index: Tensor,
    ) -> None:
        self.store, self.separation, self.index = store, separation, index
        self.scores = similarity
        if isinstance(similarity, Similarity):
            self.scores = scores_of(store, similarity, separation)
            if self.scores is similarity:
                self.scores = block_scores(similarity, separation.shift_invariant)
        self.queries = torch.arange(0)  # those scored last: the whole batch, or a half of it

    def read(self, state: Tensor, known: Tensor | None) -> Tensor:
        """Return |w|/Σ|w| of the patterns at `index`, with the weights w = ∇F(s)."""

        def score(view: BlockView, part: Tensor, _: None) -> Tensor:
            self.queries = queries = part[:, 0].long()
            if len(queries) == len(state):
                return self.scores(view, state, known)
            mask = known if known is None or known.ndim == 1 else known[queries]
            return self.scores(view, state[queries], mask)

        blocks = blocks_of(self.store, len(state))
        views = [BlockView(block, partial(self._weights_of, block)) for block in blocks]
        numbers = torch.arange(len(state), dtype=torch.float64, device=state.device)
        sums = read(views, numbers[:, None], score, self.separation).state
        weights, total = sums[:, :-1].abs(), sums[:, -1:]
        return weights / total.clamp_min(torch.finfo(total.dtype).tiny)

    def _weights_of(self, block: Any, weights: Tensor, at: Tensor | None = None) -> Tensor:
        # The weights of the patterns at `index` in this block, 0 for others, and Σ|w|.
        place = self.index[self.queries] - block.start
        inside = (place >= 0) & (place < len(block))
        place = place.clamp(0, len(block) - 1)
        if at is not None:
            column = place.new_full((len(block),), -1)
            column[at] = torch.arange(len(at), device=at.device)
            place = column[place]
            inside &= place >= 0
            place = place.clamp_min(0)
        if not weights.shape[-1]:
            return weights.new_zeros(*place.shape[:-1], place.shape[-1] + 1)
        picked = torch.where(inside, weights.gather(-1, place), 0.0)
        return torch.cat([picked, weights.abs().sum(-1, keepdim=True)], dim=-1)
