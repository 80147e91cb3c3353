"""Two ways to read the softmax-weighted sum of all rows of a store: full and certified.

A full readout computes with every row. A certified readout first scores a copy of the rows in 8
bits (the scan), and then computes exactly only with those rows that may have weight (the
candidates). Of n rows, those that score more than log(n/ε)/β below the best have less weight than
ε together, and are left out. If each scanned score s̃ is within e of the exact score, the rows

    s̃_μ ≥ max s̃ − 2e − log(n/ε)/β

include all that are needed: these are the candidates. Read in float64, they give the state within
2Mε of the full readout at the same state, and the energy within −β⁻¹ log(1 − ε), where M is the
largest norm of a row.
"""

from dataclasses import dataclass, fields
from functools import cache, reduce

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from ..bound import Bound
from ..errors import OptionError
from ..readout import BLOCK_ROWS, read
from ..separation import Readout, Separation
from ..separation.softmax import log_mean
from ..similarity import Similarity, masked_state
from ..stores import Store
from ..stores.scan import GROUP, MOST_TERMS, Levels, ScanCopy, products
from ..stores.summary import SUMMARY_ROWS
from .options import blocks_of, reads_in_place
from .query_batch import DROPPED_WEIGHT, QueryBatch
from .readout_bounds import bound_of
from .sketched import can_sketch, sketched_candidates
from .taken_rows import TakenRows

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

GATHERED_ENTRIES = 2**17
"""Matrix entries gathered at a time, 1 MiB in float64: more do not stay in the cache."""


@cache
def scan_pays() -> bool:
    """Return whether the processor multiplies 8-bit numbers faster than float32.

    Without the VNNI instructions of AVX-512 a scan takes 8 to 20 times as long as a full readout.
    """
    vnni = getattr(torch.cpu, "_is_vnni_supported", lambda: True)
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and bool(vnni())


def full_readout(
    store: Store,
    state: Float[Tensor, "batch dim"],
    known: Tensor | None,
    similarity: Similarity,
    separation: Separation,
) -> tuple[Readout, None]:
    """Return the readout of all rows, and no bound."""
    copied = known is not None or not reads_in_place(store, similarity, state)
    blocks = blocks_of(store, state.shape[0], copied)
    return read(blocks, state, similarity, separation, known), None


def check_certifiable(similarity: Similarity, separation: Separation, store: Store) -> None:
    """Raise unless a certified readout supports this similarity, separation and store."""
    if store.is_shared:
        raise OptionError(
            f"precision must be 'full' with a {type(store).__name__}, whose ranks merge what they "
            "read, but is 'certified'. Leave precision= out."
        )
    if separation.softmax_beta() is None or not similarity.is_affine:
        raise OptionError(
            "precision='certified' needs Softmax and similarity 'dot' or 'euclidean', but has "
            f"{type(separation).__name__} and {similarity!r}. Use precision='full'."
        )


@dataclass(frozen=True, eq=False)
class Plan:
    """How the candidates of a batch of queries are found.

    Attributes:
        batch: the queries.
        crowded: queries that are read in full in any case; None where sketches find the others.
    """

    batch: QueryBatch
    crowded: Tensor | None


def plan_of(
    store: Store,
    state: Float[Tensor, "batch dim"],
    known: Tensor | None,
    similarity: Similarity,
    separation: Separation,
) -> Plan | None:
    """Return how candidates are found; None where all rows are read, as in a full readout."""
    if store.resident and len(state) * len(store) * store.dim < SCAN_WORK:
        return None  # resident rows have no sketches
    batch = QueryBatch.of(store, state, known, similarity, separation)
    if can_sketch(store, batch):
        return Plan(batch, None)
    if not can_scan(store, batch):
        return None
    crowded = _crowded_for_sure(store, batch)
    return None if bool(crowded.all()) else Plan(batch, crowded)


@torch.no_grad()
def _crowded_for_sure(store: Store, batch: QueryBatch) -> Tensor:
    # Rows of average score are candidates of most queries, however good the best rows are. Else a
    # sample tells of how many rows a score is near the best one possible.
    summary, window = store.summary(), batch.window(len(store))
    places = torch.arange(0, len(store), SAMPLED)
    sample = store.cached("scan sample", lambda: store.take(places))
    crowded = batch.near_best(sample, summary.largest_norm, window) >= CROWDED_SAMPLE
    return crowded.logical_or_(batch.mean_gap(summary) <= window)


def certified_readout(
    store: Store,
    state: Float[Tensor, "batch dim"],
    known: Tensor | None,
    similarity: Similarity,
    separation: Separation,
) -> tuple[Readout, Bound]:
    """Return the readout of the candidates, and a bound of its distance from the full readout.

    Some queries are read in full, and their bound covers only rounding (docs/architecture.md):
    those with too many candidates, and all queries where neither sketches nor a scan would pay.
    """
    plan = plan_of(store, state, known, similarity, separation)
    if plan is not None:
        return planned_readout(store, plan, similarity, separation)
    full, _ = full_readout(store, state, known, similarity, separation)
    masked = state if known is None else masked_state(state, known)
    return full, bound_of(store, masked, similarity, separation, full.potential)


