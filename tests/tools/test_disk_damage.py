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
from hopfield.errors import HopfieldError, RecoveryWarning
from hopfield.stores import DiskStore
from hopfield.stores.annotations import Annotations
from hopfield.stores.disk import durable
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


def _content(store: DiskStore) -> tuple[list, ...]:
    annotations, every = store.annotations, torch.arange(len(store))
    cells = (list(annotations.names), list(annotations.table["year"]))
    return store.take(every).tolist(), store.take_values(every).tolist(), *cells


@pytest.mark.parametrize("flips", [40, pytest.param(500, marks=pytest.mark.heavy)])
def test_every_flipped_bit_of_a_row_is_found(flips, tmp_path):
    rows = torch.randn(300, 16, generator=seeded(0))
    store = DiskStore(tmp_path / "t.lance")
    for part in (slice(0, 200), slice(200, 300)):
        count = len(rows[part])
        names = [f"row {number}" for number in range(300)[part]]
        annotations = Annotations(count, names=names, table={"year": list(range(count))})
        store.add(rows[part], values=rows[part, :2] > 0, annotations=annotations)
    content, draw, found = _content(store), random.Random(0), 0
    files = sorted((tmp_path / "t.lance" / "data").iterdir())
    copy = tmp_path / "copy.lance"
    for _ in range(flips):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(store.path, copy)
        damaged = copy / "data" / draw.choice(files).name
        numbers = bytearray(damaged.read_bytes())
        place = draw.randrange(len(numbers))
        numbers[place] ^= 1 << draw.randrange(8)
        damaged.write_bytes(numbers)
        try:
            again = DiskStore(copy)
            if len(again.verify()):
                found += 1
            else:
                assert _content(again) == content, f"byte {place}"
        except HopfieldError:
            found += 1
    assert found > flips / 2, "premise: most bits belong to rows"


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

    def refuse(*args: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.warns(RecoveryWarning, match="torn, and stays"):
        assert torch.equal(DiskStore(store.path).take(torch.arange(3)), torch.eye(3))
