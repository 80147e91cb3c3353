"""Priors: a prior of k equals a pattern stored k times, with the weights of all copies added."""

import math

import pytest
import torch
from torch import Tensor

from cases import seeded
from hopfield import Entmax, Polynomial, RectifiedPolynomial, Separation, Softmax, Sparsemax, TopK
from hopfield.readout import read
from hopfield.similarity import dot
from hopfield.stores import Block

BATCH = torch.tensor([0.1, 1.0, 7.0], dtype=torch.float64)  # one β a query
SEPARATIONS = {
    "softmax": Softmax(1.5),
    "softmax-each": Softmax(BATCH),
    "softmax-0": Softmax(0.0),
    "softmax-tiny": Softmax(1e-13),
    "softmax-infinite": Softmax(math.inf),
    "sparsemax": Sparsemax(0.7),
    "sparsemax-0": Sparsemax(0.0),
    "sparsemax-infinite": Sparsemax(math.inf),
    "sparsemax-each": Sparsemax(BATCH),
    "entmax1.1": Entmax(1.1, 1.5),
    "entmax1.5": Entmax(1.5, 0.7),
    "entmax1.5-tiny": Entmax(1.5, 1e-12),
    "entmax3": Entmax(3.0, 0.3),
    "entmax10": Entmax(10.0, 0.3),
    "entmax-each": Entmax(torch.tensor([1.2, 1.5, 2.5], dtype=torch.float64), BATCH),
    "topk": TopK(3, 1.2),
    "topk1": TopK(1, 1.2),
    "topk-0": TopK(4, 0.0),
    "topk-infinite": TopK(3, math.inf),
    "topk-all": TopK(50, 1.2),
    "topk-each": TopK(2, BATCH),
    "polynomial1": Polynomial(1),
    "polynomial2": Polynomial(2),
    "polynomial5": Polynomial(5),
    "rectified3": RectifiedPolynomial(3),
}
every_separation = pytest.mark.parametrize("name", SEPARATIONS)
# At α = 10 a weight grows like the ninth root of a score: rounding of scores becomes visible.
smooth = pytest.mark.parametrize(
    "name", [n for n in SEPARATIONS if "infinite" not in n and n != "entmax10"]
)
conditioned = pytest.mark.parametrize("name", [n for n in SEPARATIONS if n != "entmax10"])
COPIES = torch.tensor([2, 1, 3, 1, 1, 5, 1, 2])


def scores_and_copies(batch: int = 3, ties: bool = True) -> tuple[Tensor, Tensor]:
    """Scores of 8 patterns, some equal, and the same with each pattern repeated."""
    scores = torch.randn(batch, 8, generator=seeded(1), dtype=torch.float64)
    if ties:
        scores[:, 3], scores[:, 6] = scores[:, 0], scores[:, 2]
    return scores, scores.repeat_interleave(COPIES, -1)


def added(weights: Tensor) -> Tensor:
    """The weights of the copies of each pattern, added."""
    return torch.stack([part.sum(-1) for part in weights.split(COPIES.tolist(), -1)], -1)


def close(one: Tensor, other: Tensor) -> None:
    """Equal within 1e-12."""
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@every_separation
def test_a_prior_is_a_number_of_copies(name):
    separation, prior = SEPARATIONS[name], COPIES.double()
    scores, copies = scores_and_copies()
    close(separation(scores, prior), added(separation(copies)))
    close(separation.potential(scores, prior), separation.potential(copies))


@smooth
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_weights_are_the_gradient_of_the_potential(name, scale):
    separation, (scores, _) = SEPARATIONS[name], scores_and_copies(ties=False)
    prior = torch.rand(8, generator=seeded(2), dtype=torch.float64) * 3 + 0.01
    scores = (scale * scores).requires_grad_()
    (slope,) = torch.autograd.grad(separation.potential(scores, prior).sum(), scores)
    torch.testing.assert_close(slope, separation(scores.detach(), prior), rtol=1e-9, atol=1e-10)


@smooth
def test_derivatives(name):
    separation, (scores, _) = SEPARATIONS[name], scores_and_copies(ties=False)
    prior = torch.rand(8, generator=seeded(2), dtype=torch.float64) * 3 + 0.1
    scores.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: separation.potential(s, prior), scores)
    assert torch.autograd.gradcheck(lambda s: separation(s, prior), scores)


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.0, 3.0])
def test_derivatives_by_alpha_and_beta(alpha):
    scores, _ = scores_and_copies(ties=False)
    prior = torch.rand(8, generator=seeded(2), dtype=torch.float64) * 3 + 0.1
    alpha, beta = torch.tensor([alpha, 0.8], dtype=torch.float64)
    alpha.requires_grad_(), beta.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: Entmax(a, b)(scores, prior), (alpha, beta))
    assert torch.autograd.gradcheck(
        lambda a, b: Entmax(a, b).potential(scores, prior), (alpha, beta)
    )


# ---- readouts


