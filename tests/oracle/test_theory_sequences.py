"""Theory of sequences: published values, brute force over all small sequences, and simulation."""

import math

import pytest
import torch

from draws import all_states, generator, signs
from hopfield import Polynomial, SequenceHopfield, theory
from hopfield.errors import DomainError

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


def test_the_critical_load_is_the_published_one():
    assert theory.sequence_critical_load() == pytest.approx(0.269, abs=5e-4)  # Düring et al. 1998


@pytest.mark.parametrize("load", [0.02, 0.1, 0.2, 0.25, 0.268])
def test_the_overlap_solves_the_equations_of_the_stationary_state(load):
    # m = erf(m/√(2αr)), χ = √(2/(παr)) exp(−m²/(2αr)), r = 1/(1 − χ²), by iteration from m = 1.
    m, r = 1.0, 1.0
    for _ in range(20_000):
        width = 2 * load * r
        m = math.erf(m / math.sqrt(width))
        r = 1 / (1 - 4 / (math.pi * width) * math.exp(-2 * m * m / width))
    assert theory.sequence_overlap(load) == pytest.approx(m, abs=1e-9)


@pytest.mark.parametrize("degree", [2, 3, 4])
def test_the_overlap_of_a_higher_degree_is_a_fixed_point_of_one_step(degree):
    critical = theory.sequence_critical_load(degree)
    for load in (0.05, 0.5 * critical, 0.999 * critical):
        m = 1.0
        for _ in range(5000):
            m = math.erf(m**degree / math.sqrt(2 * load))
        assert theory.sequence_overlap(load, degree) == pytest.approx(m, abs=1e-6)
    m = 1.0
    for _ in range(5000):
        m = math.erf(m**degree / math.sqrt(2.02 * critical))
    assert m < 0.1, "nothing is recalled above the critical load"


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_nothing_is_recalled_above_the_critical_load(degree):
    critical = theory.sequence_critical_load(degree)
    assert theory.sequence_overlap(critical - 1e-9, degree) > 0.7
    assert theory.sequence_overlap(critical + 1e-9, degree) == 0


def test_numbers_of_steps():
    assert theory.sequence_load(1, 100, 25) == 0.25
    assert theory.sequence_load(3, 10, 100) == 1.5  # 5!! = 15
    assert theory.sequence_steps(2, 50) == pytest.approx(2500 / (6 * math.log(50)))
    assert theory.sequence_steps(2, 50, whole=True) == theory.sequence_steps(2, 50) / 3
    # At that number the chance of a wrong bit is 1/N, up to the root of a logarithm.
    for degree in (1, 2):
        units = 10**4
        load = theory.sequence_load(degree, units, 1) * theory.sequence_steps(degree, units)
        assert load == pytest.approx(1 / (2 * math.log(units)))


def all_rows(count, dim):
    bits = all_states(count * dim)
    return bits.double().reshape(-1, count, dim)


def wrong_bits(rows, degree):
    """Share of wrong bits after one step from the first of each sequence; a tie keeps its bit."""
    scores = (rows[:, :-1] @ rows[:, 0, :, None])[..., 0]
    fields = (scores[:, None] ** degree @ rows[:, 1:])[:, 0]
    return float(
        (torch.where(fields == 0, rows[:, 0], fields.sign()) != rows[:, 1]).double().mean()
    )


@pytest.mark.parametrize(("steps", "units"), [(1, 5), (2, 5), (2, 6), (3, 4), (4, 3), (5, 2)])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_the_exact_error_is_that_of_all_sequences(degree, steps, units):
    exact = wrong_bits(all_rows(steps + 1, units), degree)
    assert theory.sequence_error_exact(degree, units, steps) == pytest.approx(exact, abs=1e-9)


def test_the_exact_error_is_that_of_the_network():
    errors, units, steps = [], 40, 30
    for seed in range(60):
        rows = signs(steps + 1, units, seed=seed)
        memory = SequenceHopfield(Polynomial(3))
        memory.store(rows[:-1], rows[1:])
        errors.append(float((memory.update(rows[0]) != rows[1]).double().mean()))
    rest = theory.sequence_error_exact(2, units, steps)
    mean, error = sum(errors) / 60, math.sqrt(rest / (60 * units))
    assert abs(mean - rest) < 4 * error


def test_the_exact_error_approaches_the_normal_one():
    for degree, units, load in ((1, 2000, 0.2), (2, 600, 0.2)):
        steps = round(load / theory.sequence_load(degree, units, 1))
        tail = 0.5 * math.erfc(1 / math.sqrt(2 * load))
        assert theory.sequence_error_exact(degree, units, steps) == pytest.approx(tail, rel=0.05)


@pytest.mark.parametrize("call", [
    lambda: theory.sequence_critical_load(0),
    lambda: theory.sequence_overlap(-0.1),
    lambda: theory.sequence_steps(2, 1),
    lambda: theory.sequence_error_exact(2, 10, 0),
])  # fmt: skip
def test_arguments_have_their_range(call):
    with pytest.raises(DomainError, match="must be"):
        call()


def test_random_sequences_keep_the_overlap_of_theory():
    units, load = 800, 0.15
    rows = signs(round(load * units), units, seed=3)
    memory = SequenceHopfield(cyclic=True)
    memory.store(rows)
    starts = torch.randperm(len(rows), generator=generator(1))[:30]
    state = memory.roll(rows[starts], 40, overlaps=False).states[-1]
    overlap = (state * rows[(starts + 40) % len(rows)]).mean()
    assert overlap == pytest.approx(theory.sequence_overlap(load), abs=5e-3)
