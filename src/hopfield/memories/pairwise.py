"""The score of one pattern and one state, summed entry by entry.

Scores of a whole block are matrix products, whose rounding depends on the block. In float64, entry
by entry, equal patterns have equal scores, and two patterns are ranked by these scores.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from ..readout import ValuedBlock
from ..similarity import (
    ScoreFunction,
    Similarity,
    correlation,
    cosine,
    dot,
    euclidean,
    manhattan,
    masked_state,
    ratio_or_zero,
    scale_rows,
)
from ..stores import Block, Store
from .gaps import common_scores
from .ranking import EXACT_ENTRIES, Scoring

CORRELATION_ERROR = 2.0**-30
"""Assumed error of correlations of blocks in float64, for rows that are not far from 0."""


class Pairwise(NamedTuple):
    """A similarity for pairs of row and state, and the rounding error of its scores of blocks."""

    score: Callable[[Tensor, Tensor, Tensor], Tensor]
    """(rows, states, mask) → the scores `(k,)` of k pairs; all are `(k, dim)`, 0 where masked."""

    rounding: Callable[[Tensor, float, Tensor], Tensor] | None = None
    """(known entries, largest norm of the rows, norms of the states) → a bound of the error of a
    score of a block, in units of eps; None where no bound is known."""


def _dot(rows: Tensor, states: Tensor, mask: Tensor) -> Tensor:
    return torch.linalg.vecdot(rows, states)


def _euclidean(rows: Tensor, states: Tensor, mask: Tensor) -> Tensor:
    return (rows - states).square().sum(-1) / -2


def _cosine(rows: Tensor, states: Tensor, mask: Tensor) -> Tensor:
    rows, states = scale_rows(rows), scale_rows(states)
    norms = torch.linalg.vector_norm(rows, dim=-1), torch.linalg.vector_norm(states, dim=-1)
    return ratio_or_zero(torch.linalg.vecdot(rows, states), *norms)


def _correlation(rows: Tensor, states: Tensor, mask: Tensor) -> Tensor:
    count = mask.sum(-1, keepdim=True).clamp_min(1)
    noise = 4 * torch.finfo(rows.dtype).eps
    centred = []
    for x in (scale_rows(rows), scale_rows(states)):
        deviations = torch.where(mask, x - x.sum(-1, keepdim=True) / count, 0.0)
        is_constant = deviations.norm(dim=-1) <= noise * x.norm(dim=-1)
        centred.append(torch.where(is_constant[:, None], 0.0, deviations))
    return _cosine(centred[0], centred[1], mask)


def _manhattan(rows: Tensor, states: Tensor, mask: Tensor) -> Tensor:
    return -(rows - states).abs().sum(-1)


PAIRWISE: dict[Callable[..., Any], Pairwise] = {
    dot.function: Pairwise(_dot, lambda count, largest, norms: count * largest * norms),
    euclidean.function: Pairwise(
        _euclidean, lambda count, largest, norms: (count + 4) * largest * (norms + largest)
    ),
    cosine.function: Pairwise(
        _cosine, lambda count, largest, norms: 2 * (count + 8) * torch.ones_like(norms)
    ),
    correlation.function: Pairwise(_correlation),
    manhattan.function: Pairwise(
        _manhattan, lambda count, largest, norms: count * count.sqrt() * (norms + largest)
    ),
}
"""The built-in similarities by their functions of blocks."""


def block_scores(similarity: Similarity, shift_invariant: bool) -> ScoreFunction:
    """Return the score function of blocks, without the shared term if a shift has no effect."""
    shifted = shift_invariant and similarity.affine is not None and similarity.affine.shared
    return similarity.without_shared if shifted else similarity.function


def block_scoring(
    store: Store, state: Tensor, known: Tensor | None, similarity: Similarity
) -> tuple[Scoring, Tensor]:
    """Return the `Scoring` of a similarity, and the states in the dtype that it needs."""
    pairwise = PAIRWISE.get(similarity.function)
    unknown = state.new_zeros(len(state), dtype=torch.float64)
    if pairwise is None:
        return Scoring(_finite_scores(store, similarity), unknown), state.double()
    of_pairs = pair_scores(store, state, known, similarity, own=True)
    if store.has_gaps:
        of_block: ScoreFunction = partial(common_scores, similarity)
    else:
        of_block = block_scores(similarity, True)
    if pairwise.rounding is None or store.has_gaps:
        state = state.double()
    count = state.new_tensor(store.dim) if known is None else known.sum(-1)
    norms, largest = masked_state(state, known).double().norm(dim=-1), store.summary().largest_norm
    if pairwise.rounding is None:
        return Scoring(of_block, unknown + CORRELATION_ERROR, of_pairs), state
    units = pairwise.rounding(count.double(), largest, norms)
    if store.has_gaps:  # scores are scaled by up to their number of known entries
        units = units * (count + 4)
    elif state.dtype == torch.float32 and _is_coarse(store, state, known, similarity, norms):
        state = state.double()
    eps = eps_of_products() if state.dtype == torch.float32 else torch.finfo(state.dtype).eps
    error, shift = eps * units + count * torch.finfo(state.dtype).tiny, None
    affine = similarity.affine
    if affine is not None and affine.shared is not None and not store.has_gaps:
        shift = affine.shared(state.double(), known)
    return Scoring(of_block, error, of_pairs, shift=shift), state


def pair_scores(
    store: Store,
    state: Tensor,
    known: Tensor | None,
    similarity: Similarity,
    dtype: torch.dtype = torch.float64,
    own: bool = False,
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function of queries and rows, `(p,)`, that scores these pairs.

    With `own`, all are rows that this process has.
    """
    takes = (store.take_own, store.take_own_known) if own else (store.take, store.take_known)
    take, take_known = takes
    score = PAIRWISE[similarity.function].score
    all_known = torch.ones(1, store.dim, dtype=torch.bool, device=state.device)

    def score_part(queries: Tensor, places: Tensor) -> Tensor:
        rows, states = take(places).to(dtype), state[queries].to(dtype)
        mask = all_known if known is None else known.expand(state.shape)[queries]
        stored = take_known(places)
        if stored is None:
            if known is not None:
                rows, states = masked_state(rows, mask), masked_state(states, mask)
            return score(rows, states, mask)
        common = mask & stored
        result = score(masked_state(rows, common), masked_state(states, common), common)
        count = common.sum(-1)
        if similarity.sums_entries:
            result = result * (mask.sum(-1) / count.clamp_min(1))
        return torch.where(count > 0, result, torch.finfo(result.dtype).min / 8)

    def scores(queries: Tensor, places: Tensor) -> Tensor:
        # A single long row would be summed in another order than several, see `parts_of_pairs`.
        count = max(1, len(queries) // max(1, EXACT_ENTRIES // store.dim))
        parts = zip(queries.tensor_split(count), places.tensor_split(count), strict=True)
        return torch.cat([score_part(*part) for part in parts])

    return scores


def _finite_scores(store: Store, similarity: Similarity) -> ScoreFunction:
    # A user's similarity may return −∞. It counts as the lowest finite number.
    def scores(block: ValuedBlock, state: Tensor, known: Tensor | None) -> Tensor:
        if store.has_gaps:
            return common_scores(similarity, cast(Block, block), state, known)
        result = similarity.function(block, state, known).double()
        return result.clamp_min(torch.finfo(result.dtype).min)

    return scores


def _is_coarse(
    store: Store, state: Tensor, known: Tensor | None, similarity: Similarity, norms: Tensor
) -> bool:
    # Whether rounding in float32 is so large, against the spread of the scores, that many patterns
    # would be candidates.
    summary, centre = store.summary(), state.double()
    if similarity.function in (euclidean.function, manhattan.function):
        centre, norms = centre - summary.mean, norms + summary.largest_norm
    spread = (masked_state(centre, known) * summary.std).norm(dim=-1)
    rounding = torch.finfo(torch.float32).eps * store.dim * summary.largest_norm * norms
    return bool((8 * rounding > spread).any())


def eps_of_products() -> float:
    """Return eps of products in float32: torch may be told to multiply in fewer bits."""
    bits = {"highest": 23, "high": 10, "medium": 7}
    return 2.0 ** -bits[torch.get_float32_matmul_precision()]
