"""Certified readouts: a scan in 8 bits names the candidates, which are read exactly.

Only patterns within log(n/ε)/β of the best score have weight that counts: all others together less
than ε. With |s̃ − s| ≤ e for every score of the scan, the patterns with

    s̃_μ ≥ max s̃ − 2e − log(n/ε)/β

contain them all. Read in float64, they give the state within 2Mε and the energy within
−β⁻¹ log(1 − ε) of the full readout at the same state.
"""

import math
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float
from torch import Tensor

from .. import readout
from ..iteration import Bound
from ..readout import read
from ..separation import Readout, Softmax
from ..separation.base import at_least_float32
from ..separation.softmax import log_mean
from ..similarity import SIMILARITIES
from ..stores import RamStore
from ..stores.scan import GROUP, Levels, ScanCopy, products

DROPPED = 1e-9
"""ε: the weight that patterns outside the candidates may have together."""

SCANNED = 2**19
"""Scores scanned at a time: they stay in the second cache."""

SCAN_WORK = 2**27
"""Products from which on a scan pays; what is smaller is read in full."""

WIDEST = 1e19
"""Norms whose squares a scan in float32 can hold; beyond, all is read in full."""

MOST_GROUPS = 128
"""Groups of candidates a query may have; beyond, it is read in full."""


