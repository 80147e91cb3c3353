"""What the dynamics does when it is started at the stored patterns."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..memories import Memory, ModernHopfield
from .rows import Rows

QUERIES = 1024
"""Patterns retrieved in one call."""


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


def observed(memory: Memory, rows: Rows, asked: Int[Tensor, " asked"]) -> Observed:
    """Retrieve from the patterns at these places; nothing at T > 0, where nothing settles."""
    parts = [_some(memory, rows, at) for at in asked.split(QUERIES)]
    return Observed(
        *(torch.cat([getattr(p, n) for p in parts]) for n in ("fixed", "attractor", "swallower"))
    )


def ended(memory: Memory, rows: Rows, at: Int[Tensor, " batch"]) -> tuple[Tensor, Tensor]:
    """Attractor and swallower, of networks without a model."""
    found = observed(memory, rows, at)
    return found.attractor, found.swallower


def _some(memory: Memory, rows: Rows, at: Tensor) -> Observed:
    start = memory._store.take(at)
    found = memory.retrieve(start)
    group = rows.copy_of[found.index]
    if not isinstance(memory, ModernHopfield):
        there = (found.state == memory._store.take(found.index)).all(-1)
    else:
        copies = torch.bincount(rows.copy_of, minlength=rows.count)
        there = found.weight * copies[group] > 0.5
    own = there & (group == rows.copy_of[at])
    stayed = (found.steps == 0) & found.converged
    return Observed(stayed, own, torch.where(there & ~own, group, -1))
