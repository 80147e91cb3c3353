"""Memories whose rows lie on disk: those made without `store=` get a `DiskStore`."""

from itertools import count
from pathlib import Path

import pytest

from hopfield import RamStore, Store
from hopfield.memories.contents import Contents
from hopfield.stores import DiskStore


def use_disk_stores(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Give memories made without `store=` a table in `folder`; `patterns` and `values` read it.

    Nothing is synced: tests of power losses do that, and syncs take most of the time.
    """
    numbers = count()

    def make_store() -> DiskStore:
        return DiskStore(folder / f"{next(numbers)}.lance")

    def resident_copy(memory: Contents) -> Store:
        if memory.storage.resident:
            return memory.storage
        copy = RamStore()
        for block in memory.storage.blocks(1024):
            copy.append_with_gaps(block.rows, getattr(block, "known", None), block.values)
        return copy

    monkeypatch.setattr("hopfield.memories.options.RamStore", make_store)
    monkeypatch.setattr("hopfield.stores.disk.durable.sync", lambda path: None)
    monkeypatch.setattr(Contents, "_resident_store", resident_copy)
