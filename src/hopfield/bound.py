"""Bounds of the distance of a certified readout from the full one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

KEPT_BOUNDS = 128
"""Steps whose bounds are kept until they are read; those of more steps are computed meanwhile."""


@dataclass(frozen=True, eq=False)
class Bound:
    """Bounds of the distance between a certified readout and the full one at the same state.

    The bounds of an answer are computed when one of them is first read.

    Attributes:
        state: bound of ‖x' − x'_full‖, `(*batch)`: the largest over the steps. Full readouts
            from the start could still lead to another fixed point.
        energy: bound of |E − E_full|, `(*batch)`.
        unread_weight: bound of the weight of the patterns that were not read, `(*batch)`: the
            largest over the steps; 0 for queries that were read in full at each step.
    """

    state: Tensor
    energy: Tensor
    unread_weight: Tensor

    @classmethod
    def later(cls, compute: "Callable[[], Bound]") -> "Bound":
        """Return the bounds that `compute` returns, which is called when one of them is read.

        Until then patterns, cues and answers may change: `compute` must not depend on them.
        """
        bound = object.__new__(cls)
        vars(bound)["_compute"] = compute
        return bound

    def __getattr__(self, name: str) -> Any:
        """Compute the bounds; called only while they are missing."""
        if name not in ("state", "energy", "unread_weight") or "_compute" not in vars(self):
            raise AttributeError(f"Bound has no attribute {name!r}.")
        vars(self).update(vars(self._compute()))
        return vars(self)[name]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the bounds themselves."""
        return Bound, (self.state, self.energy, self.unread_weight)

    def at(self, queries: Tensor) -> "Bound":
        """Return the bounds of some of the queries."""
        return Bound.later(
            lambda: Bound(self.state[queries], self.energy[queries], self.unread_weight[queries])
        )

    def with_rounding(self, state: Float[Tensor, "*batch dim"], dtype: torch.dtype) -> "Bound":
        """Return bounds that also cover the rounding of the result to the dtype of `state`."""
        batch, rounding = state.shape[:-1], 0.0
        if state.dtype != dtype and state.dtype.itemsize < dtype.itemsize:
            unit = torch.finfo(state.dtype)
            least = unit.tiny * state.shape[-1] ** 0.5  # subnormals have an absolute rounding
            length = torch.linalg.vector_norm(state, dim=-1, dtype=dtype)
            rounding = unit.eps * (length + least)

        def compute() -> Bound:
            parts = self.state, self.energy, self.unread_weight
            bound, energy, unread = (part.reshape(batch).to(dtype) for part in parts)
            return Bound(bound + rounding, energy, unread)

        return Bound.later(compute)


def largest_bound(count: int, parts: list[tuple[Tensor | None, Bound]]) -> Bound:
    """Return the largest bounds of states over steps, and the last bounds of energies.

    Args:
        count: the number of queries.
        parts: the queries of each step, None for all, and their bounds.
    """
    state = parts[0][1].state.new_zeros(count)
    energy, unread = state.clone(), state.clone()
    for active, bound in parts:
        at = ... if active is None else active
        for largest, values in ((state, bound.state), (unread, bound.unread_weight)):
            largest[at] = torch.maximum(largest[at], values)
        energy[at] = bound.energy
    return Bound(state, energy, unread)
