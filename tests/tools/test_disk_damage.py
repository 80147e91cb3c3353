"""Tables and damage: killed writers lose nothing acknowledged, and flipped bits are found."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from disk_stores import films
from hopfield.errors import RecoveryWarning, TableError
from hopfield.stores import DiskStore
from hopfield.stores.disk import durable, sums
from source_tree import ROOT


def _run(name: str, folder: Path, *options: object) -> dict:
    script = ROOT / "tests" / "support" / name
    done = subprocess.run(
        [sys.executable, str(script), str(folder), *map(str, options)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("kills", [4, pytest.param(30, marks=pytest.mark.heavy)])
def test_killed_writers_lose_no_acknowledged_row(kills, tmp_path):
    counts = _run("killed_appends.py", tmp_path, "--kills", kills)
    assert counts["rows"] > kills, "premise: rows were acknowledged"
    assert (counts["kills"], counts["lost"]) == (kills, 0)


@pytest.mark.heavy
@pytest.mark.skipif(sys.platform == "win32", reason="there is no such count of memory")
def test_a_table_of_four_times_the_memory_is_written_and_recalled_from(tmp_path):
    facts = _run("memory_limit.py", tmp_path, "--table-mb", 1700)
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


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("flips", [40, pytest.param(500, marks=pytest.mark.heavy)])
def test_every_flipped_bit_is_found(flips, tmp_path):
    counts = _run("flipped_bits.py", tmp_path, "--flips", flips)
    kinds = {kind.partition(":")[0] for kind in counts}
    assert kinds == {"data", "_deletions", "_versions", "_transactions", "_sums"}
    assert sum(counts.values()) == flips
    assert not [kind for kind in counts if "not found" in kind or "exit" in kind], counts


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


def test_a_file_that_is_cut_short_is_named(tmp_path):
    films(tmp_path / "t.lance", 60)
    file = next((tmp_path / "t.lance" / "data").iterdir())
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(TableError, match=f"data/{file.name} is cut short") as caught:
        DiskStore(tmp_path / "t.lance").verify()
    assert ".rs:" not in str(caught.value)
