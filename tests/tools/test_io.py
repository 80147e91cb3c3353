"""Saving and loading: the same bits come back, or a named error; a file is old or new, whole."""

import json
import os
import stat
import struct
import subprocess
import sys
import zlib
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import hopfield
from damage import altered
from draws import generator, signs
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    Entmax,
    ModernHopfield,
    PackedStore,
    Polynomial,
    RectifiedPolynomial,
    Softmax,
    Sparsemax,
    TopK,
)
from hopfield.errors import FileFormatError
from hopfield.rules import Perceptron

COUNT, DIM = 4, 12


PATTERNS = signs(COUNT, DIM, seed=1)
CUES = signs(5, DIM, seed=2)
THRESHOLDS = torch.randn(DIM, generator=generator(3)) / 10
SEPARATIONS = (
    Softmax(0.3),
    Softmax(0.0),
    Softmax(float("inf")),
    Softmax(1e-300),
    Softmax(torch.tensor(0.1)),
    Softmax(torch.nn.Parameter(torch.tensor(0.7, dtype=torch.float64))),
    Sparsemax(0.2),
    Entmax(1.3, 2.0),
    Entmax(torch.tensor(1.7), torch.tensor(0.1)),
    TopK(2, 0.5),
    TopK(10**6),
)
MEMORIES = [
    *[
        partial(ClassicalHopfield, rule)
        for rule in ("hebbian", "covariance", "pseudo_inverse", "storkey")
    ],
    partial(ClassicalHopfield, Perceptron(0.2, symmetric=True, passes=50)),
    partial(ClassicalHopfield, diagonal=True, schedule="synchronous", temperature=0.1),
    partial(ClassicalHopfield, thresholds=THRESHOLDS),
    partial(ClassicalHopfield, thresholds=THRESHOLDS.double(), temperature=1e-300),
    partial(DenseHopfield, 0.1),
    partial(DenseHopfield, float("inf"), schedule="asynchronous"),
    partial(DenseHopfield, separation=Polynomial(3)),
    partial(DenseHopfield, separation=RectifiedPolynomial(5), schedule="asynchronous"),
    *[
        partial(ModernHopfield, separation=separation, similarity=similarity)
        for separation in SEPARATIONS
        for similarity in ("dot", "euclidean")
    ],
    *[partial(ModernHopfield, 8.0, similarity=s) for s in ("cosine", "correlation", "manhattan")],
    partial(ModernHopfield, 8.0, similarity="euclidean", precision="certified"),
]
VALUES = {
    "no values": None,
    "floats": torch.randn(COUNT, 3, generator=generator(4)),
    "labels": torch.arange(COUNT),
    "bools": torch.tensor([True, False, True, True]),
    "complex": torch.arange(COUNT) * (1 + 2j),
    "half": torch.randn(COUNT, 2, generator=generator(5)).half(),
    "bfloat16": torch.randn(COUNT, generator=generator(5)).bfloat16(),
    "images": torch.arange(COUNT * 4, dtype=torch.uint8).reshape(COUNT, 2, 2),
    "empty": torch.zeros(COUNT, 0),
}


def same(one, other):
    """Equal in dtype, shape and every bit."""
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and torch.equal(one, other)


def assert_same(before, after):
    assert type(after) is type(before) and len(after) == len(before)
    told = [(name, str(value)) for name, value in after.config().items()]
    assert [name for name, _ in told] == list(before.config())
    if not len(before):
        return
    assert same(after.patterns, before.patterns) and same(after.values, before.values)
    cues = CUES.to(before.patterns.dtype)
    found, wanted = (m.retrieve(cues, trace=True, steps=5) for m in (after, before))
    for name in ("state", "steps", "converged", "energy", "index", "weight", "value", "trace"):
        assert same(getattr(found, name), getattr(wanted, name)), name
    assert same(after.energy(cues), before.energy(cues))


def there_and_back(memory, path):
    memory.save(path)
    return hopfield.load(path)


pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


