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

from ..stores import Store
from ..stores.sketch import Sketch
from .open_query import UNREAD_WEIGHT, OpenQuery
from .pairwise import eps_of_products
from .query_batch import QueryBatch
from .taken_rows import TakenRows

SKETCH_WORK = 2**21
"""Entries of all rows below which reading them all is faster than to look at sketches."""

HELD_SKETCHES = 2**27
"""Numbers of all sketches, 512 MiB, up to which they are held in memory; more are read again."""

BOUNDS = 2**23
"""Bounds computed at a time, 32 MiB."""

FIRST_QUERIES = 2
"""Queries searched first, then twice as many at a time. If one is read in full, no other is tried:
then a batch costs at most a tenth more than a full readout.
"""

SEARCH_ENTRIES = 360
"""Entries of a row that a full readout multiplies in the time in which a search looks at one bound.

Large batches of shorter rows are read in full: there each further query costs less than a search.
"""

READ_ENTRIES = 6
"""Entries that a full readout multiplies in the time in which it reads a byte of a row."""

TRIAL = 0.1
"""Largest time of the first queries' search, per time of a full readout of the batch."""

SAMPLED = 16
"""Every sixteenth row is bounded first, to see whether so many are candidates that all are read."""

LEAST_SAMPLE = 1024
"""Rows of a sample below which it tells too little, and all rows are bounded at once."""

LONGEST_ORDER = 16
"""Rows put into order, at most, per row that may be read: of a query with more most are needed."""

COARSE = 48
"""Coordinates of the sketches that bound all rows; the best ones are bound by the whole sketch."""

TAKEN_BYTES = 2**17
"""Bytes that a scan reads in the time, with a margin, in which one row is taken by its place."""

FEW_ENTRIES = 2**21
"""Entries that one more query of a scan costs in the time in which one row is taken."""

MOST_TAKEN = 2**24
"""Entries of the rows taken for one batch, 64 MiB in float32."""

MAX_SKETCH_NORM = 1e18
"""Norm of a row or state from which on all is read in full: its square overflows in float32."""


def can_sketch(store: Store, batch: QueryBatch) -> bool:
    """Return whether sketches bound the scores of a batch, and may be faster than a full readout.

    With a mask and Euclid they bound nothing: the axes are orthonormal on all entries together.
    """
    if batch.known is not None or not batch.beta > 1e-30 or not len(batch.masked):
        return False
    size, reading = len(batch.masked), READ_ENTRIES * store.dim * store.dtype.itemsize
    trial = min(size, FIRST_QUERIES) * SEARCH_ENTRIES
    if size > 1 and trial > TRIAL * (reading + size * store.dim):
        return False
    if size * (SEARCH_ENTRIES - store.dim) > reading:
        return False
    if len(store) * store.dim < SKETCH_WORK or store.sketch is None:
        return False
    longest = batch.masked.detach().norm(dim=-1).max().item()
    return max(store.summary().largest_norm, longest) < MAX_SKETCH_NORM


