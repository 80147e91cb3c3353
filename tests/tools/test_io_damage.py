"""Damaged files: a named error or the right memory; killed writers: the old file or the new one."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hopfield
from damage import altered, change_tensor, cut, describe_otherwise, flip_bits, rename
from draws import normal, signs
from hopfield import ClassicalHopfield, DenseHopfield, Memory, ModernHopfield
from hopfield.errors import FileFormatError
from hopfield.files import write_whole
from hopfield.stores import PackedStore

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")

DIM = 70
MEMORIES = {
    "classical": lambda: ClassicalHopfield("pseudo_inverse", thresholds=torch.linspace(-1, 1, DIM)),
    "packed": lambda: ClassicalHopfield(store=PackedStore()),
    "dense": lambda: DenseHopfield(separation=hopfield.Polynomial(3)),
    "modern": lambda: ModernHopfield(separation=hopfield.Entmax(1.3, 0.5), similarity="euclidean"),
    "named": lambda: ModernHopfield(4.0, similarity="euclidean"),
}
BROUGHT = {"names": list("abcdef"), "prior": [1, 2, 3, 4, 5, 6], "table": {"a": range(6)}}


def _saved(kind: str, path: Path) -> tuple[Memory, bytes]:
    memory = MEMORIES[kind]()
    rows = signs(6, DIM, seed=1) if memory.binary else normal(6, DIM, seed=1)
    memory.store(rows, normal(6, 3, seed=2), **(BROUGHT if kind == "named" else {}))
    memory.save(path)
    return memory, path.read_bytes()


def _is_equal(one: Memory, other: Memory) -> bool:
    return (
        repr(one) == repr(other)
        and torch.equal(one.patterns, other.patterns)
        and torch.equal(one.values, other.values)
        and one.names == other.names
        and torch.equal(one.energy(one.patterns), other.energy(one.patterns))
    )


def _loaded(path: Path, content: bytes) -> Memory | None:
    path.write_bytes(content)
    try:
        return hopfield.load(path)
    except FileFormatError as error:
        assert str(path) in str(error)
        return None


def _check_damage(kind: str, count: int, folder: Path) -> None:
    """A file whose checksums do not fit is refused, unless the damage changed nothing."""
    memory, content = _saved(kind, folder / "m")
    draw, refused = random.Random(kind), 0
    for turn in range(count):
        wrong = (flip_bits, cut)[turn % 2](content, draw)
        found = _loaded(folder / "wrong", wrong)
        refused += found is None
        assert found is None or _is_equal(found, memory)
    assert refused > 0.9 * count, "premise: there is damage"


def _check_alterations(kind: str, count: int, folder: Path) -> None:
    """A whole file with other contents is refused by name, or gives what it describes."""
    memory, _ = _saved(kind, folder / "m")
    draw, refused = random.Random(kind), 0
    for turn in range(count):
        alter = (rename, describe_otherwise, change_tensor)[turn % 3]
        found = _loaded(folder / "wrong", alter(folder / "m", draw))
        refused += found is None
        if found is not None and alter is not change_tensor:
            assert torch.equal(found.patterns, memory.patterns), "patterns were lost"
        if found is not None:
            _use(found)
    assert 0.5 * count < refused < count, "premise: most alterations make no memory"


def _use(memory: Memory) -> None:
    # What is loaded works.
    repr(memory)
    if len(memory):
        assert memory.retrieve(memory.patterns, steps=2).state.isfinite().all()


@pytest.mark.parametrize("kind", MEMORIES)
def test_damaged_files_are_refused_by_name(kind, tmp_path):
    _check_damage(kind, 40, tmp_path)


@pytest.mark.parametrize("kind", MEMORIES)
def test_altered_files_are_refused_by_name(kind, tmp_path):
    _check_alterations(kind, 36, tmp_path)


@pytest.mark.heavy
@pytest.mark.parametrize("kind", MEMORIES)
def test_5000_damaged_files_are_refused_by_name(kind, tmp_path):
    _check_damage(kind, 650, tmp_path)
    _check_alterations(kind, 600, tmp_path)


@pytest.mark.parametrize("dim", ["abc", None, 70.0, float("inf"), float("nan"), -70, 0, True, [70]])
def test_a_packed_length_that_is_no_whole_number_is_refused(dim, tmp_path, monkeypatch):
    _saved("packed", tmp_path / "m")

    def change(described, tensors):
        described["packed"]["dim"] = dim
        return described, tensors

    assert _loaded(tmp_path / "wrong", altered(tmp_path / "m", change)) is None


@pytest.mark.parametrize("values", [torch.tensor(1.0), torch.ones(5), torch.ones(7), torch.ones(0)])
def test_packed_rows_need_one_value_each(values, tmp_path):
    _saved("packed", tmp_path / "m")
    wrong = altered(tmp_path / "m", lambda text, tensors: (text, {**tensors, "values": values}))
    assert _loaded(tmp_path / "wrong", wrong) is None


@pytest.mark.parametrize("name", ["pattern", "values", "thresholds", "rule", "packed", ""])
@pytest.mark.parametrize("make", [ClassicalHopfield, ModernHopfield])
def test_a_file_whose_patterns_have_another_name_is_refused(name, make, tmp_path):
    memory = make()
    memory.store(signs(1, 8, seed=1))
    memory.save(tmp_path / "m")
    wrong = altered(tmp_path / "m", lambda text, tensors: (text, {name: tensors["patterns"]}))
    assert _loaded(tmp_path / "wrong", wrong) is None


def _check_kills(kills: int, folder: Path) -> None:
    for name, kind in (("old", "modern"), ("new", "named")):
        _saved(kind, folder / name)
    script = Path(__file__).parents[1] / "support" / "killed_writers.py"
    done = subprocess.run(
        [sys.executable, str(script), str(folder), "--kills", str(kills)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["abandoned"] > 0, "premise: some kills leave a temporary file"
    assert counts == {**counts, "kills": kills, "torn": 0, "not_removed": 0}
    assert hopfield.load(folder / "file").names in (None, BROUGHT["names"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_writers_leave_a_whole_file_and_nothing_after_the_next_save(tmp_path):
    _check_kills(60, tmp_path)


@pytest.mark.heavy
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_400_killed_writers_leave_a_whole_file_and_nothing_after_the_next_save(tmp_path):
    _check_kills(400, tmp_path)


def test_a_file_that_another_writer_takes_for_abandoned_is_written_again(tmp_path, monkeypatch):
    fcntl, files = pytest.importorskip("fcntl"), sys.modules["hopfield.files"]
    removed = []

    def remove_first(file, operation):
        if not removed:
            removed.append(Path(file.name))
            removed[0].unlink()
        return fcntl.flock(file, operation)

    monkeypatch.setattr(files, "flock", remove_first)
    write_whole(tmp_path / "m", b"content")
    assert removed and (tmp_path / "m").read_bytes() == b"content"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_or_device_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileFormatError, match="no ordinary file"):
        ModernHopfield().save(tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo() and len(list(tmp_path.iterdir())) == 1
