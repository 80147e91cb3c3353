"""What a diagnosis predicts is what the dynamics does, and what it proves holds."""

import math
from functools import cache

import pytest
import torch

import hopfield
from diagnosed import (
    SETS,
    SETTINGS,
    SLOW,
    agreement,
    clustered,
    gaussian,
    memory_of,
    some,
    source,
    stored,
)
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    ModernHopfield,
    Polynomial,
    RectifiedPolynomial,
    data,
    diagnose,
    synthetic,
)
from hopfield.stores import PackedStore


@cache
def report_of(name, setting):
    return diagnose(memory_of(SETS[name](300), setting))


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", SETS)
def test_predictions_hold_on_99_percent_of_patterns(name, setting):
    report = report_of(name, setting)
    assert min(agreement(report)) >= 0.99, report


@pytest.mark.parametrize(
    ("name", "setting"),
    [("digits", "entmax"), ("Gaussian", "entmax, many"), ("unit sphere", "entmax")],
)
def test_predictions_hold_where_patterns_are_about_to_be_lost(name, setting):
    report = diagnose(memory_of(SETS[name](100), setting, SLOW))
    assert min(agreement(report)) >= 0.99, report


def test_predictions_hold_on_mnist(mnist):
    patterns = some(data.load("mnist", split="test", folder=mnist).patterns, 200)
    for setting in ("euclidean", "dot"):
        report = diagnose(memory_of(patterns, setting))
        assert 0 < report.observed.attractor.double().mean() < 1, "premise: some hold, some do not"
        assert min(agreement(report)) >= 0.99, report


@pytest.mark.parametrize(("pairs", "beta", "seed"), [(60, 0.442, 0), (150, 0.46, 1)])
def test_swallowers_are_right_where_negatives_are_stored_too(pairs, beta, seed):
    """States pass near the unstable mixture of a pattern and its negative, and part from there."""
    patterns = torch.randn(pairs, 24, generator=source(seed))
    report = diagnose(stored(ModernHopfield(beta), torch.cat([patterns, -patterns])))
    assert int((report.observed.swallower >= 0).sum()) > 10, "premise: some are swallowed"
    assert min(agreement(report)) >= 0.995, report


def test_the_settings_tell_patterns_that_hold_from_those_that_do_not():
    """Or the predictions above would be vacuous."""
    shares = [
        report_of(name, setting).observed.attractor.double().mean().item()
        for name in SETS
        for setting in SETTINGS
    ]
    assert sum(0.05 < share < 0.95 for share in shares) >= 12, shares


BINARY = {
    "hebbian": lambda: ClassicalHopfield(),
    "hebbian, all at once": lambda: ClassicalHopfield(schedule="synchronous", diagonal=True),
    "pseudo-inverse": lambda: ClassicalHopfield("pseudo_inverse"),
    "storkey": lambda: ClassicalHopfield("storkey"),
    "covariance": lambda: ClassicalHopfield("covariance"),
    "thresholds": lambda: ClassicalHopfield(thresholds=torch.linspace(-0.1, 0.1, 100)),
    "packed": lambda: ClassicalHopfield(store=PackedStore()),
    "exponential": lambda: DenseHopfield(0.05),
    "exponential, sharp": lambda: DenseHopfield(2.0, store=PackedStore()),
    "exponential, one by one": lambda: DenseHopfield(0.06, schedule="asynchronous"),
    "degree 2": lambda: DenseHopfield(separation=Polynomial(2)),
    "degree 3": lambda: DenseHopfield(separation=Polynomial(3)),
    "degree 4, packed": lambda: DenseHopfield(separation=Polynomial(4), store=PackedStore()),
    "rectified": lambda: DenseHopfield(separation=RectifiedPolynomial(3)),
}
FAMILIES = synthetic.hierarchical(4, 5, 100, 0.7)


@pytest.mark.parametrize("n", [8, 30])
@pytest.mark.parametrize("name", BINARY)
def test_predictions_for_binary_networks_are_exact(name, n):
    for patterns in (synthetic.random_binary(n, 100), FAMILIES[:n]):
        report = diagnose(stored(BINARY[name](), patterns))
        assert torch.equal(report.predicted.fixed, report.observed.fixed), report
        assert torch.equal(report.predicted.attractor, report.observed.attractor), report


def test_neighbours_one_flip_apart_are_decided_exactly():
    """Their parts cancel, and patterns further away decide."""
    patterns = synthetic.random_binary(40, 20)
    near = patterns[:20].clone()
    near[:, 3] *= -1
    for beta in (1.0, 8.0, math.inf):
        report = diagnose(stored(DenseHopfield(beta), torch.cat([patterns, near])))
        assert 0 < int(report.observed.fixed.sum()) < 60, "premise: some hold, some do not"
        assert torch.equal(report.predicted.fixed, report.observed.fixed)


def within(patterns, radius, seed=0):
    """A random state at this distance from each pattern."""
    step = torch.randn(patterns.shape, generator=source(seed), dtype=patterns.dtype)
    return patterns + step / step.norm(dim=-1, keepdim=True) * radius[:, None]


def toward(patterns, rival, radius):
    """A state at this distance, in the direction of the rival."""
    step = patterns[rival] - patterns
    return patterns + step / step.norm(dim=-1, keepdim=True) * radius[:, None]


