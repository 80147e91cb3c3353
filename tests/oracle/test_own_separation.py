"""A separation of a user: `potential` and `__call__`, and every network takes it."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch

import hopfield
from cases import seeded
from hopfield import DenseHopfield, ModernHopfield, Separation, Softmax, Sparsemax, TopK
from hopfield.readout import read
from hopfield.similarity import dot, euclidean
from hopfield.stores import Block


@dataclass(frozen=True)
class LogCosh(Separation):
    """F(s) = Σ (log cosh(βs_μ))/β: bounded weights, not on the simplex."""

    beta: float = 1.0
    simplex = False

    def potential(self, scores):
        """F(s)."""
        return (torch.cosh(self.beta * scores).log() / self.beta).sum(-1)

    def __call__(self, scores):
        """tanh(βs)."""
        return torch.tanh(self.beta * scores)


class Nearby(Separation):
    """Softmax over the patterns within a distance, by a threshold on the Euclidean scores."""

    def __init__(self, reach):
        """Patterns further than `reach` have no weight."""
        self.reach = reach

    def potential(self, scores):
        """F(s)."""
        return scores.masked_fill(scores < -(self.reach**2) / 2, -torch.inf).logsumexp(-1)

    def __call__(self, scores):
        """The weights."""
        return scores.masked_fill(scores < -(self.reach**2) / 2, -torch.inf).softmax(-1)


class Again(Separation):
    """Another separation without its capabilities."""

    def __init__(self, inner):
        """Forward what a subclass must define."""
        self.inner, self.simplex = inner, inner.simplex

    def potential(self, scores):
        """F(s)."""
        return self.inner.potential(scores)

    def __call__(self, scores):
        """The weights."""
        return self.inner(scores)


LIBRARY = [Softmax(0.3), Sparsemax(0.2), TopK(3, 0.5), hopfield.Polynomial(3),
           hopfield.RectifiedPolynomial(2)]  # fmt: skip
every = pytest.mark.parametrize("separation", LIBRARY, ids=str)


def signs(n, dim, seed=0):
    return torch.randn(n, dim, generator=seeded(seed), dtype=torch.float64).sign()


@every
@pytest.mark.parametrize("cuts", [[], [1, 4], [3, 5, 9]])
def test_the_default_partial_gives_the_readout(separation, cuts):
    rows = torch.randn(11, 5, generator=seeded(1), dtype=torch.float64)
    state = torch.randn(2, 3, 5, generator=seeded(2), dtype=torch.float64)
    blocks = [Block(a, rows[a:b]) for a, b in pairwise([0, *cuts, 11])]
    plain, own = (read(blocks, state, dot, s) for s in (separation, Again(separation)))
    assert torch.equal(own.index, separation(dot(rows, state)).abs().argmax(-1))
    for name in ("state", "potential", "entropy"):
        torch.testing.assert_close(getattr(own, name), getattr(plain, name))


def test_partials_merge_in_any_order():
    rows = torch.randn(9, 4, generator=seeded(3), dtype=torch.float64)
    scores = torch.randn(2, 9, generator=seeded(4), dtype=torch.float64)
    blocks = [Block(a, rows[a:b]) for a, b in [(0, 2), (2, 6), (6, 9)]]
    own = LogCosh()
    parts = [own.partial(scores[:, b.start : b.start + len(b)], b) for b in blocks]
    found = parts[2].merge(parts[0]).merge(parts[1]).result(blocks)
    torch.testing.assert_close(found.state, own(scores) @ rows)
    with pytest.raises(TypeError, match="GatheredPartial does not merge with SoftmaxPartial"):
        parts[0].merge(Softmax().partial(scores[:, :2].clone(), blocks[0]))


@every
@pytest.mark.parametrize("schedule", ["synchronous", "asynchronous"])
def test_dense_networks_flip_by_two_potentials(separation, schedule):
    patterns, cues = signs(9, 12), signs(40, 12, seed=5)
    cues[:, :2] = 0.0  # unknown units
    memories = [
        DenseHopfield(separation=own, schedule=schedule) for own in (separation, Again(separation))
    ]
    for memory in memories:
        memory.store(patterns)
    plain, own = (memory.update(cues) for memory in memories)
    ties = plain != own
    # Exact arithmetic finds the sign of what is below rounding: there the present value stays.
    assert not ties.any() or (own[ties] == cues[ties]).all()
    assert ties.sum() <= 2, "premise: most decisions are no ties"
    torch.testing.assert_close(memories[0].energy(cues), memories[1].energy(cues))


def flipped_by_hand(separation, patterns, state):
    out = torch.empty_like(state)
    for b, x in enumerate(state):
        for i in range(len(x)):
            up, down = x.clone(), x.clone()
            up[i], down[i] = 1.0, -1.0
            gain = separation.potential(patterns @ up) - separation.potential(patterns @ down)
            out[b, i] = x[i] if abs(gain) < 1e-9 else gain.sign()
    return out


def test_an_own_dense_network_is_the_formula():
    patterns, cues = signs(5, 8), signs(20, 8, seed=6)
    memory = DenseHopfield(separation=LogCosh(0.1))
    memory.store(patterns)
    assert torch.equal(memory.update(cues), flipped_by_hand(LogCosh(0.1), patterns, cues))
    walking = DenseHopfield(separation=LogCosh(0.1), schedule="asynchronous")
    walking.store(patterns)
    trace = walking.retrieve(cues, trace=True).trace
    assert (trace.diff(dim=0) <= 1e-12 * trace.abs().amax()).all()


def test_a_threshold_sees_the_documented_scores():
    """Scores shifted by −½‖x‖², as fast readouts use them, would put all patterns within reach."""
    patterns = torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0]], dtype=torch.float64) + 100
    cue = patterns[:1] + 0.1
    memory = ModernHopfield(separation=Nearby(2.0), similarity="euclidean")
    memory.store(patterns)
    weights = Nearby(2.0)(euclidean(patterns, cue))
    assert (weights > 0).tolist() == [[True, True, False]], "premise: one is out of reach"
    torch.testing.assert_close(memory.update(cue), weights @ patterns)
    torch.testing.assert_close(memory.energy(cue), -Nearby(2.0).potential(euclidean(patterns, cue)))
    assert memory.retrieve(cue).converged.all()


def test_equality_and_repr_are_those_of_the_parameters():
    assert Nearby(2.0) == Nearby(2.0) != Nearby(3.0)
    assert repr(Nearby(2.0)) == "Nearby(reach=2.0)"
    assert Softmax(torch.tensor(2.0)) == Softmax(2.0)


def test_parameters_that_do_not_fit_the_batch_are_named():
    scores = torch.zeros(4, 5)
    for separation in (
        Softmax(torch.ones(3)),
        hopfield.Entmax(torch.full((3,), 1.5)),
        TopK(1, torch.ones(2)),
    ):
        for call in (separation, separation.potential):
            with pytest.raises(hopfield.errors.ShapeError, match="parameter of a separation"):
                call(scores)


def test_flips_pass_no_gradient_and_say_nothing():
    memory = DenseHopfield(0.3)
    memory.store(signs(5, 8))
    state = signs(2, 8, seed=3).requires_grad_()
    assert not memory.update(state).requires_grad
