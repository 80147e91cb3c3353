"""Situations of users, re-created: graded units and pairs, with answers by hand."""

import pytest
import torch

from hopfield import BidirectionalMemory, ClassicalHopfield, GradedHopfield
from hopfield.errors import DomainError

TWO = torch.tensor([[1.0, -1, 1, -1, 1, -1], [-1, 1, -1, 1, -1, 1]])


def test_graded_units_start_between_minus_1_and_1():
    """The network of 1984, from half-open starts, and from one of ±1 that is refused elsewhere."""
    memory = GradedHopfield()
    memory.store(TWO)
    for start in ([0.5, 0.2, 0.5, -0.5, 0.1, -0.5], [1.0, 1, 1, -1, 1, -1]):
        result = memory.retrieve(torch.tensor(start))
        assert torch.equal(result.state.sign(), TWO[0]) and result.converged
    with pytest.raises(DomainError, match="between"):
        memory.retrieve(torch.tensor([5.0, 2, 5, -5, 1, -5]))
    binary = ClassicalHopfield()
    binary.store(TWO)
    with pytest.raises(DomainError, match="Binarise"):
        binary.retrieve(torch.tensor([0.5, 0.2, 0.5, -0.5, 0.1, -0.5]))


def test_a_bidirectional_memory_recalls_both_ways():
    """Kosko's example of 1987 in kind: two pairs of 6 and 4 units, by hand W = Σ xᵀy."""
    x = torch.tensor([[1.0, -1, 1, -1, 1, -1], [1, 1, 1, -1, -1, -1]])
    y = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1]])
    memory = BidirectionalMemory()
    memory.store_pairs(x, y)
    rows = [[2.0, 0, 0, -2], [0, -2, 2, 0], [2, 0, 0, -2], [-2, 0, 0, 2], [0, 2, -2, 0],
            [-2, 0, 0, 2]]  # fmt: skip
    assert memory.coupling.tolist() == rows
    assert torch.equal(memory.recall(x=x).y, y) and torch.equal(memory.recall(y=y).x, x)
    assert memory.energy(memory.joint(x, y)).tolist() == [-24.0, -24.0]
    wrong = torch.tensor([-1.0, 1, 1, -1, -1, -1])
    assert torch.equal(memory.recall(x=wrong).x, x[1]), "one unit of x wrong"
    half = memory.recall(x=x[1], known_x=torch.arange(6) < 3)
    assert torch.equal(half.x, x[1]) and torch.equal(half.y, y[1])
