"""The k nearest patterns of a cue, with their scores and weights."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..checks import check_integer
from ..errors import DomainError
from ..readout import BlockView, read
from ..separation import Separation
from ..similarity import ScoreFunction, Similarity, cosine
from ..stores import Store
from ..units import exact_dot
from .gaps import scores_of
from .naming import entries_at
from .options import blocks_of, reads_in_place
from .pairwise import block_scores, block_scoring, pair_scores
from .query import cast_checked, check_binary_cue, computing_dtype, make_query
from .ranking import Scoring, k_best

if TYPE_CHECKING:
    from .base import Memory

QUERIES = 1024
"""Queries that are ranked at a time: the matrix products of more are no faster."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """The k nearest patterns of each query, best first.

    Patterns of equal score follow in the order of storage.

    Attributes:
        index: their places in the memory, `(*batch, k)`.
        name: their names, a NumPy array of objects, `(*batch, k)`; None if the patterns have none.
        score: their scores by the similarity of the memory over known entries, `(*batch, k)`;
            −∞ for a pattern with gaps that has no known entry in common with the cue.
        weight: the weights that a readout gives them at the cue, `(*batch, k)`; in networks
            without weights the cosine with the cue, the overlap x_μ·x/N for ±1.
    """

    index: Tensor
    name: Any
    score: Tensor
    weight: Tensor

    def __repr__(self) -> str:
        """Return the number of queries and of patterns per query."""
        *_, k = self.index.shape
        count = self.index[..., 0].numel()
        return f"Nearest({count} {'query' if count == 1 else 'queries'}, k={k})"


def nearest(memory: "Memory", cue: object, k: object, known: object) -> Nearest:
    """Return the k best patterns of each query; see `Memory.nearest`."""
    store = memory.storage
    k = check_integer("k", k, low=1)
    if k > len(store):
        raise DomainError(
            f"k must be at most {len(store)}, the number of patterns stored, but is {k}. "
            "Use k=min(k, len(memory))."
        )
    query = make_query(cue, known, None, "known", store, memory.binary, memory.value_weights)
    if memory.binary:
        check_binary_cue(query)
    ranked = _Ranked(memory, k)
    parts = []
    for at in range(0, max(1, len(query.state)), QUERIES):
        mask = query.known
        mask = mask if mask is None or mask.ndim == 1 else mask[at : at + QUERIES]
        parts.append(ranked(query.state[at : at + QUERIES], mask))
    index, score, weight = (
        torch.cat(column).reshape(*query.batch, k) for column in zip(*parts, strict=True)
    )
    dtype = computing_dtype(query.dtype)
    weight = weight.to(dtype)
    lowest = score <= torch.finfo(score.dtype).min / 16
    score = cast_checked("cue", torch.where(lowest, 0.0, score), dtype)
    annotations = store.annotations
    names = None if annotations is None else annotations.names
    name = None if names is None else entries_at(names, index)
    return Nearest(index, name, torch.where(lowest, -torch.inf, score), weight)


class _Ranked:
    """Ranks the patterns of a memory for a batch of states."""

    def __init__(self, memory: "Memory", k: int) -> None:
        self.memory, self.store, self.k = memory, memory.storage, k
        self.similarity, self.separation = memory.scoring

    def __call__(self, state: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return index, score and weight, each `(batch, k)`."""
        if self.memory.binary:
            state, known = state if self.separation is None else state.double(), None
            scoring = Scoring(exact_dot, torch.zeros_like(state[:, 0], dtype=torch.float64))
            ranked = state
        else:
            scoring, ranked = block_scoring(self.store, state, known, self.similarity)
        copied = known is not None or not reads_in_place(self.store, self.similarity, ranked)
        blocks = blocks_of(self.store, len(state), copied)
        score, index = k_best(blocks, ranked, known, scoring, self.k)
        return index, score, self._weights(state, known, index, score)

    def _weights(self, state: Tensor, known: Tensor | None, index: Tensor, score: Tensor) -> Tensor:
        if self.separation is not None:
            similarity = exact_dot if self.memory.binary else self.similarity
            reader = _WeightReader(self.store, similarity, self.separation, index)
            return reader.read(state, known)
        if self.memory.binary:
            return score / state.count_nonzero(-1).clamp_min(1)[:, None]
        of_pairs = pair_scores(self.store, state, known, cosine)
        queries = torch.arange(len(state), device=state.device).repeat_interleave(self.k)
        return of_pairs(queries, index.flatten()).reshape(index.shape)


class _WeightReader:
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
