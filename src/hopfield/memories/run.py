"""Run a memory from the cues of a query until they have settled."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..iteration import Outcome, Reading, Trace, iterate, never_settled
from .hooks import energies, is_users, read_step
from .query import Query
from .settling import stopping_rule

if TYPE_CHECKING:
    from .base import Memory


def run(
    memory: "Memory",
    query: Query,
    steps: int,
    tol: float,
    trace: Trace,
    generator: torch.Generator,
) -> Outcome:
    """Return the outcome of at most `steps` steps; `trace` keeps energies, or states too."""
    cache_reading = query.clamp and query.evidence == "known" and memory.one_read_completes
    cached: list[Reading] = []
    energy_added, settled = False, stopping_rule(memory, query.dtype, tol)
    checked = partial(read_step, memory)
    later = checked if is_users(memory, "step") else memory.step  # the library's: first step only

    def read(state: Tensor, active: Tensor | None, step: int) -> Reading:
        nonlocal energy_added
        if cached:
            return cached[0].at(active, state)
        if step == steps and settled is never_settled:
            reading = Reading(state)
        elif query.known is None:
            reading = (later if step else checked)(state, None, None, generator)
        else:
            reading = _read_masked(memory, query, state, active, step, generator)
        if trace and reading.energy is None:
            energy_added = True
            reading = replace(reading, energy=energies(memory, state))
        if cache_reading:
            cached.append(reading)
        return reading

    unread, cycles = None if memory.binary else query.unread, memory.may_cycle
    outcome = iterate(read, query.state, steps, settled, unread=unread, cycles=cycles, trace=trace)
    if energy_added:  # final energies are computed in one batch, as without a trace
        outcome = replace(outcome, reading=replace(outcome.reading, energy=None))
    return outcome


def _read_masked(
    memory: "Memory",
    query: Query,
    state: Tensor,
    active: Tensor | None,
    step: int,
    generator: torch.Generator,
) -> Reading:
    # One step under the masks of the query.
    known, held = query.known_of(active), query.held_of(active)
    known_first = query.evidence == "all"
    counted = None if known_first and step else known
    reading = read_step(memory, state, counted, held, generator)
    if known_first and step == 0:  # next state from known entries, energy over all entries
        reading = replace(read_step(memory, state, None, held, generator), next=reading.next)
    if held is not None:
        reading = replace(reading, next=torch.where(held, state, reading.next))
    return reading
