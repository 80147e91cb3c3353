"""Energies of every network by plain loops in float64, and the polynomial unit rule by integers."""

import math
from collections.abc import Callable

import pytest
import torch

from cases import seeded, signs
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    Entmax,
    ModernHopfield,
    Polynomial,
    RectifiedPolynomial,
    Separation,
    Softmax,
    Sparsemax,
    TopK,
    energy,
    rules,
    units,
)
from hopfield import similarity as similarities
from hopfield.errors import DomainError

Floats = list[float]
SCHEDULES = ("synchronous", "asynchronous")


# ---- potentials, one pattern after another


def exponential(beta: float) -> Callable[[Floats], float]:
    """β⁻¹ log mean exp(βs), far from overflow."""
    return lambda s: math.log(math.fsum(math.exp(beta * x) for x in s) / len(s)) / beta


def largest(k: int, beta: float) -> Callable[[Floats], float]:
    """Exponential potential over the k largest scores."""
    return lambda s: exponential(beta)(sorted(s)[-k:])


def simplex_maximum(alpha: float, beta: float) -> Callable[[Floats], float]:
    """max_p p·s + β⁻¹(H_α(p) − H_α(1/n)), p by bisection on its threshold."""

    def potential(s: Floats) -> float:
        z = [(alpha - 1) * beta * x for x in s]
        low, high = max(z) - 1, max(z)
        for _ in range(200):
            tau = (low + high) / 2
            total = math.fsum(max(0.0, x - tau) ** (1 / (alpha - 1)) for x in z)
            low, high = (tau, high) if total >= 1 else (low, tau)
        p = [max(0.0, x - low) ** (1 / (alpha - 1)) for x in z]
        entropy = math.fsum(x - x**alpha for x in p) - (1 - len(s) ** (1 - alpha))
        gain = entropy / (alpha * (alpha - 1) * beta)
        return math.fsum(a * b for a, b in zip(p, s, strict=True)) + gain

    return potential


POTENTIALS: dict[str, tuple[Separation, Callable[[Floats], float]]] = {
    "softmax": (Softmax(0.7), exponential(0.7)),
    "sparsemax": (Sparsemax(0.3), simplex_maximum(2.0, 0.3)),
    "entmax": (Entmax(1.5, 0.3), simplex_maximum(1.5, 0.3)),
    "topk": (TopK(3, 0.7), largest(3, 0.7)),
    "polynomial2": (Polynomial(2), lambda s: math.fsum(x**2 for x in s)),
    "polynomial3": (Polynomial(3), lambda s: math.fsum(x**3 for x in s)),
    "rectified4": (RectifiedPolynomial(4), lambda s: math.fsum(max(0, x) ** 4 for x in s)),
}
SIMPLEX = [name for name, (separation, _) in POTENTIALS.items() if separation.simplex]
DENSE = ["softmax", "polynomial2", "polynomial3", "rectified4"]


@pytest.mark.parametrize("name", SIMPLEX)
@pytest.mark.parametrize("similarity", ["dot", "euclidean", "manhattan"])
def test_modern_energies_by_loops(name, similarity):
    """½Σx² − F + ½M² for the dot product, −F for the others."""
    separation, potential = POTENTIALS[name]
    rows = torch.randn(6, 5, generator=seeded(0), dtype=torch.float64)
    states = torch.randn(7, 5, generator=seeded(1), dtype=torch.float64)
    memory = ModernHopfield(separation=separation, similarity=similarity)
    memory.store(rows)
    norm = max(math.fsum(v * v for v in row) for row in rows.tolist())
    for state, found in zip(states.tolist(), memory.energy(states).tolist(), strict=True):
        pairs = [list(zip(row, state, strict=True)) for row in rows.tolist()]
        if similarity == "dot":
            own = math.fsum(x * x for x in state) / 2 + norm / 2
            expected = own - potential([math.fsum(a * b for a, b in each) for each in pairs])
        elif similarity == "euclidean":
            s = [-math.fsum((a - b) ** 2 for a, b in each) / 2 for each in pairs]
            expected = -potential(s)
            # The same as ½‖x‖² − F(Xx − ½‖x_μ‖²): a dot product with a bias each.
            shifted = [x + math.fsum(v * v for v in state) / 2 for x in s]
            also = math.fsum(v * v for v in state) / 2 - potential(shifted)
            assert expected == pytest.approx(also, abs=1e-12)
        else:
            expected = -potential([-math.fsum(abs(a - b) for a, b in each) for each in pairs])
        assert found == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("name", SIMPLEX)
