"""Tables and damage: killed writers lose nothing acknowledged, and flipped bits are found."""

import errno
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cases import seeded
from hopfield.errors import HopfieldError, RecoveryWarning, TableError
from hopfield.stores import DiskStore
from hopfield.stores.annotations import Annotations
from hopfield.stores.disk import durable, sums
from source_tree import ROOT


def _kill(folder: Path, kills: int) -> dict[str, int]:
    script = ROOT / "tests" / "support" / "killed_appends.py"
    done = subprocess.run(
        [sys.executable, str(script), str(folder), "--kills", str(kills)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("kills", [4, pytest.param(30, marks=pytest.mark.heavy)])
def test_killed_writers_lose_no_acknowledged_row(kills, tmp_path):
    counts = _kill(tmp_path, kills)
    assert counts["rows"] > kills, "premise: rows were acknowledged"
    assert (counts["kills"], counts["lost"]) == (kills, 0)


@pytest.mark.heavy
@pytest.mark.skipif(sys.platform == "win32", reason="there is no such count of memory")
def test_a_table_of_four_times_the_memory_is_written_and_recalled_from(tmp_path):
    script = ROOT / "tests" / "support" / "memory_limit.py"
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), "--table-mb", "1700"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    most = facts["block"] + 400
    assert facts["table"] > 4 * most and facts["right"]
    assert facts["written"] <= facts["recalled"] <= most


def test_a_damaged_manifest_of_an_acknowledged_change_is_no_torn_one(tmp_path):
    store = DiskStore(tmp_path / "t.lance")
    store.append(torch.eye(3))
    store.append(torch.eye(3))
    newest = min((tmp_path / "t.lance" / "_versions").glob("*.manifest"))
    content = newest.read_bytes()
    for wrong in (bytes(len(content)), content[:-1] + b"D", content[:9] + b"?" + content[10:]):
        newest.write_bytes(wrong)
        with pytest.raises(TableError, match="manifest of its newest version, is damaged"):
            DiskStore(store.path)
    newest.unlink()
    assert len(DiskStore(store.path)) == 3


def test_checksums_are_kept_of_the_files_that_are_there(tmp_path):
    folder = tmp_path / "t.lance"
    store = DiskStore(folder)
    for row in torch.eye(4).split(1):
        store.append(row)
    store.remove(torch.tensor([0]))
    assert len(list((folder / "_sums").iterdir())) == 5
    store.compact()
    (path,) = (folder / "_sums").iterdir()
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert set(sums.read(path)) == files - {f"_sums/{path.name}"} and len(files) > 3
    before = path.read_bytes()
    (folder / "_sums" / "7.new").write_bytes(b"cut off")
    assert not len(DiskStore(folder).verify()) and path.read_bytes() == before


@pytest.mark.parametrize("flips", [40, pytest.param(500, marks=pytest.mark.heavy)])
def test_every_flipped_bit_is_found(flips, tmp_path):
    rows = torch.randn(300, 16, generator=seeded(0))
    store = DiskStore(tmp_path / "t.lance")
    for part in (slice(0, 200), slice(200, 300)):
        count = len(rows[part])
        names = [f"row {number}" for number in range(300)[part]]
        annotations = Annotations(count, names=names, table={"year": list(range(count))})
        store.add(rows[part], values=rows[part, :2] > 0, annotations=annotations)
    store.remove(torch.tensor([7, 250]))
    draw, copy = random.Random(0), tmp_path / "copy.lance"
    files = sorted(path for path in (tmp_path / "t.lance").rglob("*") if path.is_file())
    folders = {path.parent.name for path in files}
    assert folders == {"data", "_deletions", "_versions", "_transactions", "_sums"}
    for turn in range(flips):  # as often in a manifest as in the rows, which are far more bytes
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(store.path, copy)
        damaged = copy / files[turn % len(files)].relative_to(store.path)
        numbers = bytearray(damaged.read_bytes())
        numbers[draw.randrange(len(numbers))] ^= 1 << draw.randrange(8)
        damaged.write_bytes(numbers)
        try:
            assert len(DiskStore(copy).verify()), damaged
        except HopfieldError as error:
            assert isinstance(error, TableError) and str(copy) in str(error)


def test_damaged_rows_are_listed(tmp_path):
    rows = torch.arange(3000.0).view(1000, 3)
    store = DiskStore(tmp_path / "t.lance")
    store.append(rows[:10])
    store.append(rows[10:])
    place = max((tmp_path / "t.lance" / "data").iterdir(), key=lambda path: path.stat().st_size)
    content = place.read_bytes()
    at = content.index(rows[500].numpy().tobytes())
    place.write_bytes(content[:at] + b"\1" + content[at + 1 :])
    again = DiskStore(store.path)
    assert again.verify().tolist() == [500]
    assert not torch.equal(again.take(torch.tensor([500])), rows[500:501]), "premise: silent"


@pytest.mark.parametrize(
    "damage", [lambda text: bytes(len(text)), lambda text: text[: len(text) // 2]]
)
def test_a_torn_manifest_is_set_aside_with_a_warning(damage, tmp_path):
    store = DiskStore(tmp_path / "t.lance")
    store.append(torch.eye(3))
    store.append(torch.eye(3))
    newest = min((tmp_path / "t.lance" / "_versions").glob("*.manifest"))
    newest.write_bytes(damage(newest.read_bytes()))
    (tmp_path / "t.lance" / "_sums" / "2").unlink()  # it is written after the manifest is synced
    with pytest.warns(RecoveryWarning, match="cut short"):
        again = DiskStore(store.path)
    assert len(again) == 3 and len(DiskStore(store.path)) == 3
    assert (tmp_path / "t.lance" / "_torn" / newest.name).exists()
    again.append(2 * torch.eye(3))
    assert torch.equal(DiskStore(store.path).take(torch.tensor([5])), 2 * torch.eye(3)[2:])


def test_a_torn_manifest_that_cannot_be_moved_is_passed_over(tmp_path, monkeypatch):
    store = DiskStore(tmp_path / "t.lance")
    store.append(torch.eye(3))
    store.append(torch.eye(3))
    durable.manifests_of(Path(store.path))[2].write_bytes(bytes(100))
    (tmp_path / "t.lance" / "_sums" / "2").unlink()

    def refuse(*args: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.warns(RecoveryWarning, match="torn, and stays"):
        assert torch.equal(DiskStore(store.path).take(torch.arange(3)), torch.eye(3))
