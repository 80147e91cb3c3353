"""Tables on disk: what they hold, who reads them, parts of them, and mistakes."""

import copy
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from cases import seeded, signs
from disk_stores import films
from hopfield import ClassicalHopfield, DenseHopfield, ModernHopfield, PackedStore
from hopfield.errors import (
    InputTypeError,
    MissingExtraError,
    OptionError,
    TableError,
)
from hopfield.stores import DiskStore
from hopfield.stores.disk.columns import TensorColumn
from hopfield.stores.disk.table import Table

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rows_come_back_in_every_bit(dtype, tmp_path):
    rows = (100 * torch.rand(70, 3, generator=seeded(1))).to(dtype)
    values = torch.randint(0, 2, (70, 2, 2), generator=seeded(2)).bool()
    store = DiskStore(tmp_path / "t.lance")
    store.append(rows[:40], values[:40])
    store.append(rows[40:], values[40:])
    for again in (store, DiskStore(tmp_path / "t.lance")):
        assert (len(again), again.dim, again.dtype) == (70, 3, dtype)
        blocks = list(again.blocks(32))
        assert [len(block) for block in blocks] == [32, 32, 6]
        assert torch.equal(torch.cat([block.rows for block in blocks]), rows)
        assert torch.equal(torch.cat([block.values for block in blocks]), values)
        some = torch.tensor([69, 0, 0, 41])
        assert torch.equal(again.take(some), rows[some])
        assert torch.equal(again.take_values(some), values[some])


@pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
@pytest.mark.parametrize("make", [ClassicalHopfield, DenseHopfield])
def test_bits_on_disk_answer_as_packed_ones(make, tmp_path):
    rows = signs(50, 70, generator=seeded(3))
    packed, disk = make(store=PackedStore()), make(store=DiskStore(tmp_path / "t", bits=True))
    for memory in (packed, disk):
        memory.store(rows[:20])
        memory.store(rows[20:])
        memory.remove([3, 30])
    cues = rows[:8] * torch.where(torch.rand(8, 70, generator=seeded(4)) < 0.1, -1, 1)
    assert torch.equal(packed.retrieve(cues).state, disk.retrieve(cues).state)
    again = DiskStore(tmp_path / "t")
    assert again.signs_only and torch.equal(again.take(torch.arange(48)), packed.patterns)
    blocks = list(again.blocks(20))
    assert torch.equal(torch.cat([block.rows for block in blocks]), packed.patterns)
    scores = torch.cat([block.scores(cues) for block in blocks], dim=-1)
    assert torch.equal(scores, cues @ packed.patterns.T)


def test_an_opened_table_is_the_memory_that_was_closed(tmp_path):
    before, after = films(tmp_path / "t.lance"), None
    before.store(
        torch.ones(1, 5),
        torch.zeros(1, 2),
        names=["new"],
        known=torch.tensor([True, False, True, True, True]),
        table={"stars": [4.5]},
    )
    after = ModernHopfield(8.0, similarity="euclidean", store=DiskStore(tmp_path / "t.lance"))
    assert after.names == before.names and "new" in after.storage.annotations.names
    assert after.rows(names=["film 1", "new"]) == [
        {"year": 1981, "a.b": None, "stars": None},
        {"year": None, "a.b": None, "stars": 4.5},
    ]
    assert torch.equal(after.prior, torch.tensor([1.0, 2.0] * 3 + [1.0]).double())
    cues = torch.randn(4, 5, generator=seeded(5))
    one, other = before.retrieve(cues), after.retrieve(cues)
    assert torch.equal(one.state, other.state) and torch.equal(one.value, other.value)
    assert (one.name == other.name).all()
    after.set_prior(["film 2"], 3.0)
    third = DiskStore(tmp_path / "t.lance")
    assert third.prior[2] == 3 and third.has_gaps and not len(third.verify())
    assert torch.equal(after.retrieve(cues).state, copy.copy(after).retrieve(cues).state)


