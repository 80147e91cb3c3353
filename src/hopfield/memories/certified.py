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

import torch
from jaxtyping import Float
from torch import Tensor

from ..bound import Bound
from ..errors import OptionError
from ..readout import read
from ..separation import Readout, Separation
from ..separation.softmax import log_mean
from ..similarity import Similarity, masked_state
from ..stores import Store
from .options import blocks_of, reads_in_place
from .query_batch import DROPPED_WEIGHT, QueryBatch
from .readout_bounds import bound_of
from .scan_candidates import can_scan, can_scan_rows, candidates, crowded_for_sure, is_little
from .sketched import can_sketch, sketched_candidates
from .taken_rows import TakenRows, parts_of_pairs


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
    if store.resident and is_little(store, len(state)):
        return None  # resident rows have no sketches
    batch = QueryBatch.of(store, state, known, similarity, separation)
    if can_sketch(store, batch):
        return Plan(batch, None)
    if not (can_scan(store, batch) or can_scan_rows(store, batch)):
        return None
    crowded = crowded_for_sure(store, batch)
    return None if bool(crowded.all()) else Plan(batch, crowded)


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
    return full, bound_of(store, masked, similarity, separation, full)


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
    return result, bound_of(store, batch.masked, similarity, separation, result, crowded, unread)


READOUTS = {"full": full_readout, "certified": certified_readout}
"""The readout for each value of the option `precision`."""


def read_candidates(
    store: "Store | TakenRows", batch: QueryBatch, queries: Tensor, members: Tensor
) -> Readout:
    """Read each query from its candidates only: row `members[i]` is one of query `queries[i]`.

    Computes in float64; the result has the dtype of the states.
    """
    size, dtype, count = len(batch.masked), batch.masked.dtype, len(store)

    def summed(terms: Tensor) -> Tensor:
        return terms.new_zeros(size, *terms.shape[1:]).index_add(0, queries, terms)

    parts = parts_of_pairs(queries, store.dim)
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
