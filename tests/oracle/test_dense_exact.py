"""The exponential unit rule against arithmetic with as many digits as it takes.

Patterns of equal score without the unit, s^{∖i}, are counted as integers; there remains the sign
of Σ count·exp(β·level), by mpmath. Nothing here is shared with src/hopfield/exact.py.
"""

from collections import Counter
from functools import cache

import mpmath
import pytest
import sklearn.datasets  # noqa: F401  what it loads draws from `random` once: not in a test
import torch

from cases import seeded, signs
from hopfield import CapacityWarning, ClassicalHopfield, DenseHopfield, Softmax, data, units
from hopfield.stores import Block

BETAS = [1e-3, 0.05, 0.3, 1.0, 3.0, 8.9, 9.1, 30.0, 1e3]
every_beta = pytest.mark.parametrize("beta", BETAS)


@cache
def power(beta: float, depth: int, digits: int) -> mpmath.mpf:
    """exp(−β·depth)."""
    with mpmath.workdps(digits):
        return mpmath.exp(-mpmath.mpf(beta) * depth)


def exact_sign(levels: torch.Tensor, column: torch.Tensor, beta: float) -> int:
    """The sign of Σ_μ x_μi exp(β s_μ^{∖i})."""
    counts: Counter[int] = Counter()
    for level, x in zip(levels.tolist(), column.tolist(), strict=True):
        counts[int(level)] += int(x)
    counts = Counter({level: count for level, count in counts.items() if count})
    if not counts:
        return 0
    top = max(counts)
    for digits in (25, 400, 4000):
        with mpmath.workdps(digits):
            terms = [count * power(beta, top - level, digits) for level, count in counts.items()]
            total, size = mpmath.fsum(terms), mpmath.fsum(abs(term) for term in terms)
            if abs(total) > size * mpmath.mpf(10) ** (10 - digits):
                return int(mpmath.sign(total))
    raise AssertionError("4000 digits do not tell: is the sum zero?")


def exact_unit(rows: torch.Tensor, state: torch.Tensor, i: int, beta: float) -> float:
    """New value of unit i."""
    without = state.clone()
    without[i] = 0.0
    decided = exact_sign(rows @ without, rows[:, i], beta)
    return float(decided) if decided else float(state[i])


def exact_step(rows: torch.Tensor, states: torch.Tensor, beta: float) -> list[list[float]]:
    """One synchronous step."""
    dim = range(states.shape[-1])
    return [[exact_unit(rows, state, i, beta) for i in dim] for state in states]


def exact_sweep(rows: torch.Tensor, states: torch.Tensor, beta: float, order: list[int]):
    """One sweep, unit by unit."""
    swept = states.clone()
    for state in swept:
        for i in order:
            state[i] = exact_unit(rows, state, i, beta)
    return swept.tolist()


def stored(rows: torch.Tensor, beta: float, schedule: str = "synchronous") -> DenseHopfield:
    """A memory that holds the rows."""
    memory = DenseHopfield(beta, schedule=schedule)
    memory.store(rows)
    return memory


# ---- random patterns and digits


@every_beta
@pytest.mark.parametrize(("n", "dim"), [(1, 1), (2, 5), (8, 16), (101, 24)])
def test_random_patterns(beta, n, dim):
    rows, states = signs(n, dim, generator=seeded(n)), signs(6, dim, generator=seeded(n + 1))
    states[3:] = torch.where(torch.rand(3, dim, generator=seeded(2)) < 0.5, states[3:], 0.0)
    assert stored(rows, beta).update(states).tolist() == exact_step(rows, states, beta)
    order = torch.randperm(dim, generator=seeded(4)).tolist()
    found = stored(rows, beta, "asynchronous").update(states, generator=seeded(4))
    assert found.tolist() == exact_sweep(rows, states, beta, order)


