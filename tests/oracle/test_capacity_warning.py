"""The warning of lost patterns: its numbers are those of an update, and its advice works."""

import warnings

import pytest
import torch

from draws import generator, signs
from hopfield import (
    CapacityWarning,
    ClassicalHopfield,
    DenseHopfield,
    PackedStore,
    synthetic,
)


def warnings_of(memory, *parts):
    """Store the parts, and return the messages of all warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for part in parts:
            memory.store(part)
    assert all(each.category is CapacityWarning for each in caught)
    assert all(each.filename == __file__ for each in caught), "the line of the caller's store"
    return [str(each.message) for each in caught]


def similar_pictures():
    """Three pictures of 1024 pixels that share most of them, none of which Hebb's rule keeps."""
    base, others = signs(1, 1024, seed=0), signs(3, 1024, seed=1)
    own = torch.rand(3, 1024, generator=generator(2)) < 0.2
    pictures = torch.where(own, others, base)
    overlaps = (pictures @ pictures.T / 1024)[[0, 0, 1], [1, 2, 2]]
    assert bool((overlaps > 0.5).all()), "premise"
    return pictures


def stored_silently(memory, rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        memory.store(rows)
    return memory


FEW = torch.tensor([[1.0, -1, 1, -1, 1, -1], [-1, 1, -1, -1, 1, 1]])
SPARSE = synthetic.sparse(10, 1000, 0.1)
THRESHOLD = torch.full((1000,), 0.8 * (1 - 0.8**2))
KEPT = {
    "two in 6 units": ({}, FEW),
    "four in 4 units": ({}, torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1],
                                          [1, -1, -1, 1]])),
    "copies": ({}, torch.ones(9, 8)),
    "a few wrong units": ({}, signs(80, 1000, seed=3)),
    "sparse, with thresholds of the rule": ({"rule": "covariance"}, SPARSE),
    "sparse, with thresholds": ({"rule": "covariance", "thresholds": THRESHOLD}, SPARSE),
    "pictures by projection": ({"rule": "pseudo_inverse"}, similar_pictures()),
}  # fmt: skip
LOST = {
    "three pictures": ({}, similar_pictures(), "3 of 3 patterns are no fixed points"),
    "sparse": ({}, SPARSE, "10 of 10 patterns"),
    "sparse, without thresholds": ({"rule": "covariance", "thresholds": torch.zeros(1000)}, SPARSE,
                                   "rule='covariance': one update"),
    "sparse, one threshold too few": ({"rule": "covariance", "thresholds": -THRESHOLD}, SPARSE,
                                      "10 of 10"),
    "too many": ({}, signs(20, 100, seed=4), "and 20 exceed 0.138·N, its capacity for random ones"),
    "too many, in bits": ({"store": PackedStore()}, signs(20, 100, seed=4), "of 20 patterns"),
    "more than are measured": ({}, signs(300, 400, seed=5), "of 60 patterns of 300 that were"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "rows"), KEPT.values(), ids=KEPT)
def test_no_warning_where_patterns_are_kept(options, rows):
    memory = ClassicalHopfield(**options)
    assert warnings_of(memory, rows) == []
    changed = (memory.update(rows) != rows).float().mean(-1)
    assert bool((changed <= 0.01).all()), "premise"


@pytest.mark.parametrize(("options", "rows", "text"), LOST.values(), ids=LOST)
def test_a_warning_where_patterns_are_lost(options, rows, text):
    memory = ClassicalHopfield(**options)
    (message,) = warnings_of(memory, rows)
    assert text in message and "hopfield.diagnose(memory)" in message
    synchronous = ClassicalHopfield(**{**options, "schedule": "synchronous", "store": None})
    changed = (stored_silently(synchronous, rows).update(rows) != rows).double().mean(-1)
    if "measured" not in message:  # the numbers are those of an update
        assert message.startswith(f"{int((changed > 0).sum())} of {len(rows)} ")
        assert f"up to {changed.max():.1%} of their units" in message
    if "pseudo_inverse" in message:  # the advice is followed
        assert warnings_of(ClassicalHopfield("pseudo_inverse"), rows) == []
    assert torch.equal(stored_silently(DenseHopfield(4.0), rows).update(rows), rows)


def test_the_warning_comes_once_and_measures_what_is_stored_with_it():
    rows = signs(20, 100, seed=4)
    memory = ClassicalHopfield()
    assert warnings_of(memory, rows[:4]) == []
    assert len(warnings_of(memory, rows[4:])) == 1
    assert warnings_of(memory, rows[:1], rows[1:3]) == []
