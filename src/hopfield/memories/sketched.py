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

import torch
from jaxtyping import Float
from torch import Tensor

from ..stores import Store
from ..stores.sketch import Sketch
from .pairwise import eps_of_products
from .query_batch import QueryBatch

UNREAD_WEIGHT = 1e-6
"""ε: the largest total weight of the rows that are not read."""

SKETCH_WORK = 2**21
"""Entries of all rows below which reading them all is faster than to look at sketches."""

HELD_SKETCHES = 2**27
"""Numbers of all sketches, 512 MiB, up to which they are held in memory; more are read again."""

BOUNDS = 2**23
"""Bounds computed at a time, 32 MiB."""

FIRST_QUERIES = 4
"""Queries searched first. If sketches help less than half of some queries, no other is tried."""

SEARCH_ENTRIES = 360
"""Entries of a row that a full readout multiplies in the time in which a search looks at one bound.

Large batches of shorter rows are read in full: there each further query costs less than a search.
"""

READ_ENTRIES = 10
"""Entries that a full readout multiplies in the time in which it reads a byte of a row."""

FIRST_ROWS = 16
"""Rows of a query that are read first, those with the largest bounds."""

LONGEST_ORDER = 8
"""Rows put into order, at most, per row that may be read: of a query with more most are needed."""

TAKEN_BYTES = 2**17
"""Bytes that a scan reads in the time, with a margin, in which one row is taken by its place."""

FEW_ENTRIES = 2**21
"""Entries that one more query of a scan costs in the time in which one row is taken."""

MOST_TAKEN = 2**24
"""Entries of the rows taken for one batch, 64 MiB in float32."""

MAX_SKETCH_NORM = 1e18
"""Norm of a row or state from which on all is read in full: its square overflows in float32."""


@dataclass(frozen=True, eq=False)
class TakenRows:
    """Some rows of a store, taken by their places in it.

    Attributes:
        places: the places, ascending.
        rows: the rows at these places.
        count: rows of the whole store.
    """

    places: Tensor
    rows: Tensor
    count: int

    @property
    def dim(self) -> int:
        """The number of entries per row."""
        return self.rows.shape[1]

    def __len__(self) -> int:
        """Return the number of rows of the whole store."""
        return self.count

    def take(self, indices: Tensor) -> Tensor:
        """Return the rows at `indices` of the store, which must be among the places."""
        return self.rows[torch.searchsorted(self.places, indices)]

    def extended(self, store: Store, places: Tensor) -> "TakenRows":
        """Return these rows, and those at other places of the store."""
        new = places.unique()
        new = new[~torch.isin(new, self.places)]
        if not len(new):
            return self
        every, order = torch.cat([self.places, new]).sort()
        return TakenRows(every, torch.cat([self.rows, store.take(new)])[order], self.count)