@pytest.mark.parametrize("at", range(len(MEMORIES)), ids=str)
def test_the_same_memory_comes_back(at, tmp_path):
    memory = MEMORIES[at]()
    assert_same(memory, there_and_back(memory, tmp_path / "empty"))
    memory.store(PATTERNS)
    again = there_and_back(memory, tmp_path / "full")
    assert_same(memory, again)
    again.store(-PATTERNS[:1])  # and it goes on as the first would
    memory.store(-PATTERNS[:1])
    assert_same(memory, again)


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("make", [ClassicalHopfield, DenseHopfield, ModernHopfield])
def test_values_come_back(kind, make, tmp_path):
    memory = make()
    memory.store(PATTERNS, VALUES[kind])
    assert_same(memory, there_and_back(memory, tmp_path / "m"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("make", [ClassicalHopfield, DenseHopfield, ModernHopfield])
def test_dtypes_come_back(dtype, make, tmp_path):
    memory = make()
    memory.store(PATTERNS.to(dtype))
    assert_same(memory, there_and_back(memory, tmp_path / "m"))


def test_grown_and_shrunk_memories_come_back(tmp_path):
    memory = ModernHopfield()
    for row in PATTERNS:  # room for more is allocated, and not written
        memory.store(row[None])
    memory.remove([1])
    assert_same(memory, there_and_back(memory, tmp_path / "m"))
    memory.remove(range(3))
    again = there_and_back(memory, tmp_path / "m")
    assert len(again) == 0
    again.store(signs(2, DIM + 1))


def test_loading_does_not_warn_again(tmp_path):
    memory = ClassicalHopfield("hebbian")
    memory.store(PATTERNS)
    memory.save(tmp_path / "m")
    with pytest.warns(hopfield.CapacityWarning):  # premise: it is over its capacity
        ClassicalHopfield("hebbian").store(PATTERNS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *told, **_: pytest.fail(f"warned: {told}"))
        hopfield.load(tmp_path / "m")


@pytest.mark.parametrize("beta", [0.0, 5e-324, 0.1, 1 / 3, 1e308, float("inf")])
def test_numbers_survive_json(beta, tmp_path):
    again = there_and_back(ModernHopfield(beta), tmp_path / "m")
    assert again.separation.beta == beta


def test_the_file_is_plain_safetensors(tmp_path):
    memory = ClassicalHopfield("pseudo_inverse", thresholds=THRESHOLDS)
    memory.store(PATTERNS, VALUES["floats"])
    memory.save(tmp_path / "m")
    with safe_open(tmp_path / "m", "pt") as file:
        assert set(file.keys()) == {"patterns", "values", "thresholds"}
        assert torch.equal(file.get_tensor("patterns"), PATTERNS)
        metadata = file.metadata()
    assert set(metadata) == {"format", "memory", "crc32"}
    assert metadata["format"] == "4"
    described = json.loads(metadata["memory"])
    assert described["class"] == "ClassicalHopfield"
    assert described["arguments"]["rule"] == "pseudo_inverse"
    sums = json.loads(metadata["crc32"])
    assert set(sums) == {"memory", "patterns", "values", "thresholds"}
    assert sums["memory"] == zlib.crc32(metadata["memory"].encode())


def test_neither_way_touches_pickle(tmp_path, monkeypatch):
    def forbidden(*args, **kwargs):
        pytest.fail("pickle was used")

    for name in ("pickle.load", "pickle.loads", "pickle.dump", "pickle.dumps", "torch.load"):
        monkeypatch.setattr(name, forbidden)
    memory = ModernHopfield()
    memory.store(PATTERNS, VALUES["floats"])
    assert_same(memory, there_and_back(memory, tmp_path / "m"))


def _harmless_or_named(path, content, memory):
    """The content of a damaged file gives the memory that was saved, or a named error."""
    path.write_bytes(content)
    try:
        again = hopfield.load(path)
    except FileFormatError as error:
        assert str(path) in str(error)
        return False
    assert_same(memory, again)
    return True


def _saved(path):
    memory = DenseHopfield(separation=Softmax(0.25), schedule="asynchronous")
    memory.store(signs(64, DIM), torch.randn(64, 2, generator=generator(6)))
    memory.save(path)
    return memory, path.read_bytes()


@pytest.mark.parametrize("bit", range(8))
def test_one_flipped_bit_is_found(bit, tmp_path):
    memory, content = _saved(tmp_path / "m")
    header = 8 + struct.unpack("<Q", content[:8])[0]
    places = [*range(header), *range(header, len(content), 97)]
    harmless = []
    for at in places:
        wrong = bytearray(content)
        wrong[at] ^= 1 << bit
        if _harmless_or_named(tmp_path / "wrong", bytes(wrong), memory):
            harmless.append(at)
    assert header > 300 and len(content) > header + 3000, "premise: a header, and data"
    assert len(harmless) < 0.02 * len(places), "premise: damage is found, not overlooked"


def test_a_file_cut_off_is_found(tmp_path):
    memory, content = _saved(tmp_path / "m")
    for length in [*range(0, len(content), 47), len(content) - 1]:
        assert not _harmless_or_named(tmp_path / "wrong", content[:length], memory)


def test_bytes_added_at_the_end_are_found(tmp_path):
    memory, content = _saved(tmp_path / "m")
    assert not _harmless_or_named(tmp_path / "wrong", content + b"\0", memory)


def test_two_tensors_exchanged_are_found(tmp_path):
    memory = ModernHopfield()
    memory.store(PATTERNS, -PATTERNS)
    memory.save(tmp_path / "m")
    content = (tmp_path / "m").read_bytes()
    swapped = content.replace(b'"patterns":{', b'"valuesXX":{').replace(
        b'"values":{', b'"patterns":{'
    )
    swapped = swapped.replace(b'"valuesXX":{', b'"values":{')
    assert swapped != content and len(swapped) == len(content), "premise"
    assert not _harmless_or_named(tmp_path / "wrong", swapped, memory)


@pytest.mark.parametrize("name", ["os.replace", "os.fsync", "builtins.open"])
@pytest.mark.parametrize(
    "failure", [OSError(28, "No space left on device"), PermissionError(13, "No")]
)
def test_a_failing_write_leaves_the_old_file(name, failure, tmp_path, monkeypatch):
    memory, content = _saved(tmp_path / "m")
    other = ModernHopfield()
    other.store(PATTERNS)

    def fail(*args, **kwargs):
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(name, fail)
        with pytest.raises(FileFormatError, match=failure.strerror):
            other.save(tmp_path / "m")
    assert [path.name for path in tmp_path.iterdir()] == ["m"], "nothing is left behind"
    assert (tmp_path / "m").read_bytes() == content
    assert_same(memory, hopfield.load(tmp_path / "m"))


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    _, content = _saved(tmp_path / "m")

    def interrupt(handle):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ModernHopfield().save(tmp_path / "m")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    assert (tmp_path / "m").read_bytes() == content


def test_the_new_name_appears_after_the_bytes_are_on_disk(tmp_path, monkeypatch):
    happened = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *args, real=real, name=name: (happened.append(name), real(*args))[1]
        )
    ModernHopfield().save(tmp_path / "m")
    assert happened == ["fsync", "replace", "fsync"]  # the file, its name, the folder


@pytest.mark.skipif(os.name == "nt", reason="permissions are those of POSIX")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_have_the_permissions_new_files_get(mask, tmp_path):
    before = os.umask(mask)
    try:
        ModernHopfield().save(tmp_path / "m")
    finally:
        left = os.umask(before)
    assert left == mask
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o666 & ~mask


NAMES = [
    "m",
    "m.safetensors",
    "без имени",
    "模型.hopfield",
    "🧠",
    "a b",
    "-rf",
    ".hidden",
    "n" * 255,
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("kind", [str, Path])
def test_any_name_the_file_system_allows(name, kind, tmp_path):
    memory = ModernHopfield()
    memory.store(PATTERNS)
    assert_same(memory, there_and_back(memory, kind(tmp_path / name)))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_loaded_memory_does_not_depend_on_its_file(tmp_path):
    memory, content = _saved(tmp_path / "m")
    again = hopfield.load(tmp_path / "m")
    (tmp_path / "m").write_bytes(b"\0" * len(content))
    (tmp_path / "m").unlink()
    assert_same(memory, again)


def test_overwriting_keeps_permissions_and_links(tmp_path):
    memory = hopfield.ModernHopfield()
    memory.store(PATTERNS)
    private, link = tmp_path / "private", tmp_path / "link"
    memory.save(private)
    private.chmod(0o600)
    link.symlink_to(private)
    memory.save(link)
    assert link.is_symlink() and private.stat().st_mode & 0o777 == 0o600
    assert torch.equal(hopfield.load(private).patterns, PATTERNS)


def test_what_a_killed_process_left_is_removed_at_the_next_save(tmp_path):
    killed = """
import os, sys, pathlib
from hopfield.files import write_whole
os.fsync = lambda file: os._exit(9)
write_whole(pathlib.Path(sys.argv[1]), b"content")
"""
    done = subprocess.run([sys.executable, "-c", killed, str(tmp_path / "m")], check=False)
    assert done.returncode == 9 and len(list(tmp_path.iterdir())) == 1, "premise: it leaves a file"
    memory = hopfield.ModernHopfield()
    memory.store(PATTERNS)
    memory.save(tmp_path / "other")
    assert len(list(tmp_path.iterdir())) == 2, "that file is not of the same name"
    memory.save(tmp_path / "m")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "other"]


def _refused(path: Path, tensors: dict[str, torch.Tensor], match: str) -> None:
    path.write_bytes(altered(path, lambda described, _: (described, tensors)))
    with pytest.raises(FileFormatError, match=match):
        hopfield.load(path)


def test_a_file_whose_tensors_have_other_names_is_refused(tmp_path):
    hopfield.ModernHopfield().save(tmp_path / "m")
    _refused(tmp_path / "m", {"pattern": torch.eye(3)}, "must describe a memory")


@pytest.mark.parametrize("store", [None, PackedStore()])
def test_values_that_do_not_fit_the_patterns_of_a_file_are_refused(store, tmp_path):
    memory = DenseHopfield(store=store)
    memory.store(torch.ones(4, 70), torch.arange(4))
    memory.save(tmp_path / "m")
    _refused(tmp_path / "m", load_file(tmp_path / "m") | {"values": torch.arange(3)}, "values")
