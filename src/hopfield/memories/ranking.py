"""The k best patterns of each query, found block by block and decided by exact scores.

A block gives scores with a known rounding error e. A pattern that scores 2e less than the k-th
best so far is not among the k best. The others are kept, and scored in float64 at the end. So the
result is that of all scores in float64, and neither blocks nor threads change it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..readout import ValuedBlock
from ..similarity import ScoreFunction

GROUP = 64
"""Scores whose largest is compared first: most groups hold no candidate."""

GROUP_FROM_ROWS = 512
"""Rows per block from which on groups are compared first; with fewer, every score is."""

PENDING = 2**16
"""New candidates of all queries that are gathered before the weaker ones are dropped."""

EXACT_ENTRIES = 2**21
"""Matrix entries gathered at a time for exact scores, 16 MiB in float64."""

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
    """

    of_block: ScoreFunction
    error: Float[Tensor, " batch"]
    of_pairs: Callable[[Tensor, Tensor], Tensor] | None = None


def k_best(
    blocks: Iterable[ValuedBlock],
    state: Float[Tensor, "batch dim"],
    known: Tensor | None,
    scoring: Scoring,
    k: int,
) -> tuple[Float[Tensor, "batch k"], Int[Tensor, "batch k"]]:
    """Return the k largest scores of each query, best first, and their rows.

    Rows of equal scores follow in the order of storage. There must be at least k rows.
    """
    leaders = _Leaders(scoring, k)
    for block in blocks:
        leaders.add(block.start, scoring.of_block(block, state, known))
    return leaders.result()


class _Leaders:
    """The candidates of a batch of queries: patterns that may be among the k best."""

    def __init__(self, scoring: Scoring, k: int) -> None:
        self.scoring, self.k, self.batch = scoring, k, len(scoring.error)
        self.margin = 2 * scoring.error
        self.floor = torch.full_like(self.margin, -torch.inf)  # candidates score more than this
        self.parts: list[Pairs] = []
        self.size, self.limit = 0, PENDING
        self.rows = 0

    def add(self, start: int, scores: Tensor) -> None:
        """Keep the candidates among the rows from `start` on, `scores` is `(batch, n)`."""
        if self.rows < self.k <= scores.shape[1] and self.batch:
            self.floor = torch.maximum(self.floor, self._first_floor(scores))
        floor = self.floor.to(scores.dtype)
        if scores.dtype != torch.float64:  # not rounded up
            floor = torch.where(
                floor > self.floor, floor.nextafter(floor.new_tensor(-torch.inf)), floor
            )
        queries, places = _above(scores, floor)
        self.parts.append((queries, places + start, scores[queries, places].double()))
        self.rows += scores.shape[1]
        self.size += len(queries)
        if self.size > self.limit:
            self._drop()

    def result(self) -> tuple[Tensor, Tensor]:
        """Return scores and rows, each `(batch, k)`."""
        self._drop()
        self._rescore()
        _, rows, scores = self.parts[0]
        return scores.reshape(self.batch, self.k), rows.reshape(self.batch, self.k)

    def _first_floor(self, scores: Tensor) -> Tensor:
        # At least k rows of this block score as much as the k-th best of some of its scores.
        some = scores
        if scores.shape[1] >= max(self.k * GROUP, GROUP_FROM_ROWS):
            some = _grouped(scores).amax(-1)
        least = some.topk(self.k, dim=-1).values[:, -1].double() - self.margin
        return least.nextafter(least.new_tensor(-torch.inf))

    def _drop(self) -> None:
        # Drops all that score more than the margin below the k-th best.
        pairs, rank = self._ranked()
        queries, _, scores = pairs
        counts = torch.bincount(queries, minlength=self.batch)
        full = counts >= self.k
        last = (counts.cumsum(0) - counts + self.k - 1).clamp_max(max(len(scores) - 1, 0))
        if len(scores):
            floor = scores[last] - self.margin
            lower = floor.nextafter(floor.new_tensor(-torch.inf))
            floor = torch.where(self.margin > 0, lower, floor)
            self.floor = torch.where(full, torch.maximum(floor, self.floor), self.floor)
        left = (rank < self.k) | ((self.margin > 0)[queries] & (scores > self.floor[queries]))
        self._keep(pairs, left)
        if self.size > PENDING // 2 + 2 * self.batch * self.k:
            self._rescore()
        self.limit = self.size + PENDING

    def _rescore(self) -> None:
        # Keeps the k best by exact scores, where there are any.
        of_pairs, (queries, rows, _) = self.scoring.of_pairs, self.parts[0]
        if of_pairs is None:
            return
        order = rows.sort(stable=True).indices  # equal scores: lower rows first
        queries, rows = queries[order], rows[order]
        self.parts = [(queries, rows, of_pairs(queries, rows))]
        pairs, rank = self._ranked()
        self._keep(pairs, rank < self.k)

    def _ranked(self) -> tuple[Pairs, Tensor]:
        # Sorted by query, then from the best score down; equal scores keep their order.
        queries, rows, scores = (torch.cat(column) for column in zip(*self.parts, strict=True))
        order = scores.sort(descending=True, stable=True).indices
        order = order[queries[order].sort(stable=True).indices]
        queries, rows, scores = queries[order], rows[order], scores[order]
        counts = torch.bincount(queries, minlength=self.batch)
        first = counts.cumsum(0) - counts
        rank = torch.arange(len(queries), device=queries.device) - first[queries]
        return (queries, rows, scores), rank

    def _keep(self, pairs: Pairs, which: Tensor) -> None:
        queries, rows, scores = pairs
        self.parts = [(queries[which], rows[which], scores[which])]
        self.size = len(self.parts[0][0])


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
