"""When a state counts as settled, and what a returned bound counts."""

import copy
import math
import pickle
from dataclasses import replace

import pytest
import torch

from hopfield import ClassicalHopfield, HopfieldError, ModernHopfield, iteration, similarity
from hopfield.bound import Bound
from hopfield.iteration import EntrywiseTolerance, Reading
from hopfield.similarity import SIMILARITIES

BOUNDS = ("state", "energy", "unread_weight")
FAR = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1e6, 1e6]], dtype=torch.float64)


@pytest.mark.parametrize("beta", [0.9, 1.3])
def test_an_outlier_does_not_hide_what_still_moves(beta):
    """The spread of the patterns is 10⁵ times the width β^(−½) of the weights."""
    memory = ModernHopfield(beta, similarity="euclidean")
    memory.store(FAR)
    assert 1e-4 * FAR.std(0).min() > 10, "premise: the spread alone would stop at once"
    found = memory.retrieve(torch.tensor([0.9, 0.0], dtype=torch.float64), steps=2000)
    assert found.converged and found.steps > 3
    moved = (memory.update(found.state) - found.state).abs().max()
    assert moved <= 1e-4 / math.sqrt(beta)


@pytest.mark.parametrize("size", [1.0, 1e-6, 0.0])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_bound_counts_the_rounding_of_what_is_returned(dtype, size):
    """In half precision, also where numbers are subnormal and evenly spaced."""
    exact = size * torch.randn(20, 64, generator=torch.Generator().manual_seed(0))
    state = exact.to(dtype)
    none = Bound(*torch.zeros(3, 20))
    bound = none.with_rounding(state, torch.float32).state
    error = (state.float() - exact).norm(dim=-1)
    assert (error <= bound).all()
    assert (bound <= 20 * error).all() or size == 0, "and little more"
    assert torch.equal(none.with_rounding(exact, torch.float32).state, torch.zeros(20))


def test_a_field_of_nothing_is_refused():
    with pytest.raises(HopfieldError, match="store"):
        ClassicalHopfield().field(torch.ones(3))


def test_copies_of_a_built_in_similarity_are_the_similarity():
    for one in SIMILARITIES.values():
        assert copy.deepcopy(one) is one
    own = similarity.as_similarity(lambda rows, state, known: state @ rows.T)
    assert copy.copy(own) == own and copy.copy(own) is not own


def test_entries_without_a_value_are_read_before_they_are_compared():
    """A placeholder that equals the answer is no answer yet; a value that is known is."""
    row = torch.tensor([[1.0, 2.0, 0.0, 0.0]], dtype=torch.float64)
    memory = ModernHopfield(2.0, similarity="euclidean")
    memory.store(row)
    masks = torch.tensor([[True, True, False, False], [True, True, True, True]])
    found = memory.retrieve(row.expand(2, -1), masks)
    assert found.steps.tolist() == [1, 0] and found.converged.all()
    assert memory.retrieve(row).steps.tolist() == [0]


def test_settled_means_that_no_entry_moves_beyond_its_tolerance():
    """By loops, over numbers without rounding: on the limit an entry has settled."""
    generator = torch.Generator().manual_seed(8)
    change = torch.tensor([0.0, 0.0, 1.0, 2.0])
    state, after = (torch.randint(-8, 9, (400, 4), generator=generator) for _ in range(2))
    state[:100, :2] = after[:100, :2] = 0
    for rounding in (0.0, 0.25):
        found = EntrywiseTolerance(change, rounding)(state.float(), after.float())
        wanted = [
            all(
                abs(y - x) <= limit + rounding * max(abs(x), abs(y))
                for x, y, limit in zip(*rows, change.tolist(), strict=True)
            )
            for rows in zip(state.tolist(), after.tolist(), strict=True)
        ]
        assert found.tolist() == wanted and len(set(wanted)) == 2


def test_some_queries_of_a_reading():
    numbers = torch.arange(12.0).reshape(4, 3)
    queries, state = torch.tensor([3, 1]), torch.zeros(2, 3)
    full = Reading(numbers, numbers[:, 0], numbers[:, 1].long(), None, numbers[:, 2])
    found = full.at(queries, state)
    assert found.next is state and found.weight is None and found.bound is None
    for name in ("energy", "index", "entropy"):
        assert torch.equal(getattr(found, name), getattr(full, name)[queries])


@pytest.mark.parametrize("queries", [1, 3, 900])
def test_bounds_do_not_depend_on_when_they_are_read(queries):
    """Patterns, cue and answer change first; copies of an answer have its bounds."""
    rows = torch.randn(900, 12, generator=torch.Generator().manual_seed(2))
    for beta, steps in ((0.5, 50), (6.0, 50), (6.0, 0)):
        memory = ModernHopfield(beta, similarity="euclidean", precision="certified")
        memory.store(rows)
        cue = 3 * rows[:queries].clone()
        early, late = memory.retrieve(cue, steps=steps), memory.retrieve(cue, steps=steps)
        first = {name: getattr(early.bound, name) for name in BOUNDS}
        assert first["state"].min() > 0
        memory.store(100 * rows)
        memory.remove(0)
        cue.zero_()
        late.state.mul_(100)
        copies = pickle.loads(pickle.dumps(late)), copy.deepcopy(late), copy.copy(late)
        for answer in (late, replace(late, trace=None), *copies):
            for name in BOUNDS:
                assert torch.equal(getattr(answer.bound, name), first[name]), name
        with pytest.raises(AttributeError, match="no attribute 'stat'"):
            late.bound.stat  # noqa: B018


def test_the_bound_of_many_steps_is_the_largest(monkeypatch):
    monkeypatch.setattr(iteration, "KEPT_BOUNDS", 3)
    monkeypatch.setattr("hopfield.memories.scan_candidates.scan_pays", lambda: False)
    rows = torch.randn(50, 12, generator=torch.Generator().manual_seed(3))
    memory = ModernHopfield(0.2, similarity="euclidean", precision="certified")
    memory.store(rows)
    cues = 5 * rows[:6] * torch.arange(1, 7)[:, None]
    answer = memory.retrieve(cues, trace="states")
    assert answer.steps.max() > 8 and len(answer.steps.unique()) > 1, "premise"
    steps = [memory.step(states, None, None, torch.Generator()).bound for states in answer.states]
    largest = torch.stack([step.state for step in steps]).amax(0)
    torch.testing.assert_close(answer.bound.state.double(), largest, rtol=1e-4, atol=0)
    torch.testing.assert_close(answer.bound.energy.double(), steps[-1].energy, rtol=1e-4, atol=0)
    assert (largest > 1.1 * steps[-1].state).all(), "premise: far from the patterns it is larger"
