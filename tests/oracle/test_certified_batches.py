"""Batches of certified readouts: each query stands alone."""

import pytest
import torch

import hopfield
from hopfield.memories import scan_candidates
from hopfield.memories.query_batch import QueryBatch
from hopfield.separation import Softmax
from hopfield.similarity import as_similarity
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


@pytest.mark.parametrize("pays", [False, True])
def test_others_are_not_scanned_where_the_first_queries_are_crowded(pays, monkeypatch):
    """Queries by turns near one pattern and near a crowd of 300, whose scores nothing foretells."""
    generator = torch.Generator().manual_seed(4)
    rows = torch.randn(5000, 20, generator=generator)
    rows[:300] = rows[0] + 1e-3 * rows[:300]
    crowd, alone = rows[:160] + 0.3, rows[-160:] + 0.3
    sizes, find = [], scan_candidates.scan
    monkeypatch.setattr(scan_candidates, "scan_pays", lambda: pays)
    monkeypatch.setattr(
        scan_candidates, "scan", lambda *of: sizes.append(len(of[0].unit)) or find(*of)
    )
    few = torch.arange(320) % 7 == 0
    mixed = torch.where(few[:, None], crowd.repeat(2, 1), alone.repeat(2, 1))
    for cues, calls, full in ((crowd, [16], 160), (alone, [16, 144], 0), (mixed, [16, 304], 46)):
        memory, exact = (
            hopfield.ModernHopfield(8.0, similarity="euclidean", precision=precision)
            for precision in ("certified", "full")
        )
        memory.store(rows)
        exact.store(rows)
        got, sizes[:] = memory.retrieve(cues, steps=0), []
        torch.testing.assert_close(memory.update(cues), exact.update(cues), rtol=1e-4, atol=1e-4)
        assert sizes == calls
        assert int((got.bound.unread_weight == 0).sum()) == full


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_nothing_is_scanned_where_average_rows_are_candidates(similarity, known, monkeypatch):
    generator = torch.Generator().manual_seed(3)
    rows = torch.randn(40_000, 20, generator=generator) + 1
    cues = rows[:256] + 0.1
    mask = torch.rand(20, generator=generator) < 0.7 if known else None
    exact, seen = rows.double(), torch.ones(20) if mask is None else mask.double()
    batch = QueryBatch.of(
        (store := RamStore()), cues, mask, as_similarity(similarity), Softmax(1.0)
    )
    store.append(rows)
    scores = (cues * seen).double() @ exact.T
    if similarity == "euclidean":
        scores -= ((exact.square() @ seen.double()) + (cues.square() @ seen.float())[:, None]) / 2
    gap = batch.mean_gap(store.summary()).double()
    assert (scores.amax(-1) - scores.mean(-1) <= gap * (1 + 1e-5)).all()

    scanned, find = [], scan_candidates.scan
    monkeypatch.setattr(scan_candidates, "scan_pays", lambda: True)
    monkeypatch.setattr(scan_candidates, "scan", lambda *of: scanned.append(1) or find(*of))
    for beta, times in ((0.01, 0), (30.0, 2)):
        memory = hopfield.ModernHopfield(beta, similarity=similarity, precision="certified")
        memory.store(rows)
        memory.retrieve(cues, mask, steps=0)
        assert len(scanned) == times