def planned_readout(
    store: Store, plan: Plan, similarity: Similarity, separation: Separation
) -> tuple[Readout, Bound]:
    """Return the readout of the candidates that a plan finds, and its bound."""
    batch, result = plan.batch, None
    if plan.crowded is None:
        search = sketched_candidates(store, batch)
        crowded, unread = search.crowded, search.unread_weight
        if not bool(crowded.all()):
            result = read_candidates(search.taken, batch, *search.pairs)
    else:
        queries, members, crowded = candidates(store, batch, plan.crowded)
        unread = torch.full_like(crowded, DROPPED_WEIGHT, dtype=torch.float64)
        unread.masked_fill_(crowded, 0.0)
        if not bool(crowded.all()):
            result = read_candidates(store, batch, queries, members)
    if result is None or bool(crowded.any()):
        known = batch.known
        mask = known if known is None or known.ndim == 1 else known[crowded]
        full, _ = full_readout(store, batch.masked[crowded], mask, similarity, separation)
        if result is None:
            result = full
        else:
            for field in fields(Readout):
                if getattr(full, field.name) is not None:
                    getattr(result, field.name)[crowded] = getattr(full, field.name)
    given = batch.masked, similarity, separation, result.potential
    return result, bound_of(store, *given, crowded, unread)


READOUTS = {"full": full_readout, "certified": certified_readout}
"""The readout for each value of the option `precision`."""


