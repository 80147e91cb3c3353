"""What a report says is so: remedies, duplicates, records; and whatever the memory."""

import json
import math
import runpy

import pytest
import torch

import hopfield
from diagnosed import (
    agreement,
    clustered,
    gaussian,
    memory_of,
    some,
    stored,
)
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    ModernHopfield,
    Polynomial,
    Sparsemax,
    corruption,
    data,
    diagnose,
    synthetic,
)
from hopfield.stores import PackedStore
from source_tree import ROOT


def undecided():
    """Four patterns of 40; at unit 0 of the first, three others outweigh it exactly: a tie."""
    others = torch.ones(3, 40)
    others[:, 0] = -1
    for place in range(3):
        others[place, 1 + 13 * place : 14 + 13 * place] = -1
    return torch.cat([torch.ones(1, 40), others])


def failing():
    """Memories in which something is wrong, and the names of what should be found."""
    digits = some(data.load("digits").patterns, 300)
    ink = torch.where(digits > 0, 1.0, -1.0)
    doubled = torch.cat([digits[:40], digits[:6], digits[:3] + 1e-3])
    return {
        "dot on digits": (ModernHopfield(1e4), digits, ["outscored"]),
        "dot, β too small": (ModernHopfield(4.0), digits, ["outscored", "β too small"]),
        "euclidean, β too small": (ModernHopfield(4.0, similarity="euclidean"), digits,
                                   ["β too small"]),
        "cosine of multiples": (ModernHopfield(100.0, similarity="cosine"),
                                torch.cat([digits[:20], 2 * digits[:20]]), ["outscored"]),
        "sparsemax": (ModernHopfield(separation=Sparsemax(0.05)), gaussian(100), ["β too small"]),
        "certified": (ModernHopfield(4.0, similarity="euclidean", precision="certified"), digits,
                      ["β too small"]),
        "copies": (ModernHopfield(1e5, similarity="euclidean"), doubled,
                   ["duplicates", "near-duplicates"]),
        "copies of signs": (DenseHopfield(2.0), torch.cat([ink[:30], ink[:4]]), ["duplicates"]),
        "hebbian, correlated": (ClassicalHopfield(), ink[:20], ["unstable"]),
        "hebbian, overloaded": (ClassicalHopfield(), synthetic.random_binary(60, 100),
                                ["unstable"]),
        "storkey, overloaded": (ClassicalHopfield("storkey", store=PackedStore()),
                                synthetic.random_binary(90, 100), ["unstable"]),
        "degree 2": (DenseHopfield(separation=Polynomial(2)), ink[:20], ["unstable"]),
        "dense, β too small": (DenseHopfield(0.1, schedule="asynchronous"), ink[:40],
                               ["unstable"]),
        "thermal": (ClassicalHopfield(temperature=0.5), synthetic.random_binary(3, 100),
                    ["thermal"]),
        "thermal, ties": (ClassicalHopfield(temperature=50.0), undecided(), ["thermal"]),
    }  # fmt: skip


@pytest.mark.parametrize("name", failing())
def test_a_remedy_does_what_it_predicts(name):
    memory, patterns, wanted = failing()[name]
    stored(memory, patterns, values=torch.arange(len(patterns)))
    report = diagnose(memory)
    assert {each.name for each in report.findings} >= set(wanted), report
    for finding in report.findings:
        assert len(finding.patterns), finding
        mended = finding.remedy.apply(memory)
        after = diagnose(mended)
        expected = dict(finding.remedy.expected)
        assert {key: after.counts[key] for key in expected} == expected, finding
        gone = {each.name for each in after.findings}
        assert finding.name not in gone or finding.name == "unstable", after
        kept = finding.remedy.kept
        values = memory.values if kept is None else memory.values[kept]
        assert torch.equal(mended.values, values)


def test_the_remedy_of_the_dot_product_keeps_every_pattern():
    digits = data.load("digits").patterns[:500]
    report = diagnose(stored(ModernHopfield(512.0), digits))
    (finding,) = [each for each in report.findings if each.name == "outscored"]
    assert 0 < len(finding.patterns) < 500
    assert bool((report.predicted.margin[finding.patterns] <= 0).all())
    assert finding.remedy.expected == {"patterns": 500, "attractors": 500}
    assert f"{len(finding.patterns)} patterns score no higher on themselves" in str(report)
    assert "similarity='euclidean'" in str(report)


def test_the_swallower_is_where_it_ends():
    digits = data.load("digits").patterns[:300]
    memory = stored(ModernHopfield(1e4), digits)
    report = diagnose(memory)
    lost = (~report.attractor).nonzero().squeeze(-1)
    assert len(lost) > 50, "premise: some are swallowed"
    ends = memory.retrieve(digits[lost]).state
    torch.testing.assert_close(ends, digits[report.predicted.swallower[lost]])


def test_copies_and_near_ones_are_named():
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
                                    DenseHopfield(0.3), ClassicalHopfield()], ids=str)  # fmt: skip
def test_one_pattern_alone(memory):
    report = diagnose(stored(memory, synthetic.random_binary(1, 12)))
    assert bool(report.fixed.all() and report.attractor.all())
    assert int(report.predicted.rival) == int(report.neighbour) == -1
    assert report.findings == () and "Nothing was found" in repr(report)
    assert json.loads(json.dumps(report.to_records()))[-1]["nearest"] is None


