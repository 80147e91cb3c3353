"""Separations against autograd, the entmax package, brute-force maxima and long arithmetic."""

import math
from itertools import combinations, pairwise

import mpmath
import pytest
import torch
from entmax import entmax_bisect, sparsemax
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from cases import seeded
from hopfield import (
    Entmax,
    Epanechnikov,
    KSubsets,
    Normmax,
    Polynomial,
    RectifiedPolynomial,
    Separation,
    Softmax,
    Sparsemax,
    TopK,
)
from hopfield.stores import Block

EPS = torch.finfo(torch.float64).eps
BATCH = torch.tensor([0.1, 1.0, 7.0], dtype=torch.float64)  # one β a query
SEPARATIONS = {
    "softmax": Softmax(1.5),
    "softmax-each": Softmax(BATCH),
    "sparsemax": Sparsemax(0.7),
    "sparsemax-each": Sparsemax(BATCH),
    "entmax1.1": Entmax(1.1, 1.5),
    "entmax1.5": Entmax(1.5, 0.7),
    "entmax3": Entmax(3.0, 0.3),
    "entmax-each": Entmax(torch.tensor([1.2, 1.5, 2.5], dtype=torch.float64), BATCH),
    "topk": TopK(3, 1.2),
    "topk-each": TopK(2, BATCH),
    "normmax1.1": Normmax(1.1, 0.7),
    "normmax2": Normmax(2.0, 0.7),
    "normmax5-each": Normmax(5.0, BATCH),
    "ksubsets1": KSubsets(1, 0.7),
    "ksubsets2": KSubsets(2, 0.7),
    "ksubsets4-each": KSubsets(4, BATCH),
    "epanechnikov": Epanechnikov(0.7),
    "epanechnikov-each": Epanechnikov(BATCH),
    "polynomial2": Polynomial(2),
    "polynomial5": Polynomial(5),
    "rectified2": RectifiedPolynomial(2),
    "rectified3": RectifiedPolynomial(3),
}
every_separation = pytest.mark.parametrize("name", SEPARATIONS)
every_simplex = pytest.mark.parametrize("name", [n for n, s in SEPARATIONS.items() if s.simplex])


def scores(n: int = 6, seed: int = 0, batch: int = 3) -> torch.Tensor:
    """Random scores, `(batch, n)`."""
    return torch.randn(batch, n, generator=seeded(seed), dtype=torch.float64)


# ---- the weights are the gradient of the potential


@every_separation
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_weights_are_the_gradient_of_the_potential(name, scale):
    separation = SEPARATIONS[name]
    s = (scale * scores()).requires_grad_()
    (slope,) = torch.autograd.grad(separation.potential(s).sum(), s)
    torch.testing.assert_close(slope, separation(s.detach()), rtol=1e-9, atol=1e-10)


def check_twice(function, given: torch.Tensor) -> bool:
    """Second derivatives by differences; by itself torch would draw from the global generator."""
    shape = function(given).shape
    along = torch.randn(shape, generator=seeded(11), dtype=torch.float64, requires_grad=True)
    return torch.autograd.gradgradcheck(function, given, along)


@every_separation
def test_first_and_second_derivatives(name):
    separation = SEPARATIONS[name]
    s = scores(seed=1).requires_grad_()
    assert torch.autograd.gradcheck(separation.potential, s)
    assert check_twice(separation.potential, s)
    assert torch.autograd.gradcheck(separation, s)
    assert check_twice(separation, s)


@pytest.mark.parametrize(
    "make", [Softmax, Sparsemax, lambda b: Entmax(1.5, b), lambda b: TopK(3, b)]
)
def test_derivatives_by_beta(make):
    s, beta = scores(seed=2), BATCH.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda b: make(b).potential(s), beta)
    assert check_twice(lambda b: make(b).potential(s), beta)
    assert torch.autograd.gradcheck(lambda b: make(b)(s), beta)


def test_derivatives_by_alpha():
    alpha = torch.tensor([1.2, 1.5, 2.5], dtype=torch.float64, requires_grad=True)
    s = scores(seed=3)
    assert torch.autograd.gradcheck(lambda a: Entmax(a, 0.8).potential(s), alpha)
    assert torch.autograd.gradcheck(lambda a: Entmax(a, 0.8)(s), alpha)
    assert check_twice(lambda a: Entmax(a, 0.8)(s), alpha)


# ---- the package that the sparse ones are named after


