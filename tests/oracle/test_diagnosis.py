"""A diagnosis counts what `retrieve` does; its bounds hold, and its remedies do what they say."""

import json
import math
from functools import cache

import pytest
import torch

import hopfield
from diagnosed import SETS, SETTINGS, clustered, gaussian, memory_of, source, stored
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    Entmax,
    GradedHopfield,
    ModernHopfield,
    Polynomial,
    RectifiedPolynomial,
    Sparsemax,
    diagnose,
    explain,
    synthetic,
    theory,
)
from hopfield.stores import PackedStore

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


def by_hand(memory, binary=False):
    """Fixed points, attractors and captors by one call of `retrieve` per pattern."""
    rows = memory.patterns
    fixed, attractor, captured_by = [], [], []
    for row in rows:
        result = memory.retrieve(row)
        copies = (rows == rows[result.index]).all(-1)
        if binary:
            at_pattern = torch.equal(result.state, rows[result.index])
        else:
            at_pattern = float(result.weight) * int(copies.sum()) > 0.51
        own = torch.equal(rows[result.index], row)
        fixed.append(int(result.steps) == 0 and bool(result.converged))
        attractor.append(at_pattern and own)
        captured_by.append(int(copies.int().argmax()) if at_pattern and not own else -1)
    return fixed, attractor, captured_by


def observed(report):
    return report.fixed.tolist(), report.attractor.tolist(), report.captured_by.tolist()


@cache
def with_copies(setting):
    rows = SETS["digits"](60).double()
    memory = memory_of(torch.cat([rows, rows[:3]]), setting, sharper=0.75)
    return memory, diagnose(memory)


@pytest.mark.parametrize("setting", SETTINGS)
def test_observed_verdicts_are_those_of_a_loop(setting):
    memory, report = with_copies(setting)
    fixed, attractor, captured_by = by_hand(memory)
    assert observed(report) == (fixed, attractor, captured_by)
    counts = report.counts
    assert (counts["fixed"], counts["attractors"]) == (sum(fixed), sum(attractor))
    assert counts["captured"] == sum(captor >= 0 for captor in captured_by)


def test_the_settings_separate_patterns_that_hold_from_others():
    """Otherwise the statement above would be vacuous."""
    shares = {s: with_copies(s)[1].attractor.double().mean().item() for s in SETTINGS}
    assert sum(0.05 < share < 0.95 for share in shares.values()) >= 4, shares
    assert sum(with_copies(s)[1].counts["captured"] > 5 for s in SETTINGS) >= 2


@pytest.mark.parametrize("name", BINARY)
def test_observed_verdicts_of_binary_networks_are_those_of_a_loop(name):
    for patterns in (synthetic.random_binary(20, 100), FAMILIES[:12]):
        memory = stored(BINARY[name](), patterns)
        assert observed(diagnose(memory)) == by_hand(memory, binary=True)


@pytest.mark.parametrize("gain", [0.5, 5.0])
def test_graded_units_hold_patterns_by_their_signs(gain):
    rows = synthetic.random_binary(8, 60)
    memory = stored(GradedHopfield(gain=gain, dt=0.1 if gain < 1 else None), rows)
    report, ends = diagnose(memory), memory.retrieve(rows).state
    assert (ends.abs() < 1).all(), "premise: no unit reaches ±1"
    assert report.attractor.tolist() == (ends.sign() == rows).all(-1).tolist()
    assert bool(report.attractor.any()) == (gain > theory.critical_gain(60))
    assert report.theory.capacity is None, "the known capacities are of units that are ±1"
    if gain < 1:
        (finding,) = report.findings
        mended = finding.remedy.apply(memory)
        assert mended.gain > theory.critical_gain(60) and finding.name == "lost"
        assert diagnose(mended).counts["attractors"] == finding.remedy.effect["attractors"] > 0
    kinds = [explain(memory, row).kind == "stored" for row in rows]
    assert kinds == report.attractor.tolist()


def toward(rows, others, radius):
    """States at this distance from the rows, in the direction of others."""
    step = others - rows
    return rows + step / step.norm(dim=-1, keepdim=True).clamp_min(1e-300) * radius[:, None]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("setting", ["euclidean", "dot", "entmax", "top-k"])
@pytest.mark.parametrize("name", SETS)
def test_states_within_the_proved_radius_end_at_the_pattern(name, setting, dtype):
    memory = memory_of(SETS[name](100).to(dtype), setting, sharper=100.0)
    report = diagnose(memory)
    proved = (report.radius > 0).nonzero().squeeze(-1)
    assert len(proved) >= 10, "premise: something is proved"
    rows, radius = memory.patterns[proved].double(), 0.999 * report.radius[proved]
    rivals = memory.patterns[report.rival[proved]].double()
    noise = rows + torch.randn(rows.shape, generator=source(1), dtype=torch.float64)
    for state in (toward(rows, rivals, radius), toward(rows, noise, radius)):
        result = memory.retrieve(state.to(dtype))
        assert torch.equal(report.copy_of[result.index], report.copy_of[proved])
        assert bool((result.weight > 0.99).all())