@pytest.mark.parametrize("shared", [True, False])
def test_masked_energies_by_loops(name, shared):
    """Known entries only: R(m⊙x) − F(s_m) + ½M², and −F(−½‖m⊙(x_μ − x)‖²)."""
    separation, potential = POTENTIALS[name]
    rows = torch.randn(6, 5, generator=seeded(0), dtype=torch.float64)
    states = torch.randn(7, 5, generator=seeded(1), dtype=torch.float64)
    known = torch.rand(5 if shared else (7, 5), generator=seeded(2)) < 0.6
    norm = rows.square().sum(-1).max().item()
    masks = known.expand(7, 5).tolist()
    for similarity in ("dot", "euclidean"):
        memory = ModernHopfield(separation=separation, similarity=similarity)
        memory.store(rows)
        found = memory.retrieve(states, known, steps=0).energy.tolist()
        for state, mask, value in zip(states.tolist(), masks, found, strict=True):
            seen = [i for i, m in enumerate(mask) if m]
            if similarity == "dot":
                s = [math.fsum(row[i] * state[i] for i in seen) for row in rows.tolist()]
                own = math.fsum(state[i] ** 2 for i in seen) / 2 + norm / 2
            else:
                s = [-math.fsum((r[i] - state[i]) ** 2 for i in seen) / 2 for r in rows.tolist()]
                own = 0.0
            assert value == pytest.approx(own - potential(s), abs=1e-11)


@pytest.mark.parametrize("name", DENSE)
def test_dense_energies_by_loops(name):
    """−F(Xx), also of states with unknown entries."""
    separation, potential = POTENTIALS[name]
    rows, states = signs(6, 9, generator=seeded(0)), signs(7, 9, generator=seeded(1))
    states[:3, :4] = 0.0
    for schedule in SCHEDULES:
        memory = DenseHopfield(separation=separation, schedule=schedule)
        memory.store(rows.double())
        for state, found in zip(states, memory.energy(states.double()).tolist(), strict=True):
            s = [float(v) for v in (rows @ state).tolist()]
            assert found == pytest.approx(-potential(s), rel=1e-14, abs=1e-13)


# ---- polynomial units by integers


def sign(number: int, present: int) -> int:
    """The sign, or the present value for 0."""
    return (number > 0) - (number < 0) or present


def gain(rows: list[list[int]], x: list[int], i: int, separation: Separation) -> int:
    """F(s | x_i = +1) − F(s | x_i = −1) in integers of any size."""
    floor = 0 if isinstance(separation, RectifiedPolynomial) else -(10**9)

    def potential(value: int) -> int:
        state = [*x[:i], value, *x[i + 1 :]]
        s = [sum(a * b for a, b in zip(row, state, strict=True)) for row in rows]
        return sum(max(floor, score) ** separation.degree for score in s)

    return potential(1) - potential(-1)


POLYNOMIALS = [Polynomial(d) for d in (1, 2, 3, 4, 9, 25)] + [
    RectifiedPolynomial(d) for d in (1, 2, 3, 8, 25)
]
every_polynomial = pytest.mark.parametrize("separation", POLYNOMIALS, ids=str)


@every_polynomial
@pytest.mark.parametrize("n", [3, 12])
def test_polynomial_units_by_integers(separation, n):
    rows, states = signs(n, 11, generator=seeded(n)), signs(9, 11, generator=seeded(1))
    states[5:] = torch.where(torch.rand(4, 11, generator=seeded(2)) < 0.5, states[5:], 0.0)
    exact = [[int(v) for v in row] for row in rows.tolist()]
    together = DenseHopfield(separation=separation, schedule="synchronous")
    one_by_one = DenseHopfield(separation=separation, schedule="asynchronous")
    together.store(rows)
    one_by_one.store(rows)
    at_once = together.update(states).tolist()
    in_turn = one_by_one.update(states, generator=seeded(3)).tolist()
    order = torch.randperm(11, generator=seeded(3)).tolist()
    for state, new, swept in zip(states.tolist(), at_once, in_turn, strict=True):
        x = [int(v) for v in state]
        assert new == [sign(gain(exact, x, i, separation), x[i]) for i in range(11)]
        for i in order:
            x[i] = sign(gain(exact, x, i, separation), x[i])
        assert swept == x


@pytest.mark.parametrize("separation", POLYNOMIALS[:5], ids=str)
def test_a_dense_flip_changes_the_energy_by_its_gain(separation):
    rows, state = signs(5, 11, generator=seeded(0)), signs(1, 11, generator=seeded(1))[0]
    exact, x = [[int(v) for v in row] for row in rows.tolist()], [int(v) for v in state.tolist()]
    memory = DenseHopfield(separation=separation)
    memory.store(rows.double())
    for i in range(11):
        flipped = state.clone().double()
        flipped[i] *= -1
        change = (memory.energy(flipped) - memory.energy(state.double())).item()
        assert change == x[i] * gain(exact, x, i, separation)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_degree_two_is_the_classical_network(schedule):
    """E = 2N·E_classical − nN, and the same flips."""
    rows, states = signs(4, 33, generator=seeded(0)), signs(40, 33, generator=seeded(1))
    dense = DenseHopfield(separation=Polynomial(2), schedule=schedule)
    classical = ClassicalHopfield(schedule=schedule)
    dense.store(rows)
    classical.store(rows)
    expected = 2 * 33 * classical.energy(states).double() - 4 * 33
    torch.testing.assert_close(dense.energy(states).double(), expected, rtol=1e-6, atol=1e-3)
    one, other = classical.retrieve(states), dense.retrieve(states)
    assert torch.equal(one.state, other.state)
    assert torch.equal(one.steps, other.steps)
    assert torch.equal(one.converged, other.converged)
    assert (one.steps > 1).any(), "premise: several sweeps"
    half = torch.where(torch.rand(40, 33, generator=seeded(2)) < 0.5, states, 0.0)
    assert torch.equal(classical.retrieve(half).state, dense.retrieve(half).state)