def test_other_readers_of_lance_read_the_columns(tmp_path):
    import lance

    memory = films(tmp_path / "t.lance")
    table = lance.dataset(tmp_path / "t.lance").to_table()
    assert {"id", "vector", "value", "name", "year", "a_b", "crc"} <= set(table.column_names)
    assert (
        table.column("vector").to_pylist()[1] == memory.storage.take(torch.tensor([1]))[0].tolist()
    )
    assert table.column("name").to_pylist() == memory.names
    ids = table.column("id").to_pylist()
    memory.remove([0])
    memory.storage.compact()
    memory.store(torch.ones(1, 5), torch.ones(1, 2), names=["new"])
    later = lance.dataset(tmp_path / "t.lance").to_table(columns=["id"]).column(0).to_pylist()
    assert later[:5] == ids[1:] and later[5] > max(ids), "ids are stable, and never used again"


def test_parts_of_a_table(tmp_path):
    memory = films(tmp_path / "t.lance")
    for at in range(3):
        memory.store(torch.ones(1, 5) * at, torch.ones(1, 2), names=[f"new {at}"])
    store, rows = memory.storage, memory.storage.take(torch.arange(9))
    recent = store.where("year >= 1984 OR name = 'new 0'")
    assert list(recent.annotations.names) == ["film 4", "film 5", "new 0"]
    assert torch.equal(next(iter(recent.blocks(10))).rows, rows[4:7])
    assert torch.equal(recent.take(torch.tensor([2, 0])), rows[[6, 4]])
    assert recent.prior.tolist() == [1, 2, 1]
    found = ModernHopfield(8.0, similarity="euclidean", store=recent).retrieve(rows[5])
    assert found.name == "film 5" and found.index == 1
    assert recent.table(found.index[None]).to_pylist() == [
        {"name": "film 5", "year": 1985, "a.b": None}
    ]
    parts = [store.shard(rank, 3) for rank in range(3)]
    assert [len(part) for part in parts] == [7, 1, 1]
    held = torch.cat([block.rows for part in parts for block in part.blocks(10)])
    assert torch.equal(held, rows[[0, 1, 2, 3, 4, 5, 8, 6, 7]])
    assert not len(store.shard(5, 6)) and not list(store.shard(5, 6).blocks(10))
    assert list(parts[1].where("name = 'new 0'").annotations.names) == ["new 0"]
    for change in (recent.compact, lambda: recent.remove(torch.tensor([0]))):
        with pytest.raises(OptionError, match="only some of its rows"):
            change()
    assert not len(store.shard(5, 6).shard(0, 1)), "a part of no rows has none"
    with pytest.raises(TableError, match=r"a condition on its columns.*named no\."):
        store.where("no such column > 3")
    with pytest.raises(InputTypeError, match="condition must be"):
        store.where(3)


def test_a_part_lists_its_own_damaged_rows(tmp_path, monkeypatch):
    store = films(tmp_path / "t.lance").storage
    monkeypatch.setattr(Table, "damaged_rows", lambda self, fragment, count: [1, 4])
    assert store.verify().tolist() == [1, 4]
    assert store.where("year >= 1983").verify().tolist() == [1]


def test_every_title_of_a_column_can_be_stored(tmp_path):
    memory = ModernHopfield(8.0, store=DiskStore(tmp_path / "t.lance"))
    titles = ("_rowid", "_RowAddr", "crc", "A b", "a_b", "name", "1", "ä.ö")
    memory.store(torch.eye(2), table={title: [1, 2] for title in titles})
    again = ModernHopfield(8.0, store=DiskStore(tmp_path / "t.lance"))
    assert again.rows([1]) == [dict.fromkeys(titles, 2)]


def test_an_address_of_a_local_file_is_a_folder(tmp_path):
    store = DiskStore((tmp_path / "my t.lance").as_uri())
    assert store.path == str(tmp_path / "my t.lance")


def test_no_readout_takes_all_rows_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("hopfield.readout.BLOCK_ROWS", 256)
    decode, most = TensorColumn.decode, [0]

    def spying(column, parts, shared=False):
        most[0] = max(most[0], sum(map(len, parts)))
        return decode(column, parts, shared)

    rows = torch.randn(3000, 8, generator=seeded(6))
    memory = ModernHopfield(2.0, store=DiskStore(tmp_path / "t.lance"))
    monkeypatch.setattr(TensorColumn, "decode", spying)
    memory.store(rows, values=rows[:, :2])
    memory.retrieve(rows[:5])
    memory.energy(rows[:5])
    memory.update(rows[:5])
    memory.nearest(rows[:5], 3)
    memory.remove([3])
    assert 256 <= most[0] <= 1024


