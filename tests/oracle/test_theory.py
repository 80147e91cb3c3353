"""Theory: published values, limits, and brute force over all cases of small networks."""

import itertools
import math
from fractions import Fraction

import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import linprog
from scipy.special import factorial2

from draws import all_states
from hopfield import synthetic, theory
from hopfield.errors import DomainError
from hopfield.memories.classical import HEBBIAN_CAPACITY
from hopfield.theory import sums


def test_the_critical_load_is_the_one_that_memories_warn_of():
    assert theory.critical_load() == pytest.approx(HEBBIAN_CAPACITY, abs=5e-7)


@pytest.mark.parametrize(
    ("load", "overlap"), [(0.08, 0.99956), (0.10, 0.99800), (0.12, 0.99322), (0.13, 0.98721)]
)
def test_the_retrieval_overlap_is_the_published_one(load, overlap):
    m = theory.retrieval_overlap(load)
    assert m == pytest.approx(overlap, abs=5e-6)
    (y,) = torch.erfinv(torch.tensor([m], dtype=torch.float64)).tolist()
    assert m / y - 2 / math.sqrt(math.pi) * math.exp(-y * y) == pytest.approx(math.sqrt(2 * load))


def test_above_the_critical_load_nothing_is_retrieved():
    assert theory.retrieval_overlap(theory.critical_load() + 1e-9) == 0
    assert theory.retrieval_overlap(theory.critical_load() - 1e-9) > 0.96


def test_the_thermal_overlap_in_its_limits():
    for temperature in (0.3, 0.5, 0.9):
        m = theory.thermal_overlap(0.0, temperature)
        assert m == pytest.approx(math.tanh(m / temperature), abs=1e-9)
    assert theory.thermal_overlap(0.0, 1.1) == 0
    for load in (0.05, 0.1):
        cold = theory.thermal_overlap(load, 0.01)
        assert cold == pytest.approx(theory.retrieval_overlap(load), abs=2e-4)
    assert theory.thermal_overlap(0.1, 0.9) == 0


def test_the_overlap_of_a_mixture_by_all_cases():
    for count in (1, 3, 5, 7):
        votes = all_states(count)
        mixed = votes.sum(1).sign()
        overlap = theory.retrieval_overlap(1e-9, count)
        assert overlap == pytest.approx((mixed * votes[:, 0]).mean().item(), abs=1e-9)
    with pytest.raises(DomainError, match="odd"):
        theory.retrieval_overlap(0.01, 2)


@pytest.mark.parametrize(
    ("degree", "units", "patterns"),
    [(2, 4, 3), (2, 100, 14), (2, 31, 8), (3, 4, 3), (3, 3, 4), (4, 3, 5), (5, 4, 3),
     (5, 9, 3), (6, 30, 3), (7, 12, 4), (9, 9, 3)],
)  # fmt: skip
@pytest.mark.parametrize("most_cases", [0, sums.FEW_CASES])
def test_the_exact_bit_error_by_all_cases(degree, units, patterns, most_cases, monkeypatch):
    monkeypatch.setattr(sums, "FEW_CASES", most_cases)
    if degree == 2:  # the noise is 4 times a sum of random signs
        count = (patterns - 1) * (units - 1)
        most = Fraction(count - (units - 1), 2)  # so many +1 or more give no error
        cases = sum(math.comb(count, k) for k in range(math.ceil(most)))
        expected = float(Fraction(cases, 2**count))
    else:
        expected = _bit_error_of_all_cases(degree, units, patterns)
    assert 0 < expected < 0.5, "premise: some bits turn"
    assert theory.bit_error_exact(degree, units, patterns) == pytest.approx(expected, abs=1e-7)


def _bit_error_of_all_cases(degree: int, units: int, patterns: int) -> float:
    """P(Σ ξ g(s) < −g(N − 1)) by convolving the terms one after another."""

    def step(u: int) -> int:
        return (u + 1) ** degree - (u - 1) ** degree

    term: dict[int, Fraction] = {}
    for k in range(units):
        for sign in (1, -1):
            value = sign * step(units - 1 - 2 * k)
            part = Fraction(math.comb(units - 1, k), 2**units)
            term[value] = term.get(value, Fraction(0)) + part
    total = {0: Fraction(1)}
    for _ in range(patterns - 1):
        following: dict[int, Fraction] = {}
        for (a, p), (b, q) in itertools.product(total.items(), term.items()):
            following[a + b] = following.get(a + b, Fraction(0)) + p * q
        total = following
    return float(sum(p for value, p in total.items() if value < -step(units - 1)))


