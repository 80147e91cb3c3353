"""Learning rules, fields, flips and energies of the classical network by plain loops."""

import math
from fractions import Fraction

import pytest
import torch
from scipy.stats import chi2

from cases import FULL, over_dtypes, seeded, signs
from hopfield import ClassicalHopfield, backend, rules
from hopfield.coupling import FullCoupling, LowRankCoupling
from hopfield.kernels import BACKENDS
from hopfield.memories.learning import learn
from hopfield.rules import EXACT_INTEGERS, RULES
from hopfield.stores import RamStore

Rows = list[list[int]]
Matrix = list[list[Fraction]]
EXACT = tuple(rule for rule in RULES if rule not in rules.FUNCTIONS)
LEARN = {name: getattr(rules, name) for name in EXACT}
every_rule = pytest.mark.parametrize("rule", EXACT)
every_backend = pytest.mark.parametrize("name", BACKENDS)
either_diagonal = pytest.mark.parametrize("diagonal", [False, True])
pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


def whole_numbers(rows: torch.Tensor) -> Rows:
    """Rows of ±1 as Python ints."""
    return [[int(x) for x in row] for row in rows.tolist()]


def products(rows: Rows, mean: Fraction) -> Matrix:
    """Σ_μ (x_μi − a)(x_μj − a)/N."""
    size = range(len(rows[0]))
    return [
        [sum((x[i] - mean) * (x[j] - mean) for x in rows) * Fraction(1, len(size)) for j in size]
        for i in size
    ]


def triple_sum(rows: Rows) -> Matrix:
    """Storkey's rule as it is printed: every h_ij by its own sum over k."""
    size = len(rows[0])
    weights = [[Fraction(0)] * size for _ in range(size)]
    for x in rows:
        h = [
            [
                sum((weights[i][k] * x[k] for k in range(size) if k not in (i, j)), Fraction(0))
                for j in range(size)
            ]
            for i in range(size)
        ]
        weights = [
            [
                weights[i][j] + (x[i] * x[j] - x[i] * h[j][i] - h[i][j] * x[j]) * Fraction(1, size)
                for j in range(size)
            ]
            for i in range(size)
        ]
    return weights


def projection(rows: Rows) -> Matrix:
    """Xᵀ(XXᵀ)⁻¹X of independent rows, by Gram and Schmidt."""
    size = range(len(rows[0]))
    basis: Matrix = []
    for row in rows:
        left = [Fraction(x) for x in row]
        for q in basis:
            along = sum(a * b for a, b in zip(left, q, strict=True)) / sum(b * b for b in q)
            left = [a - along * b for a, b in zip(left, q, strict=True)]
        if any(left):
            basis.append(left)
    norms = [sum(b * b for b in q) for q in basis]
    pairs = list(zip(basis, norms, strict=True))
    return [[sum((q[i] * q[j] / n for q, n in pairs), Fraction(0)) for j in size] for i in size]


def exact(rule: str, rows: torch.Tensor, diagonal: bool) -> Matrix:
    """W in rational numbers."""
    x = whole_numbers(rows)
    if rule == "storkey":
        weights = triple_sum(x)
    elif rule == "pseudo_inverse":
        weights = projection(x)
    else:
        mean = Fraction(sum(map(sum, x)), rows.numel()) if rule == "covariance" else Fraction(0)
        weights = products(x, mean)
    for i in range(0 if diagonal else len(weights)):
        weights[i][i] = Fraction(0)
    return weights


def exact_thresholds(rule: str, rows: torch.Tensor) -> list[Fraction]:
    """b in rational numbers: −m(1 − m²) for the covariance rule, times the mean count of copies."""
    x = whole_numbers(rows)
    mean = Fraction(sum(map(sum, x)), rows.numel()) if rule == "covariance" else Fraction(0)
    copies = Fraction(sum(x.count(row) for row in x), len(x))
    return [mean * (mean**2 - 1) * copies] * len(x[0])


def biased(n: int, dim: int, seed: int) -> torch.Tensor:
    """Rows of ±1 with a mean of about 0.3."""
    rows = torch.where(torch.rand(n, dim, generator=seeded(seed)) < 0.65, 1.0, -1.0)
    return rows.double()


@every_rule
@either_diagonal
@pytest.mark.parametrize("n", [1, 2, 5])
def test_coupling_by_rational_arithmetic(rule, diagonal, n):
    rows = biased(n, 7, seed=n)
    expected = torch.tensor(exact(rule, rows, diagonal), dtype=torch.float64)
    for dtype in (torch.float16, torch.float32, torch.float64):
        slack = 32 * torch.finfo(torch.promote_types(dtype, torch.float32)).eps
        given = rows.to(dtype)
        assert (LEARN[rule](given, diagonal) - expected).abs().max() <= slack
        memory = ClassicalHopfield(rule, diagonal=diagonal)
        memory.store(given)
        assert (memory.coupling - expected).abs().max() <= slack
        bias = torch.tensor(exact_thresholds(rule, rows), dtype=torch.float64)
        assert (memory.thresholds is None) is (rule != "covariance")
        assert rule != "covariance" or (memory.thresholds - bias).abs().max() <= slack
    if diagonal:
        assert expected.diagonal().abs().max() > 0.1, "premise: there is a diagonal"


