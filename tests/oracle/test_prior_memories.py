"""Memories: a pattern of prior k answers like one that is stored k times."""

import itertools
import math
from fractions import Fraction
from functools import partial

import mpmath
import pytest
import torch
from test_prior import Own, close
from torch import Tensor

import hopfield
from cases import seeded, signs
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    Entmax,
    Memory,
    ModernHopfield,
    Polynomial,
    RectifiedPolynomial,
    Softmax,
    Sparsemax,
    TopK,
    rules,
)
from hopfield.memories import certified, scan_candidates
from hopfield.stores import PackedStore

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")

COUNT, DIM = 12, 10
SEPARATIONS = {
    "softmax": Softmax(0.7),
    "softmax-0": Softmax(0.0),
    "softmax-tiny": Softmax(1e-9),
    "softmax-infinite": Softmax(math.inf),
    "sparsemax": Sparsemax(0.3),
    "entmax": Entmax(1.5, 0.4),
    "entmax3": Entmax(3.0, 0.2),
    "topk": TopK(5, 0.7),
    "own": Own(Softmax(0.7)),
}
SIMILARITIES = ("dot", "euclidean", "cosine", "correlation", "manhattan")
REPEATS = torch.randint(1, 4, (COUNT,), generator=seeded(5))


def both(make, patterns: Tensor, **brought) -> tuple[Memory, Memory]:
    """A memory with priors, and one with copies."""
    weighted, copied = make(), make()
    weighted.store(patterns, prior=REPEATS, **brought)
    copies = {name: value.repeat_interleave(REPEATS, 0) for name, value in brought.items()}
    copied.store(patterns.repeat_interleave(REPEATS, 0), **copies)
    return weighted, copied


def real() -> tuple[Tensor, Tensor]:
    """Patterns, and damaged ones."""
    patterns = torch.randn(COUNT, DIM, generator=seeded(6), dtype=torch.float64)
    noise = torch.randn(COUNT, DIM, generator=seeded(7), dtype=torch.float64)
    return patterns, patterns + 0.4 * noise


def assert_same(weighted: Memory, copied: Memory, cues: Tensor, **options) -> None:
    """The same answers to 1e-12; the index is that of the pattern, whichever copy answers."""
    one, other = weighted.retrieve(cues, **options), copied.retrieve(cues, **options)
    close(one.state, other.state)
    close(one.energy, other.energy)
    assert torch.equal(one.steps, other.steps)
    assert torch.equal(one.converged, other.converged)
    if one.value is not None:
        close(one.value, other.value)


# ---- modern networks


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("name", SEPARATIONS)
def test_modern_memories_count_priors_as_copies(name, similarity):
    patterns, cues = real()
    values = torch.randn(COUNT, 2, generator=seeded(8), dtype=torch.float64)
    make = partial(ModernHopfield, separation=SEPARATIONS[name], similarity=similarity)
    weighted, copied = both(make, patterns, values=values)
    known = torch.rand(cues.shape, generator=seeded(9)) < 0.6
    known[:, 0] = True
    close(weighted.update(cues), copied.update(cues))
    close(weighted.energy(cues), copied.energy(cues))
    assert_same(weighted, copied, cues)
    for evidence, clamp in itertools.product(("known", "all"), (True, False)):
        assert_same(weighted, copied, cues, known=known, evidence=evidence, clamp=clamp)


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("name", SEPARATIONS)
def test_patterns_with_gaps_count_priors_as_copies(name, similarity):
    patterns, cues = real()
    gaps = torch.rand(patterns.shape, generator=seeded(10)) < 0.8
    gaps[:, 0], gaps[0] = True, True
    make = partial(ModernHopfield, separation=SEPARATIONS[name], similarity=similarity)
    weighted, copied = both(make, patterns, known=gaps)
    close(weighted.update(cues), copied.update(cues))
    close(weighted.energy(cues), copied.energy(cues))
    assert_same(weighted, copied, cues)
    assert_same(weighted, copied, cues, known=torch.arange(DIM) < 6)


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("beta", [0.01, 0.7, 20.0, math.inf])
def test_certified_readouts_count_priors_as_copies(beta, similarity, monkeypatch):
    monkeypatch.setattr(scan_candidates, "scan_pays", lambda: True)
    monkeypatch.setattr(scan_candidates, "SCAN_WORK", 0)
    patterns, cues = real()
    make = partial(ModernHopfield, beta, similarity=similarity, precision="certified")
    weighted, copied = both(make, patterns)
    one, other = weighted.retrieve(cues), copied.retrieve(cues)
    slack = 2 * (one.bound.state + other.bound.state).max() + 1e-12
    assert ((one.state - other.state).norm(dim=-1) <= slack).all()
    full = ModernHopfield(beta, similarity=similarity)
    full.store(patterns, prior=REPEATS)
    exact, scoring = full.step(cues, None, None, seeded(0)), (full.similarity, full.separation)
    readout, bound = certified.certified_readout(weighted.storage, cues, None, *scoring)
    assert ((readout.state - exact.next).norm(dim=-1) <= bound.state + 1e-12).all()
    energy = weighted.retrieve(cues, steps=0).energy
    assert ((energy - full.energy(cues)).abs() <= bound.energy + 1e-12).all()
    assert torch.equal(readout.index, exact.index)
    for mine, theirs in ((readout.weight, exact.weight), (readout.entropy, exact.entropy)):
        torch.testing.assert_close(mine, theirs, rtol=1e-7, atol=1e-7)  # weight 1e-9 is left out


