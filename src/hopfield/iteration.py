"""Iterating a network to a fixed point, each query by itself."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .checks import is_traced

HALF = 0.51
"""A state is at a pattern that has more than this of the weight: more than half, by more than what
has not settled. A tie of two is a mixture, also where float32 stops on the slow way to it."""


@dataclass(frozen=True, eq=False)
class Bound:
    """How far a certified answer can be from the full readout at the same state.

    Attributes:
        state: ‖x' − x'_full‖, at most, `(*batch)`: the largest over the steps made. Nothing is
            said of where another trajectory would have led.
        energy: |E − E_full|, at most, `(*batch)`.
    """

    state: Tensor
    energy: Tensor

    def at(self, queries: Tensor) -> "Bound":
        """The same of some of the queries."""
        return Bound(self.state[queries], self.energy[queries])

    def shaped(self, state: Float[Tensor, "*batch dim"], dtype: torch.dtype) -> "Bound":
        """The same for a batch whose states are returned as `state`, rounded to its dtype."""
        batch, bound = state.shape[:-1], self.state.reshape(state.shape[:-1]).to(dtype)
        if state.dtype.itemsize < dtype.itemsize:
            unit = torch.finfo(state.dtype)
            least = unit.tiny * state.shape[-1] ** 0.5  # below it numbers are evenly spaced
            bound = bound + unit.eps * (
                torch.linalg.vector_norm(state, dim=-1, dtype=dtype) + least
            )
        return Bound(bound, self.energy.reshape(batch).to(dtype))


@dataclass(frozen=True, eq=False)
class Reading:
    """A state described, and where it goes: what one read of a memory gives.

    Attributes:
        next: the following state, `(batch, dim)`.
        energy: of the state read, `(batch)`; None where that is told of final states only.
        index: its strongest pattern, `(batch)`, or None likewise.
        weight: the weight of that pattern, `(batch)`, or None likewise.
        entropy: of the weights, `(batch)`, or None where the network has none.
        bound: of a certified reading; None elsewhere.
    """

    next: Tensor
    energy: Tensor | None
    index: Tensor | None
    weight: Tensor | None
    entropy: Tensor | None
    bound: Bound | None = None

    def at(self, queries: Tensor, state: Tensor) -> "Reading":
        """The same of some of the queries, for states that stay where they are."""
        return Reading(
            next=state,
            energy=None if self.energy is None else self.energy[queries],
            index=None if self.index is None else self.index[queries],
            weight=None if self.weight is None else self.weight[queries],
            entropy=None if self.entropy is None else self.entropy[queries],
            bound=None if self.bound is None else self.bound.at(queries),
        )


@dataclass(frozen=True, eq=False)
class Retrieval:
    """What a memory found, one entry for each query of the batch.

    Attributes:
        state: the retrieved state, `(*batch, dim)`; all else describes it.
        steps: reads (or sweeps) applied, without the one that confirmed, `(*batch)`; 0 for a
            stored fixed point.
        converged: whether one more read leaves it where it is, `(*batch)`.
        energy: its energy, `(*batch)`: the one that was descended, see `objective`.
        index: the strongest pattern, `(*batch)`; the first where several tie.
        weight: the weight of that pattern, `(*batch)`.
        entropy: of the weights in nats, `(*batch)`; None where the network has none.
        value: what was stored with the patterns, `(*batch, *)`: float values weighted, others
            those of the strongest pattern; None where no values were stored.
        objective: which energy: "full", or "known" where only known entries counted.
        trace: energies along the way, `(1 + most steps, *batch)`, where asked for; `trace[0]` is
            the cue's, and a query that has settled keeps its last.
        bound: error bounds of a memory with `precision="certified"`; None elsewhere.
    """

    state: Tensor
    steps: Tensor
    converged: Tensor
    energy: Tensor
    index: Tensor
    weight: Tensor
    entropy: Tensor | None = None
    value: Tensor | None = None
    objective: str = "full"
    trace: Tensor | None = None
    bound: Bound | None = None

    def __repr__(self) -> str:
        """How many, how far, which energy."""
        count = self.converged.numel()
        steps = int(self.steps.max()) if count else 0
        return (
            f"Retrieval({count} {'query' if count == 1 else 'queries'}, "
            f"{int(self.converged.sum())} converged, at most {steps} "
            f"{'step' if steps == 1 else 'steps'}, objective={self.objective!r})"
        )


Read = Callable[[Tensor, Tensor, int], Reading]
"""(states, which queries of the batch they are, step) → Reading."""


def usual_tolerance(dtype: torch.dtype) -> float:
    """What has settled by default: 1e-2 for half precision, else 1e-4, times max(1, max|x|)."""
    return 1e-2 if dtype.itemsize == 2 else 1e-4


def moved_within(tolerance: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Settled means max|x' − x| ≤ tolerance · max(1, max|x|)."""

    def settled(state: Tensor, following: Tensor) -> Tensor:
        moved = (following - state).abs_().amax(-1)
        near = moved <= tolerance
        if tolerance == 0 or (not is_traced() and bool(near.all())):
            return near  # whatever max|x| is
        return moved <= state.abs().amax(-1).clamp_min_(1).mul_(tolerance)

    return settled


