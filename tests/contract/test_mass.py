"""Random memories at extreme sizes; `python tests/support/mass.py` makes thousands of such runs."""

from collections import Counter

import pytest

import mass

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


@pytest.mark.parametrize("first", range(0, 200, 25))
def test_answers_are_finite_and_energies_descend(first):
    results = {seed: mass.check(seed) for seed in range(first, first + 25)}
    faults = {seed: text for seed, (result, text) in results.items() if result == "fault"}
    assert not faults
    counts = Counter(result for result, _ in results.values())
    assert counts["answer"] > 15, "premise: most are answered"


def test_faults_are_seen(monkeypatch):
    """Of energies that rise, and of numbers that are not finite."""
    real = mass.ModernHopfield.energy, mass.rise
    monkeypatch.setattr(mass.ModernHopfield, "energy", lambda *a: real[0](*a) + float("nan"))
    monkeypatch.setattr(mass, "rise", lambda drawn, found: 2.0)
    texts = [mass.check(seed)[1] for seed in range(20)]
    assert any("energy()" in text for text in texts)
    assert any("energy rises by 2 slacks" in text for text in texts)
