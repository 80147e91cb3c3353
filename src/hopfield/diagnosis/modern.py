"""Which patterns of a modern network hold, from their scores.

With Δ_ν = s_μ(x_μ) − s_ν(x_μ) and d_ν = ‖x_ν − x_μ‖, a state within r of x_μ gives pattern ν odds
of at most exp(β(d_ν r − Δ_ν)) against μ, for dot and Euclidean scores. So one update ends within

    g(r) = Σ_ν d_ν σ(β(d_ν r − Δ_ν)),    σ(u) = 1/(1 + e^−u),

of x_μ. Where g falls below r, all states within r end at the pattern: Theorem 5 of Ramsauer et al.
(2021), with every margin instead of n − 1 times the smallest. What this does not decide, `reduced`
does.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..dynamics import moved_within
from ..memories import ModernHopfield
from ..separation import Entmax, Separation, Softmax, Sparsemax, TopK
from ..similarity import SIMILARITIES
from .observed import ended
from .reduced import followed
from .rows import Rows
from .verdicts import Verdicts, joined

RIVALS = 32
"""Patterns that are followed one by one; all others together are bounded."""
GRID = 64
"""Radii that are tried, up to the edge of the cell."""
MODELLED = (Softmax, Entmax, Sparsemax, TopK)
"""Separations whose dynamics `reduced` follows; of others, and of Manhattan, it is run."""
SHARPEST = 1e30
"""β above this acts like ∞, and multiplies 0."""


def modern(memory: ModernHopfield, rows: Rows, asked: Int[Tensor, " asked"]) -> Verdicts:
    """The verdicts of the patterns at these places."""
    parts = asked.split(min(rows.chunk, 128))
    return joined([_some(memory, rows, at) for at in parts])


def _some(memory: ModernHopfield, rows: Rows, at: Tensor) -> Verdicts:
    similarity, separation = SIMILARITIES[memory.similarity], memory.separation
    x, same = rows.take(at), rows.same(at)
    scores = rows.scores(x, similarity)
    lead = scores.gather(-1, at[:, None]) - scores
    lead = lead.masked_fill(same, torch.inf)
    margin, rival = lead.min(dim=-1)
    tol = 1e-2 if memory.patterns.dtype.itemsize == 2 else 1e-4  # as `retrieve` has it
    weights = separation(scores)
    fixed = moved_within(tol)(x, rows.pull(weights))
    proof = _proof(memory, rows, x, lead, same.sum(-1))
    proved = proof[0] > 0
    attractor, swallower = proved.clone(), torch.full_like(rival, -1)
    open_ = (~proved).nonzero().squeeze(-1)
    if len(open_):
        modelled = memory.similarity != "manhattan" and isinstance(separation, MODELLED)
        find = followed if modelled else ended
        attractor[open_], swallower[open_] = find(memory, rows, at[open_])
    return Verdicts(
        margin, torch.where(margin.isinf(), -1, rival), fixed, attractor, swallower, proved, *proof
    )


def _proof(
    memory: ModernHopfield,
    rows: Rows,
    x: Float[Tensor, "batch dim"],
    lead: Float[Tensor, "batch n"],
    copies: Int[Tensor, " batch"],
) -> tuple[Tensor, Tensor, Tensor]:
    """Proved radius, cell, and how far the fixed point can be."""
    separation = memory.separation
    if memory.similarity not in ("dot", "euclidean"):
        unknown = lead.new_full((len(lead),), torch.nan)
        return unknown, unknown, unknown
    own = x.square().sum(-1, keepdim=True)
    norms = torch.cat([block.squares(None) for block in rows.blocks()])
    if memory.similarity == "dot":  # x·x_ν = ‖x‖² − Δ_ν
        squares = norms - own + 2 * lead
    else:
        squares = 2 * lead
    apart = squares.clamp_min(0).sqrt()  # ∞ for the pattern and its copies
    apart = apart.clamp_min(1e-300)
    each = torch.where(lead.isinf(), torch.inf, lead / apart)
    cell = each.amin(-1)
    window = _window(separation, copies)
    if window is not None:
        left = torch.where(lead.isinf(), torch.inf, (lead - window[:, None]) / apart)
        radius = left.amin(-1).clamp_min(0)
        return radius, cell, torch.where(radius > 0, 0.0, torch.nan)
    if not isinstance(separation, (Softmax, TopK)):
        unknown = torch.full_like(cell, torch.nan)
        return unknown, cell, unknown
    alone = cell.isinf()
    beta = min(float(separation.beta), SHARPEST)
    radius, shift = _basin(lead, apart, cell.masked_fill(alone, 1.0), beta)
    return torch.where(alone, torch.inf, radius), cell, torch.where(alone, 0.0, shift)


def _window(separation: Separation, copies: Tensor) -> Tensor | None:
    """Margin from which on a sparse separation reads the pattern alone (Santos et al. 2024).

    c^{1−α}/((α − 1)β) for a pattern stored c times.
    """
    if not isinstance(separation, (Entmax, Sparsemax)):
        return None
    alpha, beta = separation._parameters()
    power = copies.double() ** (1 - float(alpha))
    return power / ((float(alpha) - 1) * max(float(beta), 1e-300))


def _basin(
    lead: Float[Tensor, "batch n"],
    apart: Float[Tensor, "batch n"],
    cell: Float[Tensor, " batch"],
    beta: float,
) -> tuple[Tensor, Tensor]:
    """The largest r proved to fall below g(r) step by step, and where it falls to."""
    near, at = lead.topk(min(RIVALS, lead.shape[-1]), dim=-1, largest=False)
    far = apart.gather(-1, at)
    there = near.isfinite()
    near, far = torch.where(there, near, 0.0), torch.where(there, far, 0.0)
    others = lead.scatter(-1, at, torch.inf)
    far_off = torch.where(others.isinf(), 0.0, apart)
    # The log of a sum of exponentials is convex in r: below the chord from 0 to the edge.
    edges = [beta * (far_off * edge - others) for edge in (0.0, cell.clamp_min(0)[:, None])]
    lost_at = [torch.logsumexp(x, dim=-1, keepdim=True) for x in edges]
    moved_at = [torch.logsumexp(x + far_off.log(), dim=-1, keepdim=True) for x in edges]

    def leaks(radius: Tensor) -> tuple[Tensor, Tensor]:
        """g(r) and the weight lost, at most."""
        odds = torch.sigmoid(beta * (far[:, :, None] * radius[:, None] - near[:, :, None]))
        odds = odds * there[:, :, None]
        share = radius / cell.clamp_min(1e-300)[:, None]
        tails = [_chord(low, high, share).exp() for low, high in (moved_at, lost_at)]
        return (far[:, :, None] * odds).sum(1) + tails[0], odds.sum(1) + tails[1]

    steps = torch.arange(1, GRID + 1, dtype=lead.dtype, device=lead.device) / GRID
    radius = cell.clamp_min(0)[:, None] * steps
    moved, lost = leaks(radius)
    falls = moved[:, 1:] <= radius[:, :-1]
    begun = falls.int().cumsum(-1) > 0
    first = (~begun).sum(-1)
    stopped = (begun & ~falls).int().cumsum(-1) > 0
    last = GRID - 1 - stopped.sum(-1)
    first = first.clamp_max(GRID - 1)
    holds = falls.any(-1) & (cell > 0) & (_at(lost, first) <= 0.5)
    shift = _at(radius, first)
    for _ in range(3):
        shift = torch.minimum(shift, leaks(shift[:, None])[0][:, 0])
    return torch.where(holds, _at(radius, last), 0.0), torch.where(holds, shift, torch.nan)


def _chord(low: Tensor, high: Tensor, share: Tensor) -> Tensor:
    """Between two values, −∞ where there is nothing."""
    return torch.where(low.isinf(), -torch.inf, low + share * (high - low))


def _at(values: Tensor, place: Tensor) -> Tensor:
    return values.gather(-1, place[:, None])[:, 0]
