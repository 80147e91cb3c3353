"""Exercises of textbooks that begin with a weight matrix: `exercises.py` has the answers."""

from collections import Counter

import pytest
import torch

from exercises import EXERCISES, Exercise
from hopfield import ClassicalHopfield, units


def numbers(text: str) -> list[float]:
    return [float(number) for number in text.split()]


def double(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def state(text: str) -> torch.Tensor:
    return double([1.0 if sign == "+" else -1.0 for sign in text])


def text(states: torch.Tensor) -> str:
    return "".join("+" if value > 0 else "-" for value in states.tolist())


def network(exercise: Exercise, **options) -> ClassicalHopfield:
    weights = double([numbers(row) for row in exercise.coupling.split(";")])
    bias = double(numbers(exercise.thresholds)) if exercise.thresholds else None
    symmetric = bool(exercise.energy)
    assert torch.equal(weights, weights.T) == symmetric, "premise"
    return ClassicalHopfield.from_coupling(weights, bias, symmetric=symmetric, **options)


every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=str)


@every_exercise
def test_stable_states(exercise):
    found = network(exercise).attractors()
    states = sorted(text(each) for each in found.fixed_points)
    if exercise.stable.isdigit():
        assert len(states) == int(exercise.stable)
    else:
        assert states == sorted(exercise.stable.split())


@every_exercise
def test_cycles_and_basins_of_synchronous_updates(exercise):
    found = network(exercise, schedule="synchronous").attractors()
    if "x" in exercise.cycles:
        periods = Counter(found.period.tolist())
        assert " ".join(f"{p}x{periods[p]}" for p in sorted(periods)) == exercise.cycles
        return
    cycles = {}
    for cycle, basin in zip(found.states, found.basin.tolist(), strict=True):
        names = [text(each) for each in cycle]
        first = names.index(min(names))
        cycles[">".join(names[first:] + names[:first])] = basin
    expected = (each.split(":") for each in exercise.cycles.split())
    assert cycles == {name: int(basin) for name, basin in expected}


@pytest.mark.parametrize("exercise", [e for e in EXERCISES if e.energy], ids=str)
def test_energies(exercise):
    one, energy, least = exercise.energy.split()
    memory = network(exercise)
    assert memory.energy(state(one)) == pytest.approx(float(energy), abs=1e-12)
    assert memory.attractors().energy.min() == pytest.approx(float(least), abs=1e-12)


@pytest.mark.parametrize("exercise", [e for e in EXERCISES if e.ends], ids=str)
def test_ends_by_a_given_order(exercise):
    memory = network(exercise)
    for line in exercise.ends.split(", "):
        start, order, end = line.split()
        x, settled = state(start)[None], False
        visits = torch.tensor([int(unit) for unit in order])
        for _ in range(50):
            following = units.classical_sweep(
                memory.coupling, x, visits,
                thresholds=memory.thresholds, symmetric=bool(exercise.energy),
            )  # fmt: skip
            settled = settled or torch.equal(x, following)
            x = following
        assert (text(x[0]) if settled else "never") == end, line
