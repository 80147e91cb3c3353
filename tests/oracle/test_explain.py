"""`explain` reports what happened to a cue."""

import json

import pytest
import torch

import hopfield
from diagnosed import gaussian
from hopfield import ClassicalHopfield, Cue, DenseHopfield, ModernHopfield, explain, synthetic
from hopfield.errors import CapacityWarning
from hopfield.similarity import SIMILARITIES
from hopfield.stores import PackedStore

PATTERNS = gaussian(20, 16)
SIGNS = synthetic.random_binary(6, 100)


def holding(memory, patterns):
    memory.store(patterns)
    return memory


def reasons(explanation):
    return " ".join(explanation.reasons)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_shares_are_the_weights(similarity):
    memory = holding(ModernHopfield(1.5, similarity=similarity), PATTERNS)
    cue = PATTERNS[3] + 0.3 * PATTERNS[4]
    found = explain(memory, cue, top=20)
    scores = SIMILARITIES[similarity](PATTERNS, cue)
    weights = torch.softmax(1.5 * scores, -1)
    end = memory.retrieve(cue)
    final = torch.softmax(1.5 * SIMILARITIES[similarity](PATTERNS, end.state), -1)
    assert sorted(each.pattern for each in found.competitors) == list(range(20))
    for each in found.competitors:
        assert each.score == pytest.approx(scores[each.pattern].item(), rel=1e-5, abs=1e-5)
        assert each.share == pytest.approx(weights[each.pattern].item(), abs=1e-5)
        assert each.final == pytest.approx(final[each.pattern].item(), abs=1e-5)
        assert each.unknown_score is None
    order = [(each.final, each.share, each.score) for each in found.competitors]
    assert order == sorted(order, reverse=True)
    assert (found.retrieval.state == end.state).all()


def test_a_pattern_that_comes_back():
    memory = holding(ModernHopfield(50.0, similarity="euclidean"), PATTERNS)
    found = explain(memory, PATTERNS[3] + 0.01)
    assert found.kind == "stored" and found.n_effective == 1
    assert "It ended at pattern 3, whose share of the weights is 1.000." in reasons(found)
    assert "pattern 3 scored highest" in reasons(found) and "It settled after" in reasons(found)


def test_a_mixture():
    memory = holding(ModernHopfield(0.01), PATTERNS)
    found = explain(memory, PATTERNS[3])
    assert found.kind == "mixture" and found.n_effective > 10
    assert f"{found.n_effective} patterns make up 0.9 of the weight" in reasons(found)


def test_copies_are_no_mixture():
    memory = holding(ModernHopfield(50.0), torch.cat([PATTERNS / 4, PATTERNS[3:4] / 4]))
    found = explain(memory, 4 * PATTERNS[3])
    assert found.kind == "stored" and found.retrieval.weight == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_what_hidden_entries_would_have_added(similarity):
    memory = holding(ModernHopfield(20.0, similarity=similarity), PATTERNS)
    known = torch.arange(16) < 6
    cue = torch.where(known, PATTERNS[3], 4 * PATTERNS[8])
    found = explain(memory, cue, known, top=20)
    for each in found.competitors:
        row, seen = PATTERNS[each.pattern], ~known
        by_hand = (row * cue)[seen].sum() if similarity == "dot" else (
            -(row - cue)[seen].square().sum() / 2)  # fmt: skip
        assert each.unknown_score == pytest.approx(by_hand.item(), rel=1e-4, abs=1e-4)
    assert "10 of 16 entries are unknown and added nothing" in reasons(found)
    counted = SIMILARITIES[similarity](PATTERNS, cue, known)
    whole = SIMILARITIES[similarity](PATTERNS, cue)
    assert counted.argmax() != whole.argmax(), "premise: the mask decides"
    assert f"with them pattern {int(whole.argmax())} would lead" in reasons(found)
    same = explain(memory, Cue(cue, known), top=20)
    assert same.competitors == found.competitors


def test_a_forgotten_mask_is_pointed_out():
    images = gaussian(20, 16).abs()
    memory = holding(ModernHopfield(20.0, similarity="euclidean"), images)
    cues = torch.where(torch.arange(16) < 8, images, 0.0)
    wrong = (memory.retrieve(cues).index != torch.arange(20)).nonzero().flatten()
    assert len(wrong), "premise: zeros mislead"
    place = int(wrong[0])
    found = explain(memory, cues[place])
    assert "8 entries are 0 and counted as evidence" in reasons(found)
    assert f"pattern {place} would lead" in reasons(found)
    assert "counted as evidence" not in reasons(explain(memory, images[0]))


