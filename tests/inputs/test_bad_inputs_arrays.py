"""Every mistake in arrays, lists, tables and pictures is refused at every door, and says why."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas
import pytest
import scipy.sparse
import torch
from PIL import Image
from torch import Tensor

from bad_inputs import Bad, as_users_see_it, judge
from hopfield import (
    ClassicalHopfield,
    Cue,
    DenseHopfield,
    GradedHopfield,
    Memory,
    ModernHopfield,
    SequenceHopfield,
    data,
)
from hopfield.errors import DomainError, HopfieldError, InputTypeError, ShapeError

N, H, W = 3, 4, 6
BYTES = np.random.default_rng(1).integers(0, 256, (N, H, W), dtype=np.uint8)
FLOATS = (BYTES / 255).astype(np.float32)
ROWS = torch.from_numpy(FLOATS).flatten(1)
SIGNS = 2 * (BYTES > 127).astype(int) - 1
TYPE, SHAPE, DOMAIN = InputTypeError, ShapeError, DomainError


class Hostile:
    """An object whose array raises."""

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        raise RuntimeError("no array")


def with_entry(value: float) -> np.ndarray:
    array = FLOATS.astype(float)
    array[1, 2, 3] = value
    return array


def structured() -> np.ndarray:
    return np.zeros(N, dtype=[("a", float), ("b", float)])


def frame(**columns: Any) -> pandas.DataFrame:
    return pandas.DataFrame(FLOATS.reshape(N, -1)).assign(**columns)


def pictures(*sizes: tuple[int, int], mode: str = "L") -> list[Image.Image]:
    return [Image.new(mode, size) for size in sizes]


ANYWHERE: dict[str, tuple[Callable[[], Any], type[HopfieldError], tuple[str, ...]]] = {
    "None": (lambda: None, TYPE, ("None",)),
    "a number": (lambda: 3.5, TYPE, ("3.5",)),
    "a bool": (lambda: True, TYPE, ("True",)),
    "a complex number": (lambda: 1j, TYPE, ("complex",)),
    "text": (lambda: "a photo of a cat", TYPE, ("text needs an embedding",)),
    "a path": (lambda: "photos/a.png", TYPE, ("data.load",)),
    "bytes": (lambda: b"\xff\x00", TYPE, ("bytes",)),
    "a dict": (lambda: {"a": [1.0, 2.0]}, TYPE, ("dict",)),
    "a set": (lambda: {1.0, 2.0}, TYPE, ("set",)),
    "a generator": (lambda: (row for row in FLOATS), TYPE, ("generator",)),
    "a class": (lambda: np.ndarray, TYPE, ("the class ndarray",)),
    "a function": (lambda: np.ones, TYPE, ("function",)),
    "an object": (object, TYPE, ("object",)),
    "an array that fails": (Hostile, TYPE, ("Hostile",)),
    "a NumPy number": (lambda: np.float32(1), TYPE, ("numpy.float32",)),
    "an array of no axes": (lambda: np.array(1.0), TYPE, ("numpy.ndarray",)),
    "an array of text": (lambda: np.array(["a", "b"]), TYPE, ("of text", "data.load")),
    "an array of bytes": (lambda: np.array([b"a", b"b"]), TYPE, ("of |S1",)),
    "an array of objects": (lambda: np.array([object()] * 3), TYPE, ("of objects",)),
    "an array of dates": (lambda: np.array(["2026-01-01"], "datetime64[D]"), TYPE, ("datetime64",)),
    "complex numbers": (lambda: FLOATS + 0j, TYPE, ("complex64",)),
    "a structured array": (structured, TYPE, ("'a'",)),
    "a masked array": (lambda: np.ma.masked_array(BYTES, BYTES > 200), TYPE, (".filled(0) with",)),
    "a sparse array": (lambda: scipy.sparse.csr_array(FLOATS[0]), TYPE, (".toarray()",)),
    "a list of text": (lambda: ["a.png", "b.png"], TYPE, ("of text", "data.load")),
    "numbers as text": (lambda: [["1", "2"], ["3", "4"]], TYPE, ("of text",)),
    "rows of two lengths": (lambda: [[1.0, 2.0], [3.0]], TYPE, ("rows of 1 to 2 entries", "NaN")),
    "arrays of two lengths": (lambda: [FLOATS[0, 0], FLOATS[0, 0, :3]], TYPE, ("of 3 to 6",)),
    "a list of dicts": (lambda: [{"a": 1.0}, {"a": 2.0}], TYPE, ("of objects",)),
    "a list of None": (lambda: [None, "x"], TYPE, ("of objects",)),
    "tensors of two lengths": (lambda: [ROWS[0], ROWS[0, :3]], SHAPE, ("one shape", "(3,)")),
    "sparse tensors": (lambda: [ROWS[0].to_sparse(), ROWS[0]], SHAPE, ("dense tensors",)),
    "complex tensors": (lambda: [ROWS[0] + 0j, ROWS[1] + 0j], TYPE, ("complex64",)),
    "a memory": (ModernHopfield, TYPE, ("memory.patterns",)),
    "a data set": (lambda: data.from_array(BYTES), TYPE, ("dataset.patterns",)),
    "NaN": (lambda: with_entry(np.nan), DOMAIN, ("NaN",)),
    "infinity": (lambda: with_entry(np.inf), DOMAIN, ("infinity",)),
    "NaN in a list": (lambda: with_entry(np.nan).tolist(), DOMAIN, ("NaN",)),
    "None in a list": (lambda: [[None] * H * W], DOMAIN, ("NaN",)),
    "numbers beyond float32": (lambda: [[1e200] * H * W], DOMAIN, ("1e+200", "infinity", "inf")),
    "a column of text": (lambda: frame(city=list("abc"), name="x"), TYPE, ("'city', 'name'",)),
    "a column of dates": (lambda: frame(day=pandas.Timestamp("2026-01-01")), TYPE, ("'day'",)),
    "a column of objects": (lambda: frame(thing=[object()] * N), TYPE, ("'thing'", "table=")),
    "missing cells": (lambda: pandas.DataFrame(with_entry(np.nan).reshape(N, -1)), DOMAIN,
                      ("NaN",)),
    "pictures of two sizes": (lambda: pictures((6, 4), (4, 6)), SHAPE, ("L of 6 × 4", "size=")),
    "pictures of two modes": (lambda: pictures((6, 4)) + pictures((6, 4), mode="RGB"), SHAPE,
                              ("RGB of 6 × 4", "convert('L')")),
    "pictures and arrays": (lambda: [*pictures((6, 4)), FLOATS[0]], TYPE, ("numpy.ndarray",)),
    "a picture of floats": (lambda: Image.new("F", (6, 4)), data.DataError, ("mode 'F'",)),
    "a picture of Lab": (lambda: Image.new("LAB", (6, 4)), data.DataError, ("mode 'LAB'",)),
    "a picture of 32 bits": (lambda: Image.new("I", (6, 4), -1), data.DataError, ("32 bits",)),
}  # fmt: skip
"""What no door takes: error, and what its message shows."""


def store(memory: Memory, value: Any) -> object:
    return memory.store(value)


def retrieve(memory: Memory, value: Any) -> object:
    return memory.retrieve(value)


def nearest(memory: Memory, value: Any) -> object:
    return memory.nearest(value, 1)


def energy(memory: Memory, value: Any) -> object:
    return memory.energy(value)


def update(memory: Memory, value: Any) -> object:
    return memory.update(value)


def from_array(_: Memory, value: Any) -> object:
    return data.from_array(value)


DOORS = (store, retrieve, nearest, energy, update, from_array)


def memory_of(rows: Tensor = ROWS, kind: type[Memory] = ModernHopfield) -> Memory:
    memory = kind()
    memory.store(rows)
    return memory


@pytest.mark.parametrize("name", ANYWHERE)
def test_what_no_door_takes(name):
    make, error, shows = ANYWHERE[name]
    memory = memory_of()
    for door in DOORS:
        if name == "numbers beyond float32":
            with as_users_see_it(), pytest.raises(HopfieldError) as caught:
                door(memory, make())
            assert any(text in str(caught.value) for text in shows)
        else:
            judge(Bad(name, lambda door=door: door(memory, make()), error, shows))
    assert torch.equal(memory.patterns, ROWS)
    empty = ModernHopfield()
    judge(Bad(name, lambda: empty.store(make()), error, () if "beyond" in name else shows))
    assert len(empty) == 0


MAKE_SIGNS = "2.0 * numpy.asarray(patterns) - 1"
BINARY: dict[str, tuple[Any, tuple[str, ...]]] = {
    "bytes": (BYTES, ("numpy.asarray(patterns) > 127",)),
    "bytes of 0 and 255": (np.where(BYTES > 127, 255, 0).astype(np.uint8), ("> 127",)),
    "bytes of 0 and 1": ((BYTES > 127).astype(np.uint8), ("0 and 1", MAKE_SIGNS)),
    "0 and 1": ((BYTES > 127).astype(int), ("0 and 1", MAKE_SIGNS)),
    "lists of 0 and 1": ((BYTES > 127).astype(int).tolist(), ("0 and 1", MAKE_SIGNS)),
    "grey": (FLOATS, ("−1 or +1", "bools")),
    "0 among signs": (SIGNS * (BYTES > 9), ("−1 or +1",)),
    "pictures": ([Image.fromarray(picture) for picture in BYTES], ("> 127",)),
    "a table": (pandas.DataFrame(FLOATS.reshape(N, -1)), ("−1 or +1",)),
}


@pytest.mark.parametrize("kind", [ClassicalHopfield, DenseHopfield])
@pytest.mark.parametrize("name", BINARY)
def test_binary_networks_ask_what_is_plus_one(kind, name):
    """The advice works as printed, for the patterns and, with another name, for cues."""
    value, shows = BINARY[name]
    with as_users_see_it(), pytest.raises(DomainError) as caught:
        kind().store(value)
    message = str(caught.value)
    assert all(shown in message for shown in (*shows, "must be", "True is +1")), message
    advice = message.split("for instance ")[1].rstrip(".")
    memory = kind() if kind is DenseHopfield else kind("pseudo_inverse")
    memory.store(eval(advice, {"numpy": np, "patterns": value}))
    assert len(memory) == N
    if MAKE_SIGNS in shows:
        assert torch.equal(memory.patterns > 0, torch.tensor(value).flatten(1) > 0)
    if name == "0 among signs":  # unknown units, in a cue
        return
    for door in (retrieve, nearest, energy, update):
        with as_users_see_it(), pytest.raises(DomainError, match=r"True is \+1"):
            door(memory, value)


NETWORKS = [ClassicalHopfield, DenseHopfield, SequenceHopfield, GradedHopfield]


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("form", [np.asarray, torch.tensor, np.ndarray.tolist])
def test_patterns_of_signs_have_no_gaps(kind, form):
    with pytest.raises(DomainError, match=r"NaN\. Leave those patterns out: only cues"):
        kind().store(form(np.array([[1.0, -1.0, np.nan], [1.0, 1.0, 1.0]])))


def masked(known: Any, cue: Any = BYTES) -> Callable[[Memory], object]:
    return lambda memory: memory.retrieve(cue, known=known)


WHOLE_MASK = np.ones((N, H, W), bool)
SHAPES = {
    "patterns: a row": (lambda m: m.store(FLOATS[0, 0]), SHAPE, ("(6,)", "[patterns]")),
    "patterns: a list": (lambda m: m.store([1.0, 2.0]), SHAPE, ("(2,)", "[patterns]")),
    "patterns: a Series": (lambda m: m.store(frame().iloc[0]), SHAPE, ("[patterns]",)),
    "patterns: no rows": (lambda m: m.store(FLOATS[:0]), SHAPE, ("at least one", "(0, 4, 6)")),
    "patterns: no list": (lambda m: m.store([]), SHAPE, ("at least one",)),
    "patterns: no columns": (lambda m: m.store(frame()[[]]), SHAPE, ("at least one",)),
    "patterns: other size": (lambda m: m.store(BYTES[:, :3]), SHAPE, ("24 entries", "18 entries")),
    "patterns: turned": (lambda m: m.store(FLOATS.reshape(N, -1).T), SHAPE, ("(24, 3)",)),
    "patterns: other pictures": (lambda m: m.store(pictures((9, 9))), SHAPE, ("81", "data.load")),
    "patterns: one of colours": (lambda m: m.store(np.zeros((32, 24, 3), np.uint8)), SHAPE,
                                 ("one picture of 3 colours", "patterns[None]")),
    "patterns: one of four": (lambda m: m.store(np.zeros((32, 24, 4), np.uint8)), SHAPE,
                              ("one picture of 4 colours", "reshape(32, -1)")),
    "cue: other size": (lambda m: m.retrieve(BYTES[:, :3]), SHAPE, ("24 entries", "(3, 3, 6)")),
    "cue: other colours": (lambda m: m.retrieve(np.zeros((4, 6, 3), np.uint8)), SHAPE, ("24",)),
    "cue: other picture": (lambda m: m.retrieve(Image.new("L", (9, 9))), SHAPE,
                           ("(9, 9)", "data.load(path, size=…")),
    "cue: a flat list": (lambda m: m.retrieve([1.0, 2.0]), SHAPE, ("24 entries", "(2,)")),
    "cue: turned": (lambda m: m.nearest(FLOATS.reshape(N, -1).T, 1), SHAPE, ("(24, 3)",)),
    "state: other size": (lambda m: m.energy(BYTES[0, :3]), SHAPE, ("state", "24 entries")),
    "state: other array": (lambda m: m.update([1.0]), SHAPE, ("state", "24 entries")),
    "known: other size": (masked(WHOLE_MASK[:, :3]), SHAPE, ("(3, 4, 6)", "(3, 3, 6)")),
    "known: other batch": (masked(WHOLE_MASK[:2]), SHAPE, ("(3, 4, 6)", "(2, 4, 6)")),
    "known: a row": (masked(WHOLE_MASK[0, 0, :5]), SHAPE, ("known", "(5,)")),
    "known: of a picture for rows": (masked(np.ones((9, 9), bool), ROWS), SHAPE, ("(9, 9)",)),
    "known: 0 and 1": (masked(WHOLE_MASK.astype(int)), TYPE, ("known", "dtype=torch.bool")),
    "known: bytes": (masked(WHOLE_MASK.astype(np.uint8) * 255), TYPE, ("known",)),
    "known: a grey picture": (masked(Image.new("L", (6, 4), 255)), TYPE, ("known", "Image")),
    "known: places": (masked([1, 3, 5]), TYPE, ("known", "places of known entries")),
    "known: text": (masked("left"), TYPE, ("known", "'left'")),
    "known: objects": (masked([None, True]), TYPE, ("known", "list")),
    "known: a number": (masked(True), TYPE, ("known", "True")),
    "known: a count": (masked(12), TYPE, ("number 12", "torch.arange(24) < 12")),
    "known: a data set": (masked(data.from_array(BYTES)), TYPE, ("known", "Dataset")),
    "known: with a Cue": (masked(WHOLE_MASK, Cue(ROWS)), HopfieldError, ("known", "own mask")),
    "values: too few": (lambda m: m.store(BYTES, [1, 2]), SHAPE, ("values", "3", "(2,)")),
    "values: objects": (lambda m: m.store(BYTES, [{}] * N), TYPE, ("values", "list")),
    "values: complex": (lambda m: m.store(BYTES, [1j] * N), TYPE, ("values", "list")),
    "values: ragged": (lambda m: m.store(BYTES, [[1], [1, 2], [1]]), TYPE, ("values", "list")),
    "values: NaN": (lambda m: m.store(BYTES, [np.nan] * N), DOMAIN, ("values", "NaN")),
    "values: hashes": (lambda m: m.store(BYTES, np.array([2**63 + 5] * N, np.uint64)), DOMAIN,
                       ("values", "9223372036854775813", "str(")),
    "values: a long list": (lambda m: m.store(BYTES, [1] * (N - 1) + [2**70]), DOMAIN, ("values",)),
    "values: labels": (lambda m: data.from_array(BYTES, np.array([2**63] * N, np.uint64)), DOMAIN,
                       ("labels", "9223372036854775808")),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_masks_and_values(name):
    call, error, shows = SHAPES[name]
    memory = ModernHopfield() if name.startswith("values") else memory_of()
    with as_users_see_it(), pytest.raises(HopfieldError) as caught:
        call(memory)
    assert isinstance(caught.value, error), caught.value
    for shown in shows:
        assert shown in str(caught.value), caught.value
    assert len(memory) == (0 if name.startswith("values") else N)


FOLLOWED = {
    "NaN in patterns": ("patterns", with_entry(np.nan), "known=numpy.isfinite(patterns)"),
    "NaN in a list": ("patterns", with_entry(np.nan).reshape(N, -1).tolist(),
                      "known=numpy.isfinite(numpy.array(patterns, dtype=float))"),
    "missing cells": ("patterns", pandas.DataFrame(with_entry(np.nan).reshape(N, -1)),
                      "known=numpy.isfinite(numpy.array(patterns, dtype=float))"),
    "NaN in a cue": ("cue", with_entry(np.nan), "known=numpy.isfinite(cue)"),
    "masked patterns": ("patterns", np.ma.masked_array(BYTES, BYTES > 250),
                        "known=~numpy.ma.getmaskarray(patterns)"),
}  # fmt: skip
"""Missing entries, and the mask that the message prints: it works, with the rest as given."""


@pytest.mark.parametrize("name", FOLLOWED)
def test_masks_of_missing_entries_work_as_printed(name):
    argument, value, advice = FOLLOWED[name]
    memory = ModernHopfield(similarity="euclidean")
    memory.store(FLOATS)
    call = memory.store if argument == "patterns" else memory.retrieve
    with pytest.raises(HopfieldError) as caught:
        call(value)
    assert advice in str(caught.value)
    known = eval(advice.removeprefix("known="), {"numpy": np, argument: value})
    call(value.filled(0) if isinstance(value, np.ma.MaskedArray) else value, known=known)


TENSORS = {
    "bytes": (torch.from_numpy(BYTES), "patterns.flatten(1) / 255", "cue.flatten(-2) / 255"),
    "bools": (torch.from_numpy(BYTES > 127), "patterns.flatten(1).float()",
              "cue.flatten(-2).float()"),
    "whole numbers": (torch.from_numpy(SIGNS * 2), "patterns.flatten(1).float()",
                      "cue.flatten(-2).float()"),
    "floats": (torch.from_numpy(FLOATS), "patterns.flatten(1)", "cue.flatten(-2)"),
    "colours": (torch.from_numpy(np.repeat(FLOATS[..., None], 3, 3)), "patterns.flatten(1)",
                "cue.flatten(-3)"),
}  # fmt: skip


@pytest.mark.parametrize("name", TENSORS)
def test_messages_for_tensors_name_all_that_must_change(name):
    """Both steps, dtype and shape, in one message; following it is enough."""
    value, patterns_advice, cue_advice = TENSORS[name]
    memory = ModernHopfield(similarity="euclidean")
    with as_users_see_it(), pytest.raises(HopfieldError) as caught:
        memory.store(value)
    assert patterns_advice in str(caught.value)
    memory.store(eval(patterns_advice, {"patterns": value}))
    with as_users_see_it(), pytest.raises(HopfieldError) as caught:
        memory.retrieve(value)
    assert cue_advice in str(caught.value)
    assert memory.retrieve(eval(cue_advice, {"cue": value})).index.tolist() == [0, 1, 2]


def test_there_are_enough():
    assert len(ANYWHERE) * len(DOORS) + len(SHAPES) + len(BINARY) >= 300
