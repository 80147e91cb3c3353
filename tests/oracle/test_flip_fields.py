"""Fields of dense units and their exact signs, against fractions and many digits."""

from collections.abc import Callable
from fractions import Fraction

import mpmath
import pytest
import torch

from cases import seeded, signs
from hopfield import Polynomial, RectifiedPolynomial, Separation, Softmax
from hopfield.separation.softmax import exact_sign_of_exponentials
from hopfield.stores import Block
from hopfield.units.flips import FlipRule, flip_rule

EPS = torch.finfo(torch.float64).eps
DIM, COUNT = 13, 6
ROWS = signs(COUNT, DIM, generator=seeded(0), dtype=torch.float64)
STATES = signs(5, DIM, generator=seeded(1), dtype=torch.float64)
STATES[4, ::3] = 0.0  # unknown units
STATES[3] = 0.0


def exponential(beta: float, ahead: int = 0) -> Callable[[int, int], mpmath.mpf]:
    """exp(β(level − top)), the summand of the exponential rule."""
    return lambda level, top: mpmath.exp(mpmath.mpf(beta) * (level - top - ahead))


def power(degree: int, rectified: bool = False) -> Callable[[int, int], Fraction]:
    """g(level) = f(level + 1) − f(level − 1)."""

    def gain(level: int, top: int) -> Fraction:
        up, down = level + 1, level - 1
        if rectified:
            up, down = max(up, 0), max(down, 0)
        return Fraction(up**degree - down**degree)

    return gain


RULES = {
    "exponential, flat": (Softmax(0.05), exponential(0.05)),
    "exponential": (Softmax(0.4), exponential(0.4)),
    "exponential, steep": (Softmax(1.3), exponential(1.3)),
    "degree 2": (Polynomial(2), power(2)),
    "degree 5": (Polynomial(5), power(5)),
    "degree 16": (Polynomial(16), power(16)),
    "rectified 3": (RectifiedPolynomial(3), power(3, True)),
    "rectified 1": (RectifiedPolynomial(1), power(1, True)),
}
every_rule = pytest.mark.parametrize("name", RULES)


def levels_of(state: torch.Tensor, unit: int) -> list[int]:
    """Scores of the patterns without a unit."""
    without = ROWS @ state - ROWS[:, unit] * state[unit]
    return [int(level) for level in without]


def exact_field(name: str, state: torch.Tensor, unit: int) -> tuple[object, object]:
    """Σ_μ x_μi g(level) and Σ_μ |g(level)|."""
    levels, gain = levels_of(state, unit), RULES[name][1]
    terms = [gain(level, max(levels)) for level in levels]
    column = [int(x) for x in ROWS[:, unit]]
    total = sum(x * term for x, term in zip(column, terms, strict=True))
    return total, sum(abs(term) for term in terms)


def check_bound(found: float, bound: float, exact: object, size: object) -> None:
    """The rounding is within its bound, which is small beside the terms."""
    with mpmath.workdps(60):
        error = abs(mpmath.mpf(found) - mpmath.mpmathify(exact))
        assert error <= bound
        assert bound <= 1e4 * EPS * mpmath.mpmathify(size)


@every_rule
def test_the_field_of_one_unit(name):
    rule = flip_rule(RULES[name][0])
    for state in STATES:
        for unit in range(DIM):
            levels = torch.tensor(levels_of(state, unit), dtype=torch.float64)
            field, bound = rule.one_unit(levels, ROWS[:, unit])
            check_bound(float(field), float(bound), *exact_field(name, state, unit))


@every_rule
def test_the_fields_of_all_units(name):
    separation = RULES[name][0]
    rule: FlipRule = flip_rule(separation)
    blocks = [Block(0, ROWS[:4]), Block(4, ROWS[4:])]
    for state in STATES:  # one by one: no other state has unknown units
        field, bound = rule.all_units(blocks, state[None], None)
        bound = torch.as_tensor(bound).expand(field.shape)
        for unit in range(DIM):
            exact, size = exact_field(name, state, unit)
            if isinstance(separation, Softmax):  # its field has another unit, but that sign
                assert float(field[0, unit]) * float(exact) > 0 or abs(exact) < 1e-9 * size
                assert float(bound[0, unit]) <= 1e4 * EPS
            else:
                check_bound(float(field[0, unit]), float(bound[0, unit]), exact, size)


