"""Planted problems are found, and remedies do what was measured; memories of a user's own work."""

from pathlib import Path

import numpy as np
import pytest
import torch

from diagnosed import gaussian, some, stored
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    HopfieldError,
    KSubsets,
    Memory,
    ModernHopfield,
    Polynomial,
    Separation,
    Softmax,
    Sparsemax,
    TopK,
    data,
    diagnose,
    explain,
    synthetic,
)
from hopfield.analysis import trials
from hopfield.iteration import Reading
from hopfield.stores import Block, PackedStore, Store


def undecided():
    """Four patterns of 40; at unit 0 of the first, three others outweigh it exactly: a tie."""
    others = torch.ones(3, 40)
    others[:, 0] = -1
    for place in range(3):
        others[place, 1 + 13 * place : 14 + 13 * place] = -1
    return torch.cat([torch.ones(1, 40), others])


def continuous():
    """Memories with a problem: memory, patterns, names of findings, attractors after the first."""
    digits = some(data.load("digits").patterns, 200)
    doubled = torch.cat([digits[:40], digits[:6], digits[:3] + 1e-3])
    close = torch.cat([gaussian(6, 8), gaussian(6, 8) + 1e-3 * gaussian(6, 8, 1)])
    nearly = torch.cat([gaussian(20, 8), gaussian(20, 8)[:1] + 1e-6])
    learned = Softmax(torch.nn.Parameter(torch.tensor(0.01)))
    return {
        "large norms": (ModernHopfield(1e4), digits, ["outscored"], 200),
        "both": (ModernHopfield(4.0), digits, ["outscored", "β too small"], 200),
        "β too small": (ModernHopfield(4.0, similarity="euclidean"), digits, ["β too small"], 200),
        "multiples": (ModernHopfield(100.0, similarity="cosine"),
                      torch.cat([digits[:20], 2 * digits[:20]]), ["outscored"], 40),
        "sparsemax": (ModernHopfield(separation=Sparsemax(0.05)), gaussian(100),
                      ["β too small"], 100),
        "certified": (ModernHopfield(4.0, similarity="euclidean", precision="certified"), digits,
                      ["β too small"], 200),
        "manhattan": (ModernHopfield(0.01, similarity="manhattan"), gaussian(20, 16),
                      ["β too small"], 20),
        "top-k": (ModernHopfield(separation=TopK(5, 0.1), similarity="euclidean"), gaussian(60),
                  ["k too large"], 60),
        "k-subsets": (ModernHopfield(separation=KSubsets(3, 0.05), similarity="euclidean"),
                      gaussian(60), ["k too large"], 60),
        "β is learned": (ModernHopfield(separation=learned, similarity="euclidean"), gaussian(20),
                         ["β too small"], 20),
        "float32": (ModernHopfield(1e3, similarity="euclidean"), close,
                    ["rounding"], 12),
        "one pair is nearly equal": (ModernHopfield(0.01, similarity="euclidean"), nearly,
                                     ["rounding", "β too small", "near-duplicates"], 21),
        "copies": (ModernHopfield(1e5, similarity="euclidean"), doubled,
                   ["duplicates", "near-duplicates"], 43),
    }  # fmt: skip


def binary():
    """Remedies of binary networks, on ±1 patterns."""
    ink = torch.where(some(data.load("digits").patterns, 200) > 0, 1.0, -1.0)
    biased = ClassicalHopfield(thresholds=torch.full((100,), 3.0))
    random = synthetic.random_binary
    return {
        "copies of signs": (DenseHopfield(2.0), torch.cat([ink[:30], ink[:4]]),
                            ["duplicates"], 30),
        "hebbian, correlated": (ClassicalHopfield(), ink[:20], ["unstable"], 20),
        "hebbian, overloaded": (ClassicalHopfield(), random(60, 100), ["unstable"], 60),
        "storkey, overloaded": (ClassicalHopfield("storkey", store=PackedStore()),
                                random(90, 100), ["unstable"], 90),
        "thresholds": (biased, random(5, 100), ["unstable"], 5),
        "degree 2": (DenseHopfield(separation=Polynomial(2)), ink[:20], ["unstable"], 20),
        "dense, β too small": (DenseHopfield(0.1, schedule="asynchronous"), ink[:40],
                               ["unstable"], 39),
        "thermal": (ClassicalHopfield(temperature=0.5), random(3, 100), ["thermal"], 3),
        "thermal, ties": (ClassicalHopfield(temperature=50.0), undecided(), ["thermal"], 4),
    }  # fmt: skip


