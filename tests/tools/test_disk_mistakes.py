"""Mistakes with tables on disk, and the text of their stores."""

import pytest
import torch

from disk_stores import films
from hopfield import RamStore
from hopfield.errors import DomainError, InputTypeError, OptionError, TableError
from hopfield.stores import DiskStore


def test_places_addresses_and_lost_folders_are_named(tmp_path):
    (tmp_path / "file.lance").write_text("text")
    memory = films(tmp_path / "films.lance")
    out_of_range = ([6], DomainError), (torch.tensor([-7]), DomainError)
    for indices, kind in (*out_of_range, ("0", InputTypeError)):
        with pytest.raises(kind, match="indices must be"):
            memory.storage.table(indices)
    with pytest.raises(OptionError, match=r"bits must be False: .* holds patterns of numbers"):
        DiskStore(tmp_path / "films.lance", bits=True)
    with pytest.raises(TableError, match="Not a directory"):
        memory.save(tmp_path / "file.lance" / "t.lance")
    for address in ("http://host/t.lance", "s3://"):
        with pytest.raises(TableError, match="must be in a bucket that answers"):
            DiskStore(address)
    (tmp_path / "films.lance").rename(tmp_path / "moved.lance")
    with pytest.raises(TableError, match="must stay where it was opened, but is not there"):
        memory.storage.table([0])


def test_a_store_shows_its_path_and_its_condition(tmp_path):
    path = str(tmp_path / "t.lance")
    memory = films(path)
    assert repr(memory.storage) == f"DiskStore({path!r})"
    assert f", store=DiskStore({path!r})) <6 patterns" in repr(memory)
    recent = memory.storage.where("year > 1983")
    assert repr(recent) == f"DiskStore({path!r}).where('year > 1983')"
    assert memory.storage.table([1, -1]).equals(memory.storage.table(torch.tensor([[1], [5]])))
    assert memory.storage.table([]).num_rows == 0 and recent.table(range(2)).num_rows == 2
    assert repr(RamStore()) == "RamStore()"
