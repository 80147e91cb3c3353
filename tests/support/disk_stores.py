"""Memories whose rows lie on disk: those made without `store=` get a `DiskStore`."""

from itertools import count
from pathlib import Path

import pytest
import torch

from cases import seeded
from hopfield import ModernHopfield, RamStore, Store
from hopfield.memories.contents import Contents
from hopfield.stores import DiskStore


def resident_copy(memory: Contents) -> Store:
    """Return the rows of a memory as a store in memory, for `patterns` and `values`."""
    if memory.storage.resident:
        return memory.storage
    copy = RamStore()
    for block in memory.storage.blocks(1024):
        copy.append_with_gaps(block.rows, getattr(block, "known", None), block.values)
    return copy


def use_disk_stores(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Give memories made without `store=` a table in `folder`; `patterns` and `values` read it.

    Nothing is synced: tests of power losses do that, and syncs take most of the time.
    """
    numbers = count()

    def make_store() -> DiskStore:
        return DiskStore(folder / f"{next(numbers)}.lance")

    monkeypatch.setattr("hopfield.memories.options.RamStore", make_store)
    monkeypatch.setattr("hopfield.stores.disk.durable.sync", lambda path: None)
    monkeypatch.setattr(Contents, "_resident_store", resident_copy)


def films(path: Path, count: int = 6) -> ModernHopfield:
    """A memory of named rows with values and a table."""
    memory = ModernHopfield(8.0, similarity="euclidean", store=DiskStore(path))
    memory.store(
        torch.randn(count, 5, generator=seeded(0)),
        values=torch.arange(2.0 * count).view(count, 2),
        names=[f"film {at}" for at in range(count)],
        table={"year": range(1980, 1980 + count), "a.b": ["x", None] * (count // 2)},
        prior=[1.0, 2.0] * (count // 2),
    )
    return memory
