"""The k best patterns of each query, found block by block and decided by exact scores.

A block gives scores with a known rounding error e. A pattern that scores 2e less than the k-th
best so far is not among the k best. The others are kept, and scored in float64 at the end. So the
result is that of all scores in float64, and neither blocks nor threads change it.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from ..ranks import Ranks, ranks_of
from ..similarity import ScoreFunction

GROUP = 64
"""Scores per group. If the largest is below the floor, no other score of the group is compared."""

GROUP_FROM_ROWS = 512
"""Rows per block from which scores are compared in groups; in smaller blocks, one by one."""

PENDING = 2**16
"""New candidates of all queries that are gathered before the weaker ones are dropped."""

EXACT_ENTRIES = 2**21
"""Matrix entries gathered at a time for exact scores, 16 MiB in float64."""

_NO_ROW = torch.iinfo(torch.int64).max

Pairs = tuple[Int[Tensor, " p"], Int[Tensor, " p"], Float[Tensor, " p"]]
"""Queries, rows and scores of candidates."""


@dataclass(frozen=True, eq=False)
class Scoring:
    """Scores of blocks, and the error with which they rank patterns.

    Attributes:
        of_block: (block, state, known) → scores `(batch, n)`.
        error: e, a bound of their rounding for each query, `(batch,)`, float64; 0 if they are
            exact, or if nothing more exact is known.
        of_pairs: (queries, rows) → scores of these pairs in float64; None to keep those of blocks.
        unit, shift: a score is unit·(score of the block) + shift, `(batch,)`, float64; None: 1, 0.
        refined: a faster, less exact `of_pairs`, and its error, `(batch,)`. It scores candidates
            again as they are found, if `error` is so large that too many would be kept.
    """

    of_block: ScoreFunction
    error: Float[Tensor, " batch"]
    of_pairs: Callable[[Tensor, Tensor], Tensor] | None = None
    unit: Float[Tensor, " batch"] | None = None
    shift: Float[Tensor, " batch"] | None = None
    refined: tuple[Callable[[Tensor, Tensor], Tensor], Float[Tensor, " batch"]] | None = None


def k_best(
    blocks: Iterable[Any],
    state: Float[Tensor, "batch dim"],
    known: Tensor | None,
    scoring: Scoring,
    k: int,
    also: Callable[[Any, Tensor], None] | None = None,
) -> tuple[Float[Tensor, "batch k"], Int[Tensor, "batch k"]]:
    """Return the k largest scores of each query, best first, and their rows.

    Rows of equal scores follow in the order of storage. There must be at least k rows. `also` gets
    each block with its scores, and may overwrite these.
    """
    leaders, ranks = _Leaders(scoring, k), None
    for block in blocks:
        if ranks is None and (ranks := ranks_of(block)) is not None:
            leaders = _Leaders(scoring, min(k, ranks.own_count))
        scores = scoring.of_block(block, state, known)
        if leaders.k:
            leaders.add(block.start, scores)
        if also is not None:
            also(block, scores)
    return leaders.result() if ranks is None else _best_of_ranks(ranks, leaders, k)


def _best_of_ranks(ranks: Ranks, leaders: "_Leaders", k: int) -> tuple[Tensor, Tensor]:
    # The k best of the best rows of each rank.
    score, index = leaders.result() if leaders.k else leaders.none()
    room = (0, k - leaders.k)
    score, index = pad(score, room, value=-math.inf), pad(index, room, value=_NO_ROW)
    scores, indices = (torch.cat([*each], dim=-1) for each in ranks.gather(score, index))
    order = indices.argsort(dim=-1)  # equal scores: lower rows first
    order = order.gather(-1, scores.gather(-1, order).argsort(dim=-1, descending=True, stable=True))
    return scores.gather(-1, order[:, :k]), indices.gather(-1, order[:, :k])


class _Leaders:
    """The candidates of a batch of queries: patterns that may be among the k best."""

    def __init__(self, scoring: Scoring, k: int) -> None:
        self.scoring, self.k, self.batch = scoring, k, len(scoring.error)
        zero = torch.zeros_like(scoring.error)
        self.unit = zero + 1 if scoring.unit is None else scoring.unit
        self.shift = zero if scoring.shift is None else scoring.shift
        error = scoring.error if scoring.refined is None else scoring.refined[1]
        self.margin = 2 * error  # among candidates that are kept
        self.margin_of_new = error + scoring.error
        self.floor = zero - torch.inf  # candidates score more than this
        self.kept: Pairs = (zero[:0].long(), zero[:0].long(), zero[:0])
        self.new: list[Pairs] = [self.kept]
        self.size = self.rows = 0

    def add(self, start: int, scores: Tensor) -> None:
        """Keep the candidates among the rows from `start` on; `scores` is `(batch, n)`."""
        if self.rows < self.k <= scores.shape[1] and self.batch:
            self.floor = torch.maximum(self.floor, self._first_floor(scores))
        floor = (self.floor - self.shift) / self.unit
        rounded = floor.to(scores.dtype)
        if scores.dtype != floor.dtype:  # never rounded up
            rounded = torch.where(rounded > floor, _below(rounded), rounded)
        queries, places = _above(scores, rounded)
        exact = scores[queries, places].double() * self.unit[queries] + self.shift[queries]
        self.new.append((queries, places + start, exact))
        self.rows += scores.shape[1]
        self.size += len(queries)
        if self.size > PENDING:
            self._drop()

    def none(self) -> tuple[Tensor, Tensor]:
        """Return the scores and rows of no patterns, each `(batch, 0)`."""
        return self.floor.new_empty(self.batch, 0), self.kept[1].new_empty(self.batch, 0)

    def result(self) -> tuple[Tensor, Tensor]:
        """Return scores and rows, each `(batch, k)`."""
        self._drop()
        self._rescore()
        _, rows, scores = self.kept
        return scores.reshape(self.batch, self.k), rows.reshape(self.batch, self.k)

    def _first_floor(self, scores: Tensor) -> Tensor:
        # At least k rows of this block score no less than its k-th best score minus the error.
        least = scores.topk(self.k, dim=-1).values[:, -1].double() * self.unit + self.shift
        return _below(least - 2 * self.scoring.error)

    def _drop(self) -> None:
        # Drops all that score more than the margin below the k-th best.
        queries, rows, scores = _join(self.new)
        if self.scoring.refined is not None:
            scores = self.scoring.refined[0](queries, rows).double()
        pairs, rank = self._ranked(_join([self.kept, (queries, rows, scores)]))
        queries, _, scores = pairs
        counts = torch.bincount(queries, minlength=self.batch)
        near = rank < self.k
        if len(scores):
            last = scores[(counts.cumsum(0) - counts + self.k - 1).clamp_max(len(scores) - 1)]
            last = torch.where(counts >= self.k, last, -torch.inf)
            floor = last - self.margin_of_new
            floor = torch.where(self.margin_of_new > 0, _below(floor), floor)
            self.floor = self.floor.maximum(floor)
            near |= (self.margin > 0)[queries] & (scores >= (last - self.margin)[queries])
        self._keep(pairs, near)
        if len(self.kept[0]) > PENDING // 2 + 2 * self.batch * self.k:
            self._rescore()

    def _rescore(self) -> None:
        # Keeps the k best by exact scores, if `of_pairs` gives them.
        of_pairs, (queries, rows, _) = self.scoring.of_pairs, self.kept
        if of_pairs is not None:
            order = rows.sort(stable=True).indices  # equal scores: lower rows first
            queries, rows = queries[order], rows[order]
            pairs, rank = self._ranked((queries, rows, of_pairs(queries, rows)))
            self._keep(pairs, rank < self.k)

    def _ranked(self, pairs: Pairs) -> tuple[Pairs, Tensor]:
        # Sorted by query, then from the best score down; equal scores keep their order.
        queries, rows, scores = pairs
        order = scores.sort(descending=True, stable=True).indices
        order = order[queries[order].sort(stable=True).indices]
        queries, rows, scores = queries[order], rows[order], scores[order]
        counts = torch.bincount(queries, minlength=self.batch)
        first = counts.cumsum(0) - counts
        rank = torch.arange(len(queries), device=queries.device) - first[queries]
        return (queries, rows, scores), rank

    def _keep(self, pairs: Pairs, which: Tensor) -> None:
        queries, rows, scores = pairs
        self.kept = queries[which], rows[which], scores[which]
        self.new, self.size = [(queries[:0], rows[:0], scores[:0])], 0


def _join(parts: list[Pairs]) -> Pairs:
    queries, rows, scores = (torch.cat(column) for column in zip(*parts, strict=True))
    return queries, rows, scores


def _below(numbers: Tensor) -> Tensor:
    # The next smaller numbers.
    return numbers.nextafter(numbers.new_tensor(-torch.inf))


def _grouped(scores: Tensor) -> Tensor:
    # (batch, groups, GROUP), without the last rows that fill no group.
    groups = scores.shape[1] // GROUP
    return scores[:, : groups * GROUP].unflatten(1, (groups, GROUP))


def _above(scores: Tensor, floor: Tensor) -> tuple[Tensor, Tensor]:
    # Queries and places of all scores above the floor of their query.
    count = scores.shape[1]
    if count < GROUP_FROM_ROWS:
        return (scores > floor[:, None]).nonzero(as_tuple=True)  # type: ignore[return-value]
    grouped = _grouped(scores)
    queries, group = (grouped.amax(-1) > floor[:, None]).nonzero(as_tuple=True)
    pair, place = (grouped[queries, group] > floor[queries, None]).nonzero(as_tuple=True)
    queries, places = queries[pair], group[pair] * GROUP + place
    rest = count % GROUP
    if rest:
        others, place = (scores[:, -rest:] > floor[:, None]).nonzero(as_tuple=True)
        queries = torch.cat([queries, others])
        places = torch.cat([places, place + count - rest])
    return queries, places