@every_beta
@pytest.mark.parametrize("n", [10, 1000])
def test_digits_whole_and_half_unknown(beta, n):
    rows = data.load("digits").binary()[:n]
    some = torch.tensor([0, n // 2])
    known = torch.arange(64) < 32
    half = torch.where(known, rows[some], 0.0)
    noisy = torch.where(torch.rand(2, 64, generator=seeded(5)) < 0.3, -rows[some], rows[some])
    states = torch.cat([half[:1], noisy[:1]])
    memory = stored(rows, beta)
    expected = exact_step(rows, states, beta)
    assert memory.update(states).tolist() == expected
    free = [[x for x, k in zip(row, known, strict=True) if not k] for row in expected[:1]]
    found = memory.retrieve(rows[some[:1]], known, steps=1)
    undecided = [[x or 1.0 for x in row] for row in free]  # still unknown at the end is +1
    assert found.state[:, ~known].tolist() == undecided
    assert torch.equal(found.state[:, known], rows[some[:1]][:, known])


@pytest.mark.parametrize("beta", [1e-3, 0.3, 9.1, 1e3])
def test_digits_unit_by_unit(beta):
    rows = data.load("digits").binary()[:60]
    states = torch.where(torch.arange(64) < 32, rows[:2], 0.0)
    order = torch.randperm(64, generator=seeded(4)).tolist()
    found = stored(rows, beta, "asynchronous").update(states, generator=seeded(4))
    assert found.tolist() == exact_sweep(rows, states, beta, order)


# ---- where rounding would decide


def tied(pairs: int, level: int, below: int, dim: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs that cancel at the best level for unit 0, and one pattern with x_0 = −1 below them.

    Each pair agrees on all units but the first. The states are all +1, but for unit 0 of one.
    """
    rows = torch.ones(2 * pairs + 1, dim)
    generator = seeded(pairs)
    for pair in range(pairs):
        wrong = torch.randperm(dim - 1, generator=generator)[:level] + 1
        rows[2 * pair, wrong] = rows[2 * pair + 1, wrong] = -1.0
        rows[2 * pair, 0] = -1.0
    rows[-1, 0] = -1.0
    rows[-1, 1 + torch.randperm(dim - 1, generator=generator)[: level + below]] = -1.0
    states = torch.ones(2, dim)
    states[1, 0] = -1.0
    return rows, states


@pytest.mark.parametrize("beta", [0.3, 1.0, 9.1, 30.0, 1e3])
@pytest.mark.parametrize("below", [1, 5, 20])
@pytest.mark.parametrize("schedule", ["synchronous", "asynchronous"])
def test_the_best_scores_tie_and_lower_ones_decide(beta, below, schedule):
    rows, states = tied(pairs=20, level=3, below=below)
    without = states[0].clone()
    without[0] = 0.0
    levels = rows @ without
    best = levels == levels.max()
    assert rows[best, 0].sum() == 0, "premise: the best cancel"
    assert best.sum() == 40, "premise: by 20 pairs"
    if beta * below > 10:
        single = torch.softmax(beta * (rows @ states[0]), -1) @ rows[:, 0]
        lost = single - torch.tanh(torch.tensor(beta))
        assert lost.abs() < 1e-5, "premise: float32 loses what decides"
    assert exact_unit(rows, states[0], 0, beta) == -1.0
    memory = stored(rows, beta, schedule)
    order = torch.randperm(64, generator=seeded(1)).tolist()
    found = memory.update(states, generator=seeded(1)).tolist()
    if schedule == "synchronous":
        assert found == exact_step(rows, states, beta)
        assert [row[0] for row in found] == [-1.0, -1.0]
    else:
        assert found == exact_sweep(rows, states, beta, order)


@pytest.mark.parametrize("beta", [0.0, 1e-30, 1e-3, 1.0, 30.0, 1e30, float("inf")])
@pytest.mark.parametrize("schedule", ["synchronous", "asynchronous"])
def test_where_all_counts_cancel_the_present_value_stays(beta, schedule):
    half = signs(7, 20, generator=seeded(0))
    rows = torch.cat([half, half])
    rows[7:, 0] *= -1  # each pattern with its twin that differs in unit 0
    states = signs(3, 20, generator=seeded(1))
    states[:, 0] = torch.tensor([1.0, -1.0, 0.0])
    memory = stored(rows, beta, schedule)
    assert memory.update(states)[:, 0].tolist() == [1.0, -1.0, 0.0]
    found = memory.retrieve(states)
    assert found.state[:, 0].tolist() == [1.0, -1.0, 1.0]
    assert not found.converged[2]


@pytest.mark.parametrize("schedule", ["synchronous", "asynchronous"])
def test_beyond_saturation_every_beta_acts_alike(schedule):
    rows, states = signs(50, 30, generator=seeded(0)), signs(20, 30, generator=seeded(1))
    found = [stored(rows, beta, schedule).update(states) for beta in (3.0, 10.0, 1e6, float("inf"))]
    assert all(torch.equal(found[0], other) for other in found[1:])
    assert exact_step(rows, states[:3], 3.0) == exact_step(rows, states[:3], 500.0)


def test_a_beta_of_zero_counts_votes():
    rows, states = signs(5, 12, generator=seeded(0)), signs(6, 12, generator=seeded(1))
    assert torch.equal(stored(rows, 0.0).update(states), rows.sum(0).sign().expand(6, -1))


@pytest.mark.parametrize("beta", [0.01, 1.0, 9.1])
def test_float64_rows_and_blocks_decide_alike(beta, monkeypatch):
    rows, states = tied(pairs=10, level=2, below=2)
    expected = torch.tensor(exact_step(rows, states, beta))
    for size in (1, 4, 100):
        cut = [Block(i, rows[i : i + size]) for i in range(0, len(rows), size)]
        found = units.dense_sweep(cut, Softmax(beta), states, None)
        assert torch.equal(found, expected)
    assert torch.equal(stored(rows.double(), beta).update(states.double()), expected.double())
    assert torch.equal(stored(rows.half(), beta).update(states.half()), expected.half())


def test_the_exponential_rule_is_not_the_classical_one():
    rows, states = signs(20, 40, generator=seeded(0)), signs(20, 40, generator=seeded(1))
    classical = ClassicalHopfield("covariance", schedule="synchronous")
    with pytest.warns(CapacityWarning):
        classical.store(rows)
    assert not torch.equal(stored(rows, 1.0).update(states), classical.update(states))
