"""Changes of tables on disk that write only what changes, in one commit."""

import copy
from pathlib import Path

import pytest
import torch

from cases import seeded
from disk_stores import films
from hopfield import ModernHopfield
from hopfield.errors import TableError
from hopfield.stores import DiskStore
from hopfield.stores.disk import durable, table


def films_of(path: Path) -> ModernHopfield:
    """Open the table of `films` again."""
    return ModernHopfield(8.0, similarity="euclidean", store=DiskStore(path))


def test_replacing_is_one_change(tmp_path):
    memory = films(tmp_path / "t.lance")
    version = memory.storage._opened.version
    new = torch.ones(2, 5)
    memory.replace(["film 4", "film 0"], new, torch.zeros(2, 2), prior=[5, 6])
    assert memory.storage._opened.version == version + 1
    again = ModernHopfield(8.0, similarity="euclidean", store=DiskStore(tmp_path / "t.lance"))
    for each in (memory, again):
        assert each.names == ["film 1", "film 2", "film 3", "film 5", "film 4", "film 0"]
        assert each.prior.tolist() == [2, 1, 2, 2, 5, 6]
        assert torch.equal(each.storage.take(torch.tensor([4, 5])), new)
        assert each.rows(names=["film 4"]) == [{"year": 1984, "a.b": "x"}]
        assert not len(each.storage.verify())
    memory.replace(memory.names, torch.zeros(6, 5))
    again = ModernHopfield(8.0, similarity="euclidean", store=DiskStore(tmp_path / "t.lance"))
    assert not again.storage.take(torch.arange(6)).any() and again.names == memory.names
    assert again.prior.tolist() == [2, 1, 2, 2, 5, 6]


def test_new_columns_come_in_the_change_of_their_rows(tmp_path, monkeypatch):
    path = tmp_path / "t.lance"
    memory = films(path)
    memory.save(path)
    description = memory.storage._opened.layout.description
    new, version = {"length": [90, 100], "of": ["x", 3]}, memory.storage._opened.version

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("hopfield.stores.disk.table.commit", fail)
        with pytest.raises(TableError, match="needs room"):
            memory.store(torch.ones(2, 5), torch.ones(2, 2), names=["a", "b"], table=new)
    again = films_of(path)
    assert again.names == memory.names and "length" not in again.rows([0])[0]
    memory.store(torch.ones(2, 5), torch.ones(2, 2), names=["a", "b"], table=new)
    assert memory.storage._opened.version == version + 1
    memory.store(torch.ones(1, 5), torch.ones(1, 2), names=["c"], table={"length": [3]})
    replaced = torch.full((2, 5), 2.0)
    memory.replace(["film 0", "a"], replaced, table={"late": [True, None]})
    assert memory.storage._opened.version == version + 3
    for each in (memory, films_of(path)):
        assert each.names == [*(f"film {at}" for at in range(1, 6)), "b", "c", "film 0", "a"]
        assert each.rows(names=["b", "c"]) == [
            {"year": None, "a.b": None, "length": 100, "of": 3, "late": None},
            {"year": None, "a.b": None, "length": 3, "of": None, "late": None},
        ]
        assert [row["late"] for row in each.rows()] == [None] * 7 + [True, None]
        assert torch.equal(each.storage.take(torch.tensor([7, 8])), replaced)
        assert not len(each.storage.verify()) and each.storage._row_files() is not None
        assert each.storage._opened.layout.description == description
    memory.storage.compact()
    assert films_of(path).rows() == memory.rows() and not len(DiskStore(path).verify())
    assert len(DiskStore(path).where("length > 50")) == 2


@pytest.mark.parametrize("last", [3, 6, 8])
def test_rows_of_whole_files_are_replaced_with_a_new_column_in_one_change(tmp_path, last):
    path = tmp_path / "t.lance"
    memory = films(path)
    memory.store(torch.ones(2, 5), torch.ones(2, 2), names=["a", "b"])
    assert len(memory.storage._opened.fragments()) > 1, "premise: several files"
    memory.remove(names=["film 1"])
    names, version = memory.names, memory.storage._opened.version
    places = torch.arange(len(names))[:last]
    new = torch.full((len(places), 5), 2.0)
    memory.replace(names[:last], new, table={"length": places.tolist()})
    assert memory.storage._opened.version == version + 1
    memory.store(torch.ones(1, 5), torch.ones(1, 2), names=["c"])
    memory.replace(["c"], torch.zeros(1, 5), table={"length": [1]})
    for each in (memory, films_of(path)):
        assert each.names == [*names[last:], *names[:last], "c"]
        cells = [row["length"] for row in each.rows()]
        assert cells == [None] * len(names[last:]) + [*places.tolist(), 1]
        rows = each.storage.take(torch.arange(len(each)))
        assert torch.equal(rows[-len(new) - 1 :], torch.cat([new, torch.zeros(1, 5)]))
        assert not len(each.storage.verify()) and each.storage._row_files() is not None


