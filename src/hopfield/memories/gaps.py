"""Patterns with gaps: scores over common entries, and averages over the patterns that know.

With the mask m of a state and the masks k_μ of patterns, a score counts the entries with
m_i k_μi = 1. Sums over entries are scaled by c_μ = Σ m_i / Σ m_i k_μi, so that a pattern gains
nothing by entries that it lacks. With the weights p = ∇F(s),

    x'_i = Σ_μ p_μ c_μ k_μi x_μi / Σ_μ p_μ c_μ k_μi.

Where the patterns that know entry i have no weight, the separation weighs these patterns alone.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import DomainError
from ..ranks import ranks_of
from ..readout import BlockView, read
from ..separation import Readout, Separation
from ..similarity import (
    ScoreFunction,
    Similarity,
    TensorRows,
    dot,
    euclidean,
    masked_state,
    squares_of,
)
from ..stores import Block, Store
from .options import blocks_of

SMALLEST_BETA = 1e-30
"""β below which scores are in float64: in float32 β times the lowest score would be near 0, and a
pattern without a common entry would have weight."""

PAIRS = 1024
"""Single entries of queries that are read at a time."""


def overlap(block: Block, state: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return Σ m_i k_μi and c_μ, 0 without a common entry, each `(*batch | (), n)`."""
    mask = state.new_ones(state.shape[-1]) if known is None else known.to(state.dtype)
    count = block.known_sums(mask)
    scale = mask.sum(-1, keepdim=True) / count.clamp_min(1)
    return count, torch.where(count > 0, scale, 0.0)


def common_scores(
    similarity: Similarity, block: Block, state: Tensor, known: Tensor | None
) -> Tensor:
    """Return the scores over common entries, and in place of −∞ a number of weight 0."""
    if similarity.function is dot.function:
        scores = similarity.function(block, state, known)
    elif similarity.function is euclidean.function:
        masked = masked_state(state, known)
        squares = squares_of(block, state, known) + block.known_sums(masked.square())
        scores = (block.scores(masked) - squares / 2).clamp_max(0)
    else:
        scores = _by_masks(similarity, block, state, known)
    count, scale = overlap(block, state, known)
    scores = scores * scale if similarity.sums_entries else scores
    return torch.where(count > 0, scores, torch.finfo(scores.dtype).min / 8)


def _by_masks(similarity: Similarity, block: Block, state: Tensor, known: Tensor | None) -> Tensor:
    # Rows with the same mask are scored together.
    masks, group = block.mask.unique(dim=0, return_inverse=True)
    rows = block.rows.to(torch.promote_types(block.rows.dtype, state.dtype))
    scores = rows.new_empty(*state.shape[:-1], len(block))
    for index, mask in enumerate(masks):
        common = mask if known is None else mask & known
        common = torch.where(common.any(-1, keepdim=True), common, mask)  # else without effect
        at = (group == index).nonzero().squeeze(-1)
        scores = scores.index_copy(-1, at, similarity(TensorRows(rows[at]), state, common))
    return scores


def scores_of(
    store: Store, similarity: Similarity, separation: Separation
) -> Similarity | ScoreFunction:
    """Return the similarity; for rows with gaps, its scores of views over common entries."""
    if not store.has_gaps:
        return similarity
    beta = separation.inverse_width()
    upcast = beta is not None and beta < SMALLEST_BETA

    def score(view: BlockView, state: Tensor, known: Tensor | None) -> Tensor:
        block = cast(Block, view.block)
        return common_scores(similarity, block, state.double() if upcast else state, known)

    return score


def read_with_gaps(
    store: Store,
    state: Float[Tensor, "batch dim"],
    known: Tensor | None,
    held: Tensor | None,
    similarity: Similarity,
    separation: Separation,
) -> Readout:
    """Average each entry over the patterns that know it; `held` entries need no value."""
    reader = _Reader(store, similarity, separation)
    result = reader.read(state, known)
    total, weight = result.state.chunk(2, dim=-1)
    # Rows of weights below eps^2.5 are not read: where no others know an entry, they decide it.
    is_read = weight > len(store) * torch.finfo(weight.dtype).eps ** 1.5
    following = torch.where(is_read, total / torch.where(is_read, weight, 1.0), state)
    missing = ~is_read if held is None else ~(is_read | held)
    for pairs in missing.nonzero().split(PAIRS) if bool(missing.any()) else ():
        values = _entries_or_before(reader.read_entries(state, known, pairs), state, known, pairs)
        following = following.index_put(pairs.unbind(-1), values.to(following.dtype))
    numbers = (following, result.potential, result.weight, result.entropy)
    following, potential, largest, entropy = (number.to(state.dtype) for number in numbers)
    return Readout(following, potential, result.index, largest, entropy)


