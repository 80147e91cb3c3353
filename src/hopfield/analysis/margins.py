"""Margins of stored patterns, and radii within which all states are proved to end at a pattern.

Continuous networks: at pattern x_μ its score leads that of x_ν by Δ_ν = s_μ(x_μ) − s_ν(x_μ). The
margin is the least lead. If scores are affine in the state, a state within distance r of x_μ has
s_μ − s_ν ≥ Δ_ν − r‖x_ν − x_μ‖. Where this exceeds the score window of the separation for all ν, the
weights of the other patterns are negligible, and one update leads to x_μ.

Binary networks: unit i of pattern x keeps its sign if x_i·field_i > 0. The margin is the least of
these products over the units. A radius is the number of flipped units that one sweep restores:

- classical: field_i = Σ_j W_ij x_j − b_i, and a flip of unit j changes it by 2|W_ij|.
- dense, with F = Σ_ν f(s_ν): field_i = Σ_ν x_νi g(s_ν)/g(N − 1), where g(u) = f(u + 1) − f(u − 1)
  and s_ν is the score without unit i. Flips of k units change each s_ν by at most 2k. With priors
  each term has a factor w_ν.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from ..memories import Memory
from ..separation import Separation
from ..similarity import Similarity
from .patterns import Comparison, Patterns, scoring_of

LARGEST_BETA = 1e30
"""Largest β in a computation. A larger β makes the same decisions, but its products overflow."""
PROOF_RADII = 32
"""Number of radii that a proof tries for a dense network, evenly spaced up to N/2 flips.

More would prove larger radii, and take longer.
"""
MOST_UNITS = 4096
"""Largest number of units for which the N² entries of W are computed.

