"""Every mistake in `save` and `load` is refused by a named error; no file is left half written."""

import json
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import hopfield
from bad_inputs import CUE, EMPTY, PATTERNS, Bad, by_kind, cases, filled, judge, judge_unchanged
from hopfield import ClassicalHopfield, DenseHopfield, ModernHopfield, Softmax
from hopfield.errors import FileFormatError, InputTypeError, OptionError
from hopfield.memories.describing import FORMAT

KINDS = tuple(EMPTY)
FILLED = {kind: filled(kind) for kind in KINDS}


class _BytesPath:
    def __fspath__(self):
        return b"memory.safetensors"


NO_NAMES = {
    "None": (None, "None"),
    "tensor": (PATTERNS, "tensor of shape (3, 8)"),
    "no name": ("", "''"),
    "null": ("a\0b", "'a\\x00b'"),
    "half a surrogate": ("a\ud800b", "'a\\ud800b'"),
    "bytes": (b"m", "bytes"),
    "path of bytes": (_BytesPath(), "_BytesPath"),
    "open file descriptor": (1, "1"),
    "list of names": (["a", "b"], "list"),
    "path class": (Path, "class Path"),
}
NAMES = [
    Bad(name, lambda call, value=value: call(value), InputTypeError, ("path", shown))
    for name, (value, shown) in NO_NAMES.items()
]


def places(folder: Path) -> dict[str, tuple[object, str]]:
    """Names under which nothing can be written, and why."""
    (folder / "file").write_bytes(b"something")
    (folder / "folder" / "sub").mkdir(parents=True)
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "dangling").symlink_to(folder / "gone" / "away")
    return {
        "missing folder": (folder / "none" / "m.hopfield", "No such file"),
        "missing folders": (folder / "none" / "none" / "m", "No such file"),
        "a folder": (folder / "folder", "it is a folder"),
        "a folder with a slash": (f"{folder}/folder/", "it is a folder"),
        "this folder": (folder / ".", "it is a folder"),
        "the root": ("/", "it is a folder"),
        "dot": (".", "it is a folder"),
        "two dots": ("..", "it is a folder"),
        "a file as folder": (folder / "file" / "m", "Not a directory"),
        "a too long name": (folder / ("n" * 300), "too long"),
        "a too long path": (folder / "/".join(["n" * 100] * 60), "too long"),
        "below a circle": (folder / "circle" / "m", "symbolic links"),
    }


PLACES = (
    "missing folder", "missing folders", "a folder", "a folder with a slash", "this folder",
    "the root", "dot", "two dots", "a file as folder", "a too long name", "a too long path",
    "below a circle",
)  # fmt: skip


@by_kind(NAMES)
def test_save_needs_a_file_name(kind, case):
    judge_unchanged(case._replace(call=lambda memory: case.call(memory.save)), FILLED[kind])


@cases(NAMES)
def test_load_needs_a_file_name(case):
    judge(case, hopfield.load)


@pytest.mark.parametrize("place", PLACES)
def test_save_needs_a_place_it_can_write_to(place, tmp_path):
    path, why = places(tmp_path)[place]
    before = sorted(tmp_path.rglob("*"))
    case = Bad("", lambda memory: memory.save(path), FileFormatError, (why,))
    judge_unchanged(case, FILLED["modern"])
    assert sorted(tmp_path.rglob("*")) == before, "something was left behind"
    assert (tmp_path / "file").read_bytes() == b"something"


@pytest.mark.parametrize("place", PLACES)
def test_load_needs_a_file(place, tmp_path):
    path, _ = places(tmp_path)[place]
    judge(Bad("", lambda: hopfield.load(path), FileFormatError, ("must be a",)))


def test_values_a_file_cannot_hold(tmp_path):
    memory = ModernHopfield()
    memory.store(PATTERNS, torch.ones(3, dtype=torch.complex128))
    shows = ("values", "complex128", "view_as_real")
    case = Bad("", lambda m: m.save(tmp_path / "m"), InputTypeError, shows)
    judge(case, memory)
    assert not list(tmp_path.iterdir())


class Halved(Softmax):
    """A user's own separation."""


@pytest.mark.parametrize("make", [ModernHopfield, DenseHopfield])
def test_a_separation_of_the_users_is_refused_by_name(make, tmp_path):
    memory = make(separation=Halved(2.0))
    memory.store(PATTERNS)
    shows = ("separation", "Halved", "Save memory.patterns")
    judge_unchanged(Bad("", lambda m: m.save(tmp_path / "m"), OptionError, shows), memory)
    assert not list(tmp_path.iterdir())


