"""Sketches of a table: they follow the rows, survive, and are found if they are damaged."""

import copy
import pickle

import pytest
import torch

import hopfield
from cases import seeded, signs
from hopfield import ModernHopfield
from hopfield.errors import DomainError, OptionError, TableError
from hopfield.stores import DiskStore, sketch
from hopfield.stores.annotations import Annotations

ROWS = torch.randn(60, 10, generator=seeded(0))


def sketched_table(path) -> DiskStore:
    store = DiskStore(path)
    memory = ModernHopfield(8.0, similarity="euclidean", store=store)
    memory.store(ROWS[:40], names=[f"row {at}" for at in range(40)], table={"year": range(40)})
    store.add_sketch()
    memory.store(ROWS[40:], names=[f"row {at}" for at in range(40, 60)], table={"year": [7] * 20})
    return store


def append(store: DiskStore) -> None:
    names, table = ["another"], {"year": [7]}
    store.add(ROWS[:1], annotations=Annotations(1, names=names, table=table))


def check(store: DiskStore) -> None:
    """The sketch of each row is that of this row."""
    expected = store.sketch.columns(store.take(torch.arange(len(store))))
    assert torch.equal(torch.cat(list(store.sketches())), expected)
    assert not len(store.verify())


def test_a_sketch_bounds_distances_and_keeps_lengths(tmp_path):
    store = sketched_table(tmp_path / "t.lance")
    sketch, rows = store.sketch, ROWS.double()
    assert (sketch.size, sketch.axes.shape) == (3, (10, 3))
    torch.testing.assert_close(sketch.axes.T @ sketch.axes, torch.eye(3, dtype=torch.float64))
    distances, bounds = ((some[:, None] - some).norm(dim=-1) for some in (rows, sketch.of(rows)))
    assert (bounds <= distances + 1e-12).all()
    torch.testing.assert_close(sketch.of(rows).norm(dim=-1), (rows - sketch.centre).norm(dim=-1))
    deviations = rows[:40] - sketch.centre
    most = torch.linalg.svdvals(deviations)[:3].square().sum()
    assert most * 0.95 < (deviations @ sketch.axes).square().sum() <= most * (1 + 1e-12)


def test_sketches_follow_the_rows(tmp_path):
    store = sketched_table(tmp_path / "t.lance")
    memory = ModernHopfield(8.0, similarity="euclidean", store=store)
    axes = store.sketch.axes
    check(store)
    memory.remove([3, 41, 59])
    check(store)
    store.compact()
    check(store)
    memory.set_prior(range(57), [1.0, 2.0, 4.0] * 19)
    check(store)
    for part in (store.where("year < 10"), store.shard(0, 1), copy.deepcopy(store)):
        check(part)
        assert torch.equal(part.sketch.axes, axes)
    check(pickle.loads(pickle.dumps(store)))
    again = DiskStore(tmp_path / "t.lance")
    check(again)
    assert torch.equal(again.sketch.axes, axes)
    assert again.annotations.names[56] == "row 58"
    again.add_sketch(4)
    again.compact()
    check(DiskStore(tmp_path / "t.lance"))
    assert again.sketch.size == 4
    assert len(list((tmp_path / "t.lance" / "_sketches").iterdir())) == 1


def test_a_new_sketch_replaces_the_one_in_use(tmp_path, monkeypatch):
    for limit, value in {"QUERY_ENTRIES": 1, "BOUND_ENTRIES": 0, "ROW_ENTRIES": 1}.items():
        monkeypatch.setattr(f"hopfield.memories.sketched.{limit}", value)
    store = sketched_table(tmp_path / "t.lance")
    memory = ModernHopfield(100.0, similarity="euclidean", precision="certified", store=store)
    for size in (None, 2, 10):
        store.add_sketch(size)
        found = memory.retrieve(ROWS[7])
        assert found.index == 7 and 0 < found.bound.unread_weight <= 1e-6