def can_scan(store: Store, batch: QueryBatch) -> bool:
    """Return whether a scan is possible, and faster than a full readout."""
    known, masked = batch.known, batch.masked
    small = len(masked) * len(store) * store.dim < SCAN_WORK or len(store) < SCAN_ROWS
    small |= not len(masked)
    if not scan_pays() or small or store.device.type != "cpu" or not batch.beta:
        return False
    if not store.resident:  # rows that memory does not hold are not copied there
        return False
    if store.dim > MOST_TERMS or (known is not None and known.ndim > 1):
        return False
    if torch.float64 not in (store.dtype, masked.dtype):
        return True
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
        that are crowded, `(batch,)`: these have more than `MOST_GROUPS` groups of candidates.
    """
    if crowded is not None and bool(crowded.any()):
        scanned = (~crowded).nonzero().squeeze(-1)
        queries, members, rest = candidates(store, batch.at(scanned))
        return scanned[queries], members, crowded.index_put((scanned,), rest)
    copy = scan_copy(store)
    bias = scan_bias(store, batch, copy)
    queries, members = scan(copy, batch, bias, len(store))
    crowded = torch.bincount(queries, minlength=len(batch.masked)) > MOST_GROUPS
    left = ~crowded[queries]
    pairs = _candidates_of_groups(store, batch, bias, queries[left], members[left], copy.norm)
    return *pairs, crowded


def scan_copy(store: Store) -> ScanCopy:
    """Return the copy of the rows in 8 bits; it is cached until the store changes."""
    store.summary()  # caches the norms, which blocks then have
    return store.cached("scan", lambda: ScanCopy.of(store.blocks(SUMMARY_ROWS)))


def scan_bias(store: Store, batch: QueryBatch, copy: ScanCopy) -> Tensor:
    """Return the bias of each row, float32: score = dot product + bias, up to a constant per query.

    The padding of the copy has −∞.
    """
    bias = torch.zeros(len(store), dtype=torch.float32)
    if batch.euclidean:
        squares = store.summary().squared_norms
        if batch.known is not None:
            mask = batch.known.to(squares.dtype)
            squares = torch.cat([block.squares(mask) for block in store.blocks(BLOCK_ROWS)])
        bias = squares.float() / -2
    return pad(bias, (0, copy.codes.shape[1] - len(store)), value=-torch.inf)


@dataclass(frozen=True, eq=False)
class EncodedStates:
    """States in 8 bits, for their scores with a copy of the rows.

    Attributes:
        codes: `(batch, dim)`, int8.
        factors: of the sums of codes and of the biases of rows, `(batch, 2)`.
        unit: a score is `unit` times what `scores` returns, `(batch,)`, float64.
        error: a bound of the error of scores, `(batch,)`, float64.
    """

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
        eps, dim = torch.finfo(torch.float32).eps, masked.shape[-1]
        terms = dim * 2.0**14 * unit + shift.abs() * unit * copy.sums.abs().max()
        rounding = 8 * eps * terms + (8 + dim) * eps * bias.abs().max()
        error = 1.0001 * (lost * copy.norm + masked.norm(dim=-1) * copy.error) + rounding
        return cls(codes, torch.stack([shift, 1 / unit], dim=-1).float(), unit, error)

    def scores(
        self, copy: ScanCopy, rows: slice, bias: Float[Tensor, " k"]
    ) -> Float[Tensor, "batch k"]:
        """Return the scores of these rows, up to a constant per query, in units of `unit`."""
        offsets = torch.stack([copy.sums[rows], bias])
        return products(self.codes, copy.codes[:, rows]).addmm_(self.factors, offsets)


def scan(
    copy: ScanCopy, batch: QueryBatch, bias: Float[Tensor, " n"], count: int
) -> tuple[Tensor, Tensor]:
    """Find the groups of rows that contain a candidate, for each query.

    Only the largest score of a group is compared. Of c groups, group g consists of the rows g,
    g + c, g + 2c, …

    Args:
        copy: the rows in 8 bits.
        batch: the states.
        bias: the bias of each row: −½ Σ m x_μ², or 0; −∞ for the padding.
        count: n.

    Returns:
        The queries, `(k,)`, and the rows, `(k, GROUP)`, of k (query, group) pairs.
    """
    states, groups = EncodedStates.of(copy, batch, bias[:count]), len(bias) // GROUP
    size, maxima = max(64, SCAN_SCORES // len(batch.masked)), []
    for start in range(0, groups, size):
        stop = min(start + size, groups)
        slices = (slice(at + start, at + stop) for at in range(0, len(bias), groups))
        parts = (states.scores(copy, rows, bias[rows]) for rows in slices)
        maxima.append(reduce(torch.maximum, parts))
    largest = torch.cat(maxima, dim=-1)
    floor = largest.amax(-1).double() - (2 * states.error + batch.window(count)) / states.unit
    queries, group = (largest >= floor[:, None]).nonzero(as_tuple=True)
    return queries, group[:, None] + groups * torch.arange(GROUP)


def _candidates_of_groups(
    store: Store, batch: QueryBatch, bias: Tensor, queries: Tensor, members: Tensor, norm: float
) -> tuple[Tensor, Tensor]:
    # Scores the rows of each group again, in float32 at least, and keeps the candidates. The part
    # of a score that all rows of a query share is left out. No row has a norm above `norm`.
    masked = batch.masked.to(torch.promote_types(store.dtype, torch.float32))
    parts = []
    for part in _parts(queries, GROUP * store.dim):
        taken = store.take(members[part].clamp_max(len(store) - 1).flatten())
        rows = taken.unflatten(0, (-1, GROUP)).to(masked.dtype)
        parts.append(torch.bmm(rows, masked[queries[part], :, None]).squeeze(-1))
    scores = torch.cat(parts) + bias[members]
    top = scores.new_full((len(masked),), -torch.inf)
    top = top.scatter_reduce(0, queries, scores.amax(-1), "amax")
    # Products and biases are sums of dim terms, rounded in float32.
    size = (masked.norm(dim=-1) + norm).square()
    rounding = 4 * torch.finfo(torch.float32).eps * store.dim * size
    floor = top - rounding - batch.window(len(store))
    pairs, place = (scores >= floor[queries, None]).nonzero(as_tuple=True)
    return queries[pairs], members[pairs, place]


def read_candidates(
    store: "Store | TakenRows", batch: QueryBatch, queries: Tensor, members: Tensor
) -> Readout:
    """Read each query from its candidates only: row `members[i]` is one of query `queries[i]`.

    Computes in float64; the result has the dtype of the states.
    """
    size, dtype, count = len(batch.masked), batch.masked.dtype, len(store)

    def summed(terms: Tensor) -> Tensor:
        return terms.new_zeros(size, *terms.shape[1:]).index_add(0, queries, terms)

    parts = _parts(queries, store.dim)
    scores = torch.cat([batch.scores(store.take(members[part]), queries[part]) for part in parts])
    top = scores.new_full((size,), -torch.inf).scatter_reduce(0, queries, scores, "amax")
    x = batch.beta * (scores - top[queries])
    prior = torch.ones_like(x) if batch.prior is None else batch.prior[members]
    total = count if batch.prior is None else batch.prior.sum()
    power = prior * x.exp()
    sum_exp, sum_x_exp = summed(power), summed(power * (x.clamp_min(-1e4) + prior.log()))
    # Σ w expm1(x) over all rows, those left out counting −w: exact where β is small.
    sum_expm1 = summed(prior * torch.expm1(x)) - (total - summed(prior))
    state = torch.zeros_like(batch.masked, dtype=torch.float64)
    for part in parts:
        rows = store.take(members[part]).double()
        state = state.index_add(0, queries[part], power[part, None] * rows)
    ranked, strongest = scores, top
    if batch.prior is not None:
        ranked, strongest = power, top.new_zeros(size).scatter_reduce(0, queries, power, "amax")
    best = torch.where(ranked == strongest[queries], members, count)
    return Readout(
        state=(state / sum_exp[:, None]).to(dtype),
        potential=(top + log_mean(sum_exp, sum_expm1, total) / batch.beta).to(dtype),
        index=torch.full_like(top, count, dtype=torch.long).scatter_reduce(
            0, queries, best, "amin"
        ),
        weight=((1 if batch.prior is None else strongest) / sum_exp).to(dtype),
        entropy=(sum_exp.log() - sum_x_exp / sum_exp).clamp_min(0.0).to(dtype),
    )


def _parts(pairs: Tensor, entries: int) -> tuple[Tensor, ...]:
    # Splits the indices of pairs into parts of at most GATHERED_ENTRIES entries.
    places = torch.arange(len(pairs), device=pairs.device)
    return places.split(max(1, GATHERED_ENTRIES // entries))