@dataclass(frozen=True, eq=False)
class Question:
    """States that are read by one similarity, as the scan needs them.

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
        return math.log(count / DROPPED) / self.beta

    def scores(self, queries: Tensor, rows: Tensor) -> Tensor:
        """Scores of `rows`, `(k, r, dim)`, at k of the states, in the precision of the rows."""
        asked = self.masked.to(rows.dtype)[queries]
        if not self.euclidean:
            return torch.bmm(rows, asked[:, :, None]).squeeze(-1)
        near = rows if self.known is None else torch.where(self.known, rows, 0.0)
        return (near - asked[:, None]).square().sum(-1) / -2


def certified(
    store: RamStore, state: Tensor, known: Tensor | None, beta: float, similarity: str
) -> tuple[Readout, Bound]:
    """A readout by candidates, and how far it can be from the full one.

    Small batches of small memories are read in full, and so are queries with too many candidates or
    with a Euclidean mask of their own; their bound is the slack of rounding (docs/architecture.md).

    Args:
        store: the patterns.
        state: `(batch, dim)`, float32 or float64.
        known: mask, `(dim,)` or `(batch, dim)`, or None.
        beta: β ≥ 0.
        similarity: "dot" or "euclidean".
    """
    euclidean = similarity == "euclidean"
    if known is not None and not euclidean:
        state, known = torch.where(known, state, 0.0), None
    question = Question(state, known, min(beta, 1e30), euclidean)
    found, crowded = _by_candidates(store, question)
    if bool(crowded.any()):
        mask = known if known is None or known.ndim == 1 else known[crowded]
        full = read(
            store.blocks(readout.block_rows(len(state))),
            state[crowded],
            SIMILARITIES[similarity],
            Softmax(beta),
            mask,
        )
        for field in fields(Readout):
            getattr(found, field.name)[crowded] = getattr(full, field.name)
    return found, _bound(store, question, found.potential, crowded)


def _by_candidates(store: RamStore, question: Question) -> tuple[Readout, Tensor]:
    """The readout in the dtype of the states, and which queries it does not answer."""
    rows, state = store.rows, question.state
    crowded = torch.zeros(len(state), dtype=torch.bool, device=state.device)
    own_masks = question.known is not None and question.known.ndim > 1
    small = len(state) * rows.numel() < SCAN_WORK
    elsewhere = rows.device.type != "cpu"
    if (
        small
        or own_masks
        or elsewhere
        or question.beta == 0
        or not len(state)
        or _wide(question, store)
    ):
        empty = state.new_zeros(len(state))
        return Readout(
            torch.zeros_like(state), empty, empty.long(), empty.clone(), empty.clone()
        ), ~crowded
    queries, members, crowded = candidates(store, question)
    found = read_candidates(rows, question, queries, members)
    for name in ("state", "potential", "weight", "entropy"):
        found = replace(found, **{name: getattr(found, name).to(state.dtype)})
    return found, crowded


def _wide(question: Question, store: RamStore) -> bool:
    """Whether rows or states are longer than a scan can bear; in float64 alone they can be."""
    if torch.float64 not in (store.like.dtype, question.state.dtype):
        return False
    own = question.masked.detach().norm(dim=-1).max().item()
    return not max(store.largest_norm(), own) < WIDEST


def candidates(store: RamStore, question: Question) -> tuple[Tensor, Tensor, Tensor]:
    """(query, row) pairs, `(k,)`, that hold every pattern with weight, and who has too many.

    Queries with more than `MOST_GROUPS` groups of them are left out.
    """
    copy = store.scan_copy()
    bias = _bias(store, question, copy)
    queries, members = scan(copy, question, bias, len(store))
    crowded = torch.bincount(queries, minlength=len(question.state)) > MOST_GROUPS
    kept = ~crowded[queries]
    groups = queries[kept], members[kept]
    return *_weighty(store.rows, question, bias, groups, copy.norm), crowded


def _bias(store: RamStore, question: Question, copy: ScanCopy) -> Tensor:
    """What each row adds to its dot product, −∞ where the copy is padded; float32."""
    bias = torch.full((copy.codes.shape[1],), -torch.inf, dtype=torch.float32)
    bias[: len(store)] = 0.0
    if question.euclidean:
        squares = store.norms()
        if question.known is not None:
            mask = question.known.to(squares.dtype)
            blocks = store.blocks(readout.BLOCK_ROWS)
            squares = torch.cat([block.squares(mask) for block in blocks])
        bias[: len(store)] = squares.float() / -2
    return bias


def _bound(store: RamStore, question: Question, potential: Tensor, crowded: Tensor) -> Bound:
    """Bounds of candidates' readouts; of full ones, the slack of their rounding."""
    dtype, dim = question.state.dtype, question.state.shape[-1]
    eps, fine = torch.finfo(dtype).eps, torch.finfo(torch.float64).eps
    beta, kept = question.beta, torch.finfo(store.norms().dtype)
    largest = (store.norms().max().double() + dim * kept.tiny).sqrt()  # squares may underflow
    own = question.masked.double().norm(dim=-1)
    reach = torch.maximum(own, largest)
    scores = fine * dim * (largest + own).square()  # rounding of one score in float64
    state = largest * (2 * DROPPED + torch.expm1(2 * beta * scores) + eps).clamp_max(2)
    size = torch.maximum(potential.double().abs(), reach.square() / 2)
    # The ½M² of dot products is as exact as the norms that are kept.
    constant = 0.0 if question.euclidean else 4 * max(0.0, kept.eps - eps) * largest.square()
    energy = -math.log1p(-DROPPED) / max(beta, 1e-300) + scores + 8 * eps * size
    kappa = 1 + beta * largest * reach
    # No two points of the patterns' hull are further apart than 2M.
    return Bound(
        torch.where(crowded, largest * (16 * eps * kappa).clamp_max(2), state),
        torch.where(crowded, 8 * eps * kappa * size, energy) + constant,
    )


def scan(
    copy: ScanCopy, question: Question, bias: Float[Tensor, " n"], count: int
) -> tuple[Tensor, Tensor]:
    """(query, row) pairs, group by group, that hold every pattern with weight.

    Group g of a chunk of c·GROUP rows is its rows g, g + c, g + 2c, …

    Args:
        copy: the rows in 8 bits.
        question: what is read.
        bias: what a row adds to its dot product: −½ Σ m x_μ², or 0; −∞ where the copy is padded.
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
    """The queries in 8 bits: on the rows' levels or on their own, whichever loses less."""
    own = Levels(masked.amin(-1, keepdim=True), masked.amax(-1, keepdim=True))
    codes, error = own.encode(masked)
    other, left = levels.encode(masked)
    better = (left <= error)[:, None]
    chosen = Levels(
        torch.where(better, levels.low, own.low), torch.where(better, levels.high, own.high)
    )
    return chosen, torch.where(better, other, codes), torch.minimum(left, error)