def test_far_from_0_less_is_proved_in_float32():
    """Rounding of scores grows with the norms; it is subtracted from margins."""
    shares = []
    for dtype in (torch.float32, torch.float64):
        rows = (3000 + gaussian(50, 8)).to(dtype)
        report = diagnose(stored(ModernHopfield(200.0, similarity="euclidean"), rows))
        shares.append(int((report.radius > 0).sum()))
    assert shares[0] == 0 and shares[1] >= 40, shares


@pytest.mark.parametrize("name", BINARY)
def test_flips_within_the_proved_radius_are_undone(name):
    patterns = synthetic.random_binary(5, 100)
    memory = stored(BINARY[name](), patterns)
    radius = diagnose(memory).radius
    assert bool((radius >= 1).all()), "premise: something is proved"
    for seed in range(5):
        cues = patterns.clone()
        for row, flips in enumerate(radius.int().tolist()):
            cues[row, torch.randperm(100, generator=source(seed))[:flips]] *= -1
        assert torch.equal(memory.retrieve(cues, generator=source(seed)).state, patterns)


def test_flips_that_hurt_most_bound_the_radius():
    """At β = ∞ the nearest pattern wins: k < (D − 1)/2 flips are undone at a distance D."""
    patterns = synthetic.random_binary(6, 40)
    report = diagnose(stored(DenseHopfield(50.0), patterns))
    distance = ((patterns[:, None] != patterns).sum(-1) + 100 * torch.eye(6)).amin(-1)
    assert torch.equal(report.radius, torch.ceil((distance.double() - 1) / 2) - 1)


def test_theorem_5_bounds_the_fixed_points():
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


@pytest.mark.parametrize("power", [60, -60])
def test_theorem_3_depends_on_the_unit_of_the_data_only_through_beta(power):
    """β beyond 10⁵⁰ is no error: only β·‖x‖² matters."""
    rows = gaussian(5, 8).double()
    capacities = []
    for scale in (1.0, 10.0**power):
        memory = ModernHopfield(beta=400.0 / scale**2)
        memory.store(rows * scale)
        capacities.append(diagnose(memory).theory.capacity)
    assert capacities[0] == pytest.approx(capacities[1], rel=1e-6)
    blunt, sharp = stored(ModernHopfield(beta=1e-60), rows), stored(ModernHopfield(beta=1e60), rows)
    assert diagnose(blunt).theory.capacity is None
    assert diagnose(sharp).theory.capacity > 1e50


@pytest.mark.parametrize("separation", [Sparsemax(1.0), Entmax(1.5, 1.0)], ids=str)
def test_the_margin_of_sparse_separations_suffices(separation):
    """Unit norms: a pattern is a fixed point exactly where Δ ≥ 1/((α − 1)β)."""
    patterns = synthetic.unit_sphere(200, 8, dtype=torch.float64)
    memory = stored(ModernHopfield(separation=separation), 3 * patterns)
    report = diagnose(memory)
    window = separation.score_window(200)
    assert f"Δ ≥ {window:.4g}" in report.theory.source
    holds = (memory.update(3 * patterns) - 3 * patterns).abs().amax(-1) < 1e-12
    assert 20 < int(holds.sum()) < 180, "premise: some are fixed points, some are not"
    assert torch.equal(report.margin >= window, holds)


def test_margins_by_brute_force():
    patterns = clustered(50).double()
    report = diagnose(stored(ModernHopfield(2.0), patterns))
    for place in range(50):
        others = [patterns[place] @ row for i, row in enumerate(patterns) if i != place]
        least = patterns[place] @ patterns[place] - max(others)
        assert report.margin[place] == pytest.approx(least.item(), abs=1e-9)
        assert patterns[place] @ patterns[report.rival[place]] == pytest.approx(max(others).item())


