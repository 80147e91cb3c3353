"""Many steps: a census of attractors, and the roll of a long sequence."""

import torch
from torch import Tensor

from hopfield import ClassicalHopfield, SequenceHopfield
from hopfield.memories import Attractors

from ..harness import Case, Contender, Entry, Target
from ..inputs import binary

SAMPLE = 100
"""Starts that the plain loop follows, and whose ends are compared."""


def connectome(units: int, directed: bool) -> Tensor:
    """Draw lognormal weights: one in ten is not 0, and three units in ten inhibit.

    All are multiples of 1/64, so that sums are exact in float32.
    """
    source = torch.Generator().manual_seed(0)
    weights = torch.randn(units, units, generator=source).exp()
    weights *= torch.rand(units, units, generator=source) < 0.1
    inhibits = torch.rand(units, generator=source) < 0.3
    weights *= torch.where(inhibits, -1.5, 1.0)
    weights = (16 * weights).round().fill_diagonal_(0) / 16
    # Without a quarter of them backwards, updates are chaotic: no cycle ends within 100 steps.
    return weights + weights.T * (0.25 if directed else 1.0)


def census(units: int, starts: int, directed: int) -> Case:
    """All attractors that random starts lead to: synchronous if directed, else asynchronous."""
    weights = connectome(units, bool(directed))
    schedule = "synchronous" if directed else "asynchronous"
    memory = ClassicalHopfield.from_coupling(weights, symmetric=not directed, schedule=schedule)
    first = min(SAMPLE, starts)
    states = 2.0 * torch.randint(2, (starts, units), generator=torch.Generator().manual_seed(1)) - 1
    plain = _cycle_lengths if directed else _settled

    def compared(found: Attractors) -> Tensor:
        ends = [found.states[place] for place in found.index[:first].tolist()]
        for end in ends:
            assert torch.equal(_next(weights.double(), end[-1].double()), end[0].double())
        return torch.tensor([float(len(end)) for end in ends])

    return Case(
        {
            "loop over starts": Contender(
                lambda: plain(weights, states[:first]), first=first, units=first / starts
            ),
            "attractors": Contender(
                lambda: memory.attractors(states), answer=compared, library=True
            ),
        },
        lambda: plain(weights.double(), states[:first].double()),
    )


def _next(weights: Tensor, state: Tensor) -> Tensor:
    # sign Wx, where a tie keeps the unit.
    field = weights @ state
    return torch.where(field == 0, state, field.sign())


def _cycle_lengths(weights: Tensor, starts: Tensor) -> Tensor:
    # Synchronous updates until a state returns.
    lengths = []
    for start in starts:
        state, seen = start, dict[bytes, int]()
        while (key := state.numpy().tobytes()) not in seen:
            seen[key] = len(seen)
            state = _next(weights, state)
        lengths.append(float(len(seen) - seen[key]))
    return torch.tensor(lengths)


def _settled(weights: Tensor, starts: Tensor) -> Tensor:
    # Asynchronous sweeps until none changes a unit: ends of period 1.
    source = torch.Generator().manual_seed(0)
    rows, periods = weights.numpy(), []
    for start in starts:
        state, is_settled = start.clone(), False
        values = state.numpy()
        while not is_settled:
            before = values.copy()
            for unit in torch.randperm(len(values), generator=source).tolist():
                field = rows[unit] @ values
                values[unit] = values[unit] if field == 0 else (1 if field > 0 else -1)
            is_settled = bool((values == before).all())
        periods.append(1.0)
    return torch.tensor(periods)


def rolled(units: int, n: int, steps: int) -> Case:
    """Many steps of a random sequence, from a damaged cue."""
    rows, _ = binary(n, units, 1)
    cue = rows[0].clone()
    cue[: units // 10] *= -1
    memory = SequenceHopfield(cyclic=True)
    memory.store(rows)

    def plainly(patterns: Tensor) -> Tensor:
        following, state = patterns.roll(-1, 0), cue.to(patterns)
        for _ in range(steps):
            field = (patterns @ state) @ following
            state = torch.where(field == 0, state, field.sign())
        return state

    return Case(
        {
            "two products a step": Contender(lambda: plainly(rows)),
            "roll": Contender(
                lambda: memory.roll(cue, steps), answer=lambda roll: roll.states[-1], library=True
            ),
        },
        lambda: plainly(rows.double()),
    )


ENTRIES = (
    Entry(
        "census",
        "all attractors of 100 000 random starts in 122 units of a connectome-like W",
        census,
        ({"units": 122, "starts": 100_000, "directed": 1},
         {"units": 122, "starts": 100_000, "directed": 0}),
        {"units": 20, "starts": 50, "directed": 1},
        (Target("attractors", 10.0, "in less than 10 s", field="seconds"),),
        measures_memory=False,
        note="Directed: weights act backwards with a quarter of their size, updates are "
        "synchronous, and cycles of any length are found. Else W is symmetric, and updates are "
        "asynchronous. The loop follows 100 starts, one after the other; its time is that of all.",
    ),
    Entry(
        "roll",
        "200 steps of a random sequence of 200 in 1000 units, with the overlaps",
        rolled,
        ({"units": 1000, "n": 200, "steps": 200},),
        {"units": 40, "n": 4, "steps": 9},
        (Target("roll", 1.0, "in less than 1 s", field="seconds"),),
        measures_memory=False,
    ),
)  # fmt: skip
