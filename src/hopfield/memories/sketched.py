"""Candidates of a certified readout from the sketches of the rows, which a table on disk keeps.

Scores are −½‖x_μ − x‖² or x_μ·x. With the sketch σ and the centre c of `hopfield.stores.sketch`,
apart from a term that all rows of a query share,

    Euclid:  s_μ ≤ σ(x_μ)·σ(x) − ½‖σ(x_μ)‖²,        dot:  s_μ ≤ σ(x_μ)·σ(x) + c·(x_μ − c).

Rows are read in the order of these bounds b_μ, and scored exactly, until those not read have at
most the weight

    Σ_{not read} w_μ exp(β b_μ) / Σ_{read} w_μ exp(β s_μ) ≤ ε.

The sum is that of this query: nothing is assumed of the rows. Its value is returned.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import OptionError
from ..stores import Store
from ..stores.sketch import Sketch
from .open_query import UNREAD_WEIGHT, OpenQuery
from .pairwise import eps_of_products
from .query_batch import QueryBatch
from .taken_rows import TakenRows

HELD_SKETCHES = 2**27
"""Numbers of all sketches, 512 MiB, up to which they are held in memory; more are read again."""

BOUNDS = 2**23
"""Bounds computed at a time, 32 MiB."""

READ_ENTRIES = 24
"""Entries that a full readout multiplies in the time in which it reads one, of any dtype."""

QUERY_ENTRIES = 2**24
"""Entries that it multiplies in the time that a search of a query takes in a table of any size."""

BOUND_ENTRIES = 448
"""Entries that it multiplies in the time in which a search finds and compares one bound."""

ROW_ENTRIES = 2**18
"""Entries that it multiplies in the time in which a search takes one row by its place."""

TRIAL = 0.1
"""Largest time spent in vain on a search, per time of a full readout of the batch."""

SAMPLED = 16
"""Every sixteenth row is bounded first, to see whether so many are candidates that all are read."""

LEAST_SAMPLE = 1024
"""Rows of a sample below which it tells too little, and all rows are bounded at once."""

NEAR_ROWS = 8
"""Rows near the largest bound of a sample, at most, per row that may be taken."""

REFINED_ENTRIES = 2**12
"""Entries that a full readout multiplies in the time in which a whole sketch bounds one row."""

REFINED_ROWS = 2048
"""Rows bound by whole sketches at a time: the memory of more is not in the cache."""

COARSE = 48
"""Coordinates of the sketches that bound all rows; the best ones are bound by the whole sketch."""

MOST_TAKEN = 2**24
"""Entries of the rows taken for one batch, 64 MiB in float32."""

SCORED_ROWS = 128
"""Rows scored at a time: the memory of more is not in the cache."""

MAX_SKETCH_NORM = 1e18
"""Norm of a row or state from which on all is read in full: its square overflows in float32."""


def can_sketch(store: Store, batch: QueryBatch) -> bool:
    """Return whether sketches bound the scores of a batch, and may be faster than a full readout.

    With a mask and Euclid they bound nothing: the axes are orthonormal on all entries together.
    """
    if batch.known is not None or not batch.beta > 1e-30 or not len(batch.masked):
        return False
    if not Costs.of(store, batch).allow_search:
        return False
    if store.sketch is None:
        return False
    longest = batch.masked.detach().norm(dim=-1).max().item()
    return max(store.summary().largest_norm, longest) < MAX_SKETCH_NORM


@dataclass(frozen=True)
class Costs:
    """Times of a batch, in units of one entry that a full readout multiplies.

    They follow from the sizes of batch and table alone. A query that is found costs `query`, and
    ROW_ENTRIES per row that is taken for it. It saves `entries`, and if all queries are found also
    the reading of all rows.

    Attributes:
        size: queries of the batch.
        entries: one query more of a full readout.
        query: the search of one query, without the rows that are taken.
    """

    size: int
    entries: int
    query: int

    @classmethod
    def of(cls, store: Store, batch: QueryBatch) -> "Costs":
        """Return the costs of a batch."""
        query = QUERY_ENTRIES + BOUND_ENTRIES * len(store)
        return cls(len(batch.masked), len(store) * store.dim, query)

    def full(self, size: int) -> int:
        """Return the cost of a full readout of `size` queries."""
        return self.entries * (READ_ENTRIES + size)

    @property
    def allow_search(self) -> bool:
        """True if one query may be searched in vain, and if a search of all can pay."""
        may_fail = self.query <= TRIAL * self.full(1)
        return may_fail and self.size * self.query <= self.full(self.size)

    @property
    def few(self) -> int:
        """The entries that a query may cost beyond `query`, if others are read in full."""
        return max(0, self.entries - self.query)

    def most(self, stop: int) -> int:
        """Return what the first queries up to `stop` may cost beyond `query`, if all are found.

        It is a third of a full readout, and half of it once all are searched.
        """
        return self.full(self.size) * stop // self.size // (2 if stop == self.size else 3)

    def next_queries(self, searched: int, found: int, spent: int) -> int:
        """Return how many queries to search next, after rows for `spent` were taken and bound.

        If all are in vain, the whole batch costs TRIAL more than a full readout at most. While all
        were found, the others count as a batch: to find these saves the reading of all rows.
        """
        if found == searched:
            left = TRIAL * self.full(self.size - searched)
        else:  # half of what is saved: products with the other queries become less efficient
            left = (TRIAL * self.full(self.size) + found * self.entries) / 2
            left -= searched * self.query + spent
        count = max(0, int(left / self.query))
        return count if searched else (count + 1) // 2  # the first ones are in vain most often


@torch.no_grad()
def sketched_candidates(store: Store, batch: QueryBatch) -> "Search":
    """Find the candidates of each query, except of crowded queries, which are read in full."""
    search, size = Search(store, batch), len(batch.masked)
    sketches, most = _sketches_of(store), max(1, BOUNDS // len(store))
    if not isinstance(sketches.parts, list) and size > most:
        return search  # sketches on disk would be read too often
    start, count = 0, search.costs.next_queries(0, 0, 0)
    if search.seems_crowded(slice(0, count), sketches):
        return search
    while start < size and count:
        stop = min(start + min(count, most), size)
        search.find(slice(start, stop), sketches)
        found = int((~search.crowded).sum())
        start, count = stop, search.costs.next_queries(stop, found, search.spent)
    return search


class Search:
    """A search of the candidates of a batch of queries.

    Attributes:
        crowded: True for queries that are read in full: they have too many candidates.
        unread_weight: a bound of the weight of the rows that are not read, `(batch,)`, float64.
        taken: the rows that were read.
    """

    def __init__(self, store: Store, batch: QueryBatch) -> None:
        """Begin with nothing read, and all queries crowded."""
        self.store, self.batch, self.costs = store, batch, Costs.of(store, batch)
        self.crowded = torch.ones(self.costs.size, dtype=torch.bool)
        self.unread_weight = torch.zeros(self.costs.size, dtype=torch.float64)
        self.taken = TakenRows(store)
        self._states = SketchedStates.of(_sketch_of(store), batch)
        self.held = MOST_TAKEN // store.dim  # rows, of all queries
        self.refined = 0  # rows bound by whole sketches, of all queries
        self.is_partial = False  # True if some query is read in full, which others can join
        self._pairs: list[tuple[Tensor, Tensor]] = []

    @property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """The queries and the rows of all (query, row) pairs that were read."""
        queries, members = zip(*self._pairs, strict=True)
        return torch.cat(queries), torch.cat(members)

    @property
    def spent(self) -> int:
        """The cost of the rows that were taken and bound."""
        return self.taken.count * ROW_ENTRIES + self.refined * REFINED_ENTRIES

    def _left(self, stop: int) -> int:
        # What the next query may cost, of all queries up to `stop`.
        return self.costs.few if self.is_partial else self.costs.most(stop) - self.spent

    def seems_crowded(self, queries: slice, sketches: "Sketches") -> bool:
        """Return whether a sample of the rows has too many that must be read for the queries."""
        rows, window = sketches.sample, math.log(1 / UNREAD_WEIGHT) / self.batch.beta
        if rows is None or len(rows) < LEAST_SAMPLE:
            return False
        bounds = self._columns(queries, sketches) @ rows.T
        bounds += self._log_prior(slice(None, None, SAMPLED))
        near = bounds >= bounds.amax(-1, keepdim=True) - window
        return SAMPLED * int(near.sum()) > NEAR_ROWS * (self._left(queries.stop) // ROW_ENTRIES)

    def find(self, queries: slice, sketches: "Sketches") -> None:
        """Find the candidates of some queries."""
        states, beta = self._states, self.batch.beta
        bounds = self._bounds(self._columns(queries, sketches), sketches.parts)
        open_queries = []
        for number, some in enumerate(bounds, queries.start):
            refine = partial(self._refined, sketches.whole, states.columns[number], some)
            query = OpenQuery(number, some, refine, states.extra[number].item(), beta)
            if query.start(self._left(self.costs.size) // ROW_ENTRIES):
                open_queries.append(query)
            else:
                self.is_partial = True
        while open_queries:
            wanted = [query.wanted() for query in open_queries]
            self.taken.add(torch.cat(wanted))
            for query, places in zip(open_queries, wanted, strict=True):
                left, before = self._left(queries.stop), query.refined
                scores = self._scores(query.at, places)
                query.add(scores, left // REFINED_ENTRIES, left // ROW_ENTRIES)
                self.refined += query.refined - before
            self._close([query for query in open_queries if query.is_done])
            still_open = [query for query in open_queries if not query.is_done]
            open_queries = self._affordable(still_open, queries.stop)

    def _affordable(self, open_queries: "list[OpenQuery]", stop: int) -> "list[OpenQuery]":
        # The queries that need the fewest rows, as many as may be taken.
        reserved, chosen = 0, []
        for query in sorted(open_queries, key=lambda query: query.needed):
            more = query.needed - query.count
            rows = query.needed if self.is_partial else reserved + more
            is_costly = rows > self._left(stop) // ROW_ENTRIES
            if is_costly or self.taken.count + reserved + more > self.held:
                self.is_partial = True
            else:
                reserved += more
                chosen.append(query)
        return chosen

    def _close(self, done: "list[OpenQuery]") -> None:
        for query in done:
            self.crowded[query.at], self.unread_weight[query.at] = False, query.unread_weight
            members = query.order[: query.count]
            self._pairs.append((torch.full_like(members, query.at), members))

    def _columns(self, queries: slice, sketches: "Sketches") -> Tensor:
        columns = self._states.columns[queries]
        return columns if sketches.whole is None else coarser(columns, self._states.size)

    def _refined(
        self, whole: Tensor | None, state: Tensor, all_bounds: Tensor, at: Tensor
    ) -> Tensor:
        # Bounds of the rows at some places, by the whole sketch.
        if whole is None:
            return all_bounds[at]
        # index_select is six times as fast as whole[at].
        parts = [whole.index_select(0, part) @ state for part in at.split(REFINED_ROWS)]
        bounds = torch.cat(parts)
        return bounds if self.batch.prior is None else bounds + self._log_prior(at)

    def _log_prior(self, at: Any = ...) -> Any:
        prior = self.batch.prior
        return 0.0 if prior is None else (prior[at].log() / self.batch.beta).float()

    def _bounds(self, columns: Tensor, parts: Iterable[Tensor]) -> Tensor:
        bounds = torch.empty(len(columns), len(self.store))
        start = 0
        for part in parts:
            torch.mm(columns, part.T, out=bounds[:, start : start + len(part)])
            start += len(part)
        return bounds if self.batch.prior is None else bounds.add_(self._log_prior())

    def _scores(self, number: int, places: Tensor) -> Tensor:
        # Exact scores, less what all rows share, and log w/β.
        query, parts = torch.tensor(number), places.split(SCORED_ROWS)
        scores = torch.cat([self.batch.scores(self.taken.take(part), query) for part in parts])
        scores -= self._states.shift[number]
        prior = self.batch.prior
        return scores if prior is None else scores + prior[places].log() / self.batch.beta


@dataclass(frozen=True, eq=False)
class SketchedStates:
    """States as they are multiplied with the sketches of rows.

    The products are at least s_μ − `shift` − `extra`: they include all rounding in float32.

    Attributes:
        columns: `(batch, size + 4)`, float32: factors of the columns of `_bounding_columns`.
        shift: the part of scores that all rows share, `(batch,)`, float64.
        extra: rounding of `shift`, `(batch,)`, float64.
        size: the number of coordinates.
    """

    columns: Tensor
    shift: Tensor
    extra: Tensor
    size: int

    @classmethod
    def of(cls, sketch: Sketch, batch: QueryBatch) -> "SketchedStates":
        """Sketch the states of a batch."""
        exact, dim = batch.masked.double(), len(sketch.centre)
        coordinates, zero = sketch.of(exact), exact.new_zeros(len(exact), 1)
        norm, centre_norm = (exact - sketch.centre).norm(dim=-1, keepdim=True), sketch.centre.norm()
        # Rounding of sketches, and of products of size + 4 terms, in units of ‖x_μ − c‖‖x − c‖ and
        # of the other columns; with a margin of 2, which also covers float64.
        slack = (sketch.size + 16) * eps_of_products() + dim * 2.0**-48
        if batch.euclidean:
            shift, size = norm.square() / -2, norm.square()
            columns = [coordinates, zero, slack * norm, zero + (1 - slack)]
        else:
            shift = exact @ sketch.centre[:, None]
            size = exact.norm(dim=-1, keepdim=True) * centre_norm
            columns = [coordinates, zero + 1, slack * (norm + centre_norm), zero]
        extra = dim * 2.0**-48 * size
        if batch.prior is not None:
            extra = extra + 2.0**-22 * batch.prior.log().abs().max() / batch.beta
        return cls(torch.cat(columns, dim=-1).float(), shift[:, 0], extra[:, 0], sketch.size)


@dataclass(frozen=True, eq=False)
class Sketches:
    """The columns `whole` of all rows, if they are held, and `parts` of them or of coarser ones.

    The `sample` has every sixteenth row of the only part, or is None.
    """

    parts: Iterable[Tensor]
    whole: Tensor | None = None
    sample: Tensor | None = None


def coarser(columns: Tensor, size: int) -> Tensor:
    """Return the columns of sketches with fewer coordinates, from those of rows or of states."""
    rest = columns[:, COARSE : size + 1].double().norm(dim=-1, keepdim=True)
    return torch.cat([columns[:, :COARSE], rest.float(), columns[:, size + 1 :]], dim=-1)


def _sketch_of(store: Store) -> Sketch:
    if store.sketch is None:
        raise OptionError("store must have sketches, but has none. Call add_sketch first.")
    return store.sketch


def _sketches_of(store: Store) -> Sketches:
    # Held in memory if they are few.
    sketch = _sketch_of(store)
    if len(store) * (sketch.size + 4) > HELD_SKETCHES:
        return Sketches(_Parts(store))
    return store.cached("sketches", partial(_held, store, sketch.size), sketch)


def _held(store: Store, size: int) -> Sketches:
    whole = torch.cat(list(_bounding_columns(store)))
    part = whole if size <= 2 * COARSE else coarser(whole, size)
    sample = part[::SAMPLED].contiguous()
    # Products with one state are faster column by column.
    return Sketches([part.T.contiguous().T], None if part is whole else whole, sample)


class _Parts:
    """Sketches that are read from the store at each use."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __iter__(self) -> Iterator[Tensor]:
        return _bounding_columns(self._store)


def _bounding_columns(store: Store) -> Iterator[Float[Tensor, "k columns"]]:
    # σ, c·(x − c), ‖σ‖ and −½‖σ‖². The least norm covers what underflows in float32.
    for part in store.sketches():
        norm = part[:, :-1].double().norm(dim=-1, keepdim=True)
        others = torch.cat([norm.clamp_min(1e-35), norm.square() / -2], dim=-1)
        yield torch.cat([part, others.float()], dim=-1)
