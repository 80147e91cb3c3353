"""Candidates of a certified readout from a scan: approximate scores of all rows.

A scan multiplies a copy of the rows in 8 bits, or, on processors without fast products of such
numbers, the rows themselves in float32: that is half of what a full readout multiplies. If each
scanned score s̃ is within e of the exact score, the rows

    s̃_μ ≥ max s̃ − 2e − log(n/ε)/β

include all that have weight.
"""

from dataclasses import dataclass
from functools import cache, reduce

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from ..readout import BLOCK_ROWS
from ..stores import Store
from ..stores.scan import GROUP, MOST_TERMS, Levels, ScanCopy, products
from ..stores.summary import SUMMARY_ROWS
from .pairwise import eps_of_products
from .query_batch import QueryBatch
from .taken_rows import parts_of_pairs

SCAN_SCORES = 2**19
"""Scores computed at a time by the scan, 2 MiB in float32: they stay in the L2 cache."""

SCAN_WORK = 2**27
"""Multiplications, states × rows × dim, below which a full readout is faster than a scan."""

SCAN_ROWS = 2**11
"""Rows below which a full readout is faster than a scan: a query reads candidates for some time."""

MAX_SCAN_NORM = 1e19
"""Norm of a row or state from which on all is read in full: its square overflows in float32."""

MOST_GROUPS = 128
"""Groups of candidates per query; a query with more is crowded, and is read in full."""

SAMPLED, CROWDED_SAMPLE = 64, 8
"""Every 64th row is a sample. Queries that have 8 candidates there or more are not scanned: all
rows are candidates some 500 times, in more than `MOST_GROUPS` groups."""

TRIED = 16
"""Queries of a large batch that are scanned first. If a quarter of them is crowded, no other is."""

LEAST_TRIED = 10 * TRIED
"""Queries from which on some are tried first, so that a trial in vain costs a twentieth at most; of
fewer, the rows themselves are not scanned."""


@cache
def scan_pays() -> bool:
    """Return whether the processor multiplies 8-bit numbers faster than float32.

    Without the VNNI instructions of AVX-512 a scan takes 8 to 20 times as long as a full readout.
    """
    vnni = getattr(torch.cpu, "_is_vnni_supported", lambda: True)
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and bool(vnni())


@torch.no_grad()
def crowded_for_sure(store: Store, batch: QueryBatch) -> Tensor:
    """Return which queries are known to have too many candidates before anything is scanned."""
    # Rows of average score are candidates of most queries, however good the best rows are. Else a
    # sample tells of how many rows a score is near the best one possible.
    summary, window = store.summary(), batch.window(len(store))
    places = torch.arange(0, len(store), SAMPLED)
    sample = store.cached("scan sample", lambda: store.take(places))
    crowded = batch.near_best(sample, summary.largest_norm, window) >= CROWDED_SAMPLE
    return crowded.logical_or_(batch.mean_gap(summary) <= window)


def is_little(store: Store, count: int) -> bool:
    """Return whether a full readout of `count` queries is faster than a scan."""
    return count * len(store) * store.dim < SCAN_WORK or len(store) < SCAN_ROWS or not count


def can_scan(store: Store, batch: QueryBatch) -> bool:
    """Return whether a scan in 8 bits is possible, and faster than a full readout."""
    return scan_pays() and store.dim <= MOST_TERMS and _is_scannable(store, batch)


def can_scan_rows(store: Store, batch: QueryBatch) -> bool:
    """Return whether a scan of the rows themselves is, where there is none in 8 bits."""
    if scan_pays() or len(batch.masked) < LEAST_TRIED or store.signs_only:
        return False
    in_float32 = store.dtype == batch.masked.dtype == torch.float32
    return in_float32 and _is_scannable(store, batch)


def _is_scannable(store: Store, batch: QueryBatch) -> bool:
    known, masked = batch.known, batch.masked
    if is_little(store, len(masked)) or store.device.type != "cpu" or not batch.beta:
        return False
    has_own_masks = known is not None and known.ndim > 1
    if has_own_masks or not store.resident:  # rows on disk are not copied into memory
        return False
    longest = masked.detach().norm(dim=-1).max().item()
    return max(store.summary().largest_norm, longest) < MAX_SCAN_NORM