def _entries_or_before(sums: Tensor, state: Tensor, known: Tensor | None, pairs: Tensor) -> Tensor:
    # An entry that counts keeps its value where no pattern says another.
    total, weight = sums.unbind(-1)
    unread, at = weight == 0, pairs.unbind(-1)
    undecided = (
        torch.zeros_like(unread) if known is None else unread & ~known.expand(state.shape)[at]
    )
    if bool(undecided.any()):
        query, entry = pairs[undecided][0].tolist()
        raise DomainError(
            f"cue must have a known entry in common with a pattern that knows entry {entry}, but "
            f"query {query} has none. Store such a pattern, or make entry {entry} known."
        )
    return torch.where(unread, state[at], total / torch.where(unread, 1.0, weight))


class _Reader:
    """Reads sums Σ pckx | Σ pck, of whole states or of single entries."""

    def __init__(self, store: Store, similarity: Similarity, separation: Separation) -> None:
        self.store, self.separation = store, separation
        self.scores = cast(ScoreFunction, scores_of(store, similarity, separation))
        self.is_scaled = similarity.sums_entries
        self.batch: tuple[Any, ...] = ()  # the one scored last: the whole, or a half of it

    def read(self, state: Tensor, known: Tensor | None) -> Readout:
        """Return a readout whose state is `(batch, 2·dim)`."""

        def score(view: BlockView, x: Tensor, mask: Tensor | None) -> Tensor:
            self.batch = x, mask
            return self.scores(view, x, mask)

        def weighted_sum(block: Block, weights: Tensor, at: Tensor | None = None) -> Tensor:
            block = block if at is None else block.at(at)
            rows = torch.cat([block.rows, block.mask], dim=-1)
            return (weights * self._factor(block, *self.batch)) @ rows.to(weights.dtype)

        return read(self._views(weighted_sum, len(state)), state, score, self.separation, known)

    def read_entries(self, state: Tensor, known: Tensor | None, pairs: Tensor) -> Tensor:
        """Return the sums of (query, entry) pairs, `(k, 2)`, by patterns that know the entry."""

        def score(view: BlockView, part: Tensor, _: None) -> Tensor:
            queries, entries = part.long().unbind(-1)
            unique, which = queries.unique(return_inverse=True)
            mask = known if known is None or known.ndim == 1 else known[unique]
            self.batch = state[unique], mask, which, entries
            scores = self.scores(view, *self.batch[:2])[which]
            is_known = cast(Block, view.block).mask.T[entries]
            return torch.where(is_known, scores, torch.finfo(scores.dtype).min / 8)

        def weighted_sum(block: Block, weights: Tensor, at: Tensor | None = None) -> Tensor:
            block = block if at is None else block.at(at)
            *batch, which, entries = self.batch
            factor = self._factor(block, *batch)
            weights = weights * (factor if factor.ndim == 1 else factor[which])
            columns = torch.stack([block.rows.T[entries], block.mask.T[entries]])
            return torch.linalg.vecdot(columns.to(weights.dtype), weights).T

        views = self._views(weighted_sum, len(pairs))
        if (ranks := ranks_of(views[0])) is not None:  # scores are of `state`, not of `pairs`
            state = ranks.enter(state)
        return read(views, pairs.double(), score, self.separation).state

    def _factor(self, block: Block, state: Tensor, known: Tensor | None) -> Tensor:
        # c of each row, or 1 where scores are not scaled; 0 without a common entry.
        scale = overlap(block, state, known)[1]
        return scale if self.is_scaled else scale > 0

    def _views(self, weighted_sum: Callable[..., Tensor], batch: int) -> list[BlockView]:
        blocks = blocks_of(self.store, batch)
        return [BlockView(block, partial(weighted_sum, block)) for block in blocks]
