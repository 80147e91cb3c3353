"""Batches of certified readouts: each query stands alone."""

import pytest
import torch

import hopfield


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
