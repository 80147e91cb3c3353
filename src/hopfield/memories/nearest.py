"""The k nearest patterns of a cue, with their scores and weights."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from ..checks import check_flag, check_integer
from ..errors import DomainError
from ..readout import WrappedBlock
from ..separation import Separation
from ..similarity import cosine
from ..units import exact_dot
from .certified import certified_readout
from .hooks import scoring_of
from .naming import entries_at
from .options import blocks_of, reads_in_place
from .pairwise import block_scoring, pair_scores
from .query import cast_checked, check_binary_cue, computing_dtype, make_query
from .ranking import Scoring, k_best
from .scanning import scan_scoring
from .weighing import SoftmaxTotal, WeightReader

if TYPE_CHECKING:
    from .base import Memory

FEW_STATES = 8
"""Number of states up to which X xᵀ is faster than x Xᵀ, for rows that are not copied."""

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
            without weights the cosine with the cue, the overlap x_μ·x/N for ±1. None with
            `weights=False`.
    """

    index: Tensor
    name: Any
    score: Tensor
    weight: Tensor | None

    def __repr__(self) -> str:
        """Return the number of queries and of patterns per query."""
        *_, k = self.index.shape
        count = self.index[..., 0].numel()
        return f"Nearest({count} {'query' if count == 1 else 'queries'}, k={k})"


def nearest(memory: "Memory", cue: object, k: object, known: object, weights: object) -> Nearest:
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
    ranked = _Ranked(memory, k, check_flag("weights", weights))
    parts = []
    for at in range(0, max(1, len(query.state)), QUERIES):
        mask = query.known
        mask = mask if mask is None or mask.ndim == 1 else mask[at : at + QUERIES]
        parts.append(ranked(query.state[at : at + QUERIES], mask))
    index, score, *weight = (
        torch.cat(column).reshape(*query.batch, k) for column in zip(*parts, strict=True)
    )
    dtype = computing_dtype(query.dtype)
    no_common = score <= torch.finfo(score.dtype).min / 16
    score = cast_checked("cue", torch.where(no_common, 0.0, score), dtype)
    score = torch.where(no_common, -torch.inf, score) + 0.0  # no −0
    annotations = store.annotations
    names = None if annotations is None else annotations.names
    name = None if names is None else entries_at(names, index)
    return Nearest(index, name, score, weight[0].to(dtype) if weight else None)


class _Ranked:
    """Ranks the patterns of a memory for a batch of states."""

    def __init__(self, memory: "Memory", k: int, weights: bool) -> None:
        self.memory, self.store, self.k, self.weights = memory, memory.storage, k, weights
        self.similarity, self.separation = scoring_of(memory)

    def __call__(self, state: Tensor, known: Tensor | None) -> tuple[Tensor, ...]:
        """Return index, score and, where they are wanted, weight, each `(batch, k)`."""
        affine = self.similarity.affine
        if self.memory.binary:
            state, known = state if self.separation is None else state.double(), None
        elif affine is not None and affine.bias is None and not self.store.has_gaps:
            known = None  # unknown entries of the state are 0, and add nothing to a product
        total, scanned = self._total(), None
        if self.memory.scans_rows:
            scanned = scan_scoring(self.store, state, known, self.similarity)
        if scanned is not None:
            score, index = k_best(scanned[1], state, known, scanned[0], self.k)
        else:
            score, index = self._read_all(state, known, None if total is None else total.add)
        if not self.weights:
            return index, score
        if total is None:
            return index, score, self._weights(state, known, index, score)
        if scanned is not None:
            return index, score, total.weights(score, self._certified_weight(state, known))
        return index, score, total.weights(score, total.largest())

    def _read_all(
        self, state: Tensor, known: Tensor | None, also: Callable[..., None] | None
    ) -> tuple[Tensor, Tensor]:
        if self.memory.binary:
            scoring = Scoring(exact_dot, torch.zeros_like(state[:, 0], dtype=torch.float64))
        else:
            scoring, state = block_scoring(self.store, state, known, self.similarity)
        in_place = reads_in_place(self.store, self.similarity, state)
        blocks: Iterable[Any] = blocks_of(self.store, len(state), known is not None or not in_place)
        if len(state) <= FEW_STATES and in_place and not self.memory.binary:
            blocks = [_TallProduct(block) for block in blocks]
        return k_best(blocks, state, known, scoring, self.k, also)

    def _total(self) -> SoftmaxTotal | None:
        if not self.weights or self.separation is None:
            return None
        annotations = self.store.annotations
        has_prior = annotations is not None and annotations.prior is not None
        if has_prior or self.separation.softmax_beta() is None:
            return None
        return SoftmaxTotal(self.separation)

    def _certified_weight(self, state: Tensor, known: Tensor | None) -> Tensor:
        # The weight of the strongest pattern.
        separation = cast(Separation, self.separation)
        readout, _ = certified_readout(self.store, state, known, self.similarity, separation)
        return readout.weight

    def _weights(self, state: Tensor, known: Tensor | None, index: Tensor, score: Tensor) -> Tensor:
        if self.separation is not None:
            similarity = exact_dot if self.memory.binary else self.similarity
            reader = WeightReader(self.store, similarity, self.separation, index)
            return reader.read(state, known)
        if self.memory.binary:
            return score / state.count_nonzero(-1).clamp_min(1)[:, None]
        of_pairs = pair_scores(self.store, state, known, cosine)
        queries = torch.arange(len(state), device=state.device).repeat_interleave(self.k)
        return of_pairs(queries, index.flatten()).reshape(index.shape)


class _TallProduct(WrappedBlock):
    """A block that computes scores at few states as X xᵀ instead of x Xᵀ."""

    def scores(self, state: Tensor) -> Tensor:
        # A single state is repeated: a product with one vector would run in one thread.
        columns = state if len(state) > 1 else state.repeat(2, 1)
        return (self.rows @ columns.T).T[: len(state)].contiguous()

    def weighted_sum(self, weights: Tensor, at: Tensor | None = None) -> Tensor:
        return self.block.weighted_sum(weights, at)
