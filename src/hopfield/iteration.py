"""Iterate a network to a fixed point, each query by itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .bound import KEPT_BOUNDS, Bound, largest_bound
from .cycles import CycleFinder

PATTERN_WEIGHT = 0.51
"""Weight of the strongest pattern above which a state is at that pattern; below, it is a mixture.
A tie of two gives 0.5, up to rounding in float32."""

TOLERANCE = 1e-4
"""Default of `tol`: the largest change of a settled state, in units of the spread of patterns."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One step of a network: the next state, and a description of the state before it.

    A step may leave energy, index and weight None: the memory then computes them for the answer.

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
            return replace(self, next=state)
        energy, index, weight, entropy = (
            x if x is None else x[queries]
            for x in (self.energy, self.index, self.weight, self.entropy)
        )
        bound = None if self.bound is None else self.bound.at(queries)
        return Reading(state, energy, index, weight, entropy, bound)


@dataclass(frozen=True, eq=False)
class Retrieval:
    """The answer of a memory, one entry per query of the batch.

    Attributes:
        state: the retrieved state, `(*batch, dim)`; the other fields, except averaged
            values, describe this state.
        steps: reads (or sweeps) applied, except the last, which only confirms convergence,
            `(*batch)`; 0 if the cue is a fixed point.
        converged: whether one more read leaves the state where it is, `(*batch)`.
        period: 1 for a fixed point, and the length of the cycle that the state lies in, which can
            be found in synchronous updates, `(*batch)`; 0 if the step limit came first. None for
            networks in which no cycle is sought.
        energy: the energy of the state, `(*batch)`, over the entries that `objective` names; None
            if the network has no energy.
        index: the strongest pattern, `(*batch)`; the first where several tie. None, like `weight`,
            if the network has no patterns.
        weight: the weight of that pattern, `(*batch)`; in networks without weights its cosine
            with the state, the overlap x_μ·x/N for ±1.
        entropy: the entropy of the weights in nats, `(*batch)`; None if the network has none.
        value: the values stored with the patterns, `(*batch, *)`. Float values are averaged by the
            weights at the cue, or at the state with `values_at="state"`. Other values are those of
            the strongest pattern; strings come in the form of `name`. None without stored values.
        objective: "full", or "known" if only known entries counted in the energy.
        trace: with `trace=True` the energies of all steps, `(1 + most steps, *batch)`, from that
            of the cue on; a query that has settled repeats its last energy.
        states: with `trace="states"` the states of all steps, from the cue on, in the shape and
            dtype of the cue after the axis of steps; a query that has settled repeats its last.
        bound: error bounds of a memory with `precision="certified"`; None elsewhere.
        name: the name of the strongest pattern; for a batch an object array, `(*batch)`. None where
            patterns have no names.
        p_value: after `memory.calibrate`, (1 + k)/(1 + m), `(*batch)`: of m cues that come from
            no stored pattern, k score at least as well as this cue. None without a calibration.
        accepted: True if p ≤ α; if False, the answer is "none of these", `(*batch)`. None without a
            calibration.
        calibrated: False if patterns have changed since the calibration, so that p-values refer to
            the earlier patterns; None without a calibration.
    """

    state: Tensor
    steps: Tensor
    converged: Tensor
    energy: Tensor | None
    index: Tensor | Any  # None in networks of a given coupling, for which few have to check
    weight: Tensor | Any
    entropy: Tensor | None = None
    value: Tensor | np.ndarray | str | None = None
    objective: str = "full"
    trace: Tensor | None = None
    bound: Bound | None = None
    name: np.ndarray | str | int | None = None
    p_value: Tensor | None = None
    accepted: Tensor | None = None
    calibrated: bool | None = None
    states: Tensor | None = None
    period: Tensor | None = None

    def __repr__(self) -> str:
        """Return the counts of queries, steps and mixtures, and the objective.

        A mixture is an answer in which no pattern weighs more than `PATTERN_WEIGHT`; it consists of
        about exp(entropy) patterns.
        """
        count = self.converged.numel()
        steps = int(self.steps.max()) if count else 0
        mixtures = ""
        if self.entropy is not None:
            entropies = self.entropy[self.weight <= PATTERN_WEIGHT].detach().double()
            if len(entropies):
                median = entropies.exp().median()
                word = "mixture" if len(entropies) == 1 else "mixtures"
                mixtures = f", {len(entropies)} {word} of about {median:.0f} patterns"
        cycling = torch.empty(0) if self.period is None else self.period[self.period > 1]
        cycles = ""
        if len(cycling):
            most, least = int(cycling.max()), int(cycling.min())
            cycles = f", {len(cycling)} in cycles of {least}" + f" to {most}" * (most > least)
            cycles += " states"
        accepted = "" if self.accepted is None else f", {int(self.accepted.sum())} accepted"
        accepted += " by a calibration of other patterns" if self.calibrated is False else ""
        return (
            f"{type(self).__name__}({count} {'query' if count == 1 else 'queries'}, "
            f"{int(self.converged.sum())} converged{cycles}, at most {steps} "
            f"{'step' if steps == 1 else 'steps'}, objective={self.objective!r}"
            f"{mixtures}{accepted})"
        )