@pytest.mark.parametrize("alpha", [1.1, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("beta", [0.01, 1.0, 20.0])
def test_entmax_is_the_package_s(alpha, beta):
    s = 3 * scores(n=20, batch=50, seed=4)
    theirs = entmax_bisect(beta * s, alpha=alpha, dim=-1, n_iter=60)
    torch.testing.assert_close(Entmax(alpha, beta)(s), theirs, rtol=1e-9, atol=1e-10)
    if alpha == 2.0:
        torch.testing.assert_close(Sparsemax(beta)(s), sparsemax(beta * s, dim=-1))
        torch.testing.assert_close(Sparsemax(beta)(s), Entmax(alpha, beta)(s))


def test_entmax_near_one_is_softmax():
    s = scores(n=8, seed=5)
    assert (Entmax(1.01, 1.0)(s) - Softmax(1.0)(s)).abs().max() < 0.02


def test_sparse_weights_are_exactly_zero_below_the_threshold():
    s = torch.tensor([[3.0, 2.9, -5.0, -9.0]], dtype=torch.float64)
    for separation in (Sparsemax(1.0), Entmax(1.5, 1.0), TopK(2, 1.0)):
        weights = separation(s)
        assert weights[0, 2:].tolist() == [0, 0], separation
        assert weights[0, 0] > weights[0, 1] > 0.3, separation
        assert weights.sum() == pytest.approx(1, abs=4 * EPS)


# ---- F as a maximum


def tsallis(p: torch.Tensor, alpha: float) -> torch.Tensor:
    """H_α(p), and Shannon's entropy at α = 1."""
    if alpha == 1:
        return torch.special.entr(p).sum(-1)
    return (p - p**alpha).sum(-1) / (alpha * (alpha - 1))


ENTROPIC = [(Softmax(0.8), 1.0), (Sparsemax(0.8), 2.0)] + [
    (Entmax(alpha, 0.8), alpha) for alpha in (1.1, 1.5, 3.0)
]
every_entropy = pytest.mark.parametrize(("separation", "alpha"), ENTROPIC, ids=str)


@every_entropy
def test_potential_is_the_maximum_over_two_weights(separation, alpha):
    """F(s) = max_p p·s + β⁻¹(H_α(p) − H_α(1/n)) by a search over p."""
    uniform = tsallis(torch.tensor([0.5, 0.5], dtype=torch.float64), alpha)
    for s in (0.3 * scores(n=2)).tolist():

        def value(p: float, s=s) -> float:
            weights = torch.tensor([p, 1 - p], dtype=torch.float64)
            gain = (tsallis(weights, alpha) - uniform) / 0.8
            return float((weights * torch.tensor(s, dtype=torch.float64)).sum() + gain)

        best = minimize_scalar(
            lambda p: -value(p), bounds=(0, 1), method="bounded", options={"xatol": 1e-9}
        )
        found = separation.potential(torch.tensor(s, dtype=torch.float64))
        highest = max(-best.fun, value(0.0), value(1.0))  # the search stays inside
        assert found.item() == pytest.approx(highest, abs=1e-10)


@every_entropy
def test_potential_is_attained_and_never_exceeded(separation, alpha):
    s = 2 * scores(n=5)
    uniform = tsallis(torch.full((5,), 0.2, dtype=torch.float64), alpha)

    def value(p: torch.Tensor) -> torch.Tensor:
        return (p * s[:, None]).sum(-1) + (tsallis(p, alpha) - uniform) / 0.8

    others = torch.rand(3, 2000, 5, generator=seeded(6), dtype=torch.float64) ** 3
    others = others / others.sum(-1, keepdim=True)
    potential = separation.potential(s)
    assert (value(others).amax(-1) <= potential + 1e-12).all()
    torch.testing.assert_close(value(separation(s)[:, None]).squeeze(-1), potential)


@pytest.mark.parametrize("k", [1, 2, 4, 9])
def test_topk_is_the_best_of_all_subsets(k):
    s = scores(n=6)
    size = min(k, 6)
    subsets = torch.tensor(list(combinations(range(6), size)))
    best = Softmax(1.3).potential(s[:, subsets]).amax(-1)
    torch.testing.assert_close(TopK(k, 1.3).potential(s), best)
    chosen = subsets[Softmax(1.3).potential(s[:, subsets]).argmax(-1)]
    expected = torch.zeros_like(s).scatter(-1, chosen, Softmax(1.3)(s.gather(-1, chosen)))
    torch.testing.assert_close(TopK(k, 1.3)(s), expected)


def test_topk_shares_the_last_places_between_ties():
    s = torch.tensor([2.0, 1.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    weights = TopK(2, 1.0)(s)
    first = math.e / (math.e + 1)
    expected = torch.tensor([first, *[(1 - first) / 3] * 3, 0.0], dtype=torch.float64)
    torch.testing.assert_close(weights, expected)
    assert TopK(2, 1.0).potential(s).item() == pytest.approx(math.log((math.e**2 + math.e) / 2))


# ---- softmax for every β


def exact_softmax_potential(s: list[float], beta: float) -> mpmath.mpf:
    """F(s) with as many digits as β needs."""
    with mpmath.workdps(120):
        top = max(s)
        mean = mpmath.fsum(mpmath.exp(mpmath.mpf(beta) * (mpmath.mpf(x) - top)) for x in s) / len(s)
        return top + mpmath.log(mean) / mpmath.mpf(beta)


@pytest.mark.parametrize("exponent", range(-30, 31, 3))
@pytest.mark.parametrize("spread", [1e-3, 1.0, 500.0])
def test_softmax_potential_for_every_beta(exponent, spread):
    beta = 10.0**exponent
    s = spread * scores(n=7)
    ours = Softmax(beta).potential(s)
    for row, value in zip(s.tolist(), ours.tolist(), strict=True):
        error = abs(exact_softmax_potential(row, beta) - value)
        assert error <= 8 * EPS * max(map(abs, row))
    single = Softmax(beta).potential(s.float()).double()
    limit = 8 * torch.finfo(torch.float32).eps * s.abs().amax(-1)
    assert ((single - ours).abs() <= 2 * limit).all()


def exact_entmax_potential(s: list[float], alpha: float, beta: float) -> mpmath.mpf:
    """F(s) of α-entmax with as many digits as β needs."""
    with mpmath.workdps(90):
        n, a, b, top = len(s), mpmath.mpf(alpha), mpmath.mpf(beta), mpmath.mpf(max(s))
        z = [(a - 1) * b * (x - top) for x in s]
        low, high = mpmath.mpf(-1), mpmath.mpf(0)
        for _ in range(280):
            middle = (low + high) / 2
            above = mpmath.fsum(max(x - middle, 0) ** (1 / (a - 1)) for x in z) >= 1
            low, high = (middle, high) if above else (low, middle)
        p = [max(x - low, 0) ** (1 / (a - 1)) for x in z]
        p = [x / mpmath.fsum(p) for x in p]

        def tallied(weights) -> mpmath.mpf:
            return mpmath.fsum(x - x**a for x in weights) / (a * (a - 1))

        gain = (tallied(p) - tallied([mpmath.mpf(1) / n] * n)) / b
        return mpmath.fsum(x * y for x, y in zip(p, map(mpmath.mpf, s), strict=True)) + gain


@pytest.mark.parametrize("exponent", [-18, -12, -8, -7, -5, -3, -1, 1, 4])
@pytest.mark.parametrize("alpha", [1.01, 1.5, 2.0, 3.0])
def test_entmax_potential_for_every_beta(alpha, exponent):
    """The entropies cancel as β → 0: their difference must not be taken of two rounded numbers."""
    beta = 10.0**exponent
    for n in (2, 9):
        s = scores(n=n, batch=1)
        error = abs(
            exact_entmax_potential(s[0].tolist(), alpha, beta)
            - Entmax(alpha, beta).potential(s).item()
        )
        assert error <= 8 * EPS * s.abs().max().item()


def test_equal_scores_have_equal_weights():
    s = torch.randn(3, 4, generator=seeded(9)).repeat(1, 9)[:, :33]
    for separation in SEPARATIONS.values():
        weights = separation(s)
        assert torch.equal(weights[:, 4:], weights[:, :29]), separation


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_limits_of_softmax(dtype):
    s = torch.tensor([[1.0, 3.0, 3.0, -5.0], [2.0, 2.0, 2.0, 2.0]], dtype=dtype)

    def same(found, wanted):
        limit = torch.tensor(wanted, dtype=found.dtype)
        torch.testing.assert_close(found, limit, rtol=4 * torch.finfo(found.dtype).eps, atol=0)

    for beta in (0.0, 1e-40):
        same(Softmax(beta).potential(s), [0.5, 2.0])
        same(Softmax(beta)(s), [[0.25] * 4] * 2)
    for beta in (math.inf, 1e30):
        same(Softmax(beta).potential(s), [3.0, 2.0])
        same(Softmax(beta)(s), [[0.0, 0.5, 0.5, 0.0], [0.25] * 4])


@every_simplex
def test_potentials_of_equal_scores_are_that_score(name):
    """F(0) = 0, and weights that sum to one pass a shift of all scores on: F(s + c) = F(s) + c."""
    separation = SEPARATIONS[name]
    assert separation.potential(torch.zeros(3, 5, dtype=torch.float64)).abs().max() < 1e-15
    s = scores()
    shifted = separation.potential(s + 1000.0) - separation.potential(s)
    torch.testing.assert_close(shifted, torch.full_like(shifted, 1000.0), rtol=1e-13, atol=0)
    torch.testing.assert_close(separation(s + 1000.0), separation(s), rtol=1e-9, atol=1e-11)
    assert ((separation(s).sum(-1) - 1).abs() < 8 * EPS).all()


# ---- partials


def merged(separation: Separation, s: torch.Tensor, rows: torch.Tensor, cuts: list[int]):
    """The readout of blocks that end at the cuts."""
    edges = [0, *cuts, s.shape[-1]]
    blocks = [Block(a, rows[a:b]) for a, b in pairwise(edges)]
    partial = None
    for block in blocks:
        own = s[..., block.start : block.start + len(block)].clone()  # it may be overwritten
        part = separation.partial(own, block)
        partial = part if partial is None else partial.merge(part)
    return partial.result(blocks)


@every_separation
@settings(max_examples=12)
@given(
    cuts=st.sets(st.integers(1, 11), min_size=1),
    offsets=st.lists(st.sampled_from([0.0, 1e-3, 1.0, 1e3, 1e6]), min_size=12, max_size=12),
    seed=st.integers(0, 10),
)
def test_partials_merge_to_the_whole(name, cuts, offsets, seed):
    separation = SEPARATIONS[name]
    s = scores(n=12, seed=seed)
    if separation.simplex:
        s = s + torch.tensor(offsets, dtype=torch.float64)
    rows = torch.randn(12, 4, generator=seeded(seed), dtype=torch.float64)
    whole = merged(separation, s, rows, [])
    parts = merged(separation, s, rows, sorted(cuts))
    assert torch.equal(parts.index, whole.index)
    assert torch.equal(whole.index, s.argmax(-1))
    weights = separation(s)
    scale = weights.abs().sum(-1)
    slack = 64 * EPS * (1 + 7 * s.abs().amax(-1))  # a score's rounding, times β
    for name_, expected in {
        "state": weights @ rows,
        "potential": separation.potential(s),
        "weight": weights.abs().gather(-1, whole.index[:, None]).squeeze(-1) / scale,
        "entropy": torch.special.entr(weights.abs() / scale[:, None]).sum(-1),
    }.items():
        size = 1 + expected.abs().reshape(3, -1).amax(-1) + (0 if separation.simplex else scale)
        for found in (whole, parts):
            error = (getattr(found, name_) - expected).abs().reshape(3, -1).amax(-1)
            assert (error <= slack * size).all(), name_


# ---- accuracy where the method changes


@pytest.mark.parametrize("beta", [1e-9, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3])
def test_the_potential_of_a_thousand_scores_at_small_beta(beta):
    """At α = 3/2, with weight on all patterns, τ solves a quadratic equation: no step is needed."""
    given = scores(1000, seed=7, batch=1)[0]
    with mpmath.workdps(50):
        z = [mpmath.mpf(s) * beta / 2 for s in given.tolist()]
        mean = mpmath.fsum(z) / 1000
        variance = mpmath.fsum((x - mean) ** 2 for x in z) / 1000
        tau = mean - mpmath.sqrt(mpmath.mpf(1) / 1000 - variance)
        assert min(z) > tau, "premise: every pattern has weight"
        weights = [(x - tau) ** 2 for x in z]
        gained = 2 * mpmath.fsum(p * x for p, x in zip(weights, z, strict=True)) / beta
        rest = mpmath.sqrt(1000) / 1000 - mpmath.fsum(p**1.5 for p in weights)
        exact = gained + rest / mpmath.mpf(0.75) / beta
        error = abs(mpmath.mpf(Entmax(1.5, beta).potential(given).item()) - exact)
    assert error <= 64 * EPS * float(given.abs().max())