@either_diagonal
@pytest.mark.parametrize(("n", "dim"), [(99, 4), (40, 9), (20, 12)])
def test_storkey_of_many_patterns_by_rational_arithmetic(diagonal, n, dim):
    """More than are gathered for one product, far beyond any capacity; and grown from a W."""
    rows = biased(n, dim, seed=0)
    expected = torch.tensor(exact("storkey", rows, diagonal), dtype=torch.float64)
    limit = 1e-12 * expected.abs().max()
    assert (rules.storkey(rows, diagonal) - expected).abs().max() < limit
    for cut in (1, 8):
        start = rules.storkey(rows[:cut], diagonal)
        again = rules.storkey(rows[cut:], diagonal, start=start)
        assert (again - expected).abs().max() < limit


def test_storkey_differs_from_hebb_and_depends_on_the_order():
    rows = biased(3, 7, seed=0)
    one, other = rules.storkey(rows), rules.storkey(rows.flip(0))
    assert (one - other).abs().max() > 0.01
    assert (one - rules.hebbian(rows)).abs().max() > 0.1


@pytest.mark.parametrize(("n", "dim"), [(3, 40), (15, 40), (40, 40), (60, 40)])
def test_pseudo_inverse_is_the_projection(n, dim):
    rows = signs(n, dim, generator=seeded(n), dtype=torch.float64)
    if n > 3:
        rows[-1], rows[-2] = rows[0], -rows[1]  # dependent
    expected = torch.linalg.pinv(rows) @ rows
    found = rules.pseudo_inverse(rows, diagonal=True)
    assert (found - expected).abs().max() < 1e-12
    assert (found @ rows.T - rows.T).abs().max() < 1e-12, "stored patterns stay"
    single = rules.pseudo_inverse(rows.float(), diagonal=True)
    assert (single - expected).abs().max() < 1e-5


def test_pseudo_inverse_of_many_patterns_needs_no_matrix_of_them():  # of 8 TB
    rows = signs(64, 6, generator=seeded(0), dtype=torch.float64)
    rows[:, 5], rows[:, 4] = rows[:, 0], -rows[:, 1]
    many = rules.pseudo_inverse(rows.repeat(2**14, 1), diagonal=True)
    torch.testing.assert_close(many, torch.linalg.pinv(rows) @ rows)


@either_diagonal
def test_covariance_is_hebb_where_the_mean_is_zero(diagonal):
    rows = signs(4, 12, generator=seeded(0), dtype=torch.float64)
    balanced = torch.cat([rows, -rows])
    hebb, covariance = rules.hebbian(balanced, diagonal), rules.covariance(balanced, diagonal)
    assert torch.equal(hebb, covariance)
    assert not torch.equal(rules.hebbian(biased(4, 12, 0)), rules.covariance(biased(4, 12, 0)))


# ---- fields, energies, flips


def field(weights: Matrix, x: list[int], i: int) -> Fraction:
    """h_i = Σ_j W_ij x_j."""
    return sum((w * y for w, y in zip(weights[i], x, strict=True)), Fraction(0))


def energy(weights: Matrix, x: list[int], b: list[float]) -> float:
    """E = −½ Σ_ij W_ij x_i x_j + Σ_i b_i x_i."""
    total = sum((field(weights, x, i) * y for i, y in enumerate(x)), Fraction(0))
    return float(-total / 2) + sum(y * c for y, c in zip(x, b, strict=True))


@every_rule
@either_diagonal
@pytest.mark.parametrize("n", [2, 6])
def test_energies_and_flips(rule, diagonal, n):
    """E by its double sum; a flip changes it by 2 x_i h_i, h without the self term."""
    rows = biased(n, 9, seed=n)
    weights = exact(rule, rows, diagonal)
    thresholds = torch.linspace(-0.3, 0.4, 9, dtype=torch.float64)
    memory = ClassicalHopfield(rule, diagonal=diagonal, thresholds=thresholds)
    memory.store(rows)
    states = signs(4, 9, generator=seeded(1), dtype=torch.float64)
    states[3, :4] = 0.0  # unknown units are states too
    for state in states:
        x, b = [int(v) for v in state.tolist()], thresholds.tolist()
        before = memory.energy(state)
        assert before.item() == pytest.approx(energy(weights, x, b), abs=1e-12)
        for i in range(9):
            if x[i] == 0:
                continue
            flipped = state.clone()
            flipped[i] *= -1
            h = float(field(weights, x, i) - weights[i][i] * x[i]) - b[i]
            change = (memory.energy(flipped) - before).item()
            assert change == pytest.approx(2 * x[i] * h, abs=1e-12)


