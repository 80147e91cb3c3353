"""Which patterns of a binary network hold, from what their weakest unit feels.

Unit i of pattern μ is stable if x_μi h_i ≥ 0; for dense networks, in units of what the pattern
alone would contribute,

    Δ_μ = min_i Σ_ν x_μi x_νi g(s_ν^{∖i}) / g(N − 1),    g(u) = f(u + 1) − f(u − 1),

1 where no other pattern interferes. Any k flips change s_ν by 2k at most. So where the pattern's
own part at N − 1 − 2k exceeds what all others can contribute, every unit is put right, in any
order: such a pattern attracts all states with up to k flips.
"""

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..coupling import Coupling
from ..memories import ClassicalHopfield, DenseHopfield
from ..separation import RectifiedPolynomial, Separation
from ..similarity import dot
from ..units import saturated_beta
from .rows import Rows, shell
from .verdicts import Verdicts, joined

MOST_UNITS = 4096
"""N up to which the couplings of every unit are sorted to bound the basins."""


def classical(memory: ClassicalHopfield, rows: Rows, asked: Int[Tensor, " asked"]) -> Verdicts:
    """The verdicts of the patterns at these places, at T = 0."""
    learned = memory._coupling()
    coupling = learned if memory.schedule == "synchronous" else learned.without_diagonal
    reach = None
    if rows.dim <= MOST_UNITS:  # |W_ij| sorted and summed: what k flips can change at unit i
        reach = coupling.matrix().abs().sort(dim=-1, descending=True).values.double().cumsum(-1)
    noise: Tensor | float = 0.0 if reach is None else _rounding(memory, coupling, reach)
    parts = []
    for at in asked.split(max(1, min(256, 2**22 // rows.dim))):
        x = memory.storage.take(at).to(coupling.dtype)
        field = coupling.field(x)
        if memory.thresholds is not None:
            field = field - memory.thresholds.to(field)
        stability = (x * field).double()
        margin = stability.amin(-1)
        fixed = margin >= -coupling.slack
        tied = ((stability + coupling.slack).abs() <= noise).any(-1).nonzero().squeeze(-1)
        if len(tied):  # where rounding could decide, the memory itself does, without noise
            there = memory.storage.take(at[tied])
            calm = shell(memory, memory.config() | {"temperature": 0.0})
            fixed[tied] = (calm.update(there) == there).all(-1)
        radius = torch.full_like(margin, torch.nan)
        if reach is not None:
            radius = _flips(stability - coupling.slack - noise, reach)
        overlap = rows.scores(rows.take(at), dot).masked_fill(rows.same(at), -torch.inf)
        parts.append(_verdicts(margin, overlap, fixed, radius))
    return joined(parts)


def _rounding(memory: ClassicalHopfield, coupling: Coupling, reach: Tensor) -> Tensor:
    """What rounding can take from each field: γ_{N+2}(Σ_j |W_ij| + |b_i|)."""
    unit = torch.finfo(coupling.dtype).eps / 2
    size = reach[:, -1]
    if memory.thresholds is not None:
        size = size + memory.thresholds.double().abs()
    return (reach.shape[-1] + 2) * unit * size


def _flips(stability: Float[Tensor, "batch dim"], reach: Float[Tensor, "dim dim"]) -> Tensor:
    """The most flips after which every unit still feels its own sign, by bisection."""
    low = torch.zeros(len(stability), dtype=torch.long, device=stability.device)
    high = torch.full_like(low, reach.shape[-1] + 1)
    for _ in range(reach.shape[-1].bit_length() + 1):
        middle = (low + high) // 2
        lost = 2 * reach[:, (middle - 1).clamp(0, reach.shape[-1] - 1)].T
        holds = (stability > lost).all(-1) & (middle > 0)
        low, high = torch.where(holds, middle, low), torch.where(holds, high, middle)
        high = torch.maximum(high, low + 1)
    return low.double()


def dense(memory: DenseHopfield, rows: Rows, asked: Int[Tensor, " asked"]) -> Verdicts:
    """The verdicts of the patterns at these places."""
    parts = []
    for at in asked.split(rows.chunk):
        x, same = rows.take(at), rows.same(at)
        scores = rows.scores(x, dot)
        overlap = scores.masked_fill(same, -torch.inf)
        copies = same.sum(-1)
        beta = memory.separation.softmax_beta()
        if beta is not None:
            agree, differ, radius = _exponential(float(beta), overlap, copies, rows.dim)
        else:
            agree, differ, radius = _polynomial(memory.separation, overlap, copies, rows.dim)
        # Others with x_νi = x_μi and those against it.
        pro = (agree.sum(-1, keepdim=True) + x * rows.weighted_sum(agree)) / 2
        con = (differ.sum(-1, keepdim=True) - x * rows.weighted_sum(differ)) / 2
        margin = (copies[:, None] + pro - con).amin(-1)
        eps = torch.finfo(torch.float64).eps
        size = copies + agree.abs().sum(-1) + differ.abs().sum(-1)
        fixed = margin >= 0
        tied = (margin.abs() <= 8 * eps * rows.count * size).nonzero().squeeze(-1)
        if len(tied):  # where rounding could decide, exact arithmetic does
            there = memory.storage.take(at[tied])
            fixed[tied] = (memory.update(there) == there).all(-1)
        parts.append(_verdicts(margin, overlap, fixed, radius))
    return joined(parts)


def _exponential(
    sharp: float, overlap: Tensor, copies: Tensor, dim: int
) -> tuple[Tensor, Tensor, Tensor]:
    """g at s − 1 and s + 1 over g(N − 1), and the flips that are undone for sure."""
    count = overlap.shape[-1]
    beta = saturated_beta(sharp, count)
    other = overlap.isfinite()  # no copy, which 0·(−∞) would make NaN
    agree = torch.where(other, (beta * (overlap - dim)).exp(), 0.0)
    differ = torch.where(other, (beta * (overlap + 2 - dim)).exp(), 0.0)
    if beta == 0:
        return agree, differ, torch.zeros_like(overlap[:, 0])
    # Σ_ν exp(β(s_ν + 2k + 1)) < c exp(β(N − 1 − 2k)), for a pattern stored c times.
    others = torch.logsumexp(min(sharp, 1e30) * overlap, dim=-1)
    room = (dim - 2 + (copies.double().log() - others) / min(sharp, 1e30)) / 4
    return agree, differ, _whole(room, dim)


def _polynomial(
    separation: Separation, overlap: Tensor, copies: Tensor, dim: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The same for polynomials."""
    there = overlap.isfinite()
    near = torch.where(there, overlap, 0.0)

    def edge(sums: Tensor) -> Tensor:
        return cast(Tensor, separation.flip_gain(sums))

    own = edge(overlap.new_tensor(dim - 1.0))
    agree = torch.where(there, edge(near - 1) / own, 0.0)
    differ = torch.where(there, edge(near + 1) / own, 0.0)
    size = near if isinstance(separation, RectifiedPolynomial) else near.abs()
    low, high = torch.zeros_like(copies), torch.full_like(copies, dim // 2 + 1)
    for _ in range(dim.bit_length() + 1):
        middle = (low + high) // 2
        reach = (size + 2 * middle[:, None] + 1).clamp_max(dim - 1)
        most = torch.where(there, edge(reach).abs(), 0.0).sum(-1)
        left = dim - 1.0 - 2 * middle
        holds = (copies * edge(left) > most) & (left > 0) & (middle > 0)
        low, high = torch.where(holds, middle, low), torch.where(holds, high, middle)
        high = torch.maximum(high, low + 1)
    return agree, differ, low.double()


def _whole(room: Tensor, dim: int) -> Tensor:
    """The largest whole number below, at least 0; less than half of the units."""
    return (torch.ceil(room) - 1).clamp(0, (dim - 1) // 2)


def _verdicts(margin: Tensor, overlap: Tensor, fixed: Tensor, radius: Tensor) -> Verdicts:
    """One unit at a time never goes back up: what is not fixed never returns."""
    best, rival = overlap.max(dim=-1)
    unknown = torch.full_like(margin, torch.nan)
    nobody = torch.full_like(rival, -1)
    radius = torch.where(fixed, radius, 0.0)
    return Verdicts(
        margin,
        torch.where(best.isinf(), nobody, rival),
        fixed,
        fixed.clone(),
        nobody,
        torch.ones_like(fixed),
        radius,
        unknown,
        torch.where(fixed, 0.0, torch.nan),
        torch.zeros_like(margin),
        torch.zeros_like(fixed),
    )
