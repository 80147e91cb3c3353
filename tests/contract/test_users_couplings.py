"""Situations of users who bring a weight matrix: answers by hand."""

import numpy
import pytest
import torch

from draws import signs
from hopfield import ClassicalHopfield, corruption, units
from hopfield.errors import DomainError, OptionError


def test_a_given_coupling_needs_no_loop_of_the_user():
    """A path of 8 units with couplings −1: 26 stable states, and the least energy is −7."""
    path = -(numpy.eye(8, k=1) + numpy.eye(8, k=-1))
    memory = ClassicalHopfield.from_coupling(path)
    found = memory.attractors()
    assert len(found) == 26 and (found.period == 1).all() and found.unsettled == 0
    alternating = numpy.resize([1.0, -1.0], 8)
    assert found.energy.min() == memory.energy(alternating) == -7
    stable = {tuple(each) for each in found.fixed_points.tolist()}
    result = memory.retrieve(signs(200, 8, seed=4).double(), trace=True)
    assert {tuple(each) for each in result.state.tolist()} <= stable and result.converged.all()
    assert (result.trace.diff(dim=0) <= 0).all()


def test_a_sequence_in_directed_weights_stays_a_sequence():
    """The advice for directed weights keeps them: their symmetric part would forget the order."""
    steps = signs(6, 200, seed=5).double()
    weights = steps.roll(-1, 0).T @ steps / 200
    with pytest.raises(DomainError, match=r"sequence.* use symmetric=False") as refused:
        ClassicalHopfield.from_coupling(weights)
    assert "(coupling + coupling.T) / 2" not in str(refused.value)
    with pytest.raises(DomainError, match="symmetric=False"):
        units.classical_sweep(weights, steps)
    memory = ClassicalHopfield.from_coupling(weights, symmetric=False, schedule="synchronous")
    damaged = corruption.flip(steps[:1], 0.2).state
    result = memory.retrieve(damaged, trace="states")
    assert result.period.tolist() == [6] and not result.converged
    visited = [int((steps @ state[0]).argmax()) for state in result.states[:7]]
    assert visited == [0, 1, 2, 3, 4, 5, 0]
    assert torch.equal(units.classical_sweep(weights, steps, symmetric=False), steps.roll(-1, 0))
    with pytest.raises(OptionError, match="no energy: its coupling was declared not symmetric"):
        memory.energy(damaged)