@every_rule
@either_diagonal
@over_dtypes(*FULL)
@pytest.mark.parametrize(("n", "dim"), [(2, 12), (3, 20), (5, 9), (12, 13)])
def test_a_synchronous_step_by_rational_arithmetic(rule, diagonal, dtype, n, dim):
    """The sign of every field; a tie keeps the present value, by every rule."""
    rows = signs(n, dim, generator=seeded(89 + n), dtype=dtype)
    weights, thresholds = exact(rule, rows, diagonal), exact_thresholds(rule, rows)
    memory = ClassicalHopfield(rule, diagonal=diagonal, schedule="synchronous")
    memory.store(rows)
    states = signs(30, dim, generator=seeded(6), dtype=dtype)
    for state, following in zip(states.tolist(), memory.update(states).tolist(), strict=True):
        x = [int(v) for v in state]
        h = [field(weights, x, i) - thresholds[i] for i in range(dim)]
        expected = [(a > 0) - (a < 0) or present for a, present in zip(h, x, strict=True)]
        assert following == expected


@every_rule
@either_diagonal
@every_backend
def test_an_asynchronous_sweep_by_rational_arithmetic(rule, diagonal, name):
    """h_i = Σ_{j≠i} W_ij x_j, whether W keeps its diagonal or not."""
    rows = signs(4, 11, generator=seeded(9), dtype=torch.float32)
    weights, thresholds = exact(rule, rows, diagonal=False), exact_thresholds(rule, rows)
    memory = ClassicalHopfield(rule, diagonal=diagonal)
    memory.store(rows)
    states = signs(30, 11, generator=seeded(6))
    with backend(name):
        found = memory.update(states, generator=seeded(3))
    order = torch.randperm(11, generator=seeded(3)).tolist()
    ties = 0
    for state, following in zip(states.tolist(), found.tolist(), strict=True):
        x = [int(v) for v in state]
        for i in order:
            h = field(weights, x, i) - thresholds[i]
            ties += h == 0
            x[i] = (h > 0) - (h < 0) or x[i]
        assert following == x
    assert ties or rule in ("covariance", "storkey"), "premise: there are ties"