def test_a_copy_of_a_table_has_sketches_too(tmp_path):
    store = sketched_table(tmp_path / "t.lance")
    memory = ModernHopfield(8.0, similarity="euclidean", precision="certified", store=store)
    memory.calibrate(lambda rows, generator: rows + 0.1)
    memory.save(tmp_path / "copy.lance")
    copied = hopfield.load(tmp_path / "copy.lance")
    check(copied.storage)
    assert copied.storage.sketch.size == 3
    assert copied.retrieve(ROWS[5]).calibrated
    memory.save(tmp_path / "rows.hop")
    assert hopfield.load(tmp_path / "rows.hop").storage.sketch is None


def test_an_emptied_table_has_no_sketch(tmp_path):
    store = sketched_table(tmp_path / "t.lance")
    store.remove(torch.arange(60))
    assert store.sketch is None
    with pytest.raises(OptionError, match="but is empty"):
        store.add_sketch()
    store.append(ROWS[:, :3])
    assert store.sketch is None and not list(store.sketches())


def test_damaged_axes_are_named(tmp_path):
    sketched_table(tmp_path / "t.lance")
    (file,) = (tmp_path / "t.lance" / "_sketches").iterdir()
    content = bytearray(file.read_bytes())
    content[-9] ^= 4
    file.write_bytes(content)
    again = DiskStore(tmp_path / "t.lance")
    for use in (again.verify, lambda: append(again), lambda: again.sketch):
        with pytest.raises(TableError, match=r"but is damaged.*add_sketch"):
            use()
    assert torch.equal(again.take(torch.arange(60)), ROWS)
    file.unlink()
    with pytest.raises(TableError, match="but is missing"):
        _ = DiskStore(tmp_path / "t.lance").sketch
    again.add_sketch()
    check(DiskStore(tmp_path / "t.lance"))


def test_damaged_sketches_of_rows_are_found(tmp_path):
    store = DiskStore(tmp_path / "t.lance")
    store.append(ROWS)
    store.add_sketch()
    (file,) = sorted((tmp_path / "t.lance" / "data").iterdir(), key=lambda f: f.stat().st_mtime)[1:]
    content = file.read_bytes()
    place = content.index(torch.cat(list(store.sketches()))[11].numpy().tobytes())
    file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    assert DiskStore(tmp_path / "t.lance").verify().tolist() == [11]


def test_refused_sketches(tmp_path):
    packed = DiskStore(tmp_path / "bits.lance", bits=True)
    packed.append(signs(20, 64, generator=seeded(1)))
    with pytest.raises(OptionError, match="holds bits"):
        packed.add_sketch()
    with pytest.raises(OptionError, match="but is empty"):
        DiskStore(tmp_path / "empty.lance").add_sketch()
    store = sketched_table(tmp_path / "t.lance")
    with pytest.raises(OptionError, match="add_sketch needs a whole table"):
        store.where("year = 7").add_sketch()
    for size in (0, 11):
        with pytest.raises(DomainError, match="size must be"):
            store.add_sketch(size)
    assert store.sketch.size == 3


def test_axes_are_fitted_to_parts_of_the_rows_and_to_fewer_of_long_ones(tmp_path, monkeypatch):
    scales = torch.tensor([9.0, 5.0, 3.0] + [0.1] * 7)
    rows = ROWS * scales + 4
    deviations = rows.double() - rows.double().mean(0)
    principal = torch.linalg.svd(deviations, full_matrices=False).Vh[:3]
    for entries in (sketch.PART_ENTRIES, 70):
        monkeypatch.setattr(sketch, "PART_ENTRIES", entries)
        monkeypatch.setattr(sketch, "PART_ROWS", 1)
        axes = sketch.Sketch.fit(rows, 3).axes
        assert torch.allclose(axes @ axes.T, principal.T @ principal, atol=1e-6)
    fitted, fit = [], sketch.Sketch.fit
    monkeypatch.setattr("hopfield.stores.disk.sketching.FITTED_BYTES", 20 * 4 * 10)
    monkeypatch.setattr(
        sketch.Sketch, "fit", lambda given, k: fitted.append(given) or fit(given, k)
    )
    check(sketched_table(tmp_path / "t.lance"))
    assert len(fitted[0]) == 20 and torch.equal(fitted[0][[0, -1]], ROWS[[0, 39]])