def test_the_asymptotic_bit_error_is_the_limit_of_the_exact_one():
    ratios = [
        theory.bit_error_exact(3, n, n * n // 20) / theory.bit_error(3, n, n * n // 20)
        for n in (20, 60, 180)
    ]
    assert abs(ratios[2] - 1) < abs(ratios[1] - 1) / 2 < abs(ratios[0] - 1) / 4  # of order 1/N
    assert abs(ratios[2] - 1) < 0.05


def test_error_free_patterns_have_one_wrong_bit_in_n_root_log_n():
    for degree in (2, 3, 4):
        n = theory.error_free_patterns(degree, 1000)
        spread = n * factorial2(2 * degree - 3, exact=True) / 1000 ** (degree - 1)
        assert spread == pytest.approx(1 / (2 * math.log(1000)))


def test_the_exponential_capacity_at_its_published_points():
    for units, flipped, patterns in ((40, 0.1, 1574), (60, 0.1, 62438), (100, 0.2, 15325)):
        assert theory.exponential_patterns(units, flipped) == pytest.approx(patterns, rel=1e-3)
    assert theory.exponential_patterns(24, 0) == pytest.approx(4096)


@pytest.mark.parametrize("flips", [0, 1])
def test_the_exponential_failure_bounds_what_happens(flips):
    units, patterns, trials = 8, 12, 4000
    source = torch.Generator().manual_seed(1)
    rows = torch.rand(trials, patterns, units, generator=source).round() * 2 - 1
    state = rows[:, 0].clone()
    state[:, :flips] *= -1
    scores = torch.einsum("tpu,tu->tp", rows, state)[..., None] - rows * state[:, None]
    fields = (rows * scores.double().exp()).sum(1)
    failed = (fields * rows[:, 0] < 0).any(-1).double().mean().item()
    bound = theory.exponential_failure(units, flips, patterns)
    assert 0.01 < failed <= bound < 20 * failed


def test_more_patterns_fail_more_often():
    bounds = [theory.exponential_failure(40, 4, n) for n in (2, 100, 1574, 10**6)]
    assert bounds == sorted(bounds) and bounds[-1] == 1.0


@pytest.mark.parametrize(("scale", "dim", "constant"), [(3, 20, 3.1546), (1, 75, 1.3718)])
def test_the_constants_of_theorem_3(scale, dim, constant):
    c = theory.theorem_3_constant(1.0, scale, dim, 0.001)
    assert constant <= c < constant + 1e-4, "the paper cuts after four digits"
    assert c >= (2 / math.sqrt(0.001)) ** (4 / (dim - 1)), "the theorem asks for it"
    assert theory.theorem_3_patterns(1.0, scale, dim, 0.001) == pytest.approx(
        math.sqrt(0.001) * c ** ((dim - 1) / 4)
    )


def test_the_bounds_of_theorem_5():
    assert theory.update_error(3, 2.0, 5.0, 0.5, 2.0) == pytest.approx(8 * math.exp(-6))
    assert theory.fixed_point_error(3, 2.0, 5.0, 2.0) == pytest.approx(8 * math.e * math.exp(-10))
    assert theory.update_error(3, 2.0, -1e4, 0.5, 2.0) == math.inf


def test_the_margin_of_sparse_separations():
    assert theory.sparse_margin(2.0, 4.0) == 0.25
    assert theory.sparse_margin(1.5, 4.0) == 0.5
    with pytest.raises(DomainError):
        theory.sparse_margin(1.0, 4.0)


def test_tails_of_the_sphere():
    for cosine in (-1.0, -0.3, 0.0, 0.5, 1.0):
        assert theory.sphere_tail(3, cosine) == pytest.approx((1 - cosine) / 2)  # Archimedes
    rows = synthetic.unit_sphere(1200, 8).double()
    above = (rows @ rows.T > 0.4)[~torch.eye(1200, dtype=torch.bool)].double().mean().item()
    # Pairs are independent two by two: the standard error is that of 719 400 draws.
    assert theory.sphere_tail(8, 0.4) == pytest.approx(above, abs=5 * math.sqrt(above / 719_400))
    assert theory.sparse_fixed_share(50, 8, 0.6) == pytest.approx(
        (1 - theory.sphere_tail(8, 0.4)) ** 49
    )
    assert theory.sparse_fixed_share(50, 8, 2.5) == 0.0


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: theory.retrieval_overlap(0.0), "load"),
        (lambda: theory.thermal_overlap(0.1, 0.0), "temperature"),
        (lambda: theory.bit_error(1, 10, 5), "degree"),
        (lambda: theory.bit_error_exact(2, 1, 5), "units"),
        (lambda: theory.error_free_patterns(2, 0), "units"),
        (lambda: theory.exponential_rate(1.5), "x must"),
        (lambda: theory.exponential_patterns(10, 0.7), "flipped"),
        (lambda: theory.exponential_failure(10, 11, 5), "flips"),
    ],
)
def test_what_no_network_has_is_refused_by_name(call, names):
    with pytest.raises(DomainError, match=names):
        call()


