"""Iterate a network to a fixed point, each query by itself."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

HALF = 0.51
"""Weight above which a state is at a pattern. Below, it is a mixture: a tie of two has 0.5, and
float32 stops slightly off it."""

TOLERANCE = 1e-4
"""Default of `tol`: the change, in units of the spread of the patterns, that counts as settled."""


@dataclass(frozen=True, eq=False)
class Bound:
    """Largest distance of a certified answer from the full readout at the same state.

    Attributes:
        state: bound of ‖x' − x'_full‖, `(*batch)`: the largest over the steps. It does not bound
            how far another trajectory would have led.
        energy: bound of |E − E_full|, `(*batch)`.
    """

    state: Tensor
    energy: Tensor

    def at(self, queries: Tensor) -> "Bound":
        """Return the bounds of some of the queries."""
        return Bound(self.state[queries], self.energy[queries])

    def with_rounding(self, state: Float[Tensor, "*batch dim"], dtype: torch.dtype) -> "Bound":
        """Return the bounds for states returned as `state`, with the rounding to its dtype."""
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
    """One step of a network, and the description of the state before the step.

    A memory adds energy, index and weight itself, once per answer, where a step leaves them None.

    Attributes:
        next: the following state, `(batch, dim)`.
        energy: the energy of the state read, `(batch)`, or None.
        index: its strongest pattern, `(batch)`, or None.
        weight: the weight of that pattern, `(batch)`, or None.
        entropy: the entropy of the weights, `(batch)`; None if the network has no weights.
        bound: error bounds of a certified readout; None elsewhere.
    """

    next: Tensor
    energy: Tensor | None = None
    index: Tensor | None = None
    weight: Tensor | None = None
    entropy: Tensor | None = None
    bound: Bound | None = None

    def at(self, queries: Tensor | None, state: Tensor) -> "Reading":
        """Return the reading of some of the queries (None: all), whose next state is `state`."""
        if queries is None:
            return Reading(state, *self.description, self.bound)
        energy, index, weight, entropy = (x if x is None else x[queries] for x in self.description)
        bound = None if self.bound is None else self.bound.at(queries)
        return Reading(state, energy, index, weight, entropy, bound)

    @property
    def description(self) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]:
        """Energy, index, weight and entropy."""
        return self.energy, self.index, self.weight, self.entropy


@dataclass(frozen=True, eq=False)
class Retrieval:
    """The answer of a memory, one entry per query of the batch.

    Attributes:
        state: the retrieved state, `(*batch, dim)`; all else describes it.
        steps: reads (or sweeps) applied, without the one that confirmed, `(*batch)`; 0 for a
            stored fixed point.
        converged: whether one more read leaves the state where it is, `(*batch)`.
        energy: the energy of the state, `(*batch)`: the one that was descended, see `objective`;
            None if the network has no energy.
        index: the strongest pattern, `(*batch)`; the first where several tie.
        weight: the weight of that pattern, `(*batch)`; in networks without weights its overlap
            x_μ·x/N.
        entropy: the entropy of the weights in nats, `(*batch)`; None if the network has none.
        value: the values stored with the patterns, `(*batch, *)`: float values weighted, others
            those of the strongest pattern; None where no values were stored.
        objective: "full", or "known" if only known entries counted in the energy.
        trace: the energies of all steps, `(1 + most steps, *batch)`, with `trace=True`;
            `trace[0]` is the cue's, and a query that has settled keeps its last.
        bound: error bounds of a memory with `precision="certified"`; None elsewhere.
    """

    state: Tensor
    steps: Tensor
    converged: Tensor
    energy: Tensor | None
    index: Tensor
    weight: Tensor
    entropy: Tensor | None = None
    value: Tensor | None = None
    objective: str = "full"
    trace: Tensor | None = None
    bound: Bound | None = None

    def __repr__(self) -> str:
        """Return the counts of queries and steps, and the objective."""
        count = self.converged.numel()
        steps = int(self.steps.max()) if count else 0
        return (
            f"Retrieval({count} {'query' if count == 1 else 'queries'}, "
            f"{int(self.converged.sum())} converged, at most {steps} "
            f"{'step' if steps == 1 else 'steps'}, objective={self.objective!r})"
        )


Settled = Callable[[Tensor, Tensor], Tensor]
"""(state, next) → which queries have settled, `(batch)`."""


@dataclass(frozen=True, eq=False)
class Within:
    """Settled means |x'_j − x_j| ≤ change_j + rounding·max(|x_j|, |x'_j|) for every entry j.

    Attributes:
        change: the change that does not matter, `(dim,)`.
        rounding: the relative change that rounding alone can make.
    """

    change: Tensor
    rounding: float

    def __call__(self, state: Tensor, following: Tensor) -> Tensor:
        """Return which queries have settled."""
        moved = (following - state).abs_()
        near = (moved <= self.change).all(-1)
        if bool(near.all()):
            return near
        size = torch.maximum(state.abs(), following.abs()).mul_(self.rounding)
        return (moved <= size.add_(self.change)).all(-1)


def unchanged(state: Tensor, following: Tensor) -> Tensor:
    """Settled means that no unit, −1, 0 or 1, changed."""
    # Many times as fast as == and all.
    return torch.linalg.vector_norm(following - state, dim=-1) == 0


def never(state: Tensor, following: Tensor) -> Tensor:
    """Thermal dynamics does not settle."""
    return torch.zeros(len(state), dtype=torch.bool, device=state.device)


@dataclass(frozen=True, eq=False)
class Outcome:
    """The end of an iteration, one entry per query.

    Attributes:
        reading: the reading of the final states, with these states as `next`.
        steps: reads applied, `(batch)`.
        converged: whether one more read leaves the state where it is, `(batch)`.
        trace: the energies of all steps, `(1 + most steps, batch)`, or None.
    """

    reading: Reading
    steps: Tensor
    converged: Tensor
    trace: Tensor | None


Read = Callable[[Tensor, Tensor | None, int], Reading]
"""(states, which queries of the batch they are or None for all, step) → Reading."""


def iterate(
    read: Read,
    state: Float[Tensor, "batch dim"],
    steps: int,
    settled: Settled,
    *,
    unread: Tensor | None = None,
    cycles: bool = False,
    trace: bool = False,
) -> Outcome:
    """Apply `read` until each query has settled, for at most `steps` reads.

    A query that has settled leaves the batch; the others do not notice.

    Args:
        read: describes states and says where they go.
        state: the cues, `(batch, dim)`.
        steps: the most reads applied; one more describes where they led.
        settled: (state, next) → which queries have settled.
        unread: queries whose cue has unknown entries, `(batch,)`, or None: these have no value to
            compare before the first read.
        cycles: stop a query whose next state is the one before the present (not converged).
        trace: keep the energies.
    """
    results = _Results(state.shape[0], trace)
    active: Tensor | None = None
    before: Tensor | None = None
    for step in range(steps + 1):
        reading = read(state, active, step)
        arrived = settled(state, reading.next)
        if step == 0 and unread is not None:
            arrived = arrived & ~unread
        done = arrived if before is None else arrived | unchanged(before, reading.next)
        last = step == steps or bool(done.all())
        if trace or reading.bound is not None:
            results.note_step(active, reading)
        if last and active is None:
            return results.whole(step, arrived, state, reading)
        if last:
            done = torch.ones_like(done)
        if last or bool(done.any()):
            results.note_final(active, done, step, arrived, state, reading)
        if last:
            break
        before, state = state if cycles else None, reading.next
        if bool(done.any()):
            left = (~done).nonzero().squeeze(-1)
            before = None if before is None else before.index_select(0, left)
            state = state.index_select(0, left)
            active = left if active is None else active[left]
    return results.outcome()


class _Results:
    """The results of a batch whose queries finish at different steps."""

    def __init__(self, count: int, trace: bool) -> None:
        self.count = count
        self.fields: dict[str, Tensor] = {}
        self.trace: list[Tensor] | None = [] if trace else None
        self.bound: Bound | None = None

    def note_step(self, active: Tensor | None, reading: Reading) -> None:
        """Keep the energies of this step, and the largest bound of the states so far."""
        if self.trace is not None and reading.energy is not None:
            energies = self.trace[-1].clone() if self.trace else reading.energy.clone()
            energies[... if active is None else active] = reading.energy
            self.trace.append(energies)
        if reading.bound is not None:
            at = ... if active is None else active
            if self.bound is None:
                empty = reading.bound.state.new_zeros(self.count)
                self.bound = Bound(empty, empty.clone())
            self.bound.state[at] = torch.maximum(self.bound.state[at], reading.bound.state)
            self.bound.energy[at] = reading.bound.energy

    def whole(self, step: int, arrived: Tensor, state: Tensor, reading: Reading) -> Outcome:
        """Return the outcome of a batch whose queries finish together, as is usual."""
        state = state if step else state.clone()  # the cue itself is the caller's
        steps = torch.full((self.count,), step, device=state.device)
        final = Reading(state, *reading.description, self.bound)
        return Outcome(final, steps, arrived, self._trace())

    def note_final(
        self,
        active: Tensor | None,
        done: Tensor,
        step: int,
        arrived: Tensor,
        state: Tensor,
        reading: Reading,
    ) -> None:
        """Keep all fields of the active queries that are done."""
        fields = {
            "next": state,
            "steps": torch.full(done.shape, step, device=state.device),
            "converged": arrived,
            "energy": reading.energy,
            "index": reading.index,
            "weight": reading.weight,
            "entropy": reading.entropy,
        }
        rows = done.nonzero().squeeze(-1)
        at = rows if active is None else active[rows]
        for name, values in fields.items():
            if values is not None:
                if name not in self.fields:
                    self.fields[name] = values.new_empty(self.count, *values.shape[1:])
                self.fields[name].index_copy_(0, at, values.index_select(0, rows))

    def outcome(self) -> Outcome:
        """Return the outcome of all queries."""
        fields = dict(self.fields)
        steps, converged = fields.pop("steps"), fields.pop("converged")
        return Outcome(Reading(**fields, bound=self.bound), steps, converged, self._trace())

    def _trace(self) -> Tensor | None:
        return torch.stack(self.trace) if self.trace else None
