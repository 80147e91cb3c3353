"""Rows of a table that are read from its files: the same bits as Lance reads."""

from pathlib import Path

import pytest
import torch

from cases import seeded, signs
from hopfield.errors import TableError
from hopfield.stores import DiskStore
from hopfield.stores.annotations import Annotations
from hopfield.stores.disk import files, table

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8)


@pytest.fixture(autouse=True)
def short_fragments(monkeypatch):
    """Fragments of at most 50 rows, so that blocks span several files."""
    monkeypatch.setattr(table, "FRAGMENT_ROWS", 50)


def stored(path: Path, rows: torch.Tensor, bits: bool = False) -> DiskStore:
    """A table whose rows came in three parts."""
    store = DiskStore(path, bits=bits)
    for start, stop in ((0, 90), (90, 91), (91, len(rows))):
        store.append(rows[start:stop])
    return store


def read(store: DiskStore, size: int) -> torch.Tensor:
    """All rows of a store, read in blocks."""
    return torch.cat([block.rows for block in store.blocks(size)])


def refuse_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every scan by Lance fail."""

    def scan(*args: object, **options: object) -> None:
        raise AssertionError("Lance scans the table")

    monkeypatch.setattr(table.Table, "scan", scan)


@pytest.mark.parametrize("dim", [1, 3, 70, 300])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_blocks_hold_the_bits_that_were_stored(dtype, dim, tmp_path, monkeypatch):
    rows = (100 * torch.rand(130, dim, generator=seeded(dim))).to(dtype)
    store = stored(tmp_path / "a b#%20.lance", rows)
    refuse_scans(monkeypatch)
    for size in (1, 33, 50, 128, 1000):
        blocks = list(store.blocks(size))
        assert [block.start for block in blocks] == list(range(0, 130, size))
        assert torch.equal(torch.cat([block.rows for block in blocks]), rows)


@pytest.mark.parametrize("dim", [5, 70, 784])
def test_bits_are_read_from_files(dim, tmp_path, monkeypatch):
    rows = signs(130, dim, generator=seeded(1))
    store = stored(tmp_path / "t.lance", rows, bits=True)
    refuse_scans(monkeypatch)
    assert torch.equal(read(store, 33), rows)


def test_removed_rows_are_left_out(tmp_path, monkeypatch):
    rows = torch.randn(130, 70, generator=seeded(2))
    store = stored(tmp_path / "t.lance", rows)
    removed = torch.tensor([0, 1, 2, 40, 49, 50, 51, 60, 62, 90, 129])
    left = torch.isin(torch.arange(130), removed, invert=True)
    read(store, 7)
    store.remove(removed)
    again = DiskStore(tmp_path / "t.lance")
    with monkeypatch.context() as patch:
        refuse_scans(patch)
        for size in (1, 7, 100):
            assert torch.equal(read(store, size), rows[left])
            assert torch.equal(read(again, size), rows[left])
    store.compact()
    refuse_scans(monkeypatch)
    assert torch.equal(read(store, 100), rows[left])


def test_shards_read_their_files_only(tmp_path, monkeypatch):
    rows = torch.randn(130, 70, generator=seeded(3))
    store = stored(tmp_path / "t.lance", rows)
    shards = [store.shard(rank, 2) for rank in range(2)]
    refuse_scans(monkeypatch)
    first, second = (read(shard, 33) for shard in shards)
    assert len(first) and len(second)
    order = torch.cat([shard._places for shard in shards])
    assert torch.equal(torch.cat([first, second]), rows[order])


def test_masks_values_and_conditions_go_with_the_rows(tmp_path):
    rows = torch.randn(130, 70, generator=seeded(4))
    known = torch.rand(130, 70, generator=seeded(5)) > 0.2
    rows, values = rows * known, torch.randn(130, 2, generator=seeded(6))
    store = DiskStore(tmp_path / "t.lance")
    store.add(rows[:60], values[:60], known=known[:60])
    store.add(rows[60:], values[60:], known=known[60:])
    assert store._row_files() is not None
    blocks = list(store.blocks(33))
    for name, expected in (("rows", rows), ("values", values), ("known", known)):
        assert torch.equal(torch.cat([getattr(block, name) for block in blocks]), expected)
    part = store.where("id % 3 = 0")
    assert 0 < len(part) < 130
    assert torch.equal(read(part, 33), rows[part._places])


def test_a_column_added_later_changes_no_rows(tmp_path):
    rows = torch.randn(130, 70, generator=seeded(7))
    store = stored(tmp_path / "t.lance", rows)
    store.add(rows[:5], annotations=Annotations(5, table={"later": ["x"] * 5}))
    assert "later" in store._opened.layout.fields
    assert store._row_files() is not None
    assert torch.equal(read(store, 33), torch.cat([rows, rows[:5]]))


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
def test_pages_of_another_encoding_are_left_to_lance(dtype, tmp_path, monkeypatch):
    rows = torch.rand(130, 70, generator=seeded(8)).mul(100).to(dtype)
    store = stored(tmp_path / "t.lance", rows)
    if dtype != torch.bool:
        assert store._row_files() is not None
        monkeypatch.setattr(files, "PLAIN", "another encoding")
    again = DiskStore(tmp_path / "t.lance")
    assert again._row_files() is None
    assert torch.equal(read(again, 33), rows)


def test_a_short_file_is_an_error(tmp_path):
    store = stored(tmp_path / "t.lance", torch.randn(130, 70, generator=seeded(9)))
    read(store, 33)
    for path in (tmp_path / "t.lance" / "data").iterdir():
        path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(TableError, match="ends before its last row"):
        read(store, 33)


def test_rows_taken_by_place_are_those_of_blocks(tmp_path):
    draw = torch.Generator().manual_seed(3)
    store = DiskStore(tmp_path / "t.lance")
    for count in (40, 1, 30):
        store.append(torch.randn(count, 6, generator=draw))
    store.remove(torch.tensor([0, 17, 18, 40, 70]))
    places = torch.randint(-66, 66, (5, 7), generator=draw)
    for some in (store, store.shard(0, 2), store.shard(1, 2)):
        rows = torch.cat([block.rows.clone() for block in some.blocks(16)])
        assert torch.equal(some.take(places), rows[places % len(rows)])
    assert store.take(places[:0]).shape == (0, 7, 6)
