"""The contract of every memory: storing, removing, values, saving, and calls that fail."""

import re

import pytest
import torch

from answers import assert_same_answer, assert_same_bits
from cases import (
    CASES,
    DETERMINISTIC,
    DIM,
    brought,
    every_memory,
    filled,
    in_turn,
    over,
    patterns_and_cues,
    random_masks,
    random_patterns,
    seeded,
    shares_of,
    signs,
)
from hopfield import ClassicalHopfield, DenseHopfield, HopfieldError, ModernHopfield, load, rules
from hopfield.similarity import SIMILARITIES
from hopfield.stores import Block

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
CLASSICAL = [case for case in CASES if case.kind == "classical" and not case.thermal]


@in_turn(DETERMINISTIC)
def test_two_calls_store_what_one_does(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype, n=6)
    values = torch.randn(6, 2, generator=seeded(3))
    once = filled(case, patterns, values).retrieve(cues, steps=2)
    twice = filled(case, patterns[:2], values[:2])
    assert twice.retrieve(cues, steps=1) is not None, "it is used in between"
    twice.store(patterns[2:], values=values[2:], **brought(case, patterns[2:]))
    assert torch.equal(twice.patterns, patterns)
    assert torch.equal(twice.values, values)
    assert_same_answer(case, patterns, once, twice.retrieve(cues, steps=2))


@over(CLASSICAL)
@pytest.mark.parametrize("splits", [[1] * 9, [3, 6], [8, 1], [2, 2, 2, 2, 1]], ids=str)
def test_a_coupling_that_grows_is_the_coupling_of_all(case, splits):
    """Also across the switch from low rank to W itself, and with repeated rows."""
    patterns = signs(9, 14, generator=seeded(0), dtype=torch.float64)
    patterns[5], patterns[7] = patterns[1], -patterns[2]
    whole = ClassicalHopfield(case.make().rule, diagonal=case.make().diagonal)
    whole.store(patterns)
    grown = ClassicalHopfield(case.make().rule, diagonal=case.make().diagonal)
    seen = set()
    for part in patterns.split(splits):
        grown.store(part)
        seen.add(type(grown._coupling()).__name__)
    if len(splits) == 9 and not case.ordered and "perceptron" not in case.name:
        assert seen == {"LowRankCoupling", "FullCoupling"}, "premise: it switches to W on the way"
    assert (grown.coupling - whole.coupling).abs().max() < 1e-13
    assert torch.linalg.matrix_rank(rules.pseudo_inverse(patterns, diagonal=True)) == 7


@in_turn(DETERMINISTIC, 1)
def test_removed_is_as_if_never_stored(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype, n=6)
    values = torch.arange(6)
    memory = filled(case, patterns, values)
    memory.retrieve(cues, steps=1)
    memory.remove([1, -2])
    kept = [0, 2, 3, 5]
    assert torch.equal(memory.patterns, patterns[kept])
    assert torch.equal(memory.values, values[kept])
    fresh = filled(case, patterns[kept], values[kept])
    assert_same_bits(memory.retrieve(cues, steps=2), fresh.retrieve(cues, steps=2))
    memory.store(patterns[[1, 4]], values=values[[1, 4]])
    fresh.store(patterns[[1, 4]], values=values[[1, 4]])
    assert_same_answer(
        case, patterns, memory.retrieve(cues, steps=2), fresh.retrieve(cues, steps=2)
    )


@every_memory
def test_an_emptied_memory_is_like_a_new_one(case):
    memory = filled(case, random_patterns(case, 3, torch.float32), torch.arange(3))
    memory.remove(range(3))
    assert len(memory) == 0
    assert repr(memory).endswith("<empty>")
    if getattr(memory, "thresholds", None) is None:
        memory.store(signs(2, 7, generator=seeded(0), dtype=torch.float64))
        found = memory.retrieve(memory.patterns, steps=1)
        assert (found.state.shape, found.value) == ((2, 7), None)


@every_memory
def test_memories_of_one_pattern_and_of_duplicates(case):
    patterns, cues = patterns_and_cues(case, torch.float64)
    single = filled(case, patterns[:1]).retrieve(cues, steps=2)
    assert (single.index == 0).all()
    assert not case.has_energy or torch.isfinite(single.energy).all()
    double = filled(case, patterns.repeat(2, 1)).retrieve(cues, steps=2)
    assert not case.has_energy or torch.isfinite(double.energy).all()
    if case.binary:
        assert (double.index < 5).all(), "the first of those that tie"


# ---- values


@every_memory
def test_float_values_are_weighted_and_others_picked(case):
    patterns, cues = patterns_and_cues(case, torch.float64)
    n = len(patterns)
    numbers = torch.randn(n, 2, 3, generator=seeded(3), dtype=torch.float64)
    memory = filled(case, patterns, numbers)
    for at in ("state", "cue"):
        found = memory.retrieve(cues, steps=1, values_at=at)
        assert found.value.shape == (6, 2, 3)
        if memory.value_weights is None:
            assert torch.equal(found.value, numbers[found.index])
        else:
            state = {"cue": cues, "state": found.state}[at]
            scores = SIMILARITIES[case.similarity](Block(0, patterns), state, None)
            weights = shares_of(memory.separation, scores, **brought(case, patterns))
            expected = torch.einsum("bn,nij->bij", weights, numbers)
            torch.testing.assert_close(found.value, expected, rtol=1e-9, atol=1e-9, equal_nan=True)
    again = memory.retrieve(cues, steps=1).value
    assert torch.equal(again.nan_to_num(), found.value.nan_to_num()), "at the cue by default"
    for values in (torch.arange(n), torch.arange(n) % 2 == 0, torch.arange(4 * n).reshape(n, 2, 2)):
        for at in ("state", "cue"):
            again = filled(case, patterns, values).retrieve(cues, steps=1, values_at=at)
            assert torch.equal(again.value, values[again.index])
            assert again.value.dtype == values.dtype
    assert filled(case, patterns).retrieve(cues, steps=1).value is None
    scalar = filled(case, patterns, numbers[:, 0, 0]).retrieve(cues, steps=1)
    torch.testing.assert_close(
        scalar.value, found.value[:, 0, 0], rtol=1e-9, atol=1e-9, equal_nan=True
    )


