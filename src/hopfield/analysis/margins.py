"""Margins between patterns, and neighbourhoods that patterns are proved to attract.

Continuous: let scores be affine in the state, Δ_ν = s_μ(x_μ) − s_ν(x_μ) and d_ν = ‖x_ν − x_μ‖. A
state within r of x_μ has s_μ − s_ν ≥ Δ_ν − d_ν r. Where that exceeds the separation's score window
for all ν, the other patterns have no weight that matters, and one update leads to x_μ.

Binary: unit i of pattern μ keeps its sign if x_i·field_i > 0. In a classical network the field is
h_i = Σ_j W_ij x_j − b_i, and a flip changes it by 2|W_ij|. In a dense one, F = Σ f(s_ν), it is
Σ_ν x_νi g(s_ν)/g(N − 1) with g(u) = f(u + 1) − f(u − 1) and s_ν without unit i, and k flips change
each s_ν by at most 2k.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..memories import Memory
from ..separation import Separation
from ..similarity import Similarity
from .patterns import Comparison, Patterns, scoring_of

LARGEST_BETA = 1e30
"""A larger β acts alike, but overflows in products."""
FLIPS = 32
"""Numbers of flips tried for a proof, spread up to N/2."""
MOST_UNITS = 4096
"""N up to which margins of a coupling are computed, which takes its N² entries."""
Columns = tuple[Tensor, Tensor, Tensor, Tensor]
"""Margins, rivals, proved radii, and which margins are numerically undecided."""


def measure_margins(memory: Memory, patterns: Patterns) -> dict[str, Tensor]:
    """Compare each pattern with all others, in O(n²N); the fields of `Report` by name."""
    scoring = scoring_of(memory)
    if scoring is None or memory.binary:
        margins = _margins_of_units(memory, patterns)
    else:
        margins = partial(_score_margins, *scoring, patterns)
    names = ("margin", "rival", "radius", "numerically_undecided", "nearest", "neighbour")
    # One table from the start: small tensors kept between large ones would fragment the heap.
    table = patterns.norms.new_empty(len(names), patterns.count)
    for indices in patterns.batches():
        compared = patterns.compare(indices)
        margin, rival, radius, undecided = margins(compared)
        rival = patterns.copy_of[rival].masked_fill(compared.is_copy.all(-1), -1)
        values = (margin, rival, radius, undecided, *patterns.nearest(compared))
        table[:, indices] = torch.stack([value.double() for value in values])
    columns = dict(zip(names, table, strict=True))
    columns |= {name: columns[name].long() for name in ("rival", "neighbour")}
    return columns | {"numerically_undecided": columns["numerically_undecided"] > 0}


def _score_margins(
    similarity: Similarity, separation: Separation, patterns: Patterns, compared: Comparison
) -> Columns:
    scores = patterns.scores(compared.rows, similarity)
    leads = scores.gather(-1, compared.indices[:, None]) - scores
    leads.masked_fill_(compared.is_copy, torch.inf)
    margin, rival = leads.min(dim=-1)
    unit = torch.finfo(patterns.dtype).eps / 2
    terms = patterns.dim + 8  # γ_k = ku/(1 − ku) bounds the rounding of k operations (Higham 2002)
    gamma = terms * unit / (1 - terms * unit) if 2 * terms * unit < 1 else torch.inf
    size = scores.abs().amax(-1, keepdim=True).expand_as(scores) * 4
    if similarity.is_affine:
        size = (patterns.norms[compared.indices, None] + patterns.norms).square()
    undecided = margin.abs() <= gamma * size.gather(-1, rival[:, None])[:, 0]
    window = separation.score_window(patterns.count)
    if window is None or not similarity.is_affine:
        return margin, rival, torch.full_like(margin, torch.nan), undecided
    # States near the pattern are longer than it: twice the rounding.
    leads = leads - 2 * gamma * size - window
    radius = (leads / compared.squares.sqrt()).nan_to_num(nan=torch.inf).amin(-1)
    error = 2 * unit * patterns.count * patterns.norms.max()  # of a weighted sum
    return margin, rival, torch.where(radius > error, radius, 0.0), undecided


def _margins_of_units(memory: Memory, patterns: Patterns) -> Callable[[Comparison], Columns]:
    """Choose the computation by what the memory declares."""
    scoring = scoring_of(memory)
    proof: Callable[[Comparison], tuple[Tensor, Tensor]] | None = None
    if memory.binary and hasattr(memory, "coupling") and patterns.dim <= MOST_UNITS:
        proof = _coupling_proof(memory.coupling, memory.config())
    elif memory.binary and scoring is not None and _has_gain(scoring[1]):
        proof = partial(_gain_proof, scoring[1], patterns)

    def margins(compared: Comparison) -> Columns:
        rival = compared.products.masked_fill(compared.is_copy, -torch.inf).argmax(-1)
        unknown = compared.rows.new_full(rival.shape, torch.nan)
        margin, radius = (unknown, unknown) if proof is None else proof(compared)
        return margin, rival, radius, torch.zeros_like(rival, dtype=torch.bool)

    return margins


def _coupling_proof(
    coupling: Tensor, config: dict[str, Any]
) -> Callable[[Comparison], tuple[Tensor, Tensor]]:
    """Margins, and flips undone, of a memory with a coupling."""
    matrix = coupling.double()
    if config.get("schedule") != "synchronous":  # one unit after another feels no diagonal
        matrix = matrix - matrix.diagonal().diag()
    size, bias = matrix.abs(), config.get("thresholds")
    bias = torch.zeros_like(matrix[0]) if bias is None else bias.double()
    unit = torch.finfo(coupling.dtype).eps
    error = (len(matrix) + 2) * unit * (size.sum(-1) + bias.abs())

    def proof(compared: Comparison) -> tuple[Tensor, Tensor]:
        fields = compared.rows * (compared.rows @ matrix - bias)
        flips = ((fields - error) / (2 * size.amax(-1)).clamp_min(1e-300)).amin(-1).ceil() - 1
        return fields.amin(-1), flips.clamp(0, len(matrix))

    return proof


def _gain_proof(
    separation: Separation, patterns: Patterns, compared: Comparison
) -> tuple[Tensor, Tensor]:
    """Margins, and flips undone, of a dense network."""
    rows, scores = compared.rows, compared.products
    copies, top = compared.is_copy.sum(-1, keepdim=True), scores.new_full((1,), patterns.dim - 1.0)

    def ratio(values: Tensor, reference: Tensor) -> Tensor:
        return _gain(separation, values, reference).masked_fill(compared.is_copy, 0.0)

    # Without unit i, a pattern that agrees with x at i scores s − 1, another one s + 1.
    agree, differ = ratio(scores - 1, top), ratio(scores + 1, top)
    support = agree.sum(-1, keepdim=True) + rows * patterns.weighted_sum(agree)
    against = differ.sum(-1, keepdim=True) - rows * patterns.weighted_sum(differ)
    flips, most = torch.zeros_like(rows[:, 0]), (patterns.dim - 1) // 2
    for k in range(1, most + 1, max(1, most // FLIPS)):
        reach, left = 2 * k + 1, top - 2 * k
        high = ratio((scores + reach).clamp_max(top), left).abs()
        low = ratio((scores - reach).clamp_min(-top), left).abs()
        # g rises or is even, since F is convex: its extremes are at the ends.
        flips[torch.maximum(high, low).sum(-1) < copies[:, 0]] = k
    return (copies + (support - against) / 2).amin(-1), flips


def _has_gain(separation: Separation) -> bool:
    """True if F is a sum over scores, or decides like one, as softmax does like Σ exp(βs)."""
    one = torch.ones(1, dtype=torch.float64)
    return separation.softmax_beta() is not None or separation.flip_gain(one) is not None


def _gain(separation: Separation, scores: Tensor, reference: Tensor) -> Tensor:
    """g(scores)/g(reference); for softmax, g(u) ∝ exp(βu)."""
    beta = separation.softmax_beta()
    if beta is not None:
        return (min(float(beta), LARGEST_BETA) * (scores - reference)).exp()
    gains, unit = separation.flip_gain(scores), separation.flip_gain(reference)
    if gains is None or unit is None:
        raise TypeError(f"{separation!r} has no flip_gain")
    return gains / unit