def test_certified_readouts_find_frequent_patterns_far_away(monkeypatch):
    monkeypatch.setattr(scan_candidates, "scan_pays", lambda: True)
    monkeypatch.setattr(scan_candidates, "SCAN_WORK", 0)
    patterns = torch.zeros(20, 2, dtype=torch.float64)
    patterns[:, 0] = torch.arange(20)
    prior = torch.full((20,), 1e-12)
    prior[8] = 1e12  # its score is 32 below the best, more than log(20/1e-9)
    memory = ModernHopfield(1.0, similarity="euclidean", precision="certified")
    memory.store(patterns, prior=prior)
    result = memory.retrieve(torch.zeros(2, dtype=torch.float64), steps=1)
    assert result.index == 8 and result.weight > 0.99


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("queries", [4, 80])
def test_fused_attention_counts_priors(queries, similarity):
    patterns, cues = real()
    weighted, copied = both(partial(ModernHopfield, 0.7, similarity=similarity), patterns)
    states = cues.repeat(7, 1)[:queries]
    close(weighted.update(states), copied.update(states))


@pytest.mark.parametrize("name", [n for n in SEPARATIONS if n != "softmax-infinite"])
@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_the_energy_of_any_prior_descends_and_its_gradient_is_the_update(name, similarity):
    patterns, cues = real()
    memory = ModernHopfield(separation=SEPARATIONS[name], similarity=similarity)
    memory.store(patterns, prior=torch.logspace(-3, 3, COUNT))
    trace = memory.retrieve(cues, trace=True).trace
    assert (trace.diff(dim=0) <= 1e-12 * trace.abs().max()).all()
    state = cues.clone().requires_grad_()
    (slope,) = torch.autograd.grad(memory.energy(state).sum(), state)
    torch.testing.assert_close(slope, cues - memory.update(cues), rtol=1e-9, atol=1e-9)


def test_the_energy_on_the_hull_is_not_negative():
    patterns, _ = real()
    memory = ModernHopfield(2.0)
    memory.store(patterns, prior=torch.logspace(-6, 6, COUNT))
    shares = torch.rand(50, COUNT, generator=seeded(3), dtype=torch.float64).softmax(-1)
    assert (memory.energy(shares @ patterns) >= 0).all()


def test_the_strongest_pattern_is_that_of_the_largest_weight():
    patterns = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    cue = torch.tensor([0.6, 0.5])
    memory = ModernHopfield(1.0, similarity="euclidean")
    memory.store(patterns, ["near", "frequent"], prior=[1.0, 9.0])
    result = memory.retrieve(cue, steps=0)
    odds = 9 * math.exp(-0.1)  # prior times likelihood
    assert result.value == "frequent"
    assert result.weight.item() == pytest.approx(odds / (1 + odds))
    share = odds / (1 + odds)
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert result.entropy.item() == pytest.approx(entropy, rel=1e-5)


def test_one_pattern_of_any_prior_is_no_mixture():
    memory = ModernHopfield(1.0)
    memory.store(torch.ones(1, 4), prior=7.0)
    result = memory.retrieve(torch.zeros(4))
    assert result.weight == 1 and result.entropy == 0


# ---- binary networks