@every_memory
def test_values_at_a_masked_cue_are_weighed_by_its_known_entries(case):
    """In binary networks an unknown unit is 0 in the cue."""
    patterns, cues = patterns_and_cues(case, torch.float64)
    numbers = torch.randn(len(patterns), generator=seeded(3), dtype=torch.float64)
    memory, known = filled(case, patterns, numbers), random_masks(len(cues), DIM)
    found = memory.retrieve(torch.where(known, cues, torch.nan), known, steps=3)
    if memory.value_weights is None:
        assert torch.equal(found.value, numbers[found.index])
        return
    cue, mask = torch.where(known, cues, 0.0), None if memory.binary else known
    for state, at in ((cue, "cue"), (found.state, "state")):
        value = memory.retrieve(cue, known, steps=3, values_at=at).value
        scores = SIMILARITIES[case.similarity](Block(0, patterns), state, mask)
        expected = shares_of(memory.separation, scores, **brought(case, patterns)) @ numbers
        torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("shared", [True, False])
def test_values_are_weighed_by_known_entries_where_only_those_are_evidence(shared):
    patterns = torch.randn(5, DIM, generator=seeded(0), dtype=torch.float64)
    cues = patterns[:3] + 0.5 * torch.randn(3, DIM, generator=seeded(1), dtype=torch.float64)
    known = (random_masks(DIM) if shared else random_masks(3, DIM)).expand(3, -1)
    names = torch.eye(5, dtype=torch.float64)
    memory = ModernHopfield(0.05, similarity="euclidean")
    memory.store(patterns, values=names)
    by_known = [
        memory.retrieve(cues, known, steps=1, tol=0.0, values_at="state", **option)
        for option in ({}, {"clamp": False})
    ]
    for found in by_known:
        for at, mask in enumerate(known):
            scores = -(patterns[:, mask] - found.state[at, mask]).square().sum(-1) / 2
            expected = torch.softmax(0.05 * scores, -1)
            torch.testing.assert_close(found.value[at], expected, rtol=1e-12, atol=1e-12)
    full = memory.retrieve(cues, known, evidence="all", values_at="state")
    scores = -(patterns - full.state[:, None]).square().sum(-1) / 2
    torch.testing.assert_close(full.value, torch.softmax(0.05 * scores, -1), rtol=1e-9, atol=1e-9)
    for option in ({}, {"clamp": False}, {"evidence": "all"}):  # the cue is the same for all
        value = memory.retrieve(cues, known, **option).value
        torch.testing.assert_close(value, by_known[0].value, rtol=1e-12, atol=1e-12)


def test_binary_values_are_those_of_the_largest_overlap():
    patterns = signs(4, DIM, generator=seeded(0))
    values = torch.randn(4, generator=seeded(1))
    for memory in (ClassicalHopfield(), DenseHopfield(50.0)):
        memory.store(patterns, values=values)
        found = memory.retrieve(patterns)
        torch.testing.assert_close(found.value, values, rtol=0, atol=0)


# ---- saving, failing


@in_turn(CASES, 2)
def test_saved_and_loaded_gives_the_same_bits(case, dtype, tmp_path):
    patterns, cues = patterns_and_cues(case, dtype)
    memory = filled(case, patterns, torch.randn(5, 2, generator=seeded(3)))
    memory.save(tmp_path / "memory")
    again = load(tmp_path / "memory")
    other, one = (re.sub(r"\d\.lance", ".lance", repr(each)) for each in (again, memory))
    assert other == one  # a table has another path
    assert_same_bits(memory.retrieve(cues, steps=2), again.retrieve(cues, steps=2))


@every_memory
def test_a_failed_call_changes_nothing(case):
    patterns, cues = patterns_and_cues(case, torch.float32)
    values = torch.randn(5, 2, generator=seeded(3))
    memory = filled(case, patterns, values)
    before = memory.retrieve(cues, steps=2, trace=True)
    version = memory.storage.version
    infinite = patterns.clone()
    infinite[-1, -1] = float("inf")
    wrong = [
        lambda: memory.store(patterns[:, :-1], values=values),
        lambda: memory.store(infinite, values=values),
        lambda: memory.store(patterns.double(), values=values),
        lambda: memory.store(patterns),
        lambda: memory.store(patterns, values=values[:-1]),
        lambda: memory.store(patterns, values=values[:, :1]),
        lambda: memory.store(patterns, values=values.long()),
        lambda: memory.remove([0, 99]),
        lambda: memory.remove(1.5),
        lambda: memory.retrieve(cues[:, :-1]),
        lambda: memory.retrieve(cues, steps=-1),
        lambda: memory.to(dtype=torch.int64),
        lambda: memory.save("no such folder/memory"),
    ]
    if case.binary:
        wrong.append(lambda: memory.store(patterns * 2, values=values))
    for call in wrong:
        with pytest.raises(HopfieldError):
            call()
        assert (len(memory), memory.storage.version) == (5, version)
    assert_same_bits(before, memory.retrieve(cues, steps=2, trace=True))
