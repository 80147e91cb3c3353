"""Situations of users who bring a network: sequences, couplings, pairs, units of their own.

Others are in test_users.py.
"""

import torch

from draws import signs
from hopfield import ClassicalHopfield, DenseHopfield, SequenceHopfield, corruption


def test_a_sequence_is_recalled_in_order_from_a_fifth_of_flips():
    """No loop of one's own that feeds `value` back, and no W made symmetric, which destroys it."""
    steps, cue = signs(6, 100, seed=1), corruption.flip(signs(6, 100, seed=1)[0], 0.2).state
    memory = SequenceHopfield()
    memory.store(steps)
    roll = memory.roll(cue, 6)
    assert roll.index.tolist() == [1, 2, 3, 4, 5, 5] and roll.period == 1
    assert torch.equal(roll.states[-1], steps[5])
    coupling = steps[1:].T @ steps[:-1] / 100  # the same, from a matrix of one's own
    given = ClassicalHopfield.from_coupling(coupling, symmetric=False, schedule="synchronous",
                                            diagonal=True)  # fmt: skip
    assert torch.equal(given.update(steps[:5]), steps[1:])
    symmetric = ClassicalHopfield.from_coupling((coupling + coupling.T) / 2,
                                                schedule="synchronous")  # fmt: skip
    assert not torch.equal(symmetric.update(steps[1:5]), steps[2:]), "half of it leads back"
    chain, state = DenseHopfield(), cue
    chain.store(steps[:-1], values=steps[1:])
    for step in range(1, 6):
        state = chain.retrieve(state).value
        assert torch.equal(state, steps[step]), "the value fed back by hand"
