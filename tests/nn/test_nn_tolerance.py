"""Stopping does not depend on the unit of the data, on an offset, or on hidden patterns."""

import pytest
import torch

from hopfield import Entmax, Softmax, Sparsemax
from hopfield.nn import Iteration
from hopfield.nn.functional import describe
from nn_layers import draw64 as draw

N, DIM, STATES = 6, 4, 16


STATE, STORED = 2 * draw(STATES, DIM, seed=1), draw(N, DIM, seed=2)
MAKE = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "entmax": lambda beta: Entmax(1.5, beta),
}


def steps(state, stored, separation, mask=None, tol=1e-3):
    found = describe(
        state, stored, separation=separation, mask=mask, iteration=Iteration(40, tol=tol)
    )
    return found.steps


@pytest.mark.parametrize(("name", "power"), list(zip(MAKE, [-20, -3, 20], strict=True)))
def test_a_unit_of_the_data_changes_no_step(name, power):
    scale, make = 2.0**power, MAKE[name]
    expected = steps(STATE, STORED, make(0.7))
    assert expected.unique().numel() > 1, "premise: queries stop at different steps"
    assert torch.equal(steps(STATE * scale, STORED * scale, make(0.7 / scale**2)), expected)


def test_small_entries_settle_beside_large_ones():
    """A change that is small relative to another entry may be large for its own."""
    large = torch.tensor([1e4, 1.0, 1.0, 1.0], dtype=torch.float64)
    state, stored = STATE * large, STORED * large
    found = describe(state, stored, separation=Softmax(1e-7), iteration=Iteration(100, tol=1e-3))
    assert found.steps.max() < 100, "premise: all settle"
    last = describe(state, stored, separation=Softmax(1e-7), iteration=Iteration(400))
    assert ((found.output - last.output).abs() <= 0.05 * stored.std(0)).all()


def test_an_offset_changes_no_step():
    """All patterns and states move by c: scores move by a term that is equal for all patterns."""
    expected = steps(STATE, STORED, Softmax(0.7))
    moved = torch.tensor([64.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    stored = STORED - STORED.mean(0)  # centred, so that c·x_μ of the offset is exact
    stored[:, 0] = 0.0
    shifted = steps(STATE, stored + moved, Softmax(0.7))
    assert torch.equal(shifted, steps(STATE, stored, Softmax(0.7)))
    assert expected.unique().numel() > 1


@pytest.mark.parametrize("pairs", [False, True])
def test_hidden_patterns_change_no_step(pairs):
    hidden = torch.zeros(STATES if pairs else 1, N + 2, dtype=torch.bool)
    hidden[:, N:] = True
    if pairs:
        hidden[3, :2] = True
    visible = [
        torch.cat([STORED, filler.expand(2, -1)]) for filler in (STORED[:1], 1e6 + STORED[:1])
    ]
    one, other = (steps(STATE, stored, Softmax(0.7), hidden) for stored in visible)
    assert torch.equal(one, other)
    if not pairs:
        assert torch.equal(one, steps(STATE, STORED, Softmax(0.7)))


def test_each_query_has_the_deviation_of_its_own_patterns():
    hidden = torch.zeros(STATES, N, dtype=torch.bool)
    hidden[1:, 2:] = True  # only the first state sees all patterns
    together = steps(STATE, STORED, Softmax(0.7), hidden)
    for i in range(STATES):
        alone = steps(STATE[i : i + 1], STORED, Softmax(0.7), hidden[i : i + 1])
        assert torch.equal(alone, together[i : i + 1])