A larger classical network gets margins, but no proved radius.
"""
Columns = tuple[Tensor, Tensor, Tensor, Tensor]
"""Margins, rivals, proved radii, and True where a margin is within its rounding error."""
Proof = Callable[[Comparison], tuple[Tensor, Tensor]]
"""A function from some patterns of a binary network to their margins and proved radii."""
Gain = Callable[[Tensor, Tensor], Tensor]
"""A function (scores, reference) → g(scores)/g(reference)."""


def measure_margins(memory: Memory, patterns: Patterns) -> dict[str, Tensor]:
    """Return margin, rival, proved radius and nearest pattern of each pattern.

    The names are those of the fields of `Report`. All pairs are compared: O(n²N).
    """
    scoring = scoring_of(memory)
    if scoring is None or memory.binary:
        margins = partial(_unit_margins, _choose_proof(memory, patterns), patterns)
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
    if not memory.updates_by_weighted_sum:
        columns["radius"] = torch.full_like(columns["margin"], torch.nan)
    return columns | {"numerically_undecided": columns["numerically_undecided"] > 0}


def _score_margins(
    similarity: Similarity, separation: Separation, patterns: Patterns, compared: Comparison
) -> Columns:
    scores = patterns.scores(compared.rows, similarity)
    leads = scores.gather(-1, compared.indices[:, None]) - scores
    leads.masked_fill_(compared.is_copy, torch.inf)
    margin, rival = leads.min(dim=-1)
    roundoff = torch.finfo(patterns.dtype).eps / 2
    # γ_k = ku/(1 − ku), u = eps/2, bounds the rounding of k operations (Higham 2002).
    terms = patterns.dim + 8
    gamma = terms * roundoff / (1 - terms * roundoff) if 2 * terms * roundoff < 1 else torch.inf
    size = scores.abs().amax(-1, keepdim=True).expand_as(scores) * 4
    if similarity.is_affine:
        size = (patterns.norms[compared.indices, None] + patterns.norms).square()
    undecided = margin.abs() <= gamma * size.gather(-1, rival[:, None])[:, 0]
    window = score_window(separation, patterns)
    if window is None or not similarity.is_affine:
        return margin, rival, torch.full_like(margin, torch.nan), undecided
    # States near the pattern can have larger norms: twice the rounding.
    leads = leads - 2 * gamma * size - window
    radius = (leads / compared.squares.sqrt()).nan_to_num(nan=torch.inf).amin(-1)
    error = 2 * roundoff * patterns.count * patterns.norms.max()  # of a weighted sum
    return margin, rival, torch.where(radius > error, radius, 0.0), undecided


def score_window(separation: Separation, patterns: Patterns) -> float | None:
    """Return the distance below the best score beyond which weights are negligible, or None.

    With priors the window is known for softmax only. The best pattern may have the smallest prior,
    so that the others count as Σw/min w patterns.
    """
    prior = patterns.storage.prior
    if prior is None:
        return separation.score_window(patterns.count)
    if separation.softmax_beta() is None:
        return None
    return separation.score_window(math.ceil(float(prior.sum() / prior.min())))


def _unit_margins(proof: Proof | None, patterns: Patterns, compared: Comparison) -> Columns:
    rival = compared.products.masked_fill(compared.is_copy, -torch.inf).argmax(-1)
    unknown = torch.full_like(patterns.norms[compared.indices], torch.nan)
    margin, radius = (unknown, unknown) if proof is None else proof(compared)
    return margin, rival, radius, torch.zeros_like(rival, dtype=torch.bool)


def _choose_proof(memory: Memory, patterns: Patterns) -> Proof | None:
    """Return the proof for a binary network, or None if none is known for it."""
    if memory.binary and hasattr(memory, "field"):
        return _field_proof(memory, patterns.dim)
    scoring = scoring_of(memory)
    gain = None if scoring is None or not memory.binary else _relative_gain(scoring[1])
    return None if gain is None else partial(_gain_proof, gain, patterns)


def _field_proof(memory: Any, dim: int) -> Proof:
    """Return the proof for a classical network, from its fields and the entries of W."""
    if dim > MOST_UNITS:
        size = torch.full((1,), torch.nan, device=memory.storage.device, dtype=torch.float64)
        error = size
    else:
        coupling, bias = memory.coupling, memory.config().get("thresholds")
        size = coupling.double().abs()
        if memory.config().get("schedule") != "synchronous":  # a unit's own W_ii does not act
            size.fill_diagonal_(0)
        total = size.sum(-1) if bias is None else size.sum(-1) + bias.double().abs()
        error = (dim + 2) * torch.finfo(coupling.dtype).eps * total
        size = size.amax(-1).clamp_min(1e-300)

    def proof(compared: Comparison) -> tuple[Tensor, Tensor]:
        supports = compared.rows * memory.field(compared.rows)
        flips = ((supports - error) / (2 * size)).amin(-1).ceil() - 1
        return supports.amin(-1), flips.clamp(0, dim)

    return proof


def _gain_proof(gain: Gain, patterns: Patterns, compared: Comparison) -> tuple[Tensor, Tensor]:
    """Return margins and proved radii of some patterns of a dense network."""
    rows, scores = compared.rows, compared.products
    prior, top = patterns.storage.prior, scores.new_full((1,), patterns.dim - 1.0)
    times = torch.ones_like(patterns.norms) if prior is None else prior
    copies = (compared.is_copy * times).sum(-1, keepdim=True)

    def ratio(values: Tensor, reference: Tensor) -> Tensor:
        return (times * gain(values, reference)).masked_fill(compared.is_copy, 0.0)

    # Without unit i, a pattern that agrees with x at i scores s − 1, another one s + 1.
    agree, differ = ratio(scores - 1, top), ratio(scores + 1, top)
    support = agree.sum(-1, keepdim=True) + rows * patterns.weighted_sum(agree)
    against = differ.sum(-1, keepdim=True) - rows * patterns.weighted_sum(differ)
    flips, max_flips = torch.zeros_like(rows[:, 0]), (patterns.dim - 1) // 2
    for k in range(1, max_flips + 1, max(1, max_flips // PROOF_RADII)):
        reach, left = 2 * k + 1, top - 2 * k
        high = ratio((scores + reach).clamp_max(top), left).abs()
        low = ratio((scores - reach).clamp_min(-top), left).abs()
        # g rises or is even, since F is convex: its extremes are at the ends.
        flips[torch.maximum(high, low).sum(-1) < copies[:, 0]] = k
    return (copies + (support - against) / 2).amin(-1), flips


def _relative_gain(separation: Separation) -> Gain | None:
    """Return the function g(scores)/g(reference) of a separation.

    None if F is not a sum over patterns, and has no such sum that makes the same decisions.
    """
    beta = separation.softmax_beta()
    if beta is not None:  # softmax decides like Σ exp(βs), and g(u) ∝ exp(βu)
        finite = min(float(beta), LARGEST_BETA)
        return lambda scores, reference: (finite * (scores - reference)).exp()
    if not separation.is_sum_over_patterns():
        return None
    gain = cast(Callable[[Tensor], Tensor], separation.flip_gain)
    return lambda scores, reference: gain(scores) / gain(reference)