def test_columns_may_be_removed_by_another_program_before_new_ones_come(tmp_path):
    import lance

    films(tmp_path / "t.lance")
    lance.dataset(tmp_path / "t.lance").drop_columns(["year"])
    memory = films_of(tmp_path / "t.lance")
    rows = torch.eye(5)[:2]
    memory.store(rows, torch.ones(2, 2), names=["a", "b"], table={"new": [1, 2], "a.b": ["y", "z"]})
    assert films_of(tmp_path / "t.lance").rows()[-3:] == [
        {"a.b": None, "new": None},
        {"a.b": "y", "new": 1},
        {"a.b": "z", "new": 2},
    ]
    assert torch.equal(memory.storage.take(torch.tensor([6, 7])), rows)


def test_priors_are_written_without_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("hopfield.stores.disk.table.FRAGMENT_ROWS", 8)
    memory = ModernHopfield(8.0, store=DiskStore(tmp_path / "t.lance"))
    memory.store(torch.randn(40, 300, generator=seeded(9)), names=range(40))
    memory.remove([0, 20])
    before = {path: path.stat().st_size for path in (tmp_path / "t.lance" / "data").iterdir()}
    fragments = memory.storage._opened.fragments()
    memory.set_prior([3, 5, 39], [2.0, 3.0, 4.0])
    memory.set_prior([5], 1.0)
    new = set((tmp_path / "t.lance" / "data").iterdir()) - set(before)
    assert len(new) == 3 and max(path.stat().st_size for path in new) < min(before.values()) / 2
    again = DiskStore(tmp_path / "t.lance")
    expected = torch.ones(38).double()
    expected[[2, 37]] = torch.tensor([2.0, 4.0]).double()
    assert torch.equal(again.prior, expected) and torch.equal(memory.prior, expected)
    assert again._opened.fragments() == fragments and not len(again.verify())
    assert list(again.annotations.names) == [x for x in range(40) if x not in (0, 20)]
    memory.set_prior(None, 1.0)
    assert memory.prior is None and DiskStore(tmp_path / "t.lance").prior is None
    memory.set_prior(None, 2.0)
    memory.storage.compact()
    assert (DiskStore(tmp_path / "t.lance").prior == 2).all() and not len(memory.storage.verify())


def test_a_reader_is_told_that_another_store_compacted(tmp_path):
    path = tmp_path / "t.lance"
    writer = films(path)
    writer.store(torch.ones(1, 5), torch.ones(1, 2), names=["new"])
    reader = ModernHopfield(8.0, similarity="euclidean", store=DiskStore(path))
    other = DiskStore(path)
    reader.retrieve(torch.ones(5))
    writer.remove([0])
    assert reader.retrieve(torch.ones(5)).index == 6 and not len(other.verify())
    writer.storage.compact()
    calls = (
        lambda: reader.retrieve(torch.ones(5)),
        lambda: other.take(torch.tensor([0])),
        lambda: list(other.blocks(4)),
        lambda: list(other.annotations.names),
        lambda: copy.deepcopy(other),
        other.verify,
        other.compact,
    )
    for call in calls:
        with pytest.raises(TableError, match=r"changed by another writer .* Open it again"):
            call()
    assert len(DiskStore(path)) == 6 and not len(DiskStore(path).verify())


CHANGES = {
    "append": lambda memory: memory.store(torch.ones(1, 5), torch.ones(1, 2), names=["mine"]),
    "replace": lambda memory: memory.replace(["film 0"], torch.ones(1, 5)),
    "remove": lambda memory: memory.remove(names=["film 1"]),
    "set_prior": lambda memory: memory.set_prior(["film 2"], 9.0),
    "compact": lambda memory: memory.storage.compact(),
    "add_sketch": lambda memory: memory.storage.add_sketch(),
}


@pytest.mark.parametrize("other", ["append", "replace", "remove", "add_sketch"])
@pytest.mark.parametrize("own", CHANGES)
def test_without_a_lock_one_of_two_changes_in_the_same_instant_is_refused(
    tmp_path, monkeypatch, own, other
):
    path = tmp_path / "t.lance"
    monkeypatch.setattr(durable, "flock", None)
    films(path).store(torch.ones(2, 5), torch.ones(2, 2), names=["a", "b"])
    memory, rival = films_of(path), films_of(path)
    commit = table.commit

    def commit_second(*given):
        monkeypatch.setattr(table, "commit", commit)
        CHANGES[other](rival)
        return commit(*given)

    monkeypatch.setattr(table, "commit", commit_second)
    with pytest.raises(TableError, match=r"changed by another writer .* Open it again"):
        CHANGES[own](memory)
    again = films_of(path)
    assert again.names == rival.names and again.prior.tolist() == rival.prior.tolist()
    assert len(set(again.storage._opened.ids().tolist())) == len(again)
    assert not len(again.storage.verify())
    again.store(torch.ones(1, 5), torch.ones(1, 2), names=["next"])
    assert films_of(path).names == [*rival.names, "next"]


def test_without_a_lock_one_of_two_programs_makes_the_table(tmp_path, monkeypatch):
    path = tmp_path / "t.lance"
    monkeypatch.setattr(durable, "flock", None)
    memory, commit = films_of(path), table.commit

    def commit_second(*given):
        monkeypatch.setattr(table, "commit", commit)
        films(path)
        return commit(*given)

    monkeypatch.setattr(table, "commit", commit_second)
    with pytest.raises(TableError, match="changed by another writer"):
        memory.store(torch.ones(1, 5))
    assert films_of(path).names == [f"film {at}" for at in range(6)]
