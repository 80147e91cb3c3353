"""Binary networks sweep no more than their answer needs, and score what they return only."""

import pytest
import torch
from torch import Tensor

from cases import seeded, signs
from hopfield import ClassicalHopfield, DenseHopfield, Memory, Polynomial, Softmax, backend
from hopfield.memories import answer, classical, dense
from hopfield.memories.options import sweep_order
from hopfield.units import dense as units_dense

SCHEDULES = ("synchronous", "asynchronous")


def cues() -> Tensor:
    """Some entries of each unknown; of the last, all."""
    states = signs(6, 20, generator=seeded(1)) * (torch.rand(6, 20, generator=seeded(2)) < 0.6)
    states[-1] = 0
    return states


def filled(memory: Memory) -> Memory:
    memory.store(signs(2, 20, generator=seeded(0)))
    return memory


@pytest.fixture
def counted(monkeypatch):
    """Count the states of each call, by name: sweeps and searches for the strongest."""
    calls: dict[str, list[int]] = {}

    def count(module, name, at):
        real = getattr(module, name)

        def counting(*arguments, **options):
            calls.setdefault(name, []).append(len(arguments[at]))
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, counting)

    count(classical, "classical_sweep", 1)
    count(answer, "strongest", 1)
    count(ClassicalHopfield, "energy_of", 1)
    count(dense, "dense_sweep", 2)
    return calls


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_thermal_dynamics_sweeps_as_often_as_asked(counted, schedule, steps):
    memory = filled(ClassicalHopfield(schedule=schedule, temperature=0.5))
    found = memory.retrieve(cues(), steps=steps, trace=True)
    assert counted.get("classical_sweep", []) == [6] * steps
    assert (found.steps == steps).all() and len(found.trace) == steps + 1
    torch.testing.assert_close(found.energy, memory.energy(found.state), rtol=0, atol=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_strongest_pattern_and_the_energy_are_looked_for_once(counted, schedule):
    memory = filled(ClassicalHopfield(schedule=schedule))
    found = memory.retrieve(cues())
    assert counted["strongest"] == [6] and counted["energy_of"][0] == 6
    assert len(counted["classical_sweep"]) > 1, "premise: several sweeps"
    overlaps = found.state @ memory.patterns.T / 20
    assert torch.equal(found.weight, overlaps.amax(-1))
    assert torch.equal(found.index, overlaps.argmax(-1))


@pytest.mark.parametrize("make", [ClassicalHopfield, DenseHopfield])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_stays_unknown_is_settled_without_a_sweep(counted, make, schedule):
    memory = filled(make(schedule=schedule))
    found = memory.retrieve(cues(), steps=0, trace=True)
    (sweeps,) = (counts for name, counts in counted.items() if name.endswith("sweep"))
    assert sweeps == [6]
    assert not found.converged.any()
    assert torch.equal(found.state, torch.where(cues() == 0, 1.0, cues()))
    alone = memory.retrieve(found.state, steps=0)
    for name in ("energy", "index", "weight"):
        assert torch.equal(getattr(found, name), getattr(alone, name)), name
    assert torch.equal(found.trace[-1], found.energy)


@pytest.mark.parametrize("make", [ClassicalHopfield, DenseHopfield])
def test_units_that_stay_unknown_are_described_again(make, monkeypatch):
    name = "describe" if make is DenseHopfield else "energy_of"
    described, real = [], getattr(make, name)
    monkeypatch.setattr(make, name, lambda memory, x: described.append(len(x)) or real(memory, x))
    # The patterns cancel in the last two units, and the first cue knows nothing of them.
    memory = make()
    memory.store(torch.tensor([[1.0] * 24, [1.0] * 22 + [-1.0] * 2]))
    cues = torch.ones(3, 24)
    cues[0, 22:], cues[1:, 0] = 0, -1
    found = memory.retrieve(cues, trace=True)
    assert described[-1] == 3
    reads = len(described)
    assert found.converged.tolist() == [False, True, True]
    again = memory.retrieve(found.state, steps=0)
    for name in ("energy", "index", "weight", "entropy"):
        mine, theirs = getattr(found, name), getattr(again, name)
        assert mine is theirs is None or torch.equal(mine, theirs), name
    assert torch.equal(found.trace[-1], found.energy)
    described.clear()
    memory.retrieve(cues[1:], trace=True)
    assert len(described) == reads - (make is DenseHopfield), "described without need"


class _Elsewhere:
    """A generator that says it lies on another device, as a CUDA one does."""

    device = torch.device("meta")


def test_an_order_lies_where_sweeps_walk_it(monkeypatch):
    """A generator may lie on another device than the states."""
    drawn = []

    def on_its_device(size, *, generator, device):
        drawn.append(device)
        return _Moved(torch.arange(size))

    class _Moved:
        def __init__(self, order):
            self._order = order

        def cpu(self):
            return self._order

    monkeypatch.setattr(torch, "randperm", on_its_device)
    held = torch.tensor([[True, False, True], [True, False, False]])
    assert sweep_order("asynchronous", held, 3, _Elsewhere()).tolist() == [1, 2]
    assert drawn == [torch.device("meta")]


@pytest.mark.parametrize("name", ["torch", "fused"])
@pytest.mark.parametrize("separation", [Softmax(0.3), Polynomial(3)], ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_queries_swept_in_parts_end_where_all_at_once_end(separation, masked, name, monkeypatch):
    memory = DenseHopfield(separation=separation, schedule="asynchronous")
    memory.store(signs(40, 24, generator=seeded(11)))
    cues = signs(9, 24, generator=seeded(12))
    known = torch.rand(9, 24, generator=seeded(13)) < 0.6 if masked else None
    with backend(name):
        whole = memory.retrieve(cues, known)
        sizes = []
        real = units_dense.all_scores
        scores = lambda blocks, x, *rest: sizes.append(len(x) * 40) or real(blocks, x, *rest)  # noqa: E731
        monkeypatch.setattr(units_dense, "all_scores", scores)
        for limit in ("SWEEP_SCORES", "KERNEL_SCORES"):
            monkeypatch.setattr(units_dense, limit, 100)
        parts = memory.retrieve(cues, known)
    assert max(sizes) <= 100
    assert torch.equal(parts.state, whole.state) and torch.equal(parts.steps, whole.steps)