@torch.no_grad()
def candidates(
    store: Store, batch: QueryBatch, crowded: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the candidates of each query, except of crowded queries.

    Args:
        store: the rows.
        batch: the queries.
        crowded: queries that are crowded in any case, `(batch,)`, or None.

    Returns:
        The queries and the rows of k (query, row) pairs, each `(k,)`, and a mask of the queries
        that are read in full, `(batch,)`: they have more than `MOST_GROUPS` groups of candidates,
        or so many others have that they were not scanned.
    """
    left = torch.arange(len(batch.masked))
    if crowded is not None:
        left = left[~crowded]
    crowded = torch.ones(len(batch.masked), dtype=torch.bool)
    bias, pairs = scan_bias(store, batch), []
    for some in _in_turn(left):
        queries, members, crowded[some] = _scanned(store, batch.at(some), bias)
        pairs.append((some[queries], members))
        if 4 * int(crowded[some].sum()) > len(some):
            break
    queries, members = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    return queries, members, crowded


def _in_turn(queries: Tensor) -> tuple[Tensor, ...]:
    # A few queries from all over the batch, then the others.
    if len(queries) < LEAST_TRIED:
        return (queries,)
    first = torch.arange(len(queries)) % (len(queries) // TRIED) == 0
    return queries[first], queries[~first]


def _scanned(store: Store, batch: QueryBatch, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    scanned: EncodedStates | PlainStates
    if scan_pays():
        scanned = EncodedStates.of(scan_copy(store), batch, bias[: len(store)])
    else:
        scanned = PlainStates.of(store, batch, bias[: len(store)])
    queries, members = scan(scanned, bias, batch.window(len(store)))
    crowded = torch.bincount(queries, minlength=len(batch.masked)) > MOST_GROUPS
    left = ~crowded[queries]
    pairs = _candidates_of_groups(store, batch, bias, queries[left], members[left])
    return *pairs, crowded


def scan_copy(store: Store) -> ScanCopy:
    """Return the copy of the rows in 8 bits; it is cached until the store changes."""
    store.summary()  # caches the norms, which blocks then have
    return store.cached("scan", lambda: ScanCopy.of(store.blocks(SUMMARY_ROWS)))


def scan_bias(store: Store, batch: QueryBatch) -> Tensor:
    """Return the bias of each row, float32: score = dot product + bias, up to a constant per query.

    Those that fill the last group have −∞.
    """
    bias = torch.zeros(len(store), dtype=torch.float32)
    if batch.euclidean:
        squares = store.summary().squared_norms
        if batch.known is not None:
            mask = batch.known.to(squares.dtype)
            squares = torch.cat([block.squares(mask) for block in store.blocks(BLOCK_ROWS)])
        bias = squares.float() / -2
    return pad(bias, (0, -len(store) % GROUP), value=-torch.inf)


@dataclass(frozen=True, eq=False)
class EncodedStates:
    """States in 8 bits, for their scores with a copy of the rows.

    Attributes:
        copy: the rows in 8 bits.
        codes: `(batch, dim)`, int8.
        factors: of the sums of codes and of the biases of rows, `(batch, 2)`.
        unit: a score is `unit` times what `scores` returns, `(batch,)`, float64.
        error: a bound of the error of scores, `(batch,)`, float64.
    """

    copy: ScanCopy
    codes: Tensor
    factors: Tensor
    unit: Tensor
    error: Tensor

    @classmethod
    def of(cls, copy: ScanCopy, batch: QueryBatch, bias: Float[Tensor, " n"]) -> "EncodedStates":
        """Encode the states of a batch; `bias` is that of all rows, without the padding."""
        masked = batch.masked.double()
        levels = Levels(masked.amin(-1, keepdim=True), masked.amax(-1, keepdim=True))
        codes, lost = levels.encode(masked)
        unit = (copy.levels.step * levels.step).squeeze(-1)
        shift = (levels.offset / levels.step).squeeze(-1)
        # Sums of float32 terms no larger than these; the bias is itself a sum of dim terms.
        eps, dim = eps_of_products(), masked.shape[-1]
        terms = dim * 2.0**14 * unit + shift.abs() * unit * copy.sums.abs().max()
        rounding = 8 * eps * terms + (8 + dim) * eps * bias.abs().max()
        error = 1.0001 * (lost * copy.norm + masked.norm(dim=-1) * copy.error) + rounding
        return cls(copy, codes, torch.stack([shift, 1 / unit], dim=-1).float(), unit, error)

    def scores(self, rows: slice, bias: Float[Tensor, " k"]) -> Float[Tensor, "batch k"]:
        """Return the scores of these rows, up to a constant per query, in units of `unit`."""
        offsets = torch.stack([self.copy.sums[rows], bias])
        return products(self.codes, self.copy.codes[:, rows]).addmm_(self.factors, offsets)


@dataclass(frozen=True, eq=False)
class PlainStates:
    """States for their scores with the rows themselves, in float32; as `EncodedStates`."""

    rows: Tensor
    states: Tensor
    unit: Tensor
    error: Tensor

    @classmethod
    def of(cls, store: Store, batch: QueryBatch, bias: Float[Tensor, " n"]) -> "PlainStates":
        """Bound the rounding of the scores of a batch; `bias` is that of all rows."""
        unit = torch.ones(len(batch.masked), dtype=torch.float64)
        terms = batch.masked.norm(dim=-1).double() * store.summary().largest_norm
        # Products and biases are sums of dim terms; those that underflow lose `tiny` at most.
        error = (store.dim + 8) * eps_of_products() * (terms + bias.abs().max())
        error += store.dim * torch.finfo(torch.float32).tiny
        return cls(store.rows, batch.masked, unit, error)

    def scores(self, rows: slice, bias: Float[Tensor, " k"]) -> Float[Tensor, "batch k"]:
        """Return the scores of these rows, up to a constant per query; −∞ beyond the last row."""
        part = self.rows[rows]
        scores = torch.addmm(bias[: len(part)], self.states, part.T)
        return pad(scores, (0, len(bias) - len(part)), value=-torch.inf)


def scan(
    states: EncodedStates | PlainStates, bias: Float[Tensor, " n"], window: float
) -> tuple[Tensor, Tensor]:
    """Find the groups of rows that contain a candidate, for each query.

    Only the largest score of a group is compared. Of c groups, group g consists of the rows g,
    g + c, g + 2c, …

    Args:
        states: score the rows.
        bias: the bias of each row: −½ Σ m x_μ², or 0; −∞ for those that fill the last group.
        window: rows whose exact scores are further below the best are left out.

    Returns:
        The queries, `(k,)`, and the rows, `(k, GROUP)`, of k (query, group) pairs.
    """
    groups = len(bias) // GROUP
    size, maxima = max(64, SCAN_SCORES // len(states.unit)), []
    for start in range(0, groups, size):
        stop = min(start + size, groups)
        slices = (slice(at + start, at + stop) for at in range(0, len(bias), groups))
        maxima.append(reduce(torch.maximum, (states.scores(rows, bias[rows]) for rows in slices)))
    largest = torch.cat(maxima, dim=-1)
    floor = largest.amax(-1).double() - (2 * states.error + window) / states.unit
    queries, group = (largest >= floor[:, None]).nonzero(as_tuple=True)
    return queries, group[:, None] + groups * torch.arange(GROUP)


def _candidates_of_groups(
    store: Store, batch: QueryBatch, bias: Tensor, queries: Tensor, members: Tensor
) -> tuple[Tensor, Tensor]:
    # Scores the rows of each group again, in float32 at least, and keeps the candidates. The part
    # of a score that all rows of a query share is left out.
    masked = batch.masked.to(torch.promote_types(store.dtype, torch.float32))
    parts = []
    for part in parts_of_pairs(queries, GROUP * store.dim):
        taken = store.take(members[part].clamp_max(len(store) - 1).flatten())
        rows = taken.unflatten(0, (-1, GROUP)).to(masked.dtype)
        parts.append(torch.bmm(rows, masked[queries[part], :, None]).squeeze(-1))
    scores = torch.cat(parts) + bias[members]
    top = scores.new_full((len(masked),), -torch.inf)
    top = top.scatter_reduce(0, queries, scores.amax(-1), "amax")
    # Products and biases are sums of dim terms, rounded in float32.
    size = (masked.norm(dim=-1) + store.summary().largest_norm).square()
    rounding = 4 * eps_of_products() * store.dim * size
    floor = top - rounding - batch.window(len(store))
    pairs, place = (scores >= floor[queries, None]).nonzero(as_tuple=True)
    return queries[pairs], members[pairs, place]