DENSE = {
    "softmax": Softmax(0.2),
    "softmax-0": Softmax(0.0),
    "softmax-infinite": Softmax(math.inf),
    "polynomial2": Polynomial(2),
    "polynomial3": Polynomial(3),
    "rectified3": RectifiedPolynomial(3),
    "own": Own(Softmax(0.3)),
    "sparsemax": Sparsemax(0.1),
}


@pytest.mark.parametrize("schedule", ["synchronous", "asynchronous"])
@pytest.mark.parametrize("name", DENSE)
def test_dense_memories_count_priors_as_copies(name, schedule):
    patterns = signs(COUNT, DIM, generator=seeded(1), dtype=torch.float64)
    states = signs(60, DIM, generator=seeded(2), dtype=torch.float64)
    states[:20, :3] = 0  # unknown
    for store in (None, PackedStore):

        def make(store=store):
            held = None if store is None else store()
            return DenseHopfield(separation=DENSE[name], schedule=schedule, store=held)

        weighted, copied = both(make, patterns)
        assert torch.equal(weighted.update(states), copied.update(states))
        energies = weighted.energy(states), copied.energy(states)
        torch.testing.assert_close(*energies, rtol=1e-12, atol=1e-12)
        assert_same(weighted, copied, states[20:])


def exact_field(patterns: Tensor, prior: Tensor, state: Tensor, unit: int, beta: float) -> int:
    """The sign of Σ w x_i exp(βs) in long arithmetic, with w the float64 numbers."""
    sums: dict[int, Fraction] = {}
    for row, weight in zip(patterns, prior.tolist(), strict=True):
        level = int(row @ state - row[unit] * state[unit])
        sums[level] = sums.get(level, Fraction(0)) + int(row[unit]) * Fraction(weight)
    levels = [(level, total) for level, total in sorted(sums.items(), reverse=True) if total]
    if not levels or math.isinf(beta):
        total = levels[0][1] if levels else 0
    elif beta == 0:
        total = sum(total for _, total in levels)
    else:
        with mpmath.workdps(300):
            total = mpmath.fsum(
                mpmath.mpf(w.numerator) / w.denominator * mpmath.exp(mpmath.mpf(beta) * (u - DIM))
                for u, w in levels
            )
    return (total > 0) - (total < 0)


