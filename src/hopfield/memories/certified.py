"""Full and certified readouts of a store.

A certified readout scans the rows in 8 bits and reads only the candidates exactly. Patterns further
than log(n/ε)/β below the best score have less weight than ε together. With |s̃ − s| ≤ e for every
score of the scan, the patterns with

    s̃_μ ≥ max s̃ − 2e − log(n/ε)/β

contain all others. Read in float64, they give the state within 2Mε and the energy within
−β⁻¹ log(1 − ε) of the full readout at the same state.
"""

import math
from dataclasses import dataclass, fields, replace
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import OptionError
from ..iteration import Bound
from ..readout import BLOCK_ROWS, read
from ..separation import Readout, Separation
from ..separation.base import at_least_float32
from ..separation.softmax import log_mean
from ..similarity import Similarity
from ..stores import Store
from ..stores.base import SUMMARY_ROWS
from ..stores.scan import GROUP, Levels, ScanCopy, products
from .options import blocks_of, reads_in_place

DROPPED_WEIGHT = 1e-9
"""ε: the weight that patterns outside the candidates may have together."""

SCANNED = 2**19
"""Scores scanned at a time: they stay in the second cache."""

SCAN_WORK = 2**27
"""Products of rows and states below which all is read in full: a scan would not pay."""

WIDEST = 1e19
"""Norms beyond which all is read in full: their squares overflow a scan in float32."""

MOST_GROUPS = 128
"""Groups of candidates beyond which a query is read in full."""

GATHERED_ENTRIES = 2**20
"""Entries of rows gathered together: some 8 MB in float64."""


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
    """Return the readout by all patterns; it has no bound."""
    copied = known is not None or not reads_in_place(store, similarity, state)
    blocks = blocks_of(store, state.shape[0], copied)
    return read(blocks, state, similarity, separation, known), None


def check_certifiable(similarity: Similarity, separation: Separation) -> None:
    """Raise unless a scan can bound the weights of these."""
    if separation.softmax_beta() is None or not similarity.is_affine:
        raise OptionError(
            "precision='certified' needs Softmax and similarity 'dot' or 'euclidean', but has "
            f"{type(separation).__name__} and {similarity!r}. Use precision='full'."
        )


def certified_readout(
    store: Store,
    state: Float[Tensor, "batch dim"],
    known: Tensor | None,
    similarity: Similarity,
    separation: Separation,
) -> tuple[Readout, Bound]:
    """Return the readout by candidates, and a bound of its distance from the full one.

    Read in full are small batches of small memories, queries with too many candidates or with a
    Euclidean mask each, and everything on processors where a scan does not pay. Their bound is the
    slack of rounding (docs/architecture.md).
    """
    beta = separation.inverse_width()
    euclidean = not similarity.half_squared_norm
    if known is not None and not euclidean:
        state, known = torch.where(known, state, 0.0), None
    question = Question(state, known, min(beta or 0.0, 1e30), euclidean)
    result, crowded = by_candidates(store, question)
    if bool(crowded.any()):
        mask = known if known is None or known.ndim == 1 else known[crowded]
        blocks = blocks_of(store, state.shape[0])
        full = read(blocks, state[crowded], similarity, separation, mask)
        if bool(crowded.all()):
            result = full
        else:
            for field in fields(Readout):
                getattr(result, field.name)[crowded] = getattr(full, field.name)
    return result, _bound(store, question, result.potential, crowded)


READOUTS = {"full": full_readout, "certified": certified_readout}
"""The readout behind each `precision`."""


@dataclass(frozen=True, eq=False)
class Question:
    """States read by one similarity, as the scan needs them.

    Attributes:
        state: `(batch, dim)`, float32 or float64.
        known: mask of known entries, `(dim,)`, or None.
        beta: β > 0.
        euclidean: scores are −½‖m⊙(x_μ − x)‖², not (m⊙x)·x_μ.
    """

    state: Tensor
    known: Tensor | None
    beta: float
    euclidean: bool

    @property
    def masked(self) -> Tensor:
        """m⊙x."""
        return self.state if self.known is None else torch.where(self.known, self.state, 0.0)

    def window(self, count: int) -> float:
        """log(n/ε)/β: how far below the best score a pattern can still count."""
        return math.log(count / DROPPED_WEIGHT) / self.beta

    def scores(self, queries: Tensor, rows: Tensor) -> Tensor:
        """Scores of `rows`, `(k, r, dim)`, at k of the states, in the precision of the rows."""
        masked = self.masked.to(rows.dtype)[queries]
        if not self.euclidean:
            return torch.bmm(rows, masked[:, :, None]).squeeze(-1)
        visible = rows if self.known is None else torch.where(self.known, rows, 0.0)
        return (visible - masked[:, None]).square().sum(-1) / -2