def test_what_is_read_at_a_time_changes_nothing(monkeypatch):
    memory = memory_of(clustered(100), "dot")
    whole = diagnose(memory)
    monkeypatch.setattr("hopfield.analysis.rows.SCORES", 100)
    monkeypatch.setattr("hopfield.analysis.rows.KEPT", 0)
    monkeypatch.setattr("hopfield.analysis.rows.BLOCK", 7)
    parts = diagnose(memory)
    for name in ("fixed", "attractor", "swallower", "rival"):
        assert torch.equal(getattr(parts.predicted, name), getattr(whole.predicted, name))
    torch.testing.assert_close(parts.predicted.radius, whole.predicted.radius)
    torch.testing.assert_close(parts.nearest, whole.nearest)


def test_scores_of_all_by_all_are_never_held(monkeypatch):
    most = []
    from hopfield.analysis import rows

    plain = rows.Rows.scores

    def watched(self, state, similarity):
        found = plain(self, state, similarity)
        most.append(found.numel())
        return found

    monkeypatch.setattr(rows.Rows, "scores", watched)
    monkeypatch.setattr(rows, "SCORES", 2**14)
    diagnose(stored(ModernHopfield(50.0, similarity="euclidean"), gaussian(900)), observe=False)
    assert max(most) <= 2**14


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_dtype(dtype):
    patterns = gaussian(60).to(dtype)
    report = diagnose(stored(ModernHopfield(2.0, similarity="euclidean"), patterns))
    assert min(agreement(report)) == 1


@pytest.mark.parametrize("similarity", ["manhattan", "euclidean"])
def test_without_a_model_the_dynamics_itself_is_asked(similarity):
    class Halved(hopfield.Softmax):
        """A separation of one's own."""

    own = hopfield.Softmax(0.5) if similarity == "manhattan" else Halved(0.3)
    memory = ModernHopfield(separation=own, similarity=similarity)
    report = diagnose(stored(memory, gaussian(80)))
    assert min(agreement(report)) == 1
    assert repr(report)


def test_the_memory_is_left_alone():
    memory = memory_of(clustered(50), "dot")
    before, version = repr(memory), memory.storage.version
    patterns = memory.patterns.clone()
    for finding in diagnose(memory).findings:
        finding.remedy.apply(memory)
    assert (repr(memory), memory.storage.version) == (before, version)
    assert torch.equal(memory.patterns, patterns)


def test_records_hold_what_the_report_says():
    memory = memory_of(clustered(60), "dot")
    report = diagnose(memory)
    lines = json.loads(json.dumps(report.to_records()))
    kinds = [line["experiment"] for line in lines]
    assert kinds.count("diagnosed pattern") == 60 and kinds[0] == "diagnosis"
    assert kinds.count("finding") == len(report.findings) > 0
    assert {**lines[0], **report.counts} == lines[0]
    each = [line for line in lines if line["experiment"] == "diagnosed pattern"]
    assert [line["attractor"] for line in each] == report.attractor.tolist()
    assert [line["margin"] for line in each] == report.predicted.margin.tolist()


def test_unobserved_reports_give_the_prediction():
    report = diagnose(memory_of(clustered(60), "dot"), observe=False)
    assert report.observed is None and "observed" not in repr(report)
    assert torch.equal(report.attractor, report.predicted.attractor)


def test_cues_come_back_as_far_as_the_basin_is_proved():
    """The use of it: noise shorter than the radius does no harm."""
    digits = some(data.load("digits").patterns, 200).double()
    memory = stored(ModernHopfield(100.0, similarity="euclidean"), digits)
    radius = diagnose(memory).predicted.radius
    noise = corruption.gaussian_noise(torch.zeros_like(digits), 1.0).state
    cues = digits + noise / noise.norm(dim=-1, keepdim=True) * radius[:, None]
    assert torch.equal(memory.retrieve(cues).index, torch.arange(200))


RECORDED = ROOT / "docs" / "diagnosis"


def test_the_page_of_predictions_is_what_its_records_say():
    page = runpy.run_path(str(ROOT / "docs" / "make_diagnosis.py"))["page"](RECORDED)
    assert (RECORDED / "README.md").read_text(encoding="utf-8") == page


def test_the_recorded_predictions_hold_on_99_percent_of_five_sets():
    text = (RECORDED / "records.jsonl").read_text(encoding="utf-8").splitlines()
    lines = [line for line in map(json.loads, text) if line["experiment"] == "prediction"]
    assert len({line["set"] for line in lines}) == 5
    mixed = [line for line in lines if 0.05 < line["attractors"] / line["n"] < 0.95]
    assert len({line["set"] for line in mixed}) >= 4, "premise: not all is plain"
    assert {line["separation"] for line in lines} == {"softmax", "1.5-entmax", "sparsemax"}
    for line in lines:
        right = line["fixed"], line["attractor"], line["swallower"]
        assert min(right) >= 0.99 * line["n"] >= 990, line


def test_what_is_run_for_want_of_a_model_has_a_remedy_too():
    memory = stored(ModernHopfield(0.01, similarity="manhattan"), gaussian(20, 16))
    (finding,) = diagnose(memory).findings
    assert finding.name == "β too small" and len(finding.patterns) == 20
    assert diagnose(finding.remedy.apply(memory)).counts["attractors"] == 20


def test_a_lone_pattern_holds_at_beta_0():
    memory = hopfield.DenseHopfield(0.0)
    memory.store(torch.ones(1, 3))
    report = hopfield.diagnose(memory)
    assert report.predicted.fixed.tolist() == report.observed.fixed.tolist() == [True]
    assert not report.predicted.margin.isnan().any()


def test_where_nothing_is_known_more_steps_are_not_advised():
    patterns = torch.randn(6, 64, generator=torch.Generator().manual_seed(0)).sign()
    memory = hopfield.ClassicalHopfield()
    memory.store(patterns)
    nothing = torch.zeros(64, dtype=torch.bool)
    assert "Say more entries" in str(hopfield.explain(memory, patterns[0], nothing))
