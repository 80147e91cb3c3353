"""One sweep of a binary network under a mask, against a loop over its units in Python."""

import pytest
import torch

from cases import seeded, signs
from hopfield import ClassicalHopfield, DenseHopfield, Polynomial, Softmax, backend, rules

DIM, COUNT = 11, 4
ROWS = signs(COUNT, DIM, generator=seeded(0), dtype=torch.float64)
CUES = signs(6, DIM, generator=seeded(1), dtype=torch.float64)
SHARED = torch.arange(DIM) % 3 == 0
OWN = torch.rand(6, DIM, generator=seeded(2)) < 0.4
THRESHOLDS = torch.linspace(-0.31, 0.33, DIM, dtype=torch.float64)
TIE = 1e-9
pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


def classical_gain(state: torch.Tensor, unit: int) -> torch.Tensor:
    """The field on a unit: Σ_j W_ij x_j − b_i without the self term."""
    coupling = rules.hebbian(ROWS)
    return state @ coupling[unit] - coupling[unit, unit] * state[unit] - THRESHOLDS[unit]


def dense_gain(separation):
    """F(s | x_i = +1) − F(s | x_i = −1)."""

    def gain(state: torch.Tensor, unit: int) -> torch.Tensor:
        without = ROWS @ state - ROWS[:, unit] * state[unit]
        up, down = without + ROWS[:, unit], without - ROWS[:, unit]
        return separation.potential(up) - separation.potential(down)

    return gain


def classical() -> ClassicalHopfield:
    return ClassicalHopfield(thresholds=THRESHOLDS)


NETWORKS = {
    "classical": (classical, classical_gain),
    "softmax": (
        lambda: DenseHopfield(0.4, schedule="asynchronous"),
        dense_gain(Softmax(0.4)),
    ),
    "cubic": (
        lambda: DenseHopfield(separation=Polynomial(3), schedule="asynchronous"),
        dense_gain(Polynomial(3)),
    ),
}


def swept(gain, cue, known, clamp, order):
    """Visit the units in order: each takes the sign of its gain, or keeps its value at a tie."""
    state = torch.where(known, cue, 0.0)
    for unit in order.tolist():
        if clamp and known[unit]:
            continue
        change = gain(state, unit)
        if abs(change) > TIE:
            state[unit] = change.sign()
    return torch.where(state == 0, 1.0, state)


@pytest.mark.parametrize("choice", ["torch", "fused"])
@pytest.mark.parametrize("clamp", [True, False])
@pytest.mark.parametrize("known", [SHARED, OWN], ids=["shared", "own"])
@pytest.mark.parametrize("name", NETWORKS)
def test_one_sweep_visits_the_free_units_in_the_order_drawn(name, known, clamp, choice):
    make, gain = NETWORKS[name]
    memory = make()
    memory.store(ROWS)
    with backend(choice):
        found = memory.retrieve(CUES, known, clamp=clamp, steps=1, generator=seeded(5)).state
    order = torch.randperm(DIM, generator=seeded(5))
    masks = known.expand(CUES.shape)
    wanted = [swept(gain, *pair, clamp, order) for pair in zip(CUES, masks, strict=True)]
    assert torch.equal(found, torch.stack(wanted))
    backwards = [swept(gain, *pair, clamp, order.flip(0)) for pair in zip(CUES, masks, strict=True)]
    assert not torch.equal(found, torch.stack(backwards)), "premise: the order matters"


def test_the_field_is_that_of_the_rule_less_the_thresholds():
    memory = classical()
    memory.store(ROWS)
    wanted = [[classical_gain(state, unit) for unit in range(DIM)] for state in CUES]
    torch.testing.assert_close(memory.field(CUES), torch.tensor(wanted, dtype=torch.float64))
    memory = ClassicalHopfield(schedule="synchronous", diagonal=True)
    memory.store(ROWS)
    whole = CUES @ rules.hebbian(ROWS, diagonal=True).T
    torch.testing.assert_close(memory.field(CUES), whole)