def test_small_appends_are_compacted(tmp_path):
    def size() -> int:
        return sum(path.stat().st_size for path in (tmp_path / "t.lance").rglob("*"))

    store, rows = DiskStore(tmp_path / "t.lance"), torch.randn(40, 8, generator=seeded(7))
    for row in rows.split(1):
        store.append(row)
    store.remove(torch.arange(0, 40, 2))
    before = size()
    store.compact()
    assert len(list((tmp_path / "t.lance" / "data").iterdir())) == 1 and size() < before / 4
    assert torch.equal(store.take(torch.arange(20)), rows[1::2]) and not len(store.verify())
    store.append(rows[:1])
    assert torch.equal(DiskStore(store.path).take(torch.arange(21))[-1], rows[0])


def test_rows_keep_their_order_where_only_some_files_are_joined(tmp_path, monkeypatch):
    monkeypatch.setattr("hopfield.stores.disk.table.FRAGMENT_ROWS", 8)
    store, rows = DiskStore(tmp_path / "t.lance"), torch.randn(36, 3, generator=seeded(7))
    for part in rows.split([8, 1, 1, 1, 16, 1, 1, 7]):
        store.append(part)
    store.remove(torch.tensor([12, 35]))
    expected = torch.cat([rows[:12], rows[13:35]])
    assert torch.equal(store.take(torch.arange(34)), expected)
    before = store._opened.fragments()
    store.compact()
    for opened in (store, DiskStore(store.path)):
        assert torch.equal(opened.take(torch.arange(34)), expected) and not len(opened.verify())
        assert torch.equal(torch.cat([block.rows for block in opened.blocks(5)]), expected)
    assert torch.equal(store.where("id >= 0").take(torch.arange(34)), expected)
    joined = store._opened.fragments()
    assert len(joined) == 5 and joined[0] == before[0]  # a full file is not written again
    store.compact()
    assert store._opened.fragments() == joined
    assert torch.equal(store.take(torch.arange(34)), expected)


@pytest.mark.heavy
def test_a_thousand_appends_are_compacted(tmp_path):
    store, rows = DiskStore(tmp_path / "t.lance"), torch.randn(1000, 4, generator=seeded(7))
    for row in rows.split(1):
        store.append(row)
    store.compact()
    again = DiskStore(store.path)
    assert torch.equal(again.take(torch.arange(1000)), rows) and not len(again.verify())
    assert len(list((tmp_path / "t.lance" / "data").iterdir())) == 1


# ---- mistakes, and other processes


def test_a_second_writer_is_refused(tmp_path):
    rows = torch.eye(3)
    first = DiskStore(tmp_path / "t.lance")
    first.append(rows)
    second = DiskStore(tmp_path / "t.lance")
    first.append(rows)
    for change in (lambda: second.append(rows), lambda: second.remove(torch.tensor([0]))):
        with pytest.raises(TableError, match="changed by another writer"):
            change()
    assert len(second) == 3 and torch.equal(second.take(torch.arange(3)), rows)
    assert len(DiskStore(tmp_path / "t.lance")) == 6


