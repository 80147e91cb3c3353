"""The weights of the k best patterns: those of the readout at the cue."""

import pytest
import torch

from brute_force import brute_force
from cases import CASES, DIM, filled, in_turn, patterns_and_cues, random_masks, seeded, signs
from hopfield import (
    DenseHopfield,
    Entmax,
    ModernHopfield,
    Polynomial,
    Separation,
    Softmax,
    Sparsemax,
    TopK,
)

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


SEPARATIONS = (
    Softmax(0.7),
    Softmax(0.0),
    Softmax(torch.inf),
    Sparsemax(0.3),
    Entmax(1.5, 0.4),
    TopK(3, 0.5),
)


class Shares(Separation):
    """Weights in proportion to exp(s/2): a separation of a user."""

    def potential(self, scores):
        return 2 * (scores / 2).exp().mean(-1).log()

    def __call__(self, scores):
        return torch.softmax(scores / 2, -1)


@pytest.mark.parametrize("separation", [*SEPARATIONS, Shares()], ids=str)
@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_weights_are_the_gradient_of_the_potential(separation, similarity):
    rows = torch.randn(50, DIM, generator=seeded(1), dtype=torch.float64)
    cues = torch.randn(6, DIM, generator=seeded(2), dtype=torch.float64)
    rows[9] = rows[4]
    memory = ModernHopfield(separation=separation, similarity=similarity)
    memory.store(rows)
    known = random_masks(6, DIM)
    found = memory.nearest(cues, 50, known)
    weights = separation(brute_force(similarity, rows, cues, known))
    torch.testing.assert_close(found.weight, weights.gather(-1, found.index))
    torch.testing.assert_close(found.weight.sum(-1), torch.ones(6, dtype=torch.float64))


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_weights_of_polynomials_are_shares(degree):
    rows, cues = signs(20, DIM, generator=seeded(1)), signs(4, DIM, generator=seeded(2))
    memory = DenseHopfield(separation=Polynomial(degree))
    memory.store(rows)
    found = memory.nearest(cues, 20)
    weights = Polynomial(degree)(cues.double() @ rows.double().T).abs()
    shares = weights / weights.sum(-1, keepdim=True)
    torch.testing.assert_close(
        found.weight.double(), shares.gather(-1, found.index), rtol=1e-6, atol=0
    )


def test_weights_may_be_left_out():
    memory = ModernHopfield(similarity="dot")
    memory.store(torch.eye(3))
    one, other = memory.nearest(torch.eye(3), 2), memory.nearest(torch.eye(3), 2, weights=False)
    assert torch.equal(one.index, other.index) and torch.equal(one.score, other.score)
    assert other.weight is None


@pytest.mark.parametrize("separation", [Softmax(0.7), Sparsemax(0.3), TopK(3, 0.5)], ids=str)
def test_weights_count_a_prior(separation):
    rows = torch.randn(30, DIM, generator=seeded(27), dtype=torch.float64)
    cues = torch.randn(4, DIM, generator=seeded(28), dtype=torch.float64)
    prior = torch.rand(30, generator=seeded(29), dtype=torch.float64) + 0.5
    memory = ModernHopfield(separation=separation, similarity="dot")
    memory.store(rows, prior=prior)
    found = memory.nearest(cues, 30)
    weights = separation(cues @ rows.T, prior)
    torch.testing.assert_close(found.weight, weights.gather(-1, found.index))


@in_turn(CASES, 2)
def test_the_best_has_the_weight_that_a_retrieval_reports(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype, n=9)
    memory = filled(case, patterns)
    found, still = memory.nearest(cues, 3), memory.retrieve(cues, steps=0)
    same = found.index[:, 0] == still.index
    if case.kind == "modern":
        assert same.all()
    assert same.any(), "premise: something is compared"
    assert found.weight.dtype == still.weight.dtype
    torch.testing.assert_close(found.weight[same, 0], still.weight[same], rtol=1e-4, atol=1e-6)