@every_rule
def test_the_table_holds_the_summands(name):
    separation, gain = RULES[name]
    table = flip_rule(separation).table(COUNT, DIM)
    for at, value in enumerate(table.values.tolist()):
        level = table.shift - at if table.shift >= 0 else -at - 1  # below the best score plus one
        exact = gain(level, -1 if table.shift < 0 else 0)
        check_bound(value, table.rounding * abs(value), exact, abs(exact))
    assert len(table.values) >= 2 * DIM + 2, "levels from −dim to dim, and one more"


@pytest.mark.parametrize("beta", [0.0, 1e-3, 0.3, 2.0])
def test_signs_of_sums_of_exponentials(beta):
    generator = seeded(3)
    seen = set()
    for _ in range(60):
        top = int(torch.randint(-5, 20, (), generator=generator))
        depths = torch.randperm(9, generator=generator)[:4].sort().values.tolist()
        counts = torch.randint(-3, 4, (4,), generator=generator).tolist()
        levels = [(top - d, c) for d, c in zip(depths, counts, strict=True) if c]
        if not levels:
            continue
        with mpmath.workdps(400):
            total = mpmath.fsum(count * mpmath.exp(beta * mpmath.mpf(u)) for u, count in levels)
        wanted = int(mpmath.sign(total))
        seen.add(wanted)
        assert exact_sign_of_exponentials(levels, beta) == wanted
        assert Softmax(beta).exact_flip_sign(levels) == wanted
    assert seen == ({-1, 0, 1} if beta == 0 else {-1, 1})


def test_a_sign_that_fifty_digits_do_not_tell():
    # e^{β·u} against its Taylor sum: at β = 1e-40 two counts cancel to first order.
    levels = [(2, 1), (1, -2), (0, 1)]  # (e^β − 1)² > 0
    assert exact_sign_of_exponentials(levels, 1e-40) == 1
    assert exact_sign_of_exponentials([(u, -c) for u, c in levels], 1e-40) == -1


@pytest.mark.parametrize("separation", [Polynomial(3), Polynomial(40), RectifiedPolynomial(4)])
def test_signs_of_sums_of_powers(separation):
    gain = power(separation.degree, isinstance(separation, RectifiedPolynomial))
    generator = seeded(4)
    for _ in range(60):
        levels = torch.randint(-9, 10, (4,), generator=generator).tolist()
        counts = torch.randint(-3, 4, (4,), generator=generator).tolist()
        pairs = list(zip(levels, counts, strict=True))
        total = sum(count * gain(level, 0) for level, count in pairs)
        assert separation.exact_flip_sign(pairs) == (total > 0) - (total < 0)
    assert separation.exact_flip_sign([(3, 2), (3, -2)]) == 0


class Exponential(Separation):
    """F(s) = Σ exp(rate·s_μ): a user's sum over patterns, of smooth summands, without exact signs.

    `flip_gain_rounding` and the range of parameters are the defaults.
    """

    simplex, rate = False, 0.7003

    def potential(self, scores):
        return (self.rate * scores).exp().sum(-1)

    def __call__(self, scores):
        return self.rate * (self.rate * scores).exp()

    def flip_gain(self, scores):
        return (self.rate * (scores + 1)).exp() - (self.rate * (scores - 1)).exp()


@pytest.mark.parametrize("size", [1, 30, 900])
def test_the_field_of_a_sum_of_a_user(size):
    levels = size * torch.rand(40, 6, generator=seeded(5), dtype=torch.float64).mul(2).sub(1)
    columns = signs(40, 6, generator=seeded(6), dtype=torch.float64)
    rule, rate = flip_rule(Exponential()), mpmath.mpf(Exponential.rate)
    for level, column in zip(levels.round(), columns, strict=True):
        with mpmath.workdps(60):
            gains = [2 * mpmath.sinh(rate) * mpmath.exp(rate * int(u)) for u in level]
            exact = mpmath.fsum(int(x) * g for x, g in zip(column, gains, strict=True))
            field, bound = rule.one_unit(level, column)
            check_bound(float(field), float(bound), exact, mpmath.fsum(gains))
    table = rule.table(COUNT, DIM)
    assert table.exact_size == 0, "no sum is free of rounding"
    assert Exponential().parameter_range("rate") == (-torch.inf, torch.inf)