def unchanged(state: Tensor, following: Tensor) -> Tensor:
    """Settled means that no unit, −1, 0 or 1, changed."""
    # Many times as fast as == and all.
    return torch.linalg.vector_norm(following - state, dim=-1) == 0


def never(state: Tensor, following: Tensor) -> Tensor:
    """Thermal dynamics does not settle."""
    return torch.zeros(len(state), dtype=torch.bool, device=state.device)


def iterate(
    read: Read,
    state: Float[Tensor, "batch dim"],
    steps: int,
    settled: Callable[[Tensor, Tensor], Tensor],
    *,
    earliest: int = 0,
    cycles: bool = False,
    trace: bool = False,
) -> Retrieval:
    """Apply `read` until each query has settled, for at most `steps` reads.

    A query that has settled leaves the batch; the others do not notice.

    Args:
        read: describes states and says where they go.
        state: the cues, `(batch, dim)`.
        steps: the most reads applied; one more describes where they led.
        settled: (state, next) → which queries have arrived.
        earliest: no query stops before this step.
        cycles: stop a query whose next state is the one before the present (not converged).
        trace: keep the energies.
    """
    result = _Results(state.shape[0], trace)
    active = torch.arange(state.shape[0], device=state.device)
    before: Tensor | None = None
    for step in range(steps + 1):
        reading = read(state, active, step)
        arrived = settled(state, reading.next)
        if step < min(earliest, steps):
            arrived = torch.zeros_like(arrived)
        done = arrived if before is None else arrived | unchanged(before, reading.next)
        rows = active if step == steps else done.nonzero().squeeze(-1)
        result.note(step, active, rows, arrived, state, reading)
        finished = rows.shape[0]
        if finished == active.shape[0]:
            break
        before, state = state if cycles else None, reading.next
        if finished:
            left = (~done).nonzero().squeeze(-1)
            before = None if before is None else before.index_select(0, left)
            state, active = state.index_select(0, left), active[left]
    return result.retrieval()


class _Results:
    """What is known of a batch whose queries finish at different steps."""

    def __init__(self, count: int, trace: bool) -> None:
        """Nothing yet, of so many queries."""
        self.count = count
        self.fields: dict[str, Tensor] = {}
        self.trace: list[Tensor] | None = [] if trace else None
        self.bound: Bound | None = None

    def note(
        self,
        step: int,
        active: Int[Tensor, " active"],
        rows: Int[Tensor, " done"],
        arrived: Tensor,
        state: Tensor,
        reading: Reading,
    ) -> None:
        """Write down what is final, of `rows` of the active queries, and this step's energies."""
        if reading.bound is not None:
            self._note_bound(active, reading.bound)
        if self.trace is not None and reading.energy is not None:
            energies = self.trace[-1].clone() if self.trace else torch.zeros_like(reading.energy)
            energies[active] = reading.energy
            self.trace.append(energies)
        if not rows.shape[0] and active.shape[0]:
            return
        fields = {
            "state": state,
            "steps": torch.full(active.shape, step, device=state.device),
            "converged": arrived,
            "energy": reading.energy,
            "index": reading.index,
            "weight": reading.weight,
            "entropy": reading.entropy,
        }
        told = {name: values for name, values in fields.items() if values is not None}
        if rows.shape[0] == self.count:  # all at once, as is usual
            self.fields = told if step else told | {"state": state.clone()}  # not the cue itself
        else:
            self._note_some(active, rows, told)

    def _note_some(
        self,
        active: Int[Tensor, " active"],
        rows: Int[Tensor, " done"],
        told: dict[str, Tensor],
    ) -> None:
        """Write down what is told of the active queries where it is final."""
        whole = rows.shape == active.shape
        at = active if whole else active[rows]
        for name, values in told.items():
            if name not in self.fields:
                self.fields[name] = values.new_empty(self.count, *values.shape[1:])
            final = values if whole else values.index_select(0, rows)
            self.fields[name].index_copy_(0, at, final)

    def _note_bound(self, active: Tensor, bound: Bound) -> None:
        """The largest of the state's bounds so far, the last of the energy's."""
        if self.bound is None:
            empty = bound.state.new_zeros(self.count)
            self.bound = Bound(empty, empty.clone())
        self.bound.state[active] = torch.maximum(self.bound.state[active], bound.state)
        self.bound.energy[active] = bound.energy

    def retrieval(self) -> Retrieval:
        """All of it."""
        trace = None if self.trace is None else torch.stack(self.trace)
        given = self.fields
        whole = {"energy", "index", "weight"} <= given.keys()
        untold = given["steps"] if whole else torch.zeros_like(given["steps"])
        return Retrieval(
            state=given["state"],
            steps=given["steps"],
            converged=given["converged"],
            energy=given.get("energy", untold),
            index=given.get("index", untold),
            weight=given.get("weight", untold),
            entropy=given.get("entropy"),
            trace=trace,
            bound=self.bound,
        )
