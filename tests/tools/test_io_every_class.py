"""Every class of memory goes from a file into a table and back, with all that its rows bring."""

import re
from pathlib import Path

import pytest
import torch

import hopfield
from cases import seeded, signs
from hopfield import (
    BidirectionalMemory,
    ClassicalHopfield,
    DenseHopfield,
    GradedHopfield,
    Memory,
    ModernBidirectional,
    ModernHopfield,
    SequenceHopfield,
)
from hopfield.memories.base import MEMORIES
from hopfield.stores import DiskStore

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
COUNT, DIM = 6, 20
ROWS = signs(COUNT, DIM, generator=seeded(0))
BROUGHT = {
    "names": [f"row {at}" for at in range(COUNT)],
    "table": {"year": range(COUNT), "mixed": ["x", None, 3] * 2},
}


@pytest.fixture(autouse=True)
def unsynced(monkeypatch):
    """Sync nothing: tests of power losses do that, and syncs take most of the time."""
    monkeypatch.setattr("hopfield.stores.disk.durable.sync", lambda path: None)


def _modern() -> Memory:
    memory = ModernHopfield(2.0, similarity="euclidean")
    known = torch.rand(COUNT, DIM, generator=seeded(2)) < 0.9
    memory.store(ROWS, list("abcdef"), known=known, prior=torch.arange(1.0, 7.0), **BROUGHT)
    memory.calibrate(None, 0.3)
    return memory


def _of(kind: type[Memory], *args: object, **given: object) -> Memory:
    memory = kind(**given)
    memory.store(ROWS, *args, **BROUGHT)
    return memory


KINDS = {
    "ModernHopfield": _modern,
    "ClassicalHopfield": lambda: _of(
        ClassicalHopfield, torch.eye(COUNT), rule="covariance", thresholds=torch.full((DIM,), 0.1)
    ),
    "GradedHopfield": lambda: _of(GradedHopfield, rule="pseudo_inverse"),
    "DenseHopfield": lambda: _of(DenseHopfield, torch.eye(COUNT)),
    "SequenceHopfield": lambda: _of(SequenceHopfield, cyclic=True),
    "BidirectionalMemory": lambda: _of(BidirectionalMemory, split=12),
    "ModernBidirectional": lambda: _of(ModernBidirectional, split=12, beta=2.0),
}


def test_every_class_is_listed():
    public = {name for name in hopfield.__all__ if getattr(hopfield, name) in MEMORIES.values()}
    assert set(KINDS) == public and len(public) == 7


@pytest.mark.parametrize("last", ["m.hop", "m.lance"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_comes_back_from_files_and_tables(kind, last, tmp_path):
    memory = loaded = KINDS[kind]()
    for number, name in enumerate(["a.hop", "b.lance", "c.lance", "d.hop", last]):
        loaded.save(tmp_path / f"{number}{name}")
        loaded = hopfield.load(tmp_path / f"{number}{name}")
    assert isinstance(loaded.storage, DiskStore) == (last == "m.lance")
    _assert_equal(memory, loaded, tmp_path)


def _assert_equal(one: Memory, other: Memory, folder: Path) -> None:
    assert re.sub(r"(, )?store=\w+\([^)]*\)", "", repr(one)) == re.sub(
        r"(, )?store=\w+\([^)]*\)", "", repr(other)
    )
    assert type(one) is type(other) and one.names == other.names and one.rows() == other.rows()
    assert (one.prior is None) == (other.prior is None)
    assert one.prior is None or torch.equal(one.prior, other.prior)
    for mine, its in zip(one.storage.blocks(99), other.storage.blocks(99), strict=True):
        assert torch.equal(mine.rows, its.rows) and mine.rows.dtype == its.rows.dtype
        assert (mine.values is None) == (its.values is None)
        assert mine.values is None or torch.equal(mine.values, its.values)
    before, after = one.retrieve(ROWS[:3]), other.retrieve(ROWS[:3])
    assert torch.allclose(before.state, after.state, atol=1e-6)
    for name in ("index", "value", "name", "p_value"):
        mine, its = getattr(before, name, None), getattr(after, name, None)
        assert (mine is None) == (its is None), name
        assert mine is None or (mine == its).all(), name