@pytest.mark.parametrize("beta", [0.0, 0.3, 3.0, 30.0, math.inf])
def test_units_are_decided_exactly_for_priors_that_cancel(beta):
    half = signs(COUNT // 2, DIM, generator=seeded(11), dtype=torch.float64)
    other = half.clone()
    other[:, 0] *= -1  # the sums for unit 0 are 0 at every score
    patterns = torch.cat([half, half, other])
    prior = torch.rand(COUNT // 2, generator=seeded(12), dtype=torch.float64) + 0.1
    prior = torch.cat([prior, prior, 2 * prior])
    memory = DenseHopfield(beta)
    memory.store(patterns, prior=prior)
    states, ties = signs(60, DIM, generator=seeded(13), dtype=torch.float64), 0
    for state, following in zip(states, memory.update(states), strict=True):
        for unit in range(DIM):
            sign = exact_field(patterns, prior, state, unit, beta)
            ties += sign == 0
            assert following[unit] == (sign or state[unit])
    assert ties == 60, "premise: some sums cancel, others do not"


@pytest.mark.parametrize("beta", [0.3, 3.0, 30.0, math.inf])
def test_units_are_decided_exactly_for_priors_of_many_sizes(beta):
    patterns = signs(COUNT, DIM, generator=seeded(11), dtype=torch.float64)
    prior = torch.logspace(-6, 6, COUNT, dtype=torch.float64)
    memory = DenseHopfield(beta)
    memory.store(patterns, prior=prior)
    states = signs(30, DIM, generator=seeded(13), dtype=torch.float64)
    for state, following in zip(states, memory.update(states), strict=True):
        for unit in range(DIM):
            sign = exact_field(patterns, prior, state, unit, beta)
            assert following[unit] == (sign or state[unit])


@pytest.mark.parametrize("name", DENSE)
def test_energies_of_dense_memories_descend(name):
    patterns = signs(COUNT, DIM, generator=seeded(11), dtype=torch.float64)
    states = signs(60, DIM, generator=seeded(13), dtype=torch.float64)
    memory = DenseHopfield(separation=DENSE[name], schedule="asynchronous")
    memory.store(patterns, prior=torch.logspace(-2, 2, COUNT))
    trace = memory.retrieve(states, trace=True).trace
    assert (trace.diff(dim=0) <= 1e-12 * trace.abs().max()).all()
    one = memory.update(states)
    asynchronous = torch.stack([memory.update(state) for state in states])
    assert torch.equal(one, asynchronous)


@pytest.mark.parametrize("rule", ["hebbian", "covariance"])
@pytest.mark.parametrize("schedule", ["synchronous", "asynchronous"])
@pytest.mark.parametrize("count", [4, COUNT])
def test_classical_memories_count_priors_as_copies(rule, schedule, count):
    patterns = signs(count, DIM, generator=seeded(1), dtype=torch.float64)
    states = signs(60, DIM, generator=seeded(2), dtype=torch.float64)
    repeats = REPEATS[:count]
    for diagonal, store in itertools.product((False, True), (None, PackedStore)):
        memories = [
            ClassicalHopfield(rule, diagonal=diagonal, schedule=schedule, store=store and store())
            for _ in range(2)
        ]
        memories[0].store(patterns, prior=repeats)
        memories[1].store(patterns.repeat_interleave(repeats, 0))
        close(memories[0].coupling, memories[1].coupling)
        close(memories[0].energy(states), memories[1].energy(states))
        assert torch.equal(memories[0].update(states), memories[1].update(states))


@pytest.mark.parametrize("schedule", ["synchronous", "asynchronous"])
def test_ties_of_a_classical_memory_survive_priors_that_are_no_whole_numbers(schedule):
    patterns = signs(COUNT, 9, generator=seeded(1), dtype=torch.float64)
    states = signs(200, 9, generator=seeded(2), dtype=torch.float64)
    scaled, copied = (ClassicalHopfield(schedule=schedule) for _ in range(2))
    scaled.store(patterns, prior=0.3 * REPEATS.double())
    copied.store(patterns.repeat_interleave(REPEATS, 0))
    assert (copied.field(states) == 0).any(), "premise: some units tie"
    assert torch.equal(scaled.update(states), copied.update(states))


@pytest.mark.filterwarnings("error::hopfield.CapacityWarning")
def test_the_capacity_warning_counts_priors():
    patterns = signs(4, 100, generator=seeded(1))
    ClassicalHopfield().store(patterns)
    with pytest.warns(hopfield.CapacityWarning, match="no fixed points"):
        ClassicalHopfield().store(patterns, prior=[1.0, 1.0, 1.0, 1000.0])
    memory = ClassicalHopfield()
    memory.store(patterns[:3])
    with pytest.warns(hopfield.CapacityWarning, match="no fixed points"):
        memory.store(patterns[3:], prior=1000.0)


@pytest.mark.parametrize("rule", [rules.hebbian, rules.covariance])
def test_rules_take_priors(rule):
    patterns = signs(COUNT, DIM, generator=seeded(1), dtype=torch.float64)
    prior = torch.rand(COUNT, generator=seeded(2), dtype=torch.float64) + 0.1
    found = rule(patterns, diagonal=True, prior=prior)
    mean = (prior @ patterns).sum() / (prior.sum() * DIM) if rule is rules.covariance else 0.0
    centred = patterns - mean
    close(found, centred.T @ (prior[:, None] * centred) / DIM)
    assert torch.equal(found, found.T)
    copies = patterns.repeat_interleave(REPEATS, 0)
    close(rule(patterns, prior=REPEATS.double()), rule(copies))


def test_a_coupling_grows_with_priors():
    patterns = signs(8, DIM, generator=seeded(1))
    memory, whole = ClassicalHopfield(), ClassicalHopfield()
    memory.store(patterns[:5])
    before = memory.coupling
    memory.store(patterns[5:], prior=3)
    assert not torch.equal(before, memory.coupling)
    whole.store(patterns, prior=[1] * 5 + [3] * 3)
    assert torch.equal(memory.coupling, whole.coupling)


def test_no_prior_is_a_prior_of_one():
    memory = hopfield.ModernHopfield(2.0)
    patterns, _ = real()
    memory.store(patterns, prior=1.0)
    assert memory.storage.prior is None
    memory.store(patterns[:2], prior=2.0)
    assert memory.storage.prior.tolist() == [1.0] * COUNT + [2.0] * 2
    memory.remove([0, -1])
    assert memory.storage.prior.tolist() == [1.0] * (COUNT - 1) + [2.0]