Trace = bool | Literal["states"]
"""What to keep of all steps: nothing, the energies, or energies and states."""

StoppingRule = Callable[[Tensor, Tensor], Tensor]
"""A function (state, next) → True for queries that have settled, `(batch)`."""


@dataclass(frozen=True, eq=False)
class EntrywiseTolerance:
    """The stopping rule |x'_j − x_j| ≤ change_j + rounding·max(|x_j|, |x'_j|) for every entry j.

    Attributes:
        change: the tolerance of each entry, `(dim,)`.
        rounding: the relative change that rounding alone can make.
    """

    change: Tensor
    rounding: float

    def __call__(self, state: Tensor, following: Tensor) -> Tensor:
        """Return True for queries that have settled."""
        size = torch.maximum(state.abs(), following.abs())
        allowed = torch.add(self.change, size, alpha=self.rounding)
        moved = (following - state).abs_()
        return moved.sub_(allowed).amax(-1) <= 0  # ten times as fast as (moved <= allowed).all()


def never_settled(state: Tensor, following: Tensor) -> Tensor:
    """Return False for all queries: thermal dynamics does not settle."""
    return torch.zeros(len(state), dtype=torch.bool, device=state.device)


@dataclass(frozen=True, eq=False)
class Outcome:
    """The end of an iteration, one entry per query.

    Attributes:
        reading: the reading of the final states, with these states as `next`.
        steps: reads applied, `(batch)`.
        converged: whether one more read leaves the state where it is, `(batch)`.
        period: 1 for fixed points, the length of a cycle, or 0, `(batch)`; None if none is sought.
        trace: the energies of all steps, `(1 + most steps, batch)`, or None.
        states: the states of all steps, `(1 + most steps, batch, dim)`, or None.
    """

    reading: Reading
    steps: Tensor
    converged: Tensor
    trace: Tensor | None
    states: Tensor | None = None
    period: Tensor | None = None


ReadStep = Callable[[Tensor, Tensor | None, int], Reading]
"""A function (states, their queries in the batch or None for all, step) → Reading."""