@pytest.mark.parametrize("rule", RULES[:3])  # the steps by rational arithmetic tie for Storkey's
@every_backend
def test_a_tie_keeps_the_present_value(rule, name):
    rows = torch.tensor([[1.0, 1, 1], [1.0, -1, 1], [-1.0, 1, -1], [-1.0, -1, -1]])
    if rule == "pseudo_inverse":
        rows = rows[:2]
    states = 2.0 * torch.tensor([[s // p % 2 for p in (4, 2, 1)] for s in range(8)]) - 1
    for schedule in ("synchronous", "asynchronous"):
        memory = ClassicalHopfield(rule, schedule=schedule)
        memory.store(rows)
        assert memory.coupling[1].abs().max() < 1e-6, "premise: nothing pulls the middle unit"
        with backend(name):
            following, found = memory.update(states), memory.retrieve(states)
        assert torch.equal(following[:, 1], states[:, 1])
        assert torch.equal(found.state[:, 1], states[:, 1])
        settled = states[:, 0] == states[:, 2]
        assert (found.steps == 0).tolist() == settled.tolist()


@either_diagonal
def test_low_rank_and_full_forms_agree(diagonal):
    rows = signs(5, 12, generator=seeded(0), dtype=torch.float64)
    states = signs(6, 12, generator=seeded(1), dtype=torch.float64)
    for rule in ("hebbian", "covariance", "pseudo_inverse"):
        low = rules.LOW_RANK[rule](rows, diagonal)
        full = low.matrix()
        torch.testing.assert_close(low.field_from(low.products(states), states), states @ full)
        torch.testing.assert_close(low.quadratic(states), ((states @ full) * states).sum(-1))


# ---- thermal dynamics


@pytest.mark.parametrize("temperature", [0.5, 1.5])
def test_thermal_states_follow_boltzmann(temperature):
    """P(x) ∝ exp(−E/T), by a χ² test that fails by chance once in a million times."""
    rows = torch.tensor([[1.0, 1, -1, 1], [1, -1, 1, 1], [1, 1, 1, -1]])
    thresholds = torch.tensor([0.3, -0.2, 0.0, 0.1])
    memory = ClassicalHopfield(temperature=temperature, thresholds=thresholds)
    memory.store(rows)
    chains = 10_000
    found = memory.retrieve(torch.ones(chains, 4), steps=25, generator=seeded(0))
    places = torch.tensor([8, 4, 2, 1])
    counts = torch.bincount(((found.state > 0) * places).sum(-1), minlength=16).double()
    states = 2.0 * torch.tensor([[s // p % 2 for p in (8, 4, 2, 1)] for s in range(16)]) - 1
    expected = chains * torch.softmax(-memory.energy(states).double() / temperature, -1)
    statistic = ((counts - expected).square() / expected).sum().item()
    assert expected.min() > 5, "premise: χ² applies"
    assert statistic < chi2.isf(1e-6, df=15)
    assert statistic > chi2.isf(1 - 1e-6, df=15)


def test_cold_thermal_dynamics_is_that_without_temperature():
    rows, cues = signs(3, 26, generator=seeded(0)), signs(50, 26, generator=seeded(1))
    cold, zero = ClassicalHopfield(temperature=1e-9), ClassicalHopfield()
    cold.store(rows)
    zero.store(rows)
    fields = cues @ zero.coupling
    assert (fields != 0).all(), "premise: 3 odd overlaps with 25 other units never cancel"
    order = seeded(7)
    assert torch.equal(cold.update(cues, generator=seeded(7)), zero.update(cues, generator=order))


def test_thermal_ties_are_even():
    memory = ClassicalHopfield(temperature=1.0)
    memory.store(torch.ones(1, 1))  # one unit without a diagonal has no field
    trials = 20_000
    ones = (memory.update(torch.ones(trials, 1), generator=seeded(0)) > 0).sum().item()
    assert abs(ones - trials / 2) < 5 * math.sqrt(trials) / 2


# ---- capacity


def test_the_overlap_at_a_load_of_a_tenth():
    """Hebb at N = 1000, n = 100: .998 ± .002 after ten and more draws (Amit et al. 1985: .997)."""
    means = []
    for seed in range(2):
        rows = signs(100, 1000, generator=seeded(seed))
        memory = ClassicalHopfield()
        memory.store(rows)
        found = memory.retrieve(rows[:20])
        assert found.converged.all()
        means.append(((found.state * rows[:20]).sum(-1) / 1000).mean().item())
    assert abs(sum(means) / 2 - 0.998) < 0.004


def test_pseudo_inverse_of_strongly_dependent_rows():
    """The cut-off follows the largest eigenvalue: that of 60 copies is 60 times a row's square."""
    generator = seeded(1)

    def whole(low, high):
        return int(torch.randint(low, high + 1, (1,), generator=generator))

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    for _ in range(250):
        n, dim = whole(1, 69), whole(1, 11)
        rank = whole(1, min(n, dim))
        rows = normal(rank, dim)[torch.randint(rank, (n,), generator=generator)]
        rows = rows + 10.0 ** -whole(8, 20) * normal(n, dim)
        matrix = rules.pseudo_inverse(rows, diagonal=True)
        assert (matrix @ matrix - matrix).abs().max() <= 1e-13
        assert (rows @ matrix - rows).abs().max() <= 1e-6 * rows.abs().max()


@either_diagonal
def test_the_quadratic_form_is_that_of_the_matrix(diagonal):
    """xᵀWx of a coupling with two different factors, as W x and W say."""
    left, right = (biased(3, 7, seed).double() + 0.5 * seed for seed in (1, 2))
    own = None if diagonal else (left * right).sum(0)
    coupling = LowRankCoupling(left, right, 0.25, own)
    states = biased(5, 7, 3).double()
    matrix = coupling.matrix()
    torch.testing.assert_close(coupling.field_from(coupling.products(states), states),
                               states @ matrix.T)  # fmt: skip
    torch.testing.assert_close(
        coupling.quadratic(states), torch.einsum("bi,ij,bj->b", states, matrix, states)
    )


@pytest.mark.parametrize("rule", ["hebbian", "covariance"])
def test_couplings_of_stores_that_are_not_resident(rule, monkeypatch):
    """Few rows are kept, of many only W; sums beyond 2²⁴ are in float64."""
    for count in (4, 40):
        store = RamStore()
        store.append(biased(count, 20, 1).float())
        expected = learn(rule, store, True)
        wanted, bias = expected.coupling.matrix(), expected.thresholds
        with monkeypatch.context() as patch:
            patch.setattr(RamStore, "resident", False)
            learned = learn(rule, store, True)
            patch.setitem(EXACT_INTEGERS, torch.float32, 20 * count)
            large = learn(rule, store, True).coupling
        found = learned.coupling
        assert bias is None or torch.equal(learned.thresholds, bias)
        assert isinstance(found, LowRankCoupling if count == 4 else FullCoupling)
        assert (found.dtype, large.dtype) == (torch.float32, torch.float64)
        torch.testing.assert_close(found.matrix(), wanted, rtol=1e-5, atol=1e-6)