@torch.no_grad()
def sketched_candidates(store: Store, batch: QueryBatch) -> "Search":
    """Find the candidates of each query, except of crowded queries, which are read in full."""
    search = Search(store, batch)
    size = max(1, BOUNDS // len(store))
    sketches = _sketches_of(store)
    if not isinstance(sketches.parts, list) and len(batch.masked) > size:
        return search  # sketches on disk would be read too often
    first, others = torch.arange(len(batch.masked)).tensor_split([min(FIRST_QUERIES, size)])
    if search.seems_crowded(first, sketches):
        return search
    for queries in (first, *others.split(min(2 * FIRST_QUERIES, size))):
        if len(queries):
            search.find(queries, sketches)
            if bool(search.crowded[queries].any()):  # the others join the full readout
                break
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
        count, size = len(store), len(batch.masked)
        self.store, self.batch = store, batch
        self.crowded = torch.ones(size, dtype=torch.bool)
        self.unread_weight = torch.zeros(size, dtype=torch.float64)
        none = torch.empty(0, store.dim, dtype=store.dtype)
        self.taken = TakenRows(torch.empty(0, dtype=torch.long), none, count)
        # Rows per query that may be read: fewer once a scan of all is due, which others can join.
        self.few = count * store.dim // FEW_ENTRIES
        most = min(count * store.dim * store.dtype.itemsize // TAKEN_BYTES, MOST_TAKEN // store.dim)
        self.many = self.few + most
        self.share = self.few + most // size
        self.longest = LONGEST_ORDER * self.share
        self.left = 0  # rows of all queries searched so far that may still be read
        self._pairs: list[tuple[Tensor, Tensor]] = []

    @property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """The queries and the rows of all (query, row) pairs that were read."""
        queries, members = zip(*self._pairs, strict=True)
        return torch.cat(queries), torch.cat(members)

    def seems_crowded(self, queries: Tensor, sketches: "Sketches") -> bool:
        """Return whether a sample of the rows has too many that must be read for some query."""
        sketch, rows = self.store.sketch, sketches.sample
        if sketch is None or rows is None or len(rows) < LEAST_SAMPLE:
            return False
        columns = SketchedStates.of(sketch, self.batch, queries).columns
        if sketches.whole is not None:
            columns = coarser(columns, sketch.size)
        bounds = columns @ rows.T + self._log_prior(slice(None, None, SAMPLED))
        near = bounds >= bounds.amax(-1, keepdim=True) - self._window
        return SAMPLED * int(near.sum(-1).max()) > self.longest

    @property
    def _window(self) -> float:
        # Rows this close to the largest bound must be read, one by one, for most weights.
        return math.log(1 / UNREAD_WEIGHT) / self.batch.beta

    def find(self, queries: Tensor, sketches: "Sketches") -> None:
        """Find the candidates of some queries."""
        sketch, beta = self.store.sketch, self.batch.beta
        if sketch is None:
            return
        self.left += len(queries) * self.share
        states = SketchedStates.of(sketch, self.batch, queries)
        is_coarse = sketches.whole is not None
        columns = coarser(states.columns, sketch.size) if is_coarse else states.columns
        bounds = self._bounds(columns, sketches.parts)
        window = self._window
        near = bounds >= bounds.amax(-1, keepdim=True) - window
        most = self.longest if is_coarse else self.many
        counts = near.count_nonzero(-1)
        near &= (counts <= most)[:, None]
        lengths, places = near.count_nonzero(-1).tolist(), near.nonzero()[:, 1]
        open_queries = []
        for at, some in enumerate(places.split(lengths)):
            refine = partial(self._refined, sketches.whole, states.columns[at], bounds[at])
            query = OpenQuery(at, bounds[at], refine, states.extra[at].item(), self.longest)
            if not len(some) or query.start(some, window) > self.many:
                self.many = self.few
            else:
                open_queries.append(query)
        while open_queries:
            wanted = [query.wanted() for query in open_queries]
            self.taken = self.taken.extended(self.store, torch.cat(wanted))
            self.left -= sum(len(places) for places in wanted)
            for query, places in zip(open_queries, wanted, strict=True):
                query.add(places, self._scores(states, query.at, places), beta)
            self._close([query for query in open_queries if query.is_done], queries)
            open_queries = self._affordable([q for q in open_queries if not q.is_done])

    def _affordable(self, open_queries: "list[OpenQuery]") -> "list[OpenQuery]":
        # The queries that need the fewest rows, as many as may be read.
        left, chosen = self.left, []
        for query in sorted(open_queries, key=lambda query: query.needed):
            left -= query.needed - query.count
            if query.needed > self.many or left < 0:
                self.many = self.few
            else:
                chosen.append(query)
        return chosen

    def _close(self, done: "list[OpenQuery]", queries: Tensor) -> None:
        for query in done:
            number = queries[query.at]
            self.crowded[number], self.unread_weight[number] = False, query.unread_weight
            members = query.order[: query.count]
            self._pairs.append((number.expand(len(members)), members))

    def _refined(
        self, whole: Tensor | None, state: Tensor, all_bounds: Tensor, at: Tensor
    ) -> Tensor:
        # Bounds of the rows at some places, by the whole sketch.
        if whole is None:
            return all_bounds[at]
        bounds = whole[at] @ state
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

    def _scores(self, states: "SketchedStates", at: int, places: Tensor) -> Tensor:
        # Exact scores, less what all rows share, and log w/β.
        scores = self.batch.scores(self.taken.take(places), states.queries[at]) - states.shift[at]
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
        queries: the numbers of these states in their batch.
    """

    columns: Tensor
    shift: Tensor
    extra: Tensor
    queries: Tensor

    @classmethod
    def of(cls, sketch: Sketch, batch: QueryBatch, queries: Tensor) -> "SketchedStates":
        """Sketch some states of a batch."""
        exact, dim = batch.masked[queries].double(), len(sketch.centre)
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
        return cls(torch.cat(columns, dim=-1).float(), shift[:, 0], extra[:, 0], queries)


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


def _sketches_of(store: Store) -> Sketches:
    # Held in memory if they are few.
    sketch = store.sketch
    if sketch is None or len(store) * (sketch.size + 4) > HELD_SKETCHES:
        return Sketches(_Parts(store))
    return store.cached("sketches", partial(_held, store, sketch.size), sketch)


def _held(store: Store, size: int) -> Sketches:
    whole = torch.cat(list(_bounding_columns(store)))
    if size <= 2 * COARSE:
        return Sketches([whole], None, whole[::SAMPLED].contiguous())
    part = coarser(whole, size)
    return Sketches([part], whole, part[::SAMPLED].contiguous())


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