def test_storkeys_capacity():
    assert theory.storkey_patterns(100) == pytest.approx(32.95, abs=0.005)


def test_the_share_of_separable_signs_by_linear_programming():
    """Cover's theorem: all 2ⁿ signs of n vectors in general position."""
    for count, size in ((3, 1), (4, 2), (5, 3), (6, 3)):
        rows = torch.randn(count, size, generator=torch.Generator().manual_seed(count)).tolist()
        separable = 0
        for chosen in itertools.product((-1.0, 1.0), repeat=count):
            above = [[-s * x for x in row] for s, row in zip(chosen, rows, strict=True)]
            found = linprog([0.0] * size, above, [-1.0] * count, bounds=(None, None))
            separable += found.status == 0
        assert theory.separable_share(count, size) == pytest.approx(separable / 2**count)
    assert theory.separable_share(200, 100) == pytest.approx(0.5)


@pytest.mark.parametrize("margin", [0.0, 0.5, 2.0])
def test_the_load_of_perceptrons_by_quadrature(margin):
    def integrand(t):
        return (t + margin) ** 2 * math.exp(-t * t / 2) / math.sqrt(2 * math.pi)

    area = quad(integrand, -margin, math.inf)[0]
    assert theory.perceptron_load(margin) == pytest.approx(1 / area, rel=1e-9)


@pytest.mark.parametrize(
    ("units", "active", "count"), [(4, 2, 3), (5, 2, 3), (5, 3, 3), (6, 1, 3), (4, 1, 4), (3, 2, 1)]
)
def test_the_bit_error_of_the_covariance_rule_by_all_cases(units, active, count):
    chosen = itertools.combinations(range(units), active)
    every = [[1 if i in ones else -1 for i in range(units)] for ones in chosen]
    mean, wrong, cases = Fraction(2 * active - units, units), 0, 0
    state = every[0]
    for rest in itertools.product(every, repeat=count - 1):
        for i, own in enumerate(state):
            field = sum(
                (row[i] - mean) * sum((row[j] - mean) * state[j] for j in range(units) if j != i)
                for row in (state, *rest)
            )
            wrong += (field / units + mean * (1 - mean**2)) * own < 0
            cases += 1
    assert theory.covariance_bit_error(units, active, count) == pytest.approx(wrong / cases)


def test_the_bit_error_of_the_covariance_rule_for_many_units():
    normal = math.erfc(1 / math.sqrt(2 * 0.3)) / 2
    assert theory.covariance_bit_error(400, 200, 120) == pytest.approx(normal, rel=0.03)
    low, high = (theory.covariance_bit_error(200, active, 60) for active in (20, 100))
    assert low < 0.6 * high, "errors are rarer at low activity"


@pytest.mark.parametrize("most_cases", [0, sums.FEW_CASES])
def test_numbers_beyond_float64_are_infinite_or_exact(most_cases, monkeypatch):
    monkeypatch.setattr(sums, "FEW_CASES", most_cases)
    assert theory.exponential_patterns(10**4, 0.0) == math.inf
    assert theory.error_free_patterns(400, 10**9) == math.inf
    exact = Fraction(1000**399, 2 * factorial2(797, exact=True))
    assert theory.error_free_patterns(400, 1000) == pytest.approx(float(exact) / math.log(1000))
    assert theory.bit_error(1000, 2, 5) == 0.5  # crosstalk without limit
    # A pattern with |s| = N − 1 outweighs the signal if the other one is against it too.
    largest = 2.0**-8
    assert theory.bit_error_exact(401, 9, 3) == pytest.approx(largest - largest**2, abs=1e-9)
    assert theory.sequence_steps(1000, 10**6) == math.inf
    assert theory.sequence_load(1000, 10**6, 5) == 0
    # Another step ties if s = ±N, and a tie is wrong in half of the cases.
    assert theory.sequence_error_exact(301, 12, 2) == pytest.approx(2.0**-13, abs=1e-9)