def test_two_writers_at_the_same_time_are_refused(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    store = DiskStore(tmp_path / "t.lance")
    store.append(torch.eye(3))
    handle = os.open(store.path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(TableError, match="one writer at a time"):
            store.append(torch.eye(3))
    finally:
        os.close(handle)
    store.append(torch.eye(3))
    assert len(DiskStore(store.path)) == 6


def test_a_full_disk_keeps_the_old_rows(tmp_path):
    resource = pytest.importorskip("resource")
    store, rows = DiskStore(tmp_path / "t.lance"), torch.randn(2000, 50, generator=seeded(8))
    store.append(rows[:5])
    before = sorted(Path(store.path).rglob("*"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(TableError, match="needs room"):
            store.append(rows)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert torch.equal(store.take(torch.arange(5)), rows[:5])
    assert sorted(Path(store.path).rglob("*")) == before, "nothing is left of it"
    store.append(rows)
    assert len(DiskStore(store.path)) == 2005


@pytest.mark.skipif(os.name == "nt", reason="there are no such permissions")
def test_a_table_that_can_only_be_read():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        store = DiskStore(Path(folder) / "t.lance")
        store.append(torch.eye(3))
        places = [Path(store.path), *Path(store.path).rglob("*")]
        for place in places:
            place.chmod(0o555 if place.is_dir() else 0o444)
        is_root = os.geteuid() == 0
        try:
            if is_root:  # permissions do not bind root
                os.seteuid(65534)
            read = DiskStore(store.path)
            assert torch.equal(read.take(torch.arange(3)), torch.eye(3))
            with pytest.raises(TableError, match="may write"):
                read.append(torch.eye(3))
        finally:
            if is_root:
                os.seteuid(0)
            for place in places:
                place.chmod(0o755)
        assert len(DiskStore(store.path)) == 3


def test_mistakes_are_named(tmp_path):
    (tmp_path / "file.lance").write_text("text")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "text").write_text("text")
    for name in ("file.lance", "folder"):
        with pytest.raises(TableError, match="something else"):
            DiskStore(tmp_path / name)
    for path in (3, "", None, "a\0b"):
        with pytest.raises(InputTypeError, match="path must be"):
            DiskStore(path)
    with pytest.raises(TableError, match="in a folder that exists"):
        DiskStore(tmp_path / "no" / "t.lance").append(torch.eye(2))
    store = DiskStore(tmp_path / "t.lance")
    with pytest.raises(InputTypeError, match="values must have a dtype"):
        store.append(torch.eye(2), torch.zeros(2, dtype=torch.complex64))
    with pytest.raises(OptionError, match="is empty"):
        store.take(torch.tensor([0]))
    memory = films(tmp_path / "films.lance")
    for cells in (["text"], [True], [2**70]):
        with pytest.raises(InputTypeError, match="column 'year'"):
            memory.store(torch.ones(1, 5), torch.ones(1, 2), names=["n"], table={"year": cells})
    assert len(memory) == 6 and len(DiskStore(tmp_path / "films.lance")) == 6


def test_a_foreign_table_is_refused(tmp_path):
    import lance
    import pyarrow

    lance.write_dataset(pyarrow.table({"a": [1, 2]}), tmp_path / "t.lance")
    with pytest.raises(TableError, match="another Lance table"):
        DiskStore(tmp_path / "t.lance")


@pytest.mark.parametrize("name", ["id", "vector", "crc", "value", "known", "prior"])
def test_columns_that_another_program_removed_are_named(name, tmp_path):
    import lance

    films(tmp_path / "t.lance")
    lance.dataset(tmp_path / "t.lance").drop_columns([name])
    with pytest.raises(TableError, match=f"removed or changed {name}"):
        DiskStore(tmp_path / "t.lance")


def test_columns_that_another_program_changed_are_named(tmp_path):
    import lance
    import pyarrow

    films(tmp_path / "t.lance")
    table = lance.dataset(tmp_path / "t.lance").to_table()
    field, at = table.field("vector"), table.schema.get_field_index("vector")
    for kind, rows in ((pyarrow.float32(), [None]), (pyarrow.float16(), [[0.0] * 5])):
        changed = pyarrow.array(rows * 6, pyarrow.list_(kind, 5))
        other = table.set_column(at, pyarrow.field("vector", changed.type), changed)
        lance.write_dataset(other, tmp_path / f"{kind}.lance")
        with pytest.raises(TableError, match="removed or changed vector"):
            DiskStore(tmp_path / f"{kind}.lance")
    assert not field.nullable


def test_copies_and_pickles_read_the_same_table(tmp_path):
    memory = films(tmp_path / "t.lance")
    for other in (pickle.loads(pickle.dumps(memory)), copy.deepcopy(memory)):
        assert other.names == memory.names and torch.equal(other.prior, memory.prior)
        cue = torch.zeros(5)
        assert torch.equal(other.retrieve(cue).state, memory.retrieve(cue).state)
    other.store(torch.ones(1, 5), torch.ones(1, 2), names=["new"])
    with pytest.raises(TableError, match="another writer"):
        memory.store(torch.ones(1, 5), torch.ones(1, 2), names=["new"])


def test_a_missing_extra_is_named(tmp_path):
    code = f"""
import sys
sys.modules["lance"] = None
from hopfield.stores import DiskStore
from hopfield.errors import MissingExtraError
import torch
try:
    DiskStore({str(tmp_path / "t.lance")!r}).append(torch.eye(2))
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "hopfield[disk]" in done.stdout, done.stderr
    assert issubclass(MissingExtraError, ImportError)
