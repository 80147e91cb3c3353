"""Separations of users, written as two methods: every memory takes them, or says which does."""

import math

import pytest
import torch

from draws import signs
from hopfield import DenseHopfield, ModernHopfield, Separation, SequenceHopfield, nn, similarity
from hopfield.errors import OptionError


class LogCosh(Separation):
    """A user's F(s) = Σ log cosh s, with weights that are no shares."""

    simplex = False

    def potential(self, scores):
        return (torch.nn.functional.softplus(2 * scores) - scores - math.log(2)).sum(-1)

    def __call__(self, scores):
        return scores.tanh()


class Heaviest(Separation):
    """A user's F(s) = max s, with simplex weights."""

    def potential(self, scores):
        return scores.amax(-1)

    def __call__(self, scores):
        return torch.nn.functional.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores)


@pytest.mark.parametrize("schedule", ["synchronous", "asynchronous"])
@pytest.mark.parametrize("separation", [LogCosh(), Heaviest()], ids=repr)
def test_a_separation_of_two_methods_is_taken_by_a_dense_network(separation, schedule):
    """One sweep is that of a loop over units that compares F with the unit at +1 and at −1."""
    patterns, cue = signs(6, 12, seed=3), signs(1, 12, seed=4)[0]
    memory = DenseHopfield(separation=separation, schedule=schedule)
    memory.store(patterns)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    state = cue.clone()
    for unit in order:
        up, down = (state if schedule == "asynchronous" else cue).double().repeat(2, 1)
        up[unit], down[unit] = 1, -1
        gain = separation.potential(patterns.double() @ up) - separation.potential(
            patterns.double() @ down
        )
        state[unit] = state[unit] if gain.abs() < 1e-9 else gain.sign()
    assert torch.equal(memory.update(cue, generator=torch.Generator().manual_seed(0)), state)
    assert not torch.equal(state, cue), "premise"
    energy = -separation.potential(patterns.double() @ cue.double())
    torch.testing.assert_close(memory.energy(cue).double(), energy)


def test_a_separation_of_two_methods_is_taken_by_every_memory_or_refused_with_advice():
    vectors = torch.randn(9, 6, generator=torch.Generator().manual_seed(5))
    for name in ("dot", "euclidean"):
        memory = ModernHopfield(separation=Heaviest(), similarity=name)
        memory.store(vectors, values=vectors[:, :1])
        result = memory.retrieve(vectors + 0.01)
        nearest = similarity.SIMILARITIES[name](vectors, vectors + 0.01).argmax(-1)
        assert torch.equal(result.value, vectors[nearest, :1])
    sequence, steps = signs(4, 40, seed=6), SequenceHopfield(separation=Heaviest(), cyclic=True)
    steps.store(sequence)
    assert torch.equal(steps.update(sequence), sequence.roll(-1, 0))
    with torch.random.fork_rng(devices=[]):
        layer = nn.HopfieldAssociation(6, separation=Heaviest())
    assert layer(vectors[None]).shape == (1, 9, 6)
    with pytest.raises(OptionError, match=r"sum to one.*not LogCosh\. Use DenseHopfield"):
        ModernHopfield(separation=LogCosh())
    assert DenseHopfield(separation=LogCosh()).separation == LogCosh(), "the advice works"
