"""Situations of users, re-created: small inputs with answers by hand, by theory or by loops."""

import re
from itertools import product

import numpy
import pytest
import torch

from draws import signs
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    ModernHopfield,
    Retrieval,
    corruption,
    data,
    diagnose,
    explain,
    metrics,
    similarity,
)
from hopfield.errors import CapacityWarning, DomainError, InputTypeError
from hopfield.rules import RULES

TWO = torch.tensor([[1.0, -1, 1, -1, 1, -1], [-1, 1, -1, 1, -1, 1]])
FOUR = torch.tensor([[1.0, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])


@pytest.mark.parametrize("rule", RULES)
def test_of_a_pattern_and_its_negative_the_nearer_one_is_found(rule):
    memory = ClassicalHopfield(rule)
    memory.store(TWO)
    cue = torch.tensor([1.0, 1, 1, 1, -1, 1])
    assert (cue @ TWO[0]).item() == -2, "premise: nearer to the negative"
    result = memory.retrieve(cue)
    assert torch.equal(result.state, TWO[1]) and result.index == 1 and result.converged


def test_four_orthogonal_patterns_in_four_units_are_fixed():
    """W = I without its diagonal is 0, and a unit whose field is 0 keeps its value."""
    memory = ClassicalHopfield()
    memory.store(FOUR)
    assert torch.equal(memory.coupling, torch.zeros(4, 4))
    for state in product([1.0, -1.0], repeat=4):
        assert torch.equal(memory.update(torch.tensor(state)), torch.tensor(state))


def test_strings_of_bits():
    strings = ["11111111000000000000", "11110000111100001111", "10101010101010101010"]
    bits = torch.tensor([[float(letter) for letter in string] for string in strings])
    memory = ClassicalHopfield()
    with pytest.raises(InputTypeError, match=r"2 \* patterns\.float\(\) - 1"):
        memory.store(bits.int())
    with pytest.raises(DomainError, match=r"2 \* patterns - 1"):
        memory.store(bits)
    memory.store(2 * bits.int().float() - 1)
    cue = 2 * torch.tensor([float(letter) for letter in "11111110000001111111"]) - 1
    overlaps = memory.patterns @ cue / 20
    assert overlaps.argmax() == overlaps.abs().argmax(), "premise"
    result = memory.retrieve(cue)
    assert torch.equal(result.state, memory.patterns[overlaps.argmax()]) and result.weight == 1


def three_pictures():
    base, own = signs(1, 1024, seed=0), signs(3, 1024, seed=1)
    share = torch.rand(3, 1024, generator=torch.Generator().manual_seed(2)) < 0.2
    return torch.where(share, own, base)


def test_similar_pictures_that_are_no_fixed_points_are_warned_of_and_explained():
    pictures = three_pictures()
    x = pictures.numpy()
    fields = x @ (x.T @ x / 1024 - 3 / 1024 * numpy.eye(1024))
    assert not (fields * x >= 0).all(1).any(), "premise: none is a fixed point"
    memory = ClassicalHopfield()
    with pytest.warns(CapacityWarning, match=r"^3 of 3 patterns .*diagnose\(memory\)"):
        memory.store(pictures)
    report = diagnose(memory)
    assert report.counts["fixed"] == 0
    assert "pseudo_inverse" in str(report), "the remedy"
    kept = ClassicalHopfield("pseudo_inverse")
    kept.store(pictures)
    assert diagnose(kept).counts["fixed"] == 3


def test_a_mixture_of_three_and_a_negative_are_stable_and_named():
    memory = ClassicalHopfield()
    patterns = signs(3, 300, seed=3)
    memory.store(patterns)
    mixed = patterns.sum(0).sign()
    assert torch.equal(memory.update(mixed), mixed)
    assert "It ended at a mixture" in " ".join(explain(memory, mixed).reasons)
    assert torch.equal(memory.update(-patterns[1]), -patterns[1])
    assert "the negative of pattern 1" in " ".join(explain(memory, -patterns[1]).reasons)


def test_synchronous_cycles_of_two_are_reported_and_named():
    memory = ClassicalHopfield(schedule="synchronous")
    memory.store(signs(3, 12, seed=1))
    cues = signs(500, 12, seed=2)
    result = memory.retrieve(cues)
    again = memory.update(memory.update(result.state))
    cycles = ~result.converged
    assert 5 < cycles.sum() < 200, "premise"
    assert torch.equal(again[cycles], result.state[cycles])
    assert (memory.update(result.state) != result.state).any(1)[cycles].all()
    reasons = " ".join(explain(memory, cues[cycles][0]).reasons)
    assert "two states alternate" in reasons and "asynchronous" in reasons


def test_a_score_by_hand():
    weights, state = torch.tensor([[2.0, -1.0, 3.0]]), torch.tensor([1.0, -1.0, 1.0])
    assert similarity.dot(weights, state).tolist() == [6.0]


def test_digits_from_0_to_255_at_beta_1():
    digits = data.load("digits")
    first = [int((digits.labels == label).nonzero()[0]) for label in range(5)]
    pictures = (digits.patterns[first] * 255).round()
    for name in ("euclidean", "dot"):
        memory = ModernHopfield(beta=1.0, similarity=name)
        with pytest.raises(InputTypeError, match=r"Use patterns\.float\(\)"):
            memory.store(pictures.to(torch.uint8))
        with pytest.raises(ValueError, match=r"patterns\.flatten\(1\)"):
            memory.store(pictures.view(5, 8, 8))
        memory.store(pictures.view(5, 8, 8).flatten(1))
        assert torch.equal(memory.retrieve(pictures).state, pictures)
    halves = corruption.occlude_half(pictures, digits.shape)
    memory = ModernHopfield(beta=1.0, similarity="euclidean")
    memory.store(pictures)
    assert torch.equal(memory.retrieve(halves).state, pictures)


def of_weights(weights):
    """A result of these largest weights, the rest spread evenly over 99 patterns."""
    rest = torch.as_tensor(weights).new_tensor([(1 - w) / 99 for w in weights])
    largest = torch.tensor(weights)
    entropy = -torch.xlogy(largest, largest) - 99 * torch.xlogy(rest, rest)
    zeros = torch.zeros(len(weights))
    return Retrieval(
        zeros[:, None], zeros.long(), zeros == 0, zeros, zeros.long(), largest, entropy
    )


def test_a_printed_answer_counts_its_mixtures():
    """Weight at most 0.51 is a mixture; of exp(entropy) patterns, the median over the mixtures."""
    assert repr(of_weights([1.0, 0.6, 0.01, 0.01])).endswith(", 2 mixtures of about 100 patterns)")
    assert "mixtures" not in repr(of_weights([1.0, 0.52]))
    assert "1 mixture of about 100 patterns" in repr(of_weights([0.01]))
    digits = data.load("digits")
    cues = corruption.occlude_half(digits.patterns, digits.shape)
    memory = ModernHopfield()  # β = 1 is far too small here
    memory.store(digits.patterns, values=digits.labels)
    result = memory.retrieve(cues)
    assert not metrics.recalled(digits.patterns, result.state).any(), "premise"
    assert re.search(r"1797 converged.*, 1797 mixtures of about 1\d\d\d patterns\)$", repr(result))
    memory = ModernHopfield(beta=512.0, similarity="euclidean")
    memory.store(digits.patterns)
    assert "mixture" not in repr(memory.retrieve(cues)), "the README's example"
    for binary in (ClassicalHopfield(), DenseHopfield()):
        binary.store(FOUR)
        assert "mixture" not in repr(binary.retrieve(FOUR))