def by_candidates(store: Store, question: Question) -> tuple[Readout, Tensor]:
    """Return the readout in the dtype of the states, and which queries it does not answer."""
    state = question.state
    if not _can_scan(store, question):
        empty = state.new_zeros(len(state))
        left = torch.ones(len(state), dtype=torch.bool, device=state.device)
        return Readout(torch.zeros_like(state), empty, empty.long(), empty, empty), left
    queries, members, crowded = candidates(store, question)
    result = read_candidates(store, question, queries, members)
    for name in ("state", "potential", "weight", "entropy"):
        result = replace(result, **{name: getattr(result, name).to(state.dtype)})
    return result, crowded


def _can_scan(store: Store, question: Question) -> bool:
    masked_each = question.known is not None and question.known.ndim > 1
    small = len(question.state) * len(store) * store.dim < SCAN_WORK or not len(question.state)
    if not scan_pays() or small or masked_each or store.device.type != "cpu" or not question.beta:
        return False
    if torch.float64 not in (store.dtype, question.state.dtype):
        return True
    longest = question.masked.detach().norm(dim=-1).max().item()
    return max(store.summary().largest_norm, longest) < WIDEST


def candidates(store: Store, question: Question) -> tuple[Tensor, Tensor, Tensor]:
    """Return (query, row) pairs, `(k,)`, with every pattern that has weight, and crowded queries.

    Queries with more than `MOST_GROUPS` groups of candidates are crowded, and left out.
    """
    copy = scan_copy(store)
    bias = scan_bias(store, question, copy)
    queries, members = scan(copy, question, bias, len(store))
    crowded = torch.bincount(queries, minlength=len(question.state)) > MOST_GROUPS
    left = ~crowded[queries]
    groups = queries[left], members[left]
    return *_with_weight(store, question, bias, groups, copy.norm), crowded


def scan_copy(store: Store) -> ScanCopy:
    """Return the rows in 8 bits, made once per version of the store."""
    store.summary()  # blocks then carry the norms
    return store.cached("scan", lambda: ScanCopy.of(store.blocks(SUMMARY_ROWS)))


def scan_bias(store: Store, question: Question, copy: ScanCopy) -> Tensor:
    """Return what each row adds to its dot product, −∞ for the padding of the copy; float32."""
    bias = torch.full((copy.codes.shape[1],), -torch.inf, dtype=torch.float32)
    bias[: len(store)] = 0.0
    if question.euclidean:
        squares = store.summary().squared_norms
        if question.known is not None:
            mask = question.known.to(squares.dtype)
            squares = torch.cat([block.squares(mask) for block in store.blocks(BLOCK_ROWS)])
        bias[: len(store)] = squares.float() / -2
    return bias


def _bound(store: Store, question: Question, potential: Tensor, crowded: Tensor) -> Bound:
    # Of readouts by candidates the bounds above; of full ones, the slack of their rounding.
    summary = store.summary()
    dtype, dim = question.state.dtype, question.state.shape[-1]
    eps, exact_eps = torch.finfo(dtype).eps, torch.finfo(torch.float64).eps
    beta, stored = question.beta, torch.finfo(summary.squared_norms.dtype)
    # Squares may underflow.
    largest = (summary.squared_norms.max().double() + dim * stored.tiny).sqrt()
    own = question.masked.double().norm(dim=-1)
    reach = torch.maximum(own, largest)
    scores = exact_eps * dim * (largest + own).square()  # rounding of one score in float64
    state = largest * (2 * DROPPED_WEIGHT + torch.expm1(2 * beta * scores) + eps).clamp_max(2)
    size = torch.maximum(potential.double().abs(), reach.square() / 2)
    # The ½M² of dot products is as exact as the norms that are stored.
    constant = 0.0 if question.euclidean else 4 * max(0.0, stored.eps - eps) * largest.square()
    energy = -math.log1p(-DROPPED_WEIGHT) / max(beta, 1e-300) + scores + 8 * eps * size
    kappa = 1 + beta * largest * reach
    # No two points of the patterns' hull are further apart than 2M.
    return Bound(
        torch.where(crowded, largest * (16 * eps * kappa).clamp_max(2), state),
        torch.where(crowded, 8 * eps * kappa * size, energy) + constant,
    )