class Weighted(Block):
    """A block with priors."""

    prior: Tensor


def weighted(start: int, rows: Tensor, prior: Tensor) -> Block:
    """A block of rows with priors."""
    block = Weighted(start, rows)
    object.__setattr__(block, "prior", prior)
    return block


class Own(Separation):
    """A separation without its own partial readout."""

    takes_prior = True

    def __init__(self, inner):
        """Forward what a subclass must define."""
        self.inner, self.simplex = inner, inner.simplex

    def potential(self, scores, prior=None):
        """F(s)."""
        return self.inner.potential(scores, prior)

    def __call__(self, scores, prior=None):
        """The weights."""
        return self.inner(scores, prior)


@conditioned
@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize("own", [False, True])
def test_a_readout_reads_priors_as_copies(name, size, own):
    separation = Own(SEPARATIONS[name]) if own else SEPARATIONS[name]
    rows = torch.randn(8, 5, generator=seeded(3), dtype=torch.float64)
    rows[3] = rows[0]  # two patterns that tie everywhere
    states = torch.randn(3, 5, generator=seeded(4), dtype=torch.float64)
    prior = COPIES.double()
    blocks = [weighted(at, rows[at : at + size], prior[at : at + size]) for at in range(0, 8, size)]
    one = read(blocks, states, dot, separation)
    copies = read([Block(0, rows.repeat_interleave(COPIES, 0))], states, dot, SEPARATIONS[name])
    close(one.state, copies.state)
    close(one.potential, copies.potential)
    weights = SEPARATIONS[name](states @ rows.T, prior)
    shares = weights.abs() / weights.abs().sum(-1, keepdim=True)
    close(one.weight, shares.gather(-1, one.index[:, None]).squeeze(-1))
    close(one.entropy, torch.special.entr(shares).sum(-1))
    if separation.simplex:
        close(one.weight, shares.amax(-1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["softmax", "sparsemax", "entmax1.5", "entmax3", "topk"])
def test_priors_of_24_orders_of_magnitude(name, dtype):
    # A rare pattern near the state against a frequent one far away, in blocks of one row.
    separation = SEPARATIONS[name]
    scores = torch.tensor([[0.0, -20.0, -40.0, -90.0]], dtype=torch.float64)
    prior = torch.tensor([1e-12, 1e-3, 1.0, 1e12], dtype=torch.float64)
    rows = -scores.T.to(dtype)
    blocks = [weighted(at, rows[at : at + 1], prior[at : at + 1]) for at in range(4)]
    state = torch.tensor([[-1.0]], dtype=dtype)
    found = read(blocks, state, dot, separation)
    weights = separation(scores, prior)
    assert found.index.item() == int(weights.argmax())
    rounding = 1e-12 if dtype == torch.float64 else 1e-4  # of β·score near 130
    torch.testing.assert_close(found.weight.double(), weights.amax(-1), rtol=rounding, atol=0)
    potential = separation.potential(scores, prior)
    torch.testing.assert_close(found.potential.double(), potential, rtol=rounding, atol=rounding)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_frequent_pattern_far_below_the_best_score_keeps_its_weight(dtype):
    # exp(βs) of the second is below eps^2.5 of the first, its weight is not.
    exponent = 2.5 * math.log(torch.finfo(dtype).eps) - 3
    assert exponent < -40, "premise: without priors it is left out"
    prior = torch.tensor([1e-12, 1e12], dtype=torch.float64)
    rows = torch.tensor([[0.0], [-exponent]], dtype=dtype)
    found = read([weighted(0, rows, prior)], -torch.ones(1, 1, dtype=dtype), dot, Softmax(1.0))
    share = 1e24 * math.exp(exponent)
    assert float(found.state) == pytest.approx(-exponent * share / (1 + share), rel=1e-4)


@pytest.mark.parametrize("name", SEPARATIONS)
def test_priors_of_lower_precision_are_numbers_like_others(name):
    separation, scores = SEPARATIONS[name], torch.randn(8, generator=seeded(1)).double()
    for dtype in (torch.float16, torch.float32):
        prior = (torch.rand(8, generator=seeded(2)) + 0.5).to(dtype)
        assert torch.equal(separation(scores, prior), separation(scores, prior.double()))
    many, ones = torch.randn(70_000, generator=seeded(3)), torch.ones(70_000).half()
    assert not ones.sum().isfinite(), "premise: their sum exceeds the precision"
    expected = separation.potential(many, ones.double())
    torch.testing.assert_close(separation.potential(many, ones), expected)


def test_equal_priors_change_nothing_of_a_softmax():
    scores, _ = scores_and_copies()
    for prior in (1e-12, 0.3, 1e12):
        priors = torch.full((8,), prior, dtype=torch.float64)
        for beta in (0.0, 1e-6, 1.5, math.inf):
            close(Softmax(beta)(scores, priors), Softmax(beta)(scores))
            close(Softmax(beta).potential(scores, priors), Softmax(beta).potential(scores))