def _rows_of(groups: Tensor, padded: int, chunk: int) -> Tensor:
    """The rows of each group, `(k, GROUP)`; groups are numbered over all chunks."""
    before = groups // (chunk // GROUP)
    start = before * chunk
    apart = (padded - start).clamp_max(chunk) // GROUP
    first = start + groups - before * (chunk // GROUP)
    return first[:, None] + apart[:, None] * torch.arange(GROUP, device=groups.device)


def _weighty(
    rows: Tensor, question: Question, bias: Tensor, groups: tuple[Tensor, Tensor], norm: float
) -> tuple[Tensor, Tensor]:
    """Of (query, row) pairs in groups, as `scan` gives them, those that can have weight: `(k,)`.

    Scored as products and biases, without what is the same for all rows of a query; no row is
    longer than `norm`.
    """
    queries, members = groups
    asked = question.masked.to(torch.promote_types(rows.dtype, torch.float32))
    parts = []
    for part in torch.arange(len(queries)).split(_at_once(GROUP * rows.shape[-1])):
        near = at_least_float32(rows[members[part].clamp_max(len(rows) - 1)])
        parts.append(torch.bmm(near, asked[queries[part], :, None]).squeeze(-1))
    scores = torch.cat(parts) + bias[members]
    top = scores.new_full((len(asked),), -torch.inf)
    top = top.scatter_reduce(0, queries, scores.amax(-1), "amax")
    # Products and biases are sums of dim terms, rounded in float32.
    size = (asked.norm(dim=-1) + norm).square()
    rounding = 4 * torch.finfo(torch.float32).eps * rows.shape[-1] * size
    floor = top - rounding - question.window(len(rows))
    near, place = (scores >= floor[queries, None]).nonzero(as_tuple=True)
    return queries[near], members[near, place]


def read_candidates(rows: Tensor, question: Question, queries: Tensor, members: Tensor) -> Readout:
    """The readout by the rows `members` of the `queries`, pair by pair, in float64."""
    parts = torch.arange(len(queries)).split(_at_once(rows.shape[-1]))
    scores = torch.cat(
        [question.scores(queries[p], rows[members[p], None].double())[:, 0] for p in parts]
    )
    batch = len(question.state)
    top = scores.new_full((batch,), -torch.inf).scatter_reduce(0, queries, scores, "amax")
    x = question.beta * (scores - top[queries])
    power = x.exp()
    total = scores.new_zeros(batch).index_add(0, queries, power)
    # Σ expm1(x) over all rows, those left out counting −1: exact where β is small.
    read_ = torch.bincount(queries, minlength=batch)
    excess = scores.new_zeros(batch).index_add(0, queries, torch.expm1(x)) - (len(rows) - read_)
    spread = scores.new_zeros(batch).index_add(0, queries, power * x.clamp_min(-1e4))
    state = scores.new_zeros(question.state.shape)
    for p in parts:
        state.index_add_(0, queries[p], power[p, None] * rows[members[p]].double())
    best = torch.where(scores == top[queries], members, len(rows))
    index = torch.full_like(top, len(rows), dtype=torch.long)
    return Readout(
        state=state / total[:, None],
        potential=top + log_mean(total, excess, len(rows)) / question.beta,
        index=index.scatter_reduce(0, queries, best, "amin"),
        weight=1 / total,
        entropy=total.log() - spread / total,
    )


def _at_once(entries: int) -> int:
    """Pairs whose rows are gathered together: some 8 MB in float64."""
    return max(1, 2**20 // entries)
