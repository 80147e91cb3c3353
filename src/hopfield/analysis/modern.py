"""Which patterns of a modern network hold, from their scores.

With Δ_ν = s_μ(x_μ) − s_ν(x_μ) and d_ν = ‖x_ν − x_μ‖, a state within r of x_μ gives pattern ν odds
of at most exp(β(d_ν r − Δ_ν)) against μ, for dot and Euclidean scores. So one update ends within

    g(r) = Σ_ν d_ν σ(β(d_ν r − Δ_ν)) + ρ,    σ(u) = 1/(1 + e^−u),

of x_μ. Where g falls below r, and Σ_ν σ(…) is less than a half, all states within r end at the
pattern: Theorem 5 of Ramsauer et al. (2021), with every margin instead of n − 1 times the smallest.
It holds for what the memory computes: Δ_ν is what rounding leaves of the margin, and ρ what it adds
to a state (`rounding`). What this does not decide, `reduced` does; where rounding decides, the
memory itself.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..iteration import HALF
from ..memories import ModernHopfield
from ..separation import Entmax, Separation, Softmax, Sparsemax, TopK
from .observed import observed
from .reduced import followed, sharpness
from .rounding import Rounding
from .rows import Rows
from .verdicts import Verdicts, joined

RIVALS = 32
"""Patterns that are followed one by one; all others together are bounded."""
GRID = 64
"""Radii that are tried, up to the edge of the cell."""
MODELLED = (Softmax, Entmax, Sparsemax, TopK)
"""Separations whose dynamics `reduced` follows; of others, and of Manhattan, it is run."""
ROUNDED = 1e-3
"""More than rounding takes from a weight of a half."""


def modern(
    memory: ModernHopfield, rows: Rows, asked: Int[Tensor, " asked"], follow: bool = True
) -> Verdicts:
    """The verdicts of the patterns at these places; what is proved alone, if not to `follow`."""
    parts = asked.split(min(rows.chunk, 128))
    found = joined([_some(memory, rows, at, follow) for at in parts])
    if not follow:
        return found
    modelled = memory.similarity != "manhattan" and isinstance(memory.separation, MODELLED)
    run = ~found.proved & (found.rounded | (not modelled))
    if not bool(run.any()):
        return found
    did = observed(memory, rows, asked, found.rounded)
    return replace(
        found,
        fixed=torch.where(found.rounded, did.fixed, found.fixed),
        attractor=torch.where(run, did.attractor, found.attractor),
        swallower=torch.where(run, did.swallower, found.swallower),
    )


def _some(memory: ModernHopfield, rows: Rows, at: Tensor, follow: bool) -> Verdicts:
    similarity, separation = memory.similarity, memory.separation
    x, same = rows.take(at), rows.same(at)
    scores = rows.scores(x, similarity)
    lead = scores.gather(-1, at[:, None]) - scores
    lead = lead.masked_fill(same, torch.inf)
    margin, rival = lead.min(dim=-1)
    settled = memory.stopping_rule(memory.storage.dtype)
    fixed = settled(x, rows.weighted_sum(separation(scores)))
    rounding = Rounding.of(memory, rows)
    slack = _slack(memory, rows, rounding, x, margin, rival)
    radius, cell, shift = _proof(memory, rows, rounding, x, lead, same.sum(-1))
    proved = radius > 0
    attractor, swallower = proved.clone(), torch.full_like(rival, -1)
    rounded = ~proved & rounding.decides(slack, sharpness(separation))
    modelled = memory.similarity != "manhattan" and isinstance(separation, MODELLED)
    open_ = (~proved & ~rounded).nonzero().squeeze(-1)
    if len(open_) and modelled and follow:
        attractor[open_], swallower[open_] = followed(memory, rows, at[open_])
    rival = torch.where(margin.isinf(), -1, rival)
    return Verdicts(
        margin, rival, fixed, attractor, swallower, proved, radius, cell, shift, slack, rounded
    )


def _slack(
    memory: ModernHopfield, rows: Rows, rounding: Rounding, x: Tensor, margin: Tensor, rival: Tensor
) -> Tensor:
    """What rounding can take from the margin."""
    norms, own = rows.norms()[rival], x.norm(dim=-1)
    if memory.similarity == "manhattan":  # made of differences, whose rounding shrinks with them
        return rounding.unit * (rows.dim + 8) * margin.abs()
    if memory.similarity == "cosine":
        return 2 * rounding.ratios(torch.ones_like(norms), torch.ones_like(norms))
    if memory.similarity == "correlation":
        near = rows.take(rival)
        spread, other = ((each - each.mean(-1, keepdim=True)).norm(dim=-1) for each in (x, near))
        return rounding.ratios(own, spread) + rounding.ratios(norms, other)
    return rounding.scores(own, norms) + rounding.scores(own, own)


def _proof(
    memory: ModernHopfield,
    rows: Rows,
    rounding: Rounding,
    x: Float[Tensor, "batch dim"],
    lead: Float[Tensor, "batch n"],
    copies: Int[Tensor, " batch"],
) -> tuple[Tensor, Tensor, Tensor]:
    """Proved radius, cell, and how far the fixed point can be."""
    separation = memory.separation
    if memory.similarity not in ("dot", "euclidean"):
        unknown = lead.new_full((len(lead),), torch.nan)
        return unknown, unknown, unknown
    own, norms = x.norm(dim=-1, keepdim=True), rows.norms()
    squares = 2 * lead
    if memory.similarity == "dot":  # x·x_ν = ‖x‖² − Δ_ν
        squares = norms.square() - own.square() + 2 * lead
    noise = 4 * torch.finfo(torch.float64).eps * (rows.dim + 8) * (own + norms).square()
    apart = (squares + noise).clamp_min(1e-300).sqrt()  # ∞ for the pattern and its copies
    cell = _nearest(lead, apart)
    alone = cell.isinf()
    edge = own + torch.where(alone, 0.0, cell).clamp_min(0)[:, None]
    sure = lead - rounding.scores(edge, norms) - rounding.scores(edge, own)
    largest, none = norms.amax(), torch.zeros_like(cell)

    def added(lost: Tensor) -> Tensor:
        each = (-1,) + (1,) * (lost.ndim - 1)
        return rounding.states(own.reshape(each), largest, lost, copies.double().reshape(each))

    window = _window(separation, copies, rounding)
    if window is not None:
        radius, shift = _nearest(sure - window[:, None], apart), added(none)
        holds = radius > shift
        return torch.where(holds, radius, 0.0), cell, torch.where(holds, shift, torch.nan)
    if not isinstance(separation, (Softmax, TopK)):
        unknown = torch.full_like(cell, torch.nan)
        return unknown, cell, unknown
    reach = _nearest(sure, apart).masked_fill(alone, 1.0)
    radius, shift = _basin(sure, apart, reach, sharpness(separation), added)
    return torch.where(alone, torch.inf, radius), cell, torch.where(alone, added(none), shift)


def _nearest(lead: Tensor, apart: Tensor) -> Tensor:
    """The least of lead/apart; ∞ where nobody else is."""
    return torch.where(lead.isinf(), torch.inf, lead / apart).amin(-1)


def _window(separation: Separation, copies: Tensor, rounding: Rounding) -> Tensor | None:
    """Margin from which on a sparse separation reads the pattern alone (Santos et al. 2024).

    c^{1−α}/((α − 1)β) for a pattern stored c times, and what rounding of the threshold adds.
    """
    if not isinstance(separation, (Entmax, Sparsemax)):
        return None
    alpha, beta = separation.alpha, separation.beta
    power = copies.double() ** (1 - float(alpha)) + 128 * rounding.unit
    return power / ((float(alpha) - 1) * max(float(beta), 1e-300))


def _basin(
    lead: Float[Tensor, "batch n"],
    apart: Float[Tensor, "batch n"],
    cell: Float[Tensor, " batch"],
    beta: float,
    added: Callable[[Tensor], Tensor],
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
        """g(r) with what is `added` by rounding, and the weight lost, at most."""
        odds = torch.sigmoid(beta * (far[:, :, None] * radius[:, None] - near[:, :, None]))
        odds = odds * there[:, :, None]
        share = radius / cell.clamp_min(1e-300)[:, None]
        tails = [_chord(low, high, share).exp() for low, high in (moved_at, lost_at)]
        lost = odds.sum(1) + tails[1]
        return (far[:, :, None] * odds).sum(1) + tails[0] + added(lost), lost

    steps = torch.arange(1, GRID + 1, dtype=lead.dtype, device=lead.device) / GRID
    radius = cell.clamp_min(0)[:, None] * steps
    moved, lost = leaks(radius)
    falls = (moved[:, 1:] <= radius[:, :-1]) & (lost[:, 1:] < 1 - HALF - ROUNDED)
    begun = falls.int().cumsum(-1) > 0
    first = (~begun).sum(-1).clamp_max(GRID - 1)
    stopped = (begun & ~falls).int().cumsum(-1) > 0
    last = GRID - 1 - stopped.sum(-1)
    holds = falls.any(-1) & (cell > 0)
    shift = _at(radius, first)
    for _ in range(3):
        shift = torch.minimum(shift, leaks(shift[:, None])[0][:, 0])
    return torch.where(holds, _at(radius, last), 0.0), torch.where(holds, shift, torch.nan)


def _chord(low: Tensor, high: Tensor, share: Tensor) -> Tensor:
    """Between two values, −∞ where there is nothing."""
    return torch.where(low.isinf(), -torch.inf, low + share * (high - low))


def _at(values: Tensor, place: Tensor) -> Tensor:
    return values.gather(-1, place[:, None])[:, 0]
