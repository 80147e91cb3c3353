"""Batches of certified readouts: each query stands alone."""

import pytest
import torch

import hopfield
from hopfield.memories import scan_candidates
from hopfield.memories.query_batch import QueryBatch
from hopfield.stores import RamStore


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_no_query_depends_on_the_others_of_its_batch(similarity):
    """Queries for which average rows are candidates are read in full, and only they."""
    generator = torch.Generator().manual_seed(4)
    rows = torch.randn(3000, 20, generator=generator)
    rows[:4] *= 3
    cues = torch.cat([rows[:4] + 0.1, 0.01 * rows[4:8]])[[0, 4, 5, 1, 6, 2, 7, 3]]
    memory = hopfield.ModernHopfield(1.5, similarity=similarity, precision="certified")
    memory.store(rows)
    alone = [memory.retrieve(cue, steps=0) for cue in cues]
    is_scanned = [float(answer.bound.unread_weight) > 0 for answer in alone]
    assert is_scanned == [True, False, False, True, False, True, False, True], "premise"
    for part in (range(8), range(5), range(1, 3), [0, 3, 4]):
        found = memory.retrieve(cues[part], steps=0)
        for name in ("index", "weight", "energy"):
            expected = torch.stack([getattr(alone[at], name) for at in part])
            torch.testing.assert_close(getattr(found, name), expected)
        for name in ("state", "energy", "unread_weight"):
            expected = torch.stack([getattr(alone[at].bound, name) for at in part])
            torch.testing.assert_close(getattr(found.bound, name), expected)


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("known", [False, True])
def test_what_a_sample_counts_are_candidates(similarity, known):
    """Rows near a bound of the best score are near the best score itself, by float64."""
    generator = torch.Generator().manual_seed(5)
    rows = torch.randn(500, 12, generator=generator)
    rows /= rows.norm(dim=-1, keepdim=True)
    mask = torch.rand(12, generator=generator) < 0.7 if known else None
    seen = torch.ones(12) if mask is None else mask.float()
    state = (rows[:60] + 0.05) * seen
    store = RamStore()
    store.append(rows)
    batch = QueryBatch(state, mask, 40.0, similarity == "euclidean")
    scores = state.double() @ rows.double().T
    if batch.euclidean:
        scores -= (rows.double().square() @ seen.double()) / 2
    found = []
    for window in (0.02, 0.3, 0.9):
        counted = batch.near_best(rows, store.summary().largest_norm, window)
        near = (scores >= scores.amax(-1, keepdim=True) - window - 1e-6).sum(-1)
        assert (counted <= near).all()
        found.append(int(counted.sum()))
    assert found[0] < found[1] / 2 < found[2] / 4 and found[2] > 100, "premise"


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_nothing_is_scanned_where_a_sample_has_many_candidates(similarity, monkeypatch):
    """Average rows are none here, but a tenth of all rows are."""
    rows = torch.randn(8000, 32, generator=torch.Generator().manual_seed(6))
    rows /= rows.norm(dim=-1, keepdim=True)
    memories = []
    for beta in (36.0, 400.0):
        memory = hopfield.ModernHopfield(beta, similarity=similarity, precision="certified")
        memory.store(rows)
        batch = QueryBatch(rows[:50], None, beta, similarity == "euclidean")
        gap = batch.mean_gap(memory.storage.summary())
        assert (gap > batch.window(8000)).all(), "premise"
        memories.append(memory)
    monkeypatch.setattr(scan_candidates, "scan", lambda *_: pytest.fail("a scan"))
    answer = memories[0].retrieve(rows[:50], steps=0)
    assert (answer.bound.unread_weight == 0).all()
    with pytest.raises(pytest.fail.Exception, match="a scan"):
        memories[1].retrieve(rows[:50], steps=0)
