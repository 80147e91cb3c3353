"""What is said of each pattern, whatever the network."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Verdicts:
    """One entry for each pattern that was asked about.

    Attributes:
        margin: Δ, what keeps the pattern: negative where another takes over (docs/diagnosis.md).
        rival: the pattern that comes nearest to taking over, −1 where there is none.
        fixed: whether the dynamics leaves the pattern where it is.
        attractor: whether the dynamics, started at the pattern, stays with it.
        swallower: the pattern that it ends at instead, −1 where it ends at none.
        proved: whether `attractor` is proved; else it follows from a model.
        radius: every state within this distance (binary: with so many flips) of the pattern ends
            at it; 0 where nothing is proved, NaN where no bound is known.
        cell: distance to the nearest state that scores higher with another pattern, NaN likewise.
        shift: the dynamics ends within this distance of the pattern, NaN likewise.
        slack: what rounding can take from the margin, at most (`rounding`).
        rounded: whether rounding may decide where it ends, so that no theory can say it: what is
            said then is what the memory itself did.
    """

    margin: Float[Tensor, " n"]
    rival: Int[Tensor, " n"]
    fixed: Bool[Tensor, " n"]
    attractor: Bool[Tensor, " n"]
    swallower: Int[Tensor, " n"]
    proved: Bool[Tensor, " n"]
    radius: Float[Tensor, " n"]
    cell: Float[Tensor, " n"]
    shift: Float[Tensor, " n"]
    slack: Float[Tensor, " n"]
    rounded: Bool[Tensor, " n"]


def joined(parts: Sequence[Verdicts]) -> Verdicts:
    """The verdicts of several batches as one."""
    return Verdicts(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Verdicts)))
