"""Rules of a user's own: functions of the patterns that return W, or W and thresholds."""

import pickle

import pytest
import torch

from cases import seeded, signs
from hopfield import ClassicalHopfield, GradedHopfield, PackedStore, diagnose, load, rules
from hopfield.errors import CapacityWarning, OptionError

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
PATTERNS = signs(5, 24, generator=seeded(0))
CUES = signs(20, 24, generator=seeded(1))


def products(patterns):
    """Hebb's rule, which also overwrites what it was given."""
    weights = patterns.T @ patterns / patterns.shape[1]
    patterns.zero_()
    return weights


def centred(patterns):
    """The covariance rule with its thresholds."""
    mean = patterns.mean()
    weights = (patterns - mean).T @ (patterns - mean) / patterns.shape[1]
    return weights, torch.full(patterns.shape[1:], float(mean * (mean**2 - 1)))


def chain(patterns):
    """Each pattern leads to the next."""
    return patterns.roll(-1, 0).T @ patterns / patterns.shape[1]


chain.symmetric = False


def stored(rule, kind=ClassicalHopfield, **options):
    memory = kind(rule, **options)
    memory.store(PATTERNS)
    return memory


@pytest.mark.parametrize(("own", "name"), [(products, "hebbian"), (centred, "covariance")])
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("schedule", ["asynchronous", "synchronous"])
@pytest.mark.parametrize("store", [None, PackedStore])
def test_a_function_gives_the_network_of_the_rule_that_it_states(
    own, name, diagonal, schedule, store
):
    memory, expected = (
        stored(rule, diagonal=diagonal, schedule=schedule, store=store and store())
        for rule in (own, name)
    )
    torch.testing.assert_close(memory.coupling, expected.coupling)
    torch.testing.assert_close(memory.energy(CUES), expected.energy(CUES))
    found, wanted = memory.retrieve(CUES), expected.retrieve(CUES)
    assert torch.equal(found.state, wanted.state) and torch.equal(found.index, wanted.index)
    assert torch.equal(memory.patterns, PATTERNS), "a function is given a copy"
    if own is centred:
        torch.testing.assert_close(memory.thresholds, expected.thresholds)


def test_given_thresholds_take_the_place_of_those_of_the_rule():
    thresholds = torch.linspace(-1, 1, 24)
    memory = stored(centred, thresholds=thresholds)
    assert torch.equal(memory.thresholds, thresholds)
    torch.testing.assert_close(memory.field(CUES), CUES @ memory.coupling - thresholds)


def test_patterns_stored_later_are_learned_with_the_earlier_ones():
    memory = ClassicalHopfield(centred)
    for part in PATTERNS.split(2):
        memory.store(part)
    assert torch.equal(memory.coupling, stored(centred).coupling)
    memory.remove([0, 1])
    expected = ClassicalHopfield(centred)
    expected.store(PATTERNS[2:])
    assert torch.equal(memory.thresholds, expected.thresholds)


def test_a_declared_function_may_lead_in_one_direction():
    memory = stored(chain, schedule="synchronous", diagonal=True)
    found = memory.retrieve(PATTERNS[0])
    assert torch.equal(memory.update(PATTERNS[0]), PATTERNS[1])
    assert found.energy is None and found.period == len(PATTERNS)
    with pytest.raises(OptionError, match="not symmetric"):
        memory.energy(CUES)


def test_files_hold_no_functions_but_what_these_learned(tmp_path):
    memory = stored(chain)
    with pytest.raises(OptionError, match=r"is chain\. Save .*symmetric=False"):
        memory.save(tmp_path / "memory.hop")
    assert not list(tmp_path.iterdir())
    for rule, symmetric in ((chain, False), (centred, True)):
        memory = stored(rule)
        given = type(memory).from_coupling(memory.coupling, memory.thresholds, symmetric=symmetric)
        given.save(tmp_path / "memory.hop")
        again = load(tmp_path / "memory.hop")
        assert torch.equal(again.update(CUES), memory.update(CUES))


@pytest.mark.parametrize("make", [
    lambda: stored(chain, schedule="synchronous", diagonal=True),
    lambda: stored(products, diagonal=True),
    lambda: stored(centred, temperature=0.5),
    lambda: stored(products, GradedHopfield, gain=3.0),
])  # fmt: skip
def test_the_advice_on_files_makes_the_same_network(make, tmp_path):
    memory = make()
    with pytest.raises(OptionError) as caught:
        memory.save(tmp_path / "memory.hop")
    advice = str(caught.value).partition("what was learned: ")[2].removesuffix(".")
    given = eval(advice, {"memory": memory})  # as a user types it
    given.save(tmp_path / "memory.hop")
    again = load(tmp_path / "memory.hop")
    assert torch.equal(again.update(CUES), memory.update(CUES))
    if memory.coupling.allclose(memory.coupling.T):
        torch.testing.assert_close(again.energy(CUES), memory.energy(CUES))


def test_texts_and_copies_keep_the_function():
    memory = stored(products)
    assert "rule=products, " in repr(memory)
    again = pickle.loads(pickle.dumps(memory))
    assert torch.equal(again.update(CUES), memory.update(CUES))
    with pytest.raises(OptionError, match="rule=products is no sum over patterns"):
        memory.store(PATTERNS, prior=2)


def test_the_capacity_of_perceptrons_is_that_of_their_margin():
    for rule, capacity in (("perceptron", 48.0), (rules.Perceptron(0.5), 23.069), (products, None)):
        theory = diagnose(stored(rule)).theory
        assert theory.capacity == (capacity and pytest.approx(capacity, abs=1e-3))


def test_perceptrons_are_rules_with_arguments(tmp_path):
    rule = rules.Perceptron(margin=0.5, symmetric=True)
    memory = stored(rule)
    assert torch.equal(memory.coupling, rule(PATTERNS))
    memory.save(tmp_path / "memory.hop")
    again = load(tmp_path / "memory.hop")
    assert again.rule == rule and torch.equal(again.energy(CUES), memory.energy(CUES))
    many = ClassicalHopfield("perceptron")
    many.store(signs(30, 24, generator=seeded(2)))
    assert torch.equal(many.retrieve(many.patterns).state, many.patterns), "n > N"
    many.store(signs(40, 24, generator=seeded(3)))
    with pytest.warns(CapacityWarning, match="did not learn"):
        many.retrieve(CUES)
