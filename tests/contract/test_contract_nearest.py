"""The contract of `nearest`: each query stands alone, and only the patterns decide the answer."""

import pytest
import torch

from cases import CASES, DIM, filled, in_turn, patterns_and_cues, random_masks, seeded

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


def assert_equal(one, other, index=None):
    assert torch.equal(one.index if index is None else index, other.index)
    assert torch.equal(one.score, other.score)
    torch.testing.assert_close(one.weight, other.weight, rtol=2e-4, atol=1e-6)


@in_turn(CASES, 0)
def test_a_query_does_not_depend_on_its_batch(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype, n=20)
    memory, known = filled(case, patterns), random_masks(len(cues), DIM)
    for masks in (None, known):
        together = memory.nearest(cues, 4, masks)
        parts = [
            memory.nearest(cue, 4, None if masks is None else mask)
            for cue, mask in zip(cues, known, strict=True)
        ]
        assert torch.equal(together.index, torch.stack([part.index for part in parts]))
        assert torch.equal(together.score, torch.stack([part.score for part in parts]))


@in_turn(CASES, 1)
def test_the_order_of_storage_decides_only_ties(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype, n=20)
    order = torch.randperm(20, generator=seeded(8))
    straight = filled(case, patterns).nearest(cues, 6)
    mixed = filled(case, patterns[order]).nearest(cues, 6)
    torch.testing.assert_close(straight.score, mixed.score, rtol=1e-6, atol=0)
    gaps = straight.score.double().diff(dim=-1) < 0
    clear = torch.nn.functional.pad(gaps, (1, 0), value=True)[:, :-1] & gaps
    assert clear.any(), "premise: some scores are apart"
    assert torch.equal(order[mixed.index][:, :-1][clear], straight.index[:, :-1][clear])


@in_turn(CASES, 2)
def test_the_same_question_has_the_same_answer_and_changes_nothing(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype, n=20)
    memory, known = filled(case, patterns), random_masks(len(cues), DIM)
    before = [patterns.clone(), cues.clone(), known.clone(), memory.storage.version]
    first = memory.nearest(cues, 4, known)
    memory.retrieve(cues)
    assert_equal(first, memory.nearest(cues, 4, known))
    for old, new in zip(before, [memory.patterns, cues, known], strict=False):
        assert torch.equal(old, new)
    assert memory.storage.version == before[-1]


@in_turn(CASES, 3)
def test_threads_and_moves_do_not_matter(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype, n=20)
    memory, threads = filled(case, patterns), torch.get_num_threads()
    one = memory.nearest(cues, 20)
    try:
        torch.set_num_threads(4)
        assert_equal(one, memory.nearest(cues, 20))
    finally:
        torch.set_num_threads(threads)
    memory.remove(one.index[0, 0].item())
    left = memory.nearest(cues[0], 19)
    rest = one.index[0, 1:]
    assert torch.equal(left.index, rest - (rest > one.index[0, 0]).long())
    assert torch.equal(left.score, one.score[0, 1:])