@pytest.mark.parametrize("setting", ["euclidean", "euclidean, sharp", "dot", "entmax", "top-k"])
@pytest.mark.parametrize("name", SETS)
def test_states_within_the_proved_radius_end_at_the_pattern(name, setting):
    memory = memory_of(SETS[name](200).double(), setting)
    report = diagnose(memory)
    there = report.predicted.radius > 0
    rows, radius = memory.patterns[there], report.predicted.radius[there]
    rival = report.predicted.rival[there]
    for state in (within(rows, radius), toward(memory.patterns, report.predicted.rival,
                  report.predicted.radius)[there], rows):  # fmt: skip
        found = memory.retrieve(state, tol=1e-9, steps=500)
        copies = report.copy_of[found.index] == report.copy_of[there]
        assert bool(copies.all())
        moved = (found.state - rows).norm(dim=-1)
        assert bool((moved <= report.predicted.shift[there] + 1e-6).all())
    assert rival.numel() == int(there.sum())


def test_the_proved_radius_is_no_trifle():
    """At large β nearly half of the way to the nearest is proved, at lower β less."""
    patterns = gaussian(200).double()
    shares = []
    for beta in (0.6, 1.0, 1e4):
        report = diagnose(stored(ModernHopfield(beta, similarity="euclidean"), patterns))
        assert bool((report.predicted.radius <= report.predicted.cell).all())
        torch.testing.assert_close(report.predicted.cell, report.nearest / 2)
        shares.append((report.predicted.radius / report.predicted.cell).median().item())
    assert shares[0] < shares[1] < shares[2] and shares[2] > 0.95, shares


def test_states_beyond_the_cell_end_elsewhere():
    patterns = gaussian(100).double()
    memory = stored(ModernHopfield(1e4, similarity="euclidean"), patterns)
    report = diagnose(memory)
    outside = toward(patterns, report.neighbour, 1.001 * report.predicted.cell)
    assert bool((memory.retrieve(outside).index != torch.arange(100)).all())


@pytest.mark.parametrize("name", BINARY)
def test_so_many_flips_are_undone(name):
    patterns = synthetic.random_binary(5, 100)
    memory = stored(BINARY[name](), patterns)
    radius = diagnose(memory).predicted.radius
    assert bool((radius >= 1).all()), "premise: something is proved"
    for seed in range(5):
        cues = patterns.clone()
        for row, flips in enumerate(radius.int().tolist()):
            cues[row, torch.randperm(100, generator=source(seed))[:flips]] *= -1
        assert torch.equal(memory.retrieve(cues, generator=source(seed)).state, patterns)


def test_flips_that_hurt_most_bound_the_radius():
    """One flip more than proved, towards the nearest at β = ∞, and it can be lost."""
    patterns = synthetic.random_binary(6, 40)
    report = diagnose(stored(DenseHopfield(50.0), patterns))
    apart = ((patterns[:, None] != patterns).sum(-1) + 100 * torch.eye(6)).amin(-1)
    # k < (D − 1)/2 is proved, and beyond D/2 the other is nearer.
    assert torch.equal(report.predicted.radius, torch.ceil((apart.double() - 1) / 2) - 1)


def test_theorem_5_holds_wherever_its_premise_is_proved():
    patterns = synthetic.unit_sphere(60, 24, dtype=torch.float64)
    memory = stored(ModernHopfield(9.0), patterns)
    error = diagnose(memory).theory.error
    applies = ~error.isnan()
    assert 5 < int(applies.sum()) < 60, "premise: it applies to some"
    moved = (memory.retrieve(patterns, tol=1e-14, steps=2000).state - patterns).norm(dim=-1)
    assert bool((moved[applies] <= error[applies]).all())
    margin = 1 - (patterns @ patterns.T).fill_diagonal_(-1).amax(-1)
    bound = 2 * math.e * 59 * torch.exp(-9 * margin)
    torch.testing.assert_close(error[applies], bound[applies])


def test_margins_by_brute_force():
    patterns = clustered(50).double()
    report = diagnose(stored(ModernHopfield(2.0), patterns))
    for place in range(50):
        others = [patterns[place] @ row for i, row in enumerate(patterns) if i != place]
        least = patterns[place] @ patterns[place] - max(others)
        assert report.predicted.margin[place] == pytest.approx(least.item(), abs=1e-9)
        rival = report.predicted.rival[place]
        assert patterns[place] @ patterns[rival] == max(others)


def test_margins_of_binary_networks_by_brute_force():
    patterns = synthetic.random_binary(9, 30)
    coupling = hopfield.rules.hebbian(patterns)
    report = diagnose(stored(ClassicalHopfield(), patterns))
    by_hand = (patterns * (patterns @ coupling)).amin(-1)
    torch.testing.assert_close(report.predicted.margin, by_hand.double())
    for memory, f in (
        (DenseHopfield(separation=Polynomial(3)), lambda s: s**3),
        (DenseHopfield(separation=RectifiedPolynomial(4)), lambda s: s.clamp_min(0) ** 4),
        (DenseHopfield(0.1), lambda s: torch.exp(0.1 * s)),
    ):
        found = diagnose(stored(memory, patterns)).predicted.margin
        for place, x in enumerate(patterns.double()):
            units = []
            for i in range(30):
                flipped = x.clone()
                flipped[i] *= -1
                gain = f(patterns.double() @ x).sum() - f(patterns.double() @ flipped).sum()
                alone = f(torch.tensor(30.0).double()) - f(torch.tensor(28.0).double())
                units.append(gain / alone)
            assert found[place] == pytest.approx(min(units).item(), rel=1e-9, abs=1e-9)
