"""Memories in tables on disk: saved and loaded like files, with network, metadata, calibration."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hopfield
from cases import seeded, signs
from hopfield import ClassicalHopfield, Memory, ModernHopfield, PackedStore
from hopfield.errors import CalibrationWarning, CapacityWarning, FileFormatError, OptionError
from hopfield.stores import DiskStore, RamStore

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
DIM, COUNT = 40, 60
STORE = r"(, )?store=\w+\([^)]*\)"


@pytest.fixture(autouse=True)
def unsynced(monkeypatch):
    """Sync nothing: tests of power losses do that, and syncs take most of the time."""
    monkeypatch.setattr("hopfield.stores.disk.durable.sync", lambda path: None)


def _rows() -> torch.Tensor:
    return torch.randn(COUNT, DIM, generator=seeded(0))


def _named() -> ModernHopfield:
    memory = ModernHopfield(separation=hopfield.Entmax(1.3, 0.5), similarity="cosine")
    known = torch.rand(COUNT, DIM, generator=seeded(1)) < 0.9
    memory.store(
        torch.where(known, _rows(), 0.0),
        torch.arange(2.0 * COUNT).view(COUNT, 2),
        known=known,
        names=[f"row {at}" for at in range(COUNT)],
        table={"year": range(COUNT), "mixed": ["x", None, 3] * (COUNT // 3)},
        prior=[1.0, 2.0] * (COUNT // 2),
    )
    memory.metadata["unit"] = {"of": ["rows", 1.5]}
    return memory


def _signs(store: PackedStore | RamStore) -> ClassicalHopfield:
    memory = ClassicalHopfield(
        "pseudo_inverse", thresholds=torch.linspace(-0.1, 0.1, DIM), store=store
    )
    memory.store(signs(5, DIM, generator=seeded(2)), values=list("abcde"))
    return memory


MEMORIES = {
    "named": _named,
    "signs": lambda: _signs(RamStore()),
    "bits": lambda: _signs(PackedStore()),
}


def _assert_equal(one: Memory, other: Memory) -> None:
    assert re.sub(STORE, "", repr(one)) == re.sub(STORE, "", repr(other))
    assert (one.names, one.metadata) == (other.names, other.metadata)
    cues = torch.randn(6, DIM, generator=seeded(3))
    cues = cues.sign() if one.binary else cues
    before, after = one.retrieve(cues), other.retrieve(cues)
    assert torch.allclose(before.state, after.state, atol=1e-6)
    assert torch.equal(before.index, after.index)
    if one.storage.annotations is not None and one.storage.annotations.table:
        assert one.rows() == other.rows()


@pytest.mark.parametrize("kind", MEMORIES)
def test_a_saved_table_is_loaded_as_the_memory(kind, tmp_path):
    memory = MEMORIES[kind]()
    memory.save(tmp_path / "m.lance")
    loaded = hopfield.load(tmp_path / "m.lance")
    assert isinstance(loaded.storage, DiskStore) and not len(loaded.storage.verify())
    assert loaded.storage.signs_only == (kind == "bits")
    _assert_equal(memory, loaded)
    loaded.save(tmp_path / "copy.lance")
    loaded.save(tmp_path / "m.hop")
    for name in ("copy.lance", "m.hop"):
        _assert_equal(memory, hopfield.load(tmp_path / name))


def test_saving_in_its_own_table_writes_only_how_it_answers(tmp_path):
    path = tmp_path / "m.lance"
    memory = ModernHopfield(4.0, store=DiskStore(path))
    memory.store(_rows(), names=range(COUNT))
    with pytest.raises(FileFormatError, match="holds rows alone"):
        hopfield.load(path)
    files = sorted((path / "data").iterdir())
    memory.save(path)
    memory.metadata["later"] = True
    memory.save(f"{path}/")
    (tmp_path / "link").symlink_to(tmp_path)
    memory.save(tmp_path / "link" / ".." / tmp_path.name / "m.lance")
    assert sorted((path / "data").iterdir()) == files
    _assert_equal(memory, hopfield.load(path))
    memory.remove([0])
    memory.store(torch.zeros(1, DIM), names=[COUNT], table={"new": [1]})
    memory.set_prior([3], 2.0)
    memory.storage.compact()
    _assert_equal(memory, hopfield.load(path))
    memory.remove(range(COUNT))
    memory.store(_rows(), names=range(COUNT))
    _assert_equal(memory, hopfield.load(path))


def test_a_saved_calibration_answers_after_reopening(tmp_path):
    path, cues = tmp_path / "m.lance", torch.randn(5, DIM, generator=seeded(4))
    memory = ModernHopfield(4.0, similarity="euclidean")
    memory.store(_rows(), names=range(COUNT))
    memory.calibrate(None, 0.05)
    memory.save(path)
    loaded = hopfield.load(path)
    before, after = memory.retrieve(cues), loaded.retrieve(cues)
    assert torch.equal(before.p_value, after.p_value) and after.calibrated
    assert not after.accepted.any(), "premise: they are strangers"
    loaded.storage.compact()
    assert hopfield.load(path).retrieve(cues).calibrated
    for change in (lambda: loaded.remove([1]), lambda: loaded.store(cues, names=range(60, 65))):
        loaded.calibrate(None, 0.05)
        loaded.save(path)
        assert hopfield.load(path).retrieve(cues).calibrated
        change()
        with pytest.warns(CalibrationWarning):
            assert not hopfield.load(path).retrieve(cues).calibrated


@pytest.mark.parametrize("similarity", ["euclidean", "cosine"])
def test_rows_with_gaps_are_calibrated_and_ranked_as_in_memory(similarity, tmp_path):
    found = []
    for store in (RamStore(), DiskStore(tmp_path / "m.lance")):
        memory = ModernHopfield(4.0, similarity=similarity, store=store)
        known = torch.rand(COUNT, DIM, generator=seeded(6)) < 0.7
        memory.store(torch.where(known, _rows() + 3, 0.0), known=known)
        memory.calibrate(None, 0.05)
        found.append((memory.calibration.strangers, memory.nearest(_rows() + 3.5, 3)))
    assert torch.allclose(found[0][0], found[1][0])
    assert torch.equal(found[0][1].index, found[1][1].index)
    assert (
        not DiskStore(tmp_path / "m.lance").take_known(torch.tensor([], dtype=torch.long)).numel()
    )


@pytest.mark.parametrize("similarity", ["euclidean", "cosine", "correlation", "manhattan", "dot"])
def test_equal_rows_beside_rows_with_gaps_are_ranked_as_in_memory(similarity, tmp_path):
    found, rows = [], torch.cat([_rows(), _rows()[:1].expand(4, DIM)])
    known = torch.rand(len(rows), DIM, generator=seeded(6)) < 0.7
    known[0], known[COUNT:] = True, True
    for store in (RamStore(), DiskStore(tmp_path / "m.lance")):
        memory = ModernHopfield(4.0, similarity=similarity, store=store)
        memory.store(torch.where(known, rows, 0.0), known=known)
        found.append([memory.nearest(rows[:9], k) for k in (1, 2, 7)])
    assert found[0][1].index[0].tolist() == [0, COUNT], "premise: equal rows"
    for one, other in zip(*found, strict=True):
        assert torch.equal(one.index, other.index) and torch.equal(one.score, other.score)


def test_a_table_takes_the_place_of_another(tmp_path):
    path = tmp_path / "m.lance"
    _named().save(path)
    memory = ModernHopfield(2.0)
    memory.store(torch.eye(3))
    memory.save(path)
    loaded = hopfield.load(path)
    assert torch.equal(loaded.storage.take(torch.arange(len(loaded))), torch.eye(3))
    part = ModernHopfield(2.0, store=DiskStore(path).where("id > 0"))
    part.save(tmp_path / "part.lance")
    with pytest.raises(OptionError, match="only some of its rows"):
        part.save(path)


def test_no_more_rows_than_a_block_are_read_at_once(tmp_path, monkeypatch):
    memory = ModernHopfield(2.0, store=DiskStore(tmp_path / "m.lance"))
    memory.store(torch.randn(10_000, 4, generator=seeded(5)))
    sizes, blocks = [], DiskStore.blocks
    monkeypatch.setattr(
        DiskStore, "blocks", lambda store, size: sizes.append(size) or blocks(store, size)
    )
    memory.save(tmp_path / "copy.lance")
    assert sizes and max(sizes) <= 4096
    assert len(hopfield.load(tmp_path / "copy.lance")) == 10_000


def test_mistakes_are_named(tmp_path):
    with pytest.raises(FileFormatError, match=r"table that Memory\.save wrote, but is not there"):
        hopfield.load(tmp_path / "no.lance")
    with pytest.raises(OptionError, match="made of patterns"):
        ModernHopfield().save(tmp_path / "m.lance")
    assert not (tmp_path / "m.lance").exists()


def test_a_wrong_description_is_refused(tmp_path):
    import lance

    _named().save(tmp_path / "m.lance")
    dataset = lance.dataset(tmp_path / "m.lance")
    right = dataset.schema.metadata[b"hopfield.memory"].decode()
    for wrong in (right[:-8], "?", right[:400] + "AAAA" + right[404:]):
        dataset.update_schema_metadata({"hopfield.memory": wrong})
        with pytest.raises(FileFormatError):
            hopfield.load(tmp_path / "m.lance")


def test_a_missing_extra_is_one_line(tmp_path):
    _named().save(tmp_path / "m.lance")
    code = (
        "import sys; sys.modules['lance'] = None; from hopfield.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "info", "m.lance"],
        capture_output=True,
        text=True,
        cwd=Path(tmp_path),
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert "hopfield[disk]" in done.stderr


@pytest.mark.parametrize("prior", [None, "whole", "any"])
@pytest.mark.parametrize("rule", ["hebbian", "covariance"])
def test_couplings_of_many_rows_are_those_in_memory(rule, prior, tmp_path, monkeypatch):
    monkeypatch.setattr("hopfield.memories.learning.LEARNING_ROWS", 64)
    monkeypatch.setattr("hopfield.memories.learning.FIELD_WORK", 2**18)
    rows = torch.cat([signs(500, 16, generator=seeded(7)), torch.ones(20, 16)])
    times = {"whole": [1.0, 3.0], "any": [0.3, 1e-9]}.get(prior)
    found, cat = [], torch.cat

    def joined(parts, dim=0):
        whole = cat(parts, dim)
        assert whole.shape != rows.shape, "all rows are joined"
        return whole

    monkeypatch.setattr(torch, "cat", joined)
    for store in (RamStore(), DiskStore(tmp_path / "m.lance")):
        memory = ClassicalHopfield(rule, store=store)
        memory.store(rows, prior=None if times is None else times * 260)
        found.append((memory.coupling, memory.thresholds, memory.retrieve(rows[::50]).state))
    for one, other in zip(*found, strict=True):
        assert one is other is None or torch.allclose(one, other, rtol=1e-5, atol=1e-4)
    assert prior == "any" or rule != "hebbian" or torch.equal(found[0][0], found[1][0])


@pytest.mark.parametrize("rule", ["pseudo_inverse", "covariance"])
def test_fields_that_are_rounding_alone_turn_no_unit(rule, tmp_path):
    rows = signs(42, 33, generator=seeded(20))  # W of the pseudo-inverse is 1 on the diagonal alone
    cues = signs(5, 33, generator=seeded(21))
    memories = [ClassicalHopfield(rule, store=s) for s in (RamStore(), DiskStore(tmp_path / "t"))]
    for memory in memories:
        memory.store(rows)
    ram, disk = (memory._coupling() for memory in memories)
    assert disk.slack == pytest.approx(ram.slack, rel=0.01)
    assert torch.equal(*(memory.retrieve(cues).state for memory in memories))


@pytest.mark.parametrize("rule", ["hebbian", "covariance"])
def test_a_full_network_on_disk_warns_where_patterns_are_replaced(rule, tmp_path, monkeypatch):
    rows, names = signs(9, 64, generator=seeded(0)), [str(row) for row in range(9)]
    near = rows[[0, 0, 0]]
    near[:, :4] *= -1
    found = []
    for store in (RamStore(), DiskStore(tmp_path / "t.lance")):
        memory = ClassicalHopfield(rule, store=store)
        memory.store(rows, names=names, prior=[2.0] + [1.0] * 8)
        monkeypatch.setattr(DiskStore, "take", None)  # other rows are read in blocks
        with pytest.warns(CapacityWarning) as warned:
            memory.replace(["1", "3", "8"], near)
            memory.replace(names, rows)
        found.append([str(warning.message) for warning in warned])
    assert found[0] == found[1]
