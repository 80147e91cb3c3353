"""Diagnosis and explanation count a pattern as often as its prior says."""

import pytest
import torch
from torch import Tensor

import hopfield
from cases import seeded, signs
from hopfield import ClassicalHopfield, DenseHopfield, Memory, ModernHopfield, Polynomial, Sparsemax

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")

MEMORIES = {
    "euclidean": lambda: ModernHopfield(2.0, similarity="euclidean"),
    "dot": lambda: ModernHopfield(0.5),
    "sparsemax": lambda: ModernHopfield(separation=Sparsemax(0.3)),
    "dense": lambda: DenseHopfield(0.1),
    "polynomial": lambda: DenseHopfield(separation=Polynomial(3)),
    "classical": ClassicalHopfield,
}
REPEATS = torch.randint(1, 4, (14,), generator=seeded(5))
FIRST = REPEATS.cumsum(0) - REPEATS


def both(name: str) -> tuple[Memory, Memory, Tensor]:
    """A memory with priors, one with copies, and the patterns."""
    weighted, copied = MEMORIES[name](), MEMORIES[name]()
    rows = signs(14, 12, generator=seeded(1), dtype=torch.float64)
    if not weighted.binary:
        rows = torch.randn(14, 12, generator=seeded(2), dtype=torch.float64)
    weighted.store(rows, prior=REPEATS)
    copied.store(rows.repeat_interleave(REPEATS, 0))
    return weighted, copied, rows


@pytest.mark.parametrize("name", MEMORIES)
def test_a_diagnosis_counts_priors_as_copies(name):
    weighted, copied, _ = both(name)
    one, other = hopfield.diagnose(weighted), hopfield.diagnose(copied)
    assert one.attractor.any(), "premise: some patterns hold"
    assert torch.equal(one.attractor, other.attractor[FIRST])
    assert torch.equal(one.fixed, other.fixed[FIRST])
    torch.testing.assert_close(one.margin, other.margin[FIRST], equal_nan=True)
    if name != "sparsemax":
        known = ~other.radius[FIRST].isnan()
        assert (one.radius[known] <= other.radius[FIRST][known] + 1e-12).all()
    assert one.theory.capacity is None and "prior" in one.theory.source


@pytest.mark.parametrize("name", MEMORIES)
def test_an_explanation_counts_priors_as_copies(name):
    weighted, copied, rows = both(name)
    one, other = (hopfield.explain(memory, rows[3], top=14) for memory in (weighted, copied))
    assert one.kind == other.kind
    shares = {each.pattern: each.share for each in one.competitors}
    whole = hopfield.explain(copied, rows[3], top=len(copied))
    for pattern, (first, count) in enumerate(zip(FIRST.tolist(), REPEATS.tolist(), strict=True)):
        copies = [c.share for c in whole.competitors if first <= c.pattern < first + count]
        expected = copies[0] if name == "classical" else sum(copies)
        assert shares[pattern] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_an_explanation_names_the_priors():
    memory = ModernHopfield(1.0, similarity="euclidean")
    memory.store(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), prior=[1.0, 9.0])
    text = str(hopfield.explain(memory, torch.tensor([0.6, 0.5])))
    assert "with priors 1 and 9 its weight is 0.123 times the other's" in text


def test_copies_with_priors_share_one_weight():
    memory = ModernHopfield(8.0, similarity="euclidean")
    memory.store(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]]), prior=[0.4, 0.6, 1.0])
    assert hopfield.diagnose(memory).attractor.all()
    assert hopfield.explain(memory, torch.tensor([1.0, 0.0])).kind == "stored"
    mean = ModernHopfield(0.0, similarity="euclidean")  # its weights are the priors
    mean.store(
        torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]), prior=[30, 20, 49, 5]
    )
    assert hopfield.explain(mean, torch.tensor([1.0, 0.0])).kind == "mixture"


def test_a_remedy_keeps_priors_and_names_where_it_can():
    weighted = DenseHopfield(0.001)
    weighted.store(
        signs(20, 12, generator=seeded(1)), prior=torch.logspace(-2, 2, 20), names=[*range(20)]
    )
    report = hopfield.diagnose(weighted)
    assert "priors lie between 0.01 and 100" in str(report)
    remedy = next(finding.remedy for finding in report.findings if finding.remedy)
    applied = remedy.apply(weighted)
    assert applied.names == list(range(20))
    assert torch.equal(applied.storage.prior, weighted.storage.prior)
    found = hopfield.diagnose(applied)
    assert int(found.attractor.sum()) == remedy.effect["attractors"]


def test_a_remedy_without_priors_says_so():
    memory = ClassicalHopfield()
    memory.store(signs(5, 24, generator=seeded(1)), prior=[1.0, 1.0, 1.0, 1.0, 1e4])
    remedy = hopfield.diagnose(memory).findings[0].remedy
    assert remedy.settings["rule"] == "pseudo_inverse"
    assert "counts every pattern once" in remedy.advice
    assert remedy.apply(memory).storage.prior is None


@pytest.mark.parametrize("name", MEMORIES)
def test_the_k_best_have_the_weight_of_all_copies(name):
    weighted, copied, rows = both(name)
    one, other = weighted.nearest(rows, 1), copied.nearest(rows, 1)
    factor = 1 if name == "classical" else REPEATS[one.index]
    assert torch.equal(FIRST[one.index], other.index)
    torch.testing.assert_close(one.weight, other.weight * factor, rtol=1e-7, atol=1e-7)