def iterate(
    read: ReadStep,
    state: Float[Tensor, "batch dim"],
    steps: int,
    settled: StoppingRule,
    *,
    unread: Tensor | None = None,
    cycles: bool = False,
    trace: Trace = False,
) -> Outcome:
    """Apply `read` until each query has settled, for at most `steps` reads.

    A query that has settled leaves the batch, which changes nothing for the others.

    Args:
        read: makes one step from states and describes them.
        state: the cues, `(batch, dim)`.
        steps: the most reads applied; one more describes the final states.
        settled: (state, next) → which queries have settled.
        unread: queries whose cue has unknown entries, `(batch,)`, or None: they cannot settle at
            the first read, which fills these entries.
        cycles: stop a query in a cycle; it has not converged.
        trace: keep the energies; "states" keeps the states too.
    """
    results = _Results(state.shape[0], trace)
    active: Tensor | None = None
    finder = CycleFinder(state) if cycles else None
    for step in range(steps + 1):
        reading = read(state, active, step)
        arrived = settled(state, reading.next)
        if step == 0 and unread is not None:
            arrived = arrived & ~unread
        closed = None if finder is None else finder.periods(step, state, reading.next)
        period = None if closed is None else torch.where(arrived, 1, closed)
        done = arrived if period is None else period > 0
        last = step == steps or bool(done.all())
        results.add_step(active, state, reading)
        if last and active is None:
            return replace(results.outcome_of_all(step, arrived, state, reading), period=period)
        if last:
            done = torch.ones_like(done)
        if last or bool(done.any()):
            results.add_final(active, done, step, (arrived, period), state, reading)
        if last:
            break
        state = reading.next
        if bool(done.any()):
            left = (~done).nonzero().squeeze(-1)
            if finder is not None:
                finder.keep(left)
            state = state.index_select(0, left)
            active = left if active is None else active[left]
    return results.outcome()


class _Results:
    """Collects the results of queries that finish at different steps."""

    def __init__(self, count: int, trace: Trace) -> None:
        self.count = count
        self.fields: dict[str, Tensor] = {}
        self.trace: list[Tensor] | None = [] if trace else None
        self.states: list[Tensor] | None = [] if trace == "states" else None
        self.bounds: list[tuple[Tensor | None, Bound]] = []

    def add_step(self, active: Tensor | None, state: Tensor, reading: Reading) -> None:
        """Keep the bounds of this step, and energies and states if they are wanted."""
        if reading.bound is not None:
            self.bounds.append((active, reading.bound))
            if len(self.bounds) > KEPT_BOUNDS:  # each keeps numbers of its states
                self.bounds = [(None, largest_bound(self.count, self.bounds))]
        if self.trace is None:
            return
        at = ... if active is None else active
        for kept, values in ((self.trace, reading.energy), (self.states, state)):
            if kept is not None and values is not None:
                kept.append((kept[-1] if kept else values).clone())
                kept[-1][at] = values

    @property
    def bound(self) -> Bound | None:
        """The largest bounds of the steps."""
        if not self.bounds:
            return None
        return Bound.later(partial(largest_bound, self.count, self.bounds))

    def outcome_of_all(
        self, step: int, arrived: Tensor, state: Tensor, reading: Reading
    ) -> Outcome:
        """Return the outcome of a batch in which all queries finish at this step."""
        state = state if step else state.clone()  # not the caller's own cue
        steps = torch.full((self.count,), step, device=state.device)
        final = replace(reading, next=state, bound=self.bound)
        return Outcome(final, steps, arrived, *self._stacked())

    def add_final(
        self,
        active: Tensor | None,
        done: Tensor,
        step: int,
        verdict: tuple[Tensor, Tensor | None],
        state: Tensor,
        reading: Reading,
    ) -> None:
        """Keep all fields of the active queries that are done."""
        fields = {
            **vars(replace(reading, next=state, bound=None)),
            "steps": torch.full(done.shape, step, device=state.device),
            "converged": verdict[0],
            "period": verdict[1],
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
        period = fields.pop("period", None)
        final = Reading(**fields, bound=self.bound)
        trace, states = self._stacked()
        return Outcome(final, steps, converged, trace, states, period)

    def _stacked(self) -> tuple[Tensor | None, Tensor | None]:
        trace, states = (torch.stack(kept) if kept else None for kept in (self.trace, self.states))
        return trace, states