def scan(
    copy: ScanCopy, question: Question, bias: Float[Tensor, " n"], count: int
) -> tuple[Tensor, Tensor]:
    """Return (query, group) pairs that hold every pattern with weight.

    Group g of a chunk of c·GROUP rows consists of its rows g, g + c, g + 2c, …

    Args:
        copy: the rows in 8 bits.
        question: the states.
        bias: what a row adds to its dot product: −½ Σ m x_μ², or 0; −∞ for the padding.
        count: n.

    Returns:
        The queries, `(k,)`, and rows, `(k, GROUP)`, of k groups.
    """
    masked = question.masked.double()
    levels, codes, lost = _encoded(masked, copy.levels)
    unit = (copy.levels.step * levels.step).squeeze(-1)  # of the scanned scores
    shift = (levels.offset / levels.step).squeeze(-1)
    left = torch.stack([shift, 1 / unit], dim=-1).float()
    chunk = GROUP * max(64, SCANNED // (GROUP * len(masked)))
    maxima = []
    for start in range(0, len(bias), chunk):
        part = slice(start, start + chunk)
        scores = products(codes, copy.codes[:, part])
        scores.addmm_(left, torch.stack([copy.sums[part], bias[part]]))
        maxima.append(scores.view(len(scores), GROUP, -1).amax(1))
    largest = torch.cat(maxima, dim=-1)
    # Sums of float32 terms no larger than these; the bias is itself a sum of dim terms.
    eps, dim = torch.finfo(torch.float32).eps, masked.shape[-1]
    terms = dim * 2.0**14 * unit + shift.abs() * unit * copy.sums.abs().max()
    rounding = 8 * eps * terms + (8 + dim) * eps * bias[:count].abs().max()
    error = 1.0001 * (lost * copy.norm + masked.norm(dim=-1) * copy.error) + rounding
    floor = largest.amax(-1).double() - (2 * error + question.window(count)) / unit
    queries, groups = (largest >= floor[:, None]).nonzero(as_tuple=True)
    return queries, _rows_of(groups, len(bias), chunk)


def _encoded(masked: Tensor, levels: Levels) -> tuple[Levels, Tensor, Tensor]:
    # The queries in 8 bits: on the rows' levels or on levels for each, whichever loses less.
    fitted = Levels(masked.amin(-1, keepdim=True), masked.amax(-1, keepdim=True))
    codes, error = fitted.encode(masked)
    shared_codes, shared_error = levels.encode(masked)
    better = (shared_error <= error)[:, None]
    chosen = Levels(
        torch.where(better, levels.low, fitted.low), torch.where(better, levels.high, fitted.high)
    )
    return chosen, torch.where(better, shared_codes, codes), torch.minimum(shared_error, error)


def _rows_of(groups: Tensor, padded: int, chunk: int) -> Tensor:
    # The rows of each group, (k, GROUP); groups are numbered over all chunks.
    before = groups // (chunk // GROUP)
    start = before * chunk
    stride = (padded - start).clamp_max(chunk) // GROUP
    first = start + groups - before * (chunk // GROUP)
    return first[:, None] + stride[:, None] * torch.arange(GROUP, device=groups.device)


def _with_weight(
    store: Store, question: Question, bias: Tensor, groups: tuple[Tensor, Tensor], norm: float
) -> tuple[Tensor, Tensor]:
    # Of (query, row) pairs in groups, those that can have weight, (k,). Scored as products and
    # biases, without the part that all rows of a query share; no row is longer than `norm`.
    queries, members = groups
    masked = question.masked.to(torch.promote_types(store.dtype, torch.float32))
    parts = []
    for part in torch.arange(len(queries)).split(_pairs(GROUP * store.dim)):
        taken = store.take(members[part].clamp_max(len(store) - 1).flatten())
        rows = at_least_float32(taken.unflatten(0, (-1, GROUP)))
        parts.append(torch.bmm(rows, masked[queries[part], :, None]).squeeze(-1))
    scores = torch.cat(parts) + bias[members]
    top = scores.new_full((len(masked),), -torch.inf)
    top = top.scatter_reduce(0, queries, scores.amax(-1), "amax")
    # Products and biases are sums of dim terms, rounded in float32.
    size = (masked.norm(dim=-1) + norm).square()
    rounding = 4 * torch.finfo(torch.float32).eps * store.dim * size
    floor = top - rounding - question.window(len(store))
    above, place = (scores >= floor[queries, None]).nonzero(as_tuple=True)
    return queries[above], members[above, place]


def read_candidates(store: Store, question: Question, queries: Tensor, members: Tensor) -> Readout:
    """Return the readout by the rows `members` of the `queries`, pair by pair, in float64."""
    count, parts = len(store), torch.arange(len(queries)).split(_pairs(store.dim))
    scores = torch.cat(
        [question.scores(queries[p], store.take(members[p])[:, None].double())[:, 0] for p in parts]
    )
    batch = len(question.state)
    top = scores.new_full((batch,), -torch.inf).scatter_reduce(0, queries, scores, "amax")
    x = question.beta * (scores - top[queries])
    power = x.exp()
    sum_exp = scores.new_zeros(batch).index_add(0, queries, power)
    # Σ expm1(x) over all rows, those left out counting −1: exact where β is small.
    read_rows = torch.bincount(queries, minlength=batch)
    sum_expm1 = scores.new_zeros(batch).index_add(0, queries, torch.expm1(x)) - (count - read_rows)
    sum_x_exp = scores.new_zeros(batch).index_add(0, queries, power * x.clamp_min(-1e4))
    state = scores.new_zeros(question.state.shape)
    for p in parts:
        state.index_add_(0, queries[p], power[p, None] * store.take(members[p]).double())
    best = torch.where(scores == top[queries], members, count)
    index = torch.full_like(top, count, dtype=torch.long)
    return Readout(
        state=state / sum_exp[:, None],
        potential=top + log_mean(sum_exp, sum_expm1, count) / question.beta,
        index=index.scatter_reduce(0, queries, best, "amin"),
        weight=1 / sum_exp,
        entropy=sum_exp.log() - sum_x_exp / sum_exp,
    )


def _pairs(entries: int) -> int:
    return max(1, GATHERED_ENTRIES // entries)