def test_the_exponential_energy_has_the_order_of_demircigil_s():
    """β⁻¹ log mean exp is monotone in Σ exp: the same states are lower."""
    rows, states = signs(6, 30, generator=seeded(0)), signs(50, 30, generator=seeded(1))
    memory = DenseHopfield(1.0)
    memory.store(rows.double())
    sums = (states.double() @ rows.double().T).exp().sum(-1)
    ordered = sums[memory.energy(states.double()).argsort()]
    tied = 16 * torch.finfo(torch.float64).eps * ordered  # sums of the same terms in another order
    assert (ordered.diff() <= tied[1:]).all() and ordered.unique().numel() > 10


def test_a_rule_s_matrix_has_an_energy():
    patterns = signs(3, 12, generator=seeded(5))
    memory = ClassicalHopfield()
    memory.store(patterns[:1])
    coupling = rules.hebbian(patterns[:1])
    torch.testing.assert_close(energy.classical(patterns, coupling), memory.energy(patterns))


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("name", SIMPLEX)
def test_a_network_of_pure_functions(name, similarity):
    """Scores, potential, energy and step from plain tensors are those of a memory."""
    separation, _ = POTENTIALS[name]
    rows = torch.randn(6, 5, generator=seeded(0), dtype=torch.float64)
    states = torch.randn(2, 3, 5, generator=seeded(1), dtype=torch.float64)
    memory = ModernHopfield(separation=separation, similarity=similarity)
    memory.store(rows)
    scores = getattr(similarities, similarity)(rows, states)
    potential, largest = separation.potential(scores), rows.norm(dim=1).max()
    found = energy.modern(states, potential, largest, similarity)
    torch.testing.assert_close(found, memory.energy(states), rtol=0, atol=1e-12)
    torch.testing.assert_close(separation(scores) @ rows, memory.update(states))
    bare = energy.modern(states, potential, similarity=similarity)
    constant = largest**2 / 2 if similarity == "dot" else torch.zeros(())
    torch.testing.assert_close(found - bare, constant.double().expand(2, 3))


@pytest.mark.parametrize("name", DENSE)
def test_a_dense_energy_of_pure_functions(name):
    separation, _ = POTENTIALS[name]
    rows, states = signs(6, 9, generator=seeded(0)), signs(7, 9, generator=seeded(1))
    memory = DenseHopfield(separation=separation)
    memory.store(rows.double())
    scores = similarities.dot(rows.double(), states.double())
    found = energy.dense(separation.potential(scores))
    torch.testing.assert_close(found, memory.energy(states.double()), rtol=1e-14, atol=0)


@pytest.mark.parametrize("rule", [*rules.LOW_RANK, "storkey"])
@pytest.mark.parametrize("diagonal", [False, True])
def test_sweeps_of_a_matrix_are_those_of_the_memory(rule, diagonal):
    """By all units at once with the diagonal as it is; one by one without it."""
    rows, states = signs(3, 24, generator=seeded(0)), signs(40, 24, generator=seeded(1))
    thresholds = torch.linspace(-0.3, 0.3, 24)
    matrix = getattr(rules, rule)(rows, diagonal)
    for schedule in SCHEDULES:
        memory = ClassicalHopfield(
            rule, diagonal=diagonal, schedule=schedule, thresholds=thresholds
        )
        memory.store(rows)
        order = None
        if schedule == "asynchronous":
            order = torch.randperm(24, generator=seeded(3))
        found = units.classical_sweep(matrix, states, order, thresholds=thresholds)
        expected = memory.update(states, generator=seeded(3))
        assert torch.equal(found, expected)
        assert not torch.equal(found, states), "premise: something moves"


@pytest.mark.parametrize("form", [energy.classical, energy.graded])
def test_a_matrix_that_is_not_symmetric_has_no_energy(form):
    directed = torch.tensor([[0.0, 1.0], [0.5, 0.0]])
    with pytest.raises(DomainError, match=r"coupling must be symmetric.*symmetric=False"):
        form(torch.ones(2), directed)
