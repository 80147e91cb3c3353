"""What is proved holds for what a memory computes, and remedies do where rounding decides."""

import pytest
import torch

from diagnosed import agreement, clustered, gaussian, memory_of, some, source, stored
from hopfield import (
    ClassicalHopfield,
    Entmax,
    ModernHopfield,
    Softmax,
    Sparsemax,
    TopK,
    data,
    diagnose,
    synthetic,
)


def far(offset, dtype=torch.float32, seed=0):
    rows = torch.randn(50, 8, generator=source(seed), dtype=torch.float64)
    return (rows + offset).to(dtype)


@pytest.mark.parametrize("separation", [Softmax(20.0), Sparsemax(20.0), Entmax(1.5, 20.0)], ids=str)
@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_proved_holds_for_what_is_computed(separation, similarity, dtype):
    proved = 0
    for offset in (0.0, 10.0, 100.0, 1000.0, 3000.0, 1e4):
        memory = stored(
            ModernHopfield(separation=separation, similarity=similarity), far(offset, dtype)
        )
        report = diagnose(memory)
        at = report.predicted.proved.nonzero().squeeze(-1)
        proved += len(at)
        radius, rows = report.predicted.radius[at], memory.patterns[at].double()
        step = memory.patterns[report.predicted.rival[at]].double() - rows
        aside = torch.randn(rows.shape, generator=source(1), dtype=torch.float64)
        for way in (0 * step, step, aside):
            away = way / way.norm(dim=-1, keepdim=True).clamp_min(1e-300) * radius[:, None]
            state = (rows + 0.999 * away).to(dtype)
            near = (state.double() - rows).norm(dim=-1) <= radius
            found = memory.retrieve(state[near])
            assert torch.equal(found.index, at[near]) and bool((found.weight > 0.5).all())
            end = memory.retrieve(state[near], tol=0.0, steps=50).state.double()
            assert bool(((end - rows[near]).norm(dim=-1) <= report.predicted.shift[at[near]]).all())
    assert proved >= 20, "premise: something is proved"


def test_far_from_0_nothing_is_proved_in_float32_and_much_in_float64():
    for dtype, least, most in ((torch.float32, 0, 0), (torch.float64, 40, 50)):
        memory = stored(ModernHopfield(20.0, similarity="euclidean"), far(3000.0, dtype))
        assert least <= int(diagnose(memory).predicted.proved.sum()) <= most


def test_neighbours_that_float32_cannot_tell_apart_are_kept_in_float64():
    some_of = torch.randn(6, 8, generator=source(0))
    rows = torch.cat([some_of, some_of + 1e-3 * torch.randn(6, 8, generator=source(1))])
    memory = stored(ModernHopfield(1e3, similarity="euclidean"), rows)
    (finding,) = [x for x in diagnose(memory).findings if x.name != "near-duplicates"]
    assert finding.remedy.dtype == torch.float64 and "float64" in str(finding)
    assert finding.remedy.expected["attractors"] == 12
    after = diagnose(finding.remedy.apply(memory))
    assert after.counts["attractors"] == 12 and not after.predicted.rounded.any()


def test_a_sparse_separation_is_followed_to_its_end():
    """At these β patterns are about to be lost, and the way is slow."""
    memory = ModernHopfield(separation=Entmax(1.5, 0.8), similarity="euclidean")
    report = diagnose(stored(memory, clustered(100)))
    assert 10 < int(report.observed.attractor.sum()) < 100, "premise: some are lost"
    assert min(agreement(report)) >= 0.99, report


def test_the_swallower_is_found_among_many_rivals():
    memory = memory_of(some(data.load("digits").patterns, 300), "dot")
    report = diagnose(stored(ModernHopfield(0.6 * float(memory.separation.beta)),
                             memory.patterns))  # fmt: skip
    assert int((report.observed.swallower >= 0).sum()) > 100, "premise: many are swallowed"
    assert agreement(report)[2] >= 0.99, report


def test_top_k_is_advised_to_read_the_best_alone():
    memory = stored(ModernHopfield(separation=TopK(5, 0.1), similarity="euclidean"), gaussian(60))
    (finding,) = diagnose(memory).findings
    assert finding.name == "k too large" and "k=1" in finding.remedy.words
    assert diagnose(finding.remedy.apply(memory)).counts["attractors"] == 60


def test_thresholds_are_named_as_the_cause():
    memory = ClassicalHopfield(thresholds=torch.full((100,), 3.0))
    report = diagnose(stored(memory, synthetic.random_binary(5, 100)))
    (finding,) = report.findings
    assert "thresholds" in finding.cause and finding.remedy.words == "Use thresholds=None."
    assert diagnose(finding.remedy.apply(memory)).counts["attractors"] == 5


def test_a_beta_that_is_learned_is_said_in_words():
    learned = torch.nn.Parameter(torch.tensor(0.01))
    memory = ModernHopfield(separation=Softmax(learned), similarity="euclidean")
    (finding,) = diagnose(stored(memory, gaussian(20))).findings
    assert "Parameter" not in str(finding) and "β as learned now" in finding.cause
    assert "where β is learned now" in finding.remedy.words


def test_one_pair_that_cannot_be_told_apart_hides_no_advice():
    rows = gaussian(20, 8)
    rows = torch.cat([rows, rows[:1] + 1e-6]).double()
    rows[20] = rows[0] + 1e-12
    memory = stored(ModernHopfield(0.01, similarity="euclidean"), rows)
    findings = [x for x in diagnose(memory).findings if x.name != "near-duplicates"]
    assert findings
    for finding in findings:
        after = diagnose(finding.remedy.apply(memory)).counts
        assert after["attractors"] == after["patterns"] == 20 == finding.remedy.expected["patterns"]


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_patterns_changes_no_verdict(scale):
    """`retrieve` settles within 1e-4, which is much of patterns that are small themselves."""
    patterns = clustered(60, 24)
    reports = []
    for size in (1.0, scale):
        memory = ModernHopfield(separation=Sparsemax(0.6 / size**2), similarity="euclidean")
        memory.store(patterns * size)
        reports.append(diagnose(memory))
    held = [int(report.observed.attractor.sum()) for report in reports]
    assert 5 < held[0] < 55, "premise: some are lost, some are not"
    assert abs(held[1] - held[0]) <= 1
    assert min(agreement(reports[1])) >= 0.98, reports[1]


def test_a_tie_is_followed_to_its_end_where_float32_stops_on_the_way():
    """Near-duplicates far from 0, in float16: the last steps to their mixture are small."""
    centres = gaussian(33, 64)
    patterns = torch.cat([centres, centres[:16] + 0.1 * gaussian(16, 64, 1)])
    memory = ModernHopfield(5.7, similarity="euclidean")
    memory.store((10 + patterns).half())
    report = diagnose(memory)
    assert 20 < int(report.predicted.attractor.sum()) < 45, "premise: some are lost"
    assert agreement(report)[1] >= 0.95, report