def planted():
    return continuous() | binary()


@pytest.mark.parametrize("name", planted())
def test_a_planted_problem_is_found_and_its_remedy_does_what_was_measured(name):
    memory, patterns, names, attractors = planted()[name]
    stored(memory, patterns, values=torch.arange(len(patterns)))
    report = diagnose(memory)
    assert [each.name for each in report.findings] == names, report
    first = report.findings[0].remedy.effect
    assert attractors is None or first["attractors"] == attractors, report
    for finding in report.findings:
        assert len(finding.patterns) and finding.cause in str(report)
        remedy = finding.remedy
        mended = remedy.apply(memory)
        counts = diagnose(mended).counts
        assert remedy.effect["tried"] == counts["patterns"] == remedy.effect["patterns"]
        assert remedy.effect["attractors"] == counts["attractors"], finding
        kept = slice(None) if remedy.indices is None else remedy.indices
        assert torch.equal(mended.values, memory.values[kept])


def test_what_findings_say():
    reports = {}
    for name in ("large norms", "thresholds", "hebbian, correlated", "β is learned", "float32"):
        memory, patterns, *_ = planted()[name]
        reports[name] = diagnose(stored(memory, patterns))
    (large,) = reports["large norms"].findings
    assert torch.equal(large.patterns, (reports["large norms"].margin <= 0).nonzero().flatten())
    assert large.remedy.advice == "Use similarity='euclidean'."
    (biased,) = reports["thresholds"].findings
    assert "thresholds outweigh" in biased.cause and "thresholds=None" in biased.remedy.advice
    assert "squared overlaps are" in reports["hebbian, correlated"].findings[0].cause
    assert "β is learned now" in str(reports["β is learned"].findings[0])
    assert "Parameter" not in str(reports["β is learned"].findings[0])
    assert reports["float32"].findings[0].remedy.dtype == torch.float64
    assert bool(reports["float32"].numerically_undecided.all())


def test_captors_are_where_it_ends():
    digits = some(data.load("digits").patterns, 200)
    memory = stored(ModernHopfield(1e4), digits)
    captured_by = diagnose(memory).captured_by
    lost = captured_by >= 0
    assert int(lost.sum()) > 50, "premise: some are captured"
    torch.testing.assert_close(memory.retrieve(digits[lost]).state, digits[captured_by[lost]])


def test_many_patterns_are_tried_from_a_sample(monkeypatch):
    monkeypatch.setattr(trials, "MOST_TRIED", 30)
    memory = stored(ModernHopfield(0.01, similarity="euclidean"), gaussian(80))
    (finding,) = diagnose(memory).findings
    assert finding.remedy.effect == {"patterns": 80, "tried": 30, "attractors": 30}
    assert "a sample of 30 of 80 patterns: 30 are attractors" in str(finding)


def test_a_remedy_fills_the_store_it_is_given():
    memory = stored(ClassicalHopfield(), synthetic.random_binary(60, 100))
    (finding,) = diagnose(memory).findings
    store = PackedStore()
    mended = finding.remedy.apply(memory, store=store)
    assert mended.storage is store and torch.equal(mended.patterns, memory.patterns)


class Cubic(Separation):
    """Weights in proportion to max(0, s)³, by the simplest means."""

    def potential(self, scores):
        return scores.clamp_min(1e-9).pow(4).sum(-1).pow(0.25)

    def __call__(self, scores):
        weights = scores.clamp_min(1e-9).pow(3)
        return weights / weights.sum(-1, keepdim=True)


def chebyshev(rows, state, known):
    return -(state[..., None, :] - rows).abs().amax(-1)