def test_a_separation_of_the_same_name_is_refused_too(tmp_path):
    own = type("Softmax", (Softmax,), {})
    memory = ModernHopfield(separation=own(2.0))
    judge(Bad("", lambda m: m.save(tmp_path / "m"), OptionError, ("separation", "Softmax")), memory)


def _sums(described: str, tensors: dict[str, torch.Tensor]) -> str:
    """The right checksums of files that are wrong on purpose, not damaged."""
    sums = {"memory": zlib.crc32(described.encode())}
    for name, tensor in tensors.items():
        form = zlib.crc32(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        sums[name] = zlib.crc32(tensor.contiguous().numpy().tobytes(), form)
    return json.dumps(sums)


def write(path: Path, described: object, tensors=None, **metadata: str) -> None:
    """A file with this description, and right checksums."""
    tensors = {"patterns": PATTERNS} if tensors is None else tensors
    text = described if isinstance(described, str) else json.dumps(described)
    given = {"format": "2", "memory": text, "crc32": _sums(text, tensors)} | metadata
    save_file(tensors, path, {key: value for key, value in given.items() if value is not None})


def modern(**arguments):
    return {"class": "ModernHopfield", "arguments": arguments}


def softmax(**arguments):
    return modern(separation={"separation": "Softmax", "arguments": arguments})


FOREIGN = {
    "no metadata": (modern(), {"format": None, "memory": None, "crc32": None}),
    "no format": (modern(), {"format": None}),
    "no description": (modern(), {"memory": None}),
    "no checksums": (modern(), {"crc32": None}),
    "format no number": (modern(), {"format": "one"}),
    "format no whole number": (modern(), {"format": "1.5"}),
    "format empty": (modern(), {"format": ""}),
    "format huge": (modern(), {"format": "9" * 5000}),
    "format zero": (modern(), {"format": "0"}),
    "format negative": (modern(), {"format": "-1"}),
    "newer format": (modern(), {"format": str(FORMAT + 1)}),
    "much newer format": (modern(), {"format": "99"}),
    "description garbage": ("{", {}),
    "description empty": ("", {}),
    "description a list": ("[]", {}),
    "description a number": ("3", {}),
    "description null": ("null", {}),
    "description deep": ("[" * 100_000, {}),
    "description cut": (json.dumps(modern())[:-1], {}),
    "checksums garbage": (modern(), {"crc32": "{"}),
    "checksums a list": (modern(), {"crc32": '["patterns"]'}),
    "checksums a number": (modern(), {"crc32": "7"}),
    "checksums null": (modern(), {"crc32": "null"}),
    "checksums of nothing": (modern(), {"crc32": "{}"}),
    "checksums of names": (modern(), {"crc32": '{"patterns": "x", "memory": "y"}'}),
    "checksums deep": (modern(), {"crc32": "[" * 100_000}),
    "unknown class": ({"class": "Perceptron", "arguments": {}}, {}),
    "abstract class": ({"class": "Memory", "arguments": {}}, {}),
    "no class": ({"arguments": {}}, {}),
    "class a list": ({"class": [], "arguments": {}}, {}),
    "class a dict": ({"class": {}, "arguments": {}}, {}),
    "class null": ({"class": None, "arguments": {}}, {}),
    "no arguments": ({"class": "ModernHopfield"}, {}),
    "arguments a list": ({"class": "ModernHopfield", "arguments": ["x"]}, {}),
    "arguments null": ({"class": "ModernHopfield", "arguments": None}, {}),
    "unknown argument": (modern(colour="red"), {}),
    "similarity typo": (modern(similarity="dott"), {}),
    "similarity a list": (modern(similarity=[]), {}),
    "similarity a separation": (
        modern(similarity={"separation": "Softmax", "arguments": {"beta": 1.0}}),
        {},
    ),
    "beta negative": (softmax(beta=-1.0), {}),
    "beta a string": (softmax(beta="8"), {}),
    "beta null": (softmax(beta=None), {}),
    "unknown parameter": (softmax(gamma=1.0), {}),
    "parameters a list": (modern(separation={"separation": "Softmax", "arguments": []}), {}),
    "parameters missing": (modern(separation={"separation": "Softmax"}), {}),
    "unknown separation": (modern(separation={"separation": "Hardmax", "arguments": {}}), {}),
    "no separation": (modern(separation={"separation": "Readout", "arguments": {}}), {}),
    "abstract separation": (modern(separation={"separation": "Separation", "arguments": {}}), {}),
    "separation a list": (modern(separation={"separation": [], "arguments": {}}), {}),
    "separation a number": (modern(separation=3), {}),
    "polynomial": (modern(separation={"separation": "Polynomial", "arguments": {"degree": 2}}), {}),
    "missing tensor": (modern(similarity={"tensor": "nowhere"}), {}),
    "tensor for a name": (modern(similarity={"tensor": "patterns"}), {}),
    "tensor of no name": (modern(similarity={"tensor": []}), {}),
    "grey patterns": ({"class": "DenseHopfield", "arguments": {}}, {}),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_describes_no_memory(name, tmp_path):
    described, metadata = FOREIGN[name]
    tensors = {"patterns": PATTERNS * 0.5} if name == "grey patterns" else None
    write(tmp_path / "m", described, tensors, **metadata)
    judge(Bad("", lambda: hopfield.load(tmp_path / "m"), FileFormatError, (f"{tmp_path}/m",)))


TENSORS = {
    "patterns of integers": {"patterns": PATTERNS.long()},
    "one pattern": {"patterns": PATTERNS[0].clone()},
    "cube": {"patterns": PATTERNS.reshape(3, 2, 4)},
    "no patterns": {"patterns": PATTERNS[:0].clone()},
    "no entries": {"patterns": PATTERNS[:, :0].clone()},
    "NaN": {"patterns": torch.full((3, 8), torch.nan)},
    "infinite": {"patterns": torch.full((3, 8), torch.inf)},
    "too large": {"patterns": torch.full((3, 8), 1e30)},
    "too few values": {"patterns": PATTERNS, "values": torch.ones(2)},
    "single value": {"patterns": PATTERNS, "values": torch.tensor(1.0)},
    "NaN values": {"patterns": PATTERNS, "values": torch.full((3,), torch.nan)},
}


@pytest.mark.parametrize("name", TENSORS)
def test_a_file_whose_tensors_are_no_patterns(name, tmp_path):
    write(tmp_path / "m", modern(), TENSORS[name])
    judge(Bad("", lambda: hopfield.load(tmp_path / "m"), FileFormatError, ("does not",)))


def test_the_way_these_files_are_written_is_right(tmp_path):
    """Premise: they fail for what they hold, not for how they were written."""
    write(tmp_path / "m", softmax(beta=2.0))
    assert torch.equal(hopfield.load(tmp_path / "m").patterns, PATTERNS)


def test_versions_are_named(tmp_path):
    write(tmp_path / "m", modern(), format="7")
    shows = (f"up to {FORMAT}", "has 7", "Update hopfield")
    judge(Bad("", lambda: hopfield.load(tmp_path / "m"), FileFormatError, shows))


def _numpy(path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, PATTERNS.numpy())


OTHERS = {
    "empty": lambda path: path.write_bytes(b""),
    "one byte": lambda path: path.write_bytes(b"\0"),
    "eight bytes": lambda path: path.write_bytes(b"\xff" * 8),
    "zeros": lambda path: path.write_bytes(b"\0" * 4096),
    "text": lambda path: path.write_text("patterns = [[1, -1]]"),
    "json": lambda path: path.write_text('{"class": "ModernHopfield"}'),
    "pickle": lambda path: path.write_bytes(pickle.dumps({"patterns": [1.0]})),
    "torch": lambda path: torch.save({"patterns": PATTERNS}, path),
    "npy": _numpy,
    "noise": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "header beyond the end": lambda path: path.write_bytes((2**40).to_bytes(8, "little") + b"{}"),
    "header no json": lambda path: path.write_bytes((4).to_bytes(8, "little") + b"nope"),
    "header empty": lambda path: path.write_bytes((0).to_bytes(8, "little")),
    "foreign": lambda path: save_file({"weight": torch.ones(2)}, path),
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_of_other_kinds(name, tmp_path):
    path = tmp_path / name
    OTHERS[name](path)
    judge(Bad("", lambda: hopfield.load(path), FileFormatError, (str(path),)))


def test_a_pickle_is_not_executed(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    (tmp_path / "bomb").write_bytes(pickle.dumps(Bomb()))
    judge(Bad("", lambda: hopfield.load(tmp_path / "bomb"), FileFormatError, ("bomb",)))
    assert not (tmp_path / "executed").exists()


def test_a_failed_load_leaves_other_memories_alone(tmp_path):
    memory = ClassicalHopfield("pseudo_inverse")
    memory.store(PATTERNS)
    write(tmp_path / "m", modern(colour="red"))
    case = Bad("", lambda m: hopfield.load(tmp_path / "m"), FileFormatError, ("does not",))
    judge_unchanged(case, memory)
    assert memory.retrieve(CUE).state.shape == CUE.shape