def test_ends_of_binary_networks():
    memory = holding(ClassicalHopfield(), SIGNS[:3])
    assert explain(memory, SIGNS[1]).kind == "stored"
    assert explain(memory, -SIGNS[1]).kind == "inverse"
    assert "the negative of pattern 1" in reasons(explain(memory, -SIGNS[1]))
    mixed = (SIGNS[0] + SIGNS[1] + SIGNS[2]).sign()
    assert explain(memory, mixed).kind == "mixture"
    shares = {each.pattern: each.final for each in explain(memory, SIGNS[1]).competitors}
    assert shares[1] == 1


def test_a_spurious_state():
    memory = ClassicalHopfield()
    with pytest.warns(CapacityWarning):
        memory.store(synthetic.random_binary(40, 60))
    found = explain(memory, synthetic.random_binary(1, 60, generator=torch.Generator())[0])
    assert found.kind == "spurious" and "a spurious state" in reasons(found)


def test_a_cycle_and_a_limit_and_heat():
    pair = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    memory = holding(ClassicalHopfield(schedule="synchronous"), pair[:1])
    assert "two states alternate" in reasons(explain(memory, torch.tensor([1.0, -1.0])))
    ring = lambda rows: torch.tensor([[0.0, 1.0], [-1.0, 0.0]])  # noqa: E731
    ring.symmetric = False
    for schedule, told in (("synchronous", "a cycle of 4 states"), ("asynchronous", "need not")):
        memory = holding(ClassicalHopfield(ring, schedule=schedule), pair[:1])
        found = reasons(explain(memory, pair[0]))
        assert told in found and "'asynchronous' settles" not in found
    warm = holding(ClassicalHopfield(temperature=0.5), SIGNS[:2])
    assert "at temperature 0.5 units flip by chance" in reasons(explain(warm, SIGNS[0]))


def test_the_dynamics_may_lead_elsewhere():
    digits = torch.tensor([[1.0, 0.0], [1.5, 0.2], [2.6, 0.0]])
    memory = holding(ModernHopfield(50.0), digits)
    cue = torch.tensor([0.2, 4.0])
    found = explain(memory, cue)
    assert int(found.retrieval.index) == 2 and "pattern 1 scored highest" in reasons(found)
    assert "led from it to pattern 2" in reasons(found)


@pytest.mark.parametrize("memory", [DenseHopfield(0.1), DenseHopfield(store=PackedStore()),
    DenseHopfield(separation=hopfield.Polynomial(3)), ClassicalHopfield("pseudo_inverse")],
    ids=str)  # fmt: skip
def test_unknown_entries_of_binary_cues(memory):
    holding(memory, SIGNS)
    known = torch.arange(100) < 50
    found = explain(memory, SIGNS[2], known)
    assert found.kind == "stored" and int(found.retrieval.index) == 2
    (own,) = [each for each in found.competitors if each.pattern == 2]
    assert (own.score, own.unknown_score) == (50, 50)


def test_records_and_table():
    memory = holding(ModernHopfield(5.0), PATTERNS)
    found = explain(memory, PATTERNS[3], torch.arange(16) < 8, top=3)
    whole, *each = json.loads(json.dumps(found.to_records()))
    assert whole["kind"] == found.kind and whole["steps"] == int(found.retrieval.steps)
    assert [line["pattern"] for line in each] == [c.pattern for c in found.competitors]
    assert len(repr(found).splitlines()) == len(found.reasons) + 1 + 1 + 3


def test_one_pattern_alone():
    found = explain(holding(ModernHopfield(5.0), PATTERNS[:1]), PATTERNS[0])
    assert found.kind == "stored" and "No other pattern is stored." in reasons(found)


def test_few_competitors_are_the_first_of_many():
    """Shares that are 0 by rounding are in the order of their scores."""
    memory = holding(ModernHopfield(1e5, similarity="euclidean"), PATTERNS)
    many = explain(memory, PATTERNS[3], top=20).competitors
    assert [each.final for each in many[:2]] == [1, 0], "premise: shares are 0 by rounding"
    scores = [each.score for each in many]
    assert scores == sorted(scores, reverse=True)
    assert explain(memory, PATTERNS[3], top=5).competitors == many[:5]


def test_where_nothing_is_known_more_steps_are_not_advised():
    memory = holding(ClassicalHopfield(), SIGNS[:3])
    nothing = torch.zeros(100, dtype=torch.bool)
    assert "Make more entries known" in reasons(explain(memory, SIGNS[0], nothing))
