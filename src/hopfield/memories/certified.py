"""Full and certified readouts of a store.

A certified readout scans the rows in 8 bits and reads only the candidates exactly. Patterns further
than log(n/ε)/β below the best score have less weight than ε together. With |s̃ − s| ≤ e for every
score of the scan, the patterns with

    s̃_μ ≥ max s̃ − 2e − log(n/ε)/β

contain all others. Read in float64, they give the state within 2Mε and the energy within
−β⁻¹ log(1 − ε) of the full readout at the same state.
"""

import math
from dataclasses import dataclass, fields
from functools import cache, reduce

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from ..errors import OptionError
from ..iteration import Bound
from ..readout import BLOCK_ROWS, read
from ..separation import Readout, Separation
from ..separation.softmax import log_mean
from ..similarity import Similarity
from ..stores import Store
from ..stores.base import SUMMARY_ROWS
from ..stores.scan import GROUP, MOST_TERMS, Levels, ScanCopy, products
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
    euclidean = not similarity.half_squared_norm
    masked = state if known is None else torch.where(known, state, 0.0)
    known = known if euclidean else None
    question = Question(masked, known, min(separation.inverse_width() or 0.0, 1e30), euclidean)
    result, crowded = None, torch.ones(len(state), dtype=torch.bool, device=state.device)
    if can_scan(store, question):
        queries, members, crowded = candidates(store, question)
        result = read_candidates(store, question, queries, members)
    if result is None or bool(crowded.any()):
        mask = known if known is None or known.ndim == 1 else known[crowded]
        blocks = blocks_of(store, len(state))
        full = read(blocks, masked[crowded], similarity, separation, mask)
        if result is None or bool(crowded.all()):
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
        masked: m⊙x, `(batch, dim)`, float32 or float64.
        known: m, `(dim,)` or `(batch, dim)`, or None; only for Euclidean scores.
        beta: β.
        euclidean: scores are −½‖m⊙(x_μ − x)‖², not (m⊙x)·x_μ.
    """

    masked: Tensor
    known: Tensor | None
    beta: float
    euclidean: bool

    def window(self, count: int) -> float:
        """log(n/ε)/β: how far below the best score a pattern can still count."""
        return math.log(count / DROPPED_WEIGHT) / self.beta


def can_scan(store: Store, question: Question) -> bool:
    """Return whether a scan is possible, and faster than a full readout."""
    known, masked = question.known, question.masked
    small = len(masked) * len(store) * store.dim < SCAN_WORK or not len(masked)
    if not scan_pays() or small or store.device.type != "cpu" or not question.beta:
        return False
    if store.dim > MOST_TERMS or (known is not None and known.ndim > 1):
        return False
    if torch.float64 not in (store.dtype, masked.dtype):
        return True
    longest = masked.detach().norm(dim=-1).max().item()
    return max(store.summary().largest_norm, longest) < WIDEST


@torch.no_grad()
def candidates(store: Store, question: Question) -> tuple[Tensor, Tensor, Tensor]:
    """Return (query, row) pairs, `(k,)`, with every pattern that has weight, and crowded queries.

    Queries with more than `MOST_GROUPS` groups of candidates are crowded, and left out.
    """
    copy = scan_copy(store)
    bias = scan_bias(store, question, copy)
    queries, members = scan(copy, question, bias, len(store))
    crowded = torch.bincount(queries, minlength=len(question.masked)) > MOST_GROUPS
    left = ~crowded[queries]
    return *_with_weight(store, question, bias, queries[left], members[left], copy.norm), crowded


def scan_copy(store: Store) -> ScanCopy:
    """Return the rows in 8 bits, made once per version of the store."""
    store.summary()  # blocks then carry the norms
    return store.cached("scan", lambda: ScanCopy.of(store.blocks(SUMMARY_ROWS)))


def scan_bias(store: Store, question: Question, copy: ScanCopy) -> Tensor:
    """Return what each row adds to its dot product, −∞ for the padding of the copy; float32."""
    bias = torch.zeros(len(store), dtype=torch.float32)
    if question.euclidean:
        squares = store.summary().squared_norms
        if question.known is not None:
            mask = question.known.to(squares.dtype)
            squares = torch.cat([block.squares(mask) for block in store.blocks(BLOCK_ROWS)])
        bias = squares.float() / -2
    return pad(bias, (0, copy.codes.shape[1] - len(store)), value=-torch.inf)


def _bound(store: Store, question: Question, potential: Tensor, crowded: Tensor) -> Bound:
    # Of readouts by candidates the bounds above; of full ones, the slack of their rounding.
    summary = store.summary()
    dtype, dim = question.masked.dtype, store.dim
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

    Of c groups, group g consists of the rows g, g + c, g + 2c, …

    Args:
        copy: the rows in 8 bits.
        question: the states.
        bias: what a row adds to its dot product: −½ Σ m x_μ², or 0; −∞ for the padding.
        count: n.

    Returns:
        The queries, `(k,)`, and rows, `(k, GROUP)`, of k groups.
    """
    masked, groups = question.masked.double(), len(bias) // GROUP
    levels = Levels(masked.amin(-1, keepdim=True), masked.amax(-1, keepdim=True))
    codes, lost = levels.encode(masked)
    unit = (copy.levels.step * levels.step).squeeze(-1)  # of the scanned scores
    shift = (levels.offset / levels.step).squeeze(-1)
    factors = torch.stack([shift, 1 / unit], dim=-1).float()

    def scanned(rows: slice) -> Tensor:
        offsets = torch.stack([copy.sums[rows], bias[rows]])
        return products(codes, copy.codes[:, rows]).addmm_(factors, offsets)

    size, maxima = max(64, SCANNED // len(masked)), []
    for start in range(0, groups, size):
        stop = min(start + size, groups)
        parts = (scanned(slice(at + start, at + stop)) for at in range(0, len(bias), groups))
        maxima.append(reduce(torch.maximum, parts))
    largest = torch.cat(maxima, dim=-1)
    # Sums of float32 terms no larger than these; the bias is itself a sum of dim terms.
    eps, dim = torch.finfo(torch.float32).eps, masked.shape[-1]
    terms = dim * 2.0**14 * unit + shift.abs() * unit * copy.sums.abs().max()
    rounding = 8 * eps * terms + (8 + dim) * eps * bias[:count].abs().max()
    error = 1.0001 * (lost * copy.norm + masked.norm(dim=-1) * copy.error) + rounding
    floor = largest.amax(-1).double() - (2 * error + question.window(count)) / unit
    queries, group = (largest >= floor[:, None]).nonzero(as_tuple=True)
    return queries, group[:, None] + groups * torch.arange(GROUP)


def _with_weight(
    store: Store, question: Question, bias: Tensor, queries: Tensor, members: Tensor, norm: float
) -> tuple[Tensor, Tensor]:
    # Of (query, row) pairs in groups, those that can have weight, (k,). Scored as products and
    # biases, without the part that all rows of a query share; no row is longer than `norm`.
    masked = question.masked.to(torch.promote_types(store.dtype, torch.float32))
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
    floor = top - rounding - question.window(len(store))
    pairs, place = (scores >= floor[queries, None]).nonzero(as_tuple=True)
    return queries[pairs], members[pairs, place]


def read_candidates(store: Store, question: Question, queries: Tensor, members: Tensor) -> Readout:
    """Return the readout by the rows `members` of the `queries`, pair by pair, in float64.

    The result has the dtype of the states.
    """
    masked, count = question.masked.double(), len(store)
    batch, dtype = len(masked), question.masked.dtype

    def scored(part: Tensor) -> Tensor:
        rows, x = store.take(members[part]).double(), masked[queries[part]]
        if not question.euclidean:
            return torch.linalg.vecdot(rows, x)
        visible = rows if question.known is None else torch.where(question.known, rows, 0.0)
        return (visible - x).square().sum(-1) / -2

    def summed(terms: Tensor) -> Tensor:
        return terms.new_zeros(batch, *terms.shape[1:]).index_add(0, queries, terms)

    parts = _parts(queries, store.dim)
    scores = torch.cat([scored(part) for part in parts])
    top = scores.new_full((batch,), -torch.inf).scatter_reduce(0, queries, scores, "amax")
    x = question.beta * (scores - top[queries])
    power = x.exp()
    sum_exp, sum_x_exp = summed(power), summed(power * x.clamp_min(-1e4))
    # Σ expm1(x) over all rows, those left out counting −1: exact where β is small.
    sum_expm1 = summed(torch.expm1(x)) - (count - torch.bincount(queries, minlength=batch))
    state = torch.zeros_like(masked)
    for part in parts:
        rows = store.take(members[part]).double()
        state = state.index_add(0, queries[part], power[part, None] * rows)
    best = torch.where(scores == top[queries], members, count)
    index = torch.full_like(top, count, dtype=torch.long)
    return Readout(
        state=(state / sum_exp[:, None]).to(dtype),
        potential=(top + log_mean(sum_exp, sum_expm1, count) / question.beta).to(dtype),
        index=index.scatter_reduce(0, queries, best, "amin"),
        weight=(1 / sum_exp).to(dtype),
        entropy=(sum_exp.log() - sum_x_exp / sum_exp).to(dtype),
    )


def _parts(pairs: Tensor, entries: int) -> tuple[Tensor, ...]:
    # Indices of pairs, as many at a time as may be gathered.
    places = torch.arange(len(pairs), device=pairs.device)
    return places.split(max(1, GATHERED_ENTRIES // entries))
