"""What the dynamics does when it is started at the stored patterns."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..iteration import HALF, TOLERANCE
from ..memories import Memory, ModernHopfield
from .rows import Rows

QUERIES = 1024
"""Patterns retrieved in one call."""
CLEAR = 0.99
"""A state that has settled with so much of the weight on a pattern stays with it."""
COARSE = 1e-3
"""Not so where the tolerance of `retrieve` is more than this part of the largest entry."""
TURNS, PATIENCE, FINER = 20, 250, 1e-6
"""How often so many steps are made, and how finely, where those of `retrieve` leave doubt."""
UNMOVED = 1e-4
"""A weight that has changed by less in that time has settled, but for rounding."""
TIED, FINEST = 0.1, 1e-9
"""What ends this near to a half of the weight is followed so finely."""


@dataclass(frozen=True, eq=False)
class Observed:
    """Where `retrieve` led from each pattern.

    Attributes:
        fixed: it stayed at the pattern, and converged.
        attractor: it ended at the pattern: of ±1 every unit right, else with more than half of the
            weight on it (and its copies).
        swallower: the pattern it ended at instead, −1 where at none.
    """

    fixed: Bool[Tensor, " n"]
    attractor: Bool[Tensor, " n"]
    swallower: Int[Tensor, " n"]


def observed(
    memory: Memory,
    rows: Rows,
    asked: Int[Tensor, " asked"],
    rounded: Bool[Tensor, " asked"] | None = None,
) -> Observed:
    """Retrieve from the patterns at these places; nothing at T > 0, where nothing settles.

    What is not clearly at a pattern of a modern network is given more steps and a finer tolerance:
    near the β at which a pattern is lost, the way to it or from it is slow. Not so where all is
    `rounded`: what moves by rounding alone never settles.
    """
    hasty = torch.zeros_like(asked, dtype=torch.bool) if rounded is None else rounded
    both = zip(asked.split(QUERIES), hasty.split(QUERIES), strict=True)
    parts = [_some(memory, rows, at, quick) for at, quick in both]
    return Observed(
        *(torch.cat([getattr(p, n) for p in parts]) for n in ("fixed", "attractor", "swallower"))
    )


def _some(memory: Memory, rows: Rows, at: Tensor, quick: Tensor) -> Observed:
    start = memory.storage.take(at)
    found = memory.retrieve(start)
    stayed = (found.steps == 0) & found.converged
    group = rows.copy_of[found.index]
    if not isinstance(memory, ModernHopfield):
        there = (found.state == memory.storage.take(found.index)).all(-1)
    else:
        there = at_pattern(rows, group, found.weight)
        still = at_pattern(rows, group, found.weight, CLEAR) & found.converged
        if TOLERANCE > COARSE * float(start.abs().amax()):
            still = torch.zeros_like(still)
        slow = (~still & ~quick).nonzero().squeeze(-1)
        if len(slow):
            group[slow], there[slow] = _patiently(memory, rows, start[slow])
    own = there & (group == rows.copy_of[at])
    return Observed(stayed, own, torch.where(there & ~own, group, -1))


def _patiently(memory: Memory, rows: Rows, start: Tensor) -> tuple[Tensor, Tensor]:
    """Who leads where it ends, and with most of the weight.

    Where that is about half, float32 may have stopped on the slow way to a tie, each step less
    than it rounds off: these go on in float64.
    """
    wide = start.to(torch.promote_types(start.dtype, torch.float32))
    state, group, weight = _followed(memory, rows, wide, FINER)
    tied = (_share(rows, group, weight) - HALF).abs() < TIED
    if bool(tied.any()):
        _, group[tied], weight[tied] = _followed(memory, rows, state[tied].double(), FINEST)
    return group, at_pattern(rows, group, weight)


def _followed(
    memory: Memory, rows: Rows, state: Tensor, tol: float
) -> tuple[Tensor, Tensor, Tensor]:
    """State, who leads there, and its weight, as long as that still moves."""
    state, weight = state.clone(), state.new_zeros(len(state), dtype=torch.float64)
    group = torch.full_like(weight, -1, dtype=torch.long)
    active = torch.arange(len(state), device=state.device)
    tol *= min(1.0, float(state.abs().amax()))  # `retrieve` has no parts of less than 1
    for _ in range(TURNS):
        found = memory.retrieve(state[active], steps=PATIENCE, tol=tol)
        still = found.converged | ((found.weight - weight[active]).abs() <= UNMOVED)
        group[active], weight[active] = rows.copy_of[found.index], found.weight.double()
        state[active] = found.state
        active = active[~still]
        if not len(active):
            break
    return state, group, weight


def at_pattern(rows: Rows, group: Tensor, weight: Tensor, share: float = HALF) -> Tensor:
    """Whether patterns with this weight, and their copies, have more than half of it."""
    return _share(rows, group, weight) > share


def _share(rows: Rows, group: Tensor, weight: Tensor) -> Tensor:
    """The weight of patterns and their copies."""
    copies = torch.bincount(rows.copy_of, minlength=rows.count)
    return weight.double() * copies[group]
