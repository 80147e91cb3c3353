"""The unit of the data: sums of squares that overflow or underflow decide nothing."""

import math
from functools import partial

import pytest
import torch

import draws
from hopfield import Entmax, Memory, ModernHopfield, Softmax, Sparsemax, TopK, attention, metrics
from hopfield.iteration import Reading
from hopfield.readout import read
from hopfield.similarity import SIMILARITIES

normal = partial(draws.normal, dtype=torch.float64)
SEPARATIONS = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "entmax": lambda beta: Entmax(1.5, beta),
    "top 3": lambda beta: TopK(3, beta),
}
SCALES = {
    torch.float32: (2.0**-110, 2.0**-77, 2.0**-64, 2.0**57),
    torch.bfloat16: (2.0**-110, 2.0**-64, 2.0**57),
    torch.float16: (2.0**-13, 2.0**12),
    torch.float64: (2.0**-470, 2.0**500),
}
SIZES = [(dtype, size) for dtype, sizes in SCALES.items() for size in sizes]
in_every_unit = pytest.mark.parametrize(
    ("dtype", "size"), SIZES, ids=[f"{str(d)[6:]}-2^{math.log2(s):.0f}" for d, s in SIZES]
)
MASKS = {
    "all": None,
    "one mask": torch.arange(12) < 8,
    "a mask each": torch.rand(40, 12, generator=draws.generator(3)) < 0.7,
}


def rows_and_cues(dtype, size):
    """Rows and damaged copies in `dtype`, and the same numbers at size 1 in float64."""
    rows = normal(40, 12, seed=1)
    cues = rows + 0.5 * normal(40, 12, seed=2)
    low = [(size * x).to(dtype) for x in (rows, cues)]
    return *low, *(x.double() / size for x in low)


def brute_force(similarity, rows, cues, known):
    """Scores by their definitions, one mask per cue."""
    mask = torch.ones_like(cues) if known is None else known.expand(cues.shape).double()
    x, y = rows * mask[:, None], (cues * mask)[:, None]
    if similarity == "correlation":
        count = mask.sum(-1)[:, None, None]
        x, y = (mask[:, None] * (z - z.sum(-1, keepdim=True) / count) for z in (x, y))
    return {
        "dot": (x * y).sum(-1),
        "euclidean": -(x - y).square().sum(-1) / 2,
        "manhattan": -(x - y).abs().sum(-1),
    }.get(similarity, (x * y).sum(-1) / (x.norm(dim=-1) * y.norm(dim=-1)))


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
@in_every_unit
def test_the_nearest_pattern_is_named_in_every_unit(dtype, size, similarity, mask):
    rows, cues, exact_rows, exact_cues = rows_and_cues(dtype, size)
    scores = brute_force(similarity, exact_rows, exact_cues, MASKS[mask])
    best = scores.topk(2, dim=-1)
    clear = best.values[:, 0] - best.values[:, 1] > 1e-5
    assert clear.double().mean() > 0.9, "premise: most winners are clear"
    memory = ModernHopfield(math.inf, similarity=similarity)
    memory.store(rows)
    found = memory.retrieve(cues, MASKS[mask], steps=0)
    assert torch.equal(found.index[clear], best.indices[clear, 0])
    assert bool((found.weight[clear] == 1).all()), "β = ∞: the best alone has weight"
    assert bool(torch.isfinite(found.energy).all())
    if mask == "all":
        assert torch.equal(memory.update(cues)[clear], rows[best.indices[clear, 0]])


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("similarity", ["cosine", "correlation"])
@in_every_unit
def test_angles_have_all_their_digits_in_every_unit(dtype, size, similarity, mask):
    """Also where some rows are far smaller than others, and beside rows of zeros."""
    rows, cues, exact_rows, exact_cues = rows_and_cues(dtype, size)
    if dtype != torch.float16:
        rows = torch.cat([rows[:20] * 2.0**-6, rows[20:]])
    rows = torch.cat([rows, torch.zeros_like(rows[:1])])
    scores = SIMILARITIES[similarity](rows, cues, MASKS[mask]).double()
    exact = brute_force(similarity, exact_rows, exact_cues, MASKS[mask])
    torch.testing.assert_close(scores[:, :-1], exact, rtol=0, atol=3e-6)
    assert bool((scores[:, -1] == 0).all())