def test_margins_of_binary_networks_by_brute_force():
    patterns = synthetic.random_binary(9, 30)
    coupling = hopfield.rules.hebbian(patterns)
    report = diagnose(stored(ClassicalHopfield(), patterns))
    torch.testing.assert_close(report.margin, (patterns * (patterns @ coupling)).amin(-1).double())
    for memory, f in (
        (DenseHopfield(separation=Polynomial(3)), lambda s: s**3),
        (DenseHopfield(separation=RectifiedPolynomial(4)), lambda s: s.clamp_min(0) ** 4),
        (DenseHopfield(0.1), lambda s: torch.exp(0.1 * s)),
    ):
        margin = diagnose(stored(memory, patterns)).margin
        for place, x in enumerate(patterns.double()):
            units = []
            for i in range(30):
                flipped = x.clone()
                flipped[i] *= -1
                gain = f(patterns.double() @ x).sum() - f(patterns.double() @ flipped).sum()
                alone = f(torch.tensor(30.0).double()) - f(torch.tensor(28.0).double())
                units.append(gain / alone)
            assert margin[place] == pytest.approx(min(units).item(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("schedule", ["asynchronous", "synchronous"])
def test_margins_of_many_units_by_brute_force(schedule):
    """Fields of few patterns need no coupling of 25 million entries; proofs of flips would."""
    patterns, bias = synthetic.random_binary(3, 5000), torch.linspace(-0.1, 0.1, 5000)
    memory = ClassicalHopfield(schedule=schedule, diagonal=True, thresholds=bias)
    report = diagnose(stored(memory, patterns))
    fields = patterns @ patterns.T @ patterns / 5000 - bias
    if schedule == "asynchronous":  # a unit does not feel itself: W_ii = 3/N
        fields -= 3 / 5000 * patterns
    torch.testing.assert_close(memory.field(patterns), fields, rtol=1e-5, atol=1e-6)
    margin = (patterns * fields).amin(-1).double()
    torch.testing.assert_close(report.margin, margin, rtol=1e-5, atol=1e-6)
    assert bool(report.radius.isnan().all())


def test_duplicates_and_near_duplicates():
    patterns = gaussian(50)
    minus = patterns[7:8].clone()
    patterns[7, 0], minus[0, 0] = 0.0, -0.0
    several = torch.cat([patterns, patterns[3:4], minus, patterns[3:4], patterns[9:10] + 0.01])
    report = diagnose(stored(ModernHopfield(100.0, similarity="euclidean"), several))
    assert report.copy_of[50:].tolist() == [3, 7, 3, 53]
    assert report.duplicate.nonzero().flatten().tolist() == [50, 51, 52]
    assert report.near_duplicate.nonzero().flatten().tolist() == [9, 53]
    assert (report.neighbour[9], report.neighbour[53]) == (53, 9)
    assert report.nearest[53] == pytest.approx(0.01 * math.sqrt(32), rel=1e-3)
    whole = torch.cdist(several.double(), several.double())
    whole[report.copy_of[:, None] == report.copy_of] = torch.inf
    torch.testing.assert_close(report.nearest, whole.amin(-1), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("memory", [ModernHopfield(5.0), ModernHopfield(2.0, similarity="cosine"),
                                    DenseHopfield(0.3), DenseHopfield(0.0), ClassicalHopfield()],
                         ids=str)  # fmt: skip
def test_one_pattern_alone(memory):
    report = diagnose(stored(memory, synthetic.random_binary(1, 12)))
    assert bool(report.fixed.all() and report.attractor.all())
    assert int(report.rival) == int(report.neighbour) == -1
    assert report.findings == () and "No problem was found." in repr(report)
    assert json.loads(json.dumps(report.to_records()))[-1]["nearest"] is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    memory = stored(ModernHopfield(2.0, similarity="euclidean"), gaussian(60).to(dtype))
    assert observed(diagnose(memory)) == by_hand(memory)


def test_batches_change_nothing_and_hold_no_scores_of_all_by_all(monkeypatch):
    from hopfield.analysis import patterns, trials

    memory = memory_of(torch.cat([clustered(150), clustered(150)[:9]]).double(), "dot")
    whole, sizes = diagnose(memory), []
    scores = patterns.Patterns.scores

    def watched(*arguments):
        sizes.append(scores(*arguments).numel())
        return scores(*arguments)

    monkeypatch.setattr(patterns, "BATCH_SCORES", 1000)
    monkeypatch.setattr(patterns, "BLOCK_ROWS", 7)
    monkeypatch.setattr(trials, "QUERIES", 10)
    monkeypatch.setattr(patterns.Patterns, "scores", watched)
    parts = diagnose(memory)
    assert max(sizes) <= 16 * 159 < 159**2
    for name in ("fixed", "attractor", "captured_by", "rival", "copy_of", "neighbour"):
        assert torch.equal(getattr(parts, name), getattr(whole, name)), name
    for name in ("margin", "radius", "nearest"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name))


def test_the_memory_is_left_alone():
    memory = memory_of(clustered(50), "dot")
    before, patterns = repr(memory), memory.patterns.clone()
    for finding in diagnose(memory).findings:
        finding.remedy.apply(memory)
    assert repr(memory) == before and torch.equal(memory.patterns, patterns)


def test_records_hold_the_report():
    report = diagnose(memory_of(clustered(60), "dot"))
    whole, *lines = json.loads(json.dumps(report.to_records()))
    kinds = [line["experiment"] for line in lines]
    assert kinds == ["finding"] * len(report.findings) + ["diagnosed pattern"] * 60
    assert len(report.findings) > 0 and {**whole, **report.counts} == whole
    patterns = lines[len(report.findings) :]
    for name in ("attractor", "captured_by", "margin", "radius", "numerically_undecided"):
        assert [line[name] for line in patterns] == getattr(report, name).tolist()
    for line, finding in zip(lines, report.findings, strict=False):
        assert line["remedy_attractors"] == finding.remedy.effect["attractors"]