@pytest.mark.parametrize("memory", [
    ModernHopfield(separation=Cubic()), ModernHopfield(50.0, similarity=chebyshev),
    ModernHopfield(0.5, similarity=chebyshev), ModernHopfield(separation=Cubic(),
                                                              similarity="euclidean"),
], ids=["separation", "similarity", "similarity, flat", "both"])  # fmt: skip
def test_separations_and_similarities_of_a_user(memory):
    patterns = gaussian(40, 16)
    report = diagnose(stored(memory, patterns))
    result = memory.retrieve(patterns)
    own = (result.index == torch.arange(40)) & (result.weight > 0.51)
    assert torch.equal(report.attractor, own)
    scores = memory.similarity(patterns, patterns)
    margin = scores.diagonal() - (scores - torch.eye(40) * 1e9).amax(-1)
    torch.testing.assert_close(report.margin, margin.double(), rtol=1e-4, atol=1e-4)
    assert repr(report) and report.to_records()
    for finding in report.findings:
        if finding.remedy is not None:
            counts = diagnose(finding.remedy.apply(memory)).counts
            assert counts["attractors"] == finding.remedy.effect["attractors"]


def test_a_similarity_of_a_user_is_not_taken_for_the_dot_product():
    patterns = gaussian(40, 16)
    patterns[0] *= 10
    memory = stored(ModernHopfield(50.0, similarity=chebyshev), patterns)
    report = diagnose(memory)
    assert report.counts["attractors"] == 40 and bool((report.margin > 0).all())
    dot = diagnose(stored(ModernHopfield(50.0), patterns))
    assert dot.counts["attractors"] < 30, "premise: the dot product would say otherwise"


class Memmap(Store):
    """A store over a file, which never holds all of its rows."""

    def __init__(self, path, dim):
        self.path, self.dim, self.dtype, self.count = Path(path), dim, torch.float32, 0

    def append(self, rows, values=None):
        with self.path.open("ab") as file:
            file.write(rows.numpy().tobytes())
        self.count += len(rows)

    def remove(self, indices):
        raise NotImplementedError

    def take(self, indices):
        return torch.from_numpy(self._map()[indices.numpy()])

    def blocks(self, size):
        for start in range(0, self.count, size):
            yield Block(start, torch.from_numpy(self._map()[start : start + size].copy()))

    def __len__(self):
        return self.count

    def _map(self):
        return np.memmap(self.path, np.float32, "r", shape=(self.count, self.dim))


@pytest.mark.parametrize("make", [
    lambda **o: ModernHopfield(0.5, **o), lambda **o: ModernHopfield(9.0, similarity="cosine", **o),
    lambda **o: DenseHopfield(0.05, **o), lambda **o: ClassicalHopfield(**o),
])  # fmt: skip
def test_a_store_that_is_not_resident(make, tmp_path):
    patterns = synthetic.random_binary(20, 40)
    patterns = torch.cat([patterns, patterns[:2]])
    memory = stored(make(store=Memmap(tmp_path / "rows", 40)), patterns)
    with pytest.raises(HopfieldError, match="does not hold all rows"):
        _ = memory.patterns
    report, resident = diagnose(memory), diagnose(stored(make(), patterns))
    for name in ("attractor", "captured_by", "copy_of", "margin", "radius"):
        torch.testing.assert_close(getattr(report, name), getattr(resident, name), equal_nan=True)
    assert [str(each) for each in report.findings] == [str(each) for each in resident.findings]
    one, other = (explain(each, patterns[3]) for each in (memory, stored(make(), patterns)))
    assert [each.pattern for each in one.competitors] == [x.pattern for x in other.competitors]


class Nearest(Memory):
    """A network that declares nothing: it goes halfway to the nearest pattern but the first."""

    def step(self, state, known, held, generator):
        rows = self.storage.take(torch.arange(1, len(self)))
        index = torch.cdist(state, rows).argmin(-1)
        weight = torch.ones(len(state))
        return Reading((state + rows[index]) / 2, index=index + 1, weight=weight)

    def energy_of(self, state):
        return None

    def config(self):
        return {}


def test_a_network_of_a_user():
    memory = stored(Nearest(), gaussian(20, 8))
    report = diagnose(memory)
    assert report.counts["attractors"] == 19 and not bool(report.attractor[0])
    assert int(report.captured_by[0]) == int(memory.retrieve(memory.patterns[0]).index)
    assert bool(report.margin.isnan().all()) and bool(report.radius.isnan().all())
    (finding,) = report.findings
    assert finding.name == "lost" and finding.patterns.tolist() == [0]
    assert repr(report) and report.to_records()
    explanation = explain(memory, memory.patterns[4])
    assert explanation.kind == "stored" and explanation.to_records()[0]["energy"] is None