@pytest.mark.parametrize("similarity", ["cosine", "correlation"])
def test_small_rows_have_gradients(similarity):
    """The cosine of x/c is that of x, and its slope c times as large."""
    size = 2.0**-80
    slopes = []
    for factor in (1.0, size):
        rows = (factor * normal(5, 6, seed=4)).float().requires_grad_()
        state = (factor * normal(3, 6, seed=5)).float().requires_grad_()
        weights = normal(3, 5, seed=6).float()
        value = (weights * SIMILARITIES[similarity](rows, state)).sum()
        slopes.append([factor * slope for slope in torch.autograd.grad(value, (rows, state))])
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("exponent", [-40, -57, -63, -80])
@pytest.mark.parametrize("similarity", ["dot", "euclidean", "manhattan"])
@pytest.mark.parametrize("name", SEPARATIONS)
def test_a_large_beta_makes_up_for_short_patterns(name, similarity, exponent):
    """β/c^degree for c times the patterns gives the same weights, however small c is."""
    rows, cues, exact_rows, exact_cues = rows_and_cues(torch.float32, size := 2.0**exponent)
    beta = 0.7 / size ** SIMILARITIES[similarity].degree
    short, exact = ModernHopfield(separation=SEPARATIONS[name](beta), similarity=similarity), None
    short.store(rows)
    exact = ModernHopfield(separation=SEPARATIONS[name](0.7), similarity=similarity)
    exact.store(exact_rows)
    found, wanted = (
        short.retrieve(cues, steps=1, tol=0.0),
        exact.retrieve(exact_cues, steps=1, tol=0.0),
    )
    torch.testing.assert_close(found.weight.double(), wanted.weight, rtol=0, atol=2e-5)
    torch.testing.assert_close(found.state.double() / size, wanted.state, rtol=0, atol=2e-5)
    torch.testing.assert_close(
        short.update(cues).double() / size, exact.update(exact_cues), rtol=0, atol=2e-5
    )


@pytest.mark.parametrize("size", [2.0**-100, 2.0**-64, 1.0, 2.0**57])
def test_attention_at_infinite_beta_is_the_nearest_pattern(size):
    rows, cues, exact_rows, exact_cues = rows_and_cues(torch.float32, size)
    nearest = (exact_cues @ exact_rows.T).argmax(-1)
    assert torch.equal(attention(cues, rows, math.inf), rows[nearest])


class Halving(Memory):
    """A network of one's own without weights."""

    def step(self, state, known, held, generator):
        """Halve the state."""
        return Reading(state / 2)

    def energy_of(self, state):
        """No energy."""

    def config(self):
        """No arguments."""
        return {}


@in_every_unit
def test_cosines_of_states_and_of_networks_without_weights(dtype, size):
    rows, cues, exact_rows, exact_cues = rows_and_cues(dtype, size)
    exact = torch.cosine_similarity(exact_rows, exact_cues, dim=-1)
    torch.testing.assert_close(metrics.cosine(rows, cues).double(), exact, rtol=0, atol=1e-5)
    memory = Halving()
    memory.store(rows)
    found = memory.retrieve(rows, steps=0)
    torch.testing.assert_close(found.weight, torch.ones_like(found.weight))


@pytest.mark.parametrize("beta", [0.0, 1e-30, 1e-20])
@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("size", [2.0**-60, 2.0**-40, 1.0])
def test_energies_of_small_numbers_at_small_beta(size, similarity, beta):
    """F is the mean score as β → 0, though β·score is no float32; also over several blocks."""
    rows, cues, exact_rows, exact_cues = rows_and_cues(torch.float32, size)
    memory = ModernHopfield(beta, similarity=similarity)
    memory.store(rows)
    energy = -brute_force(similarity, exact_rows, exact_cues, None).mean(-1)
    if similarity == "dot":
        largest = exact_rows.square().sum(-1).max()
        energy = energy + exact_cues.square().sum(-1) / 2 + largest / 2
    found = memory.energy(cues).double() / size**2
    torch.testing.assert_close(found, energy, rtol=1e-5, atol=1e-5)
    merged = read([*memory.storage.blocks(7)], cues, memory.similarity, memory.separation)
    whole = read([*memory.storage.blocks(40)], cues, memory.similarity, memory.separation)
    torch.testing.assert_close(
        merged.potential.double() / size**2,
        whole.potential.double() / size**2,
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("beta", [5e-4, 1.0, 1e3])
def test_slopes_of_weights_that_vanish_by_rounding_are_finite(beta):
    """At α near 1 most weights are far below 1/n, and 1 + d = n·p rounds to 0."""
    rows = 400 * normal(60, 3, seed=7).float()
    states = (400 * normal(5, 3, seed=8)).float().requires_grad_()
    memory = ModernHopfield(separation=Entmax(1.01, beta))
    memory.store(rows)
    (slope,) = torch.autograd.grad(memory.energy(states).sum(), states)
    assert bool(torch.isfinite(slope).all())
    slack = 16 * torch.finfo(torch.float32).eps * (1 + beta * 1e7) * 1e4
    assert (slope - (states - memory.update(states))).abs().max() < slack