def can_sketch(store: Store, batch: QueryBatch) -> bool:
    """Return whether sketches bound the scores of a batch, and may be faster than a full readout.

    With a mask and Euclid they bound nothing: the axes are orthonormal on all entries together.
    """
    if batch.known is not None or not batch.beta > 1e-30 or not len(batch.masked):
        return False
    further = len(batch.masked) * (SEARCH_ENTRIES - store.dim)
    if further > READ_ENTRIES * store.dim * store.dtype.itemsize:
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
    parts = _sketch_parts(store)
    if not isinstance(parts, list) and len(batch.masked) > size:
        return search  # sketches on disk would be read too often
    first, others = torch.arange(len(batch.masked)).tensor_split([min(FIRST_QUERIES, size)])
    for queries in (first, *others.split(size)):
        if len(queries):
            search.find(queries, parts)
            if search.crowded[queries].double().mean() > 0.5:
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
        self.left = self.few * size + most  # rows of all queries together that may be read
        self._pairs: list[tuple[Tensor, Tensor]] = []

    @property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """The queries and the rows of all (query, row) pairs that were read."""
        queries, members = zip(*self._pairs, strict=True)
        return torch.cat(queries), torch.cat(members)

    def find(self, queries: Tensor, parts: Iterable[Tensor]) -> None:
        """Find the candidates of some queries; `parts` are the sketches of all rows."""
        sketch, beta = self.store.sketch, self.batch.beta
        if sketch is None:
            return
        states = SketchedStates.of(sketch, self.batch, queries)
        bounds = self._bounds(states, parts)
        top = bounds.amax(-1)
        # Rows this close to the largest bound must be read, one by one, for most weights.
        nearest = top - math.log(1 / UNREAD_WEIGHT) / beta
        near = bounds >= nearest[:, None]
        counts = near.count_nonzero(-1)
        if bool((counts > self.many).any()):
            self.many = self.few
            near &= (counts <= self.many)[:, None]
        lengths, places = near.sum(-1).tolist(), near.nonzero()[:, 1]
        open_queries = [
            OpenQuery(at, bounds[at], some, states.extra[at].item(), self.many)
            for at, some in enumerate(places.split(lengths))
            if len(some)
        ]
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

    def _bounds(self, states: "SketchedStates", parts: Iterable[Tensor]) -> Tensor:
        bounds = torch.empty(len(states.columns), len(self.store))
        start = 0
        for part in parts:
            torch.mm(states.columns, part.T, out=bounds[:, start : start + len(part)])
            start += len(part)
        if self.batch.prior is not None:
            bounds += (self.batch.prior.log() / self.batch.beta).float()
        return bounds

    def _scores(self, states: "SketchedStates", at: int, places: Tensor) -> Tensor:
        # Exact scores, less what all rows share, and log w/β.
        rows, x = self.taken.take(places).double(), states.exact[at]
        if self.batch.euclidean:
            scores = (rows - x).square().sum(-1) / -2
        else:
            scores = rows @ x
        scores -= states.shift[at]
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
        exact: the states, `(batch, dim)`, float64.
    """

    columns: Tensor
    shift: Tensor
    extra: Tensor
    exact: Tensor

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
        return cls(torch.cat(columns, dim=-1).float(), shift[:, 0], extra[:, 0], exact)


class OpenQuery:
    """A query whose candidates are being read, in the order of their bounds.

    Attributes:
        at: its place among the states.
        order: rows by their bounds, the largest first: all that may have to be read.
        count: rows read so far, the first of `order`.
        unread_weight: a bound of the weight of all other rows.
        needed: rows to read in all, as far as is known.
        is_done: True if the weight is small enough.
    """

    def __init__(self, at: int, bounds: Tensor, places: Tensor, extra: float, limit: int) -> None:
        """Begin with the rows at `places`, those with the largest of all `bounds`."""
        self.at, self._all, self._extra, self._limit = at, bounds, extra, limit
        self._scores = torch.empty(0, dtype=torch.float64)
        self.count, self.needed = 0, FIRST_ROWS
        self.unread_weight, self.is_done = 1.0, False
        self._sort(places)

    def wanted(self) -> Tensor:
        """Return the rows to read next: those needed as far as is known, at most 4 times more."""
        stop = min(self.needed, max(FIRST_ROWS, 4 * self.count))
        return self.order[self.count : stop]

    def add(self, places: Tensor, scores: Tensor, beta: float) -> None:
        """Add the exact scores of rows just read, and see how many more are needed."""
        first = not self.count
        self.count += len(places)
        self._scores = torch.cat([self._scores, beta * scores])
        total, share = self._scores.logsumexp(0).item(), 1e-3 * UNREAD_WEIGHT
        if first:  # the others weigh less than `share` together; the more is read, the less
            floor = (total - math.log(len(self._all) / share)) / beta - self._extra
            near = (self._all >= floor).nonzero()[:, 0]
            if len(near) > LONGEST_ORDER * self._limit:
                self.needed = len(near)
                return
            self._sort(near)
        weights = (beta * (self._bounds + self._extra) - total).exp()
        rest = weights.flip(0).cumsum(0).flip(0) + share
        enough = int((rest > UNREAD_WEIGHT).sum())
        self.needed = max(self.count, enough)
        self.unread_weight = rest[self.count].item() if self.count < len(rest) else share
        self.is_done = self.unread_weight <= UNREAD_WEIGHT

    def _sort(self, places: Tensor) -> None:
        # Stable: the rows that were read stay the first ones.
        bounds, order = self._all[places].sort(descending=True, stable=True)
        self.order, self._bounds = places[order], bounds.double()


def _sketch_parts(store: Store) -> Iterable[Tensor]:
    # The columns that bound scores: held in memory if they are few.
    sketch = store.sketch
    if sketch is not None and len(store) * (sketch.size + 4) <= HELD_SKETCHES:
        return store.cached("sketches", lambda: [torch.cat(list(_bounding_columns(store)))], sketch)
    return _Parts(store)


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
