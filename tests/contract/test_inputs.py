"""Arrays, lists, tables and pictures mean what the tensors mean that the rule makes of them."""

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas
import pytest
import torch
from PIL import Image
from torch import Tensor

import hopfield
from hopfield import ClassicalHopfield, DenseHopfield, ModernHopfield, data

N, H, W = 6, 4, 5
GENERATOR = np.random.default_rng(3)
BYTES = GENERATOR.integers(0, 256, (N, H, W), dtype=np.uint8)
COLOURS = GENERATOR.integers(0, 256, (N, H, W, 3), dtype=np.uint8)
WORDS = GENERATOR.integers(0, 65536, (N, H, W), dtype=np.uint16)
FLOATS = GENERATOR.normal(size=(N, H * W)).astype(np.float32)
WHOLE = GENERATOR.integers(-9, 9, (N, H * W))
BOOLS = BYTES > 127


class Columns:
    """A DataFrame as polars has it: names of columns, one column by its name, one array of all."""

    def __init__(self, rows: np.ndarray) -> None:
        self.columns = [f"c{place}" for place in range(rows.shape[1])]
        self._rows = rows

    def __getitem__(self, name: str) -> np.ndarray:
        return self._rows[:, self.columns.index(name)]

    def to_numpy(self) -> np.ndarray:
        return self._rows


def arrow(rows: np.ndarray) -> Any:
    if importlib.util.find_spec("pyarrow") is None:
        pytest.skip("pyarrow is not installed")
    import pyarrow

    return pyarrow.table({f"c{place}": column for place, column in enumerate(rows.T)})


def read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def tensor(array: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.from_numpy(array.reshape(len(array), -1).copy()).to(dtype)


class Form(NamedTuple):
    """Patterns in some form, and the tensor that they are."""

    name: str
    given: Callable[[], Any]
    expected: Tensor


def images(arrays: np.ndarray) -> list[Image.Image]:
    return [Image.fromarray(array) for array in arrays]


GREY, COLOUR = tensor(BYTES) / 255, tensor(COLOURS) / 255
FORMS = [
    Form("a float32 array", lambda: FLOATS, tensor(FLOATS)),
    Form("a float64 array", lambda: FLOATS.astype(float), tensor(FLOATS, torch.float64)),
    Form("a float16 array", lambda: FLOATS.astype(np.float16), tensor(FLOATS, torch.float16)),
    Form("a longer float", lambda: FLOATS.astype(np.longdouble), tensor(FLOATS, torch.float64)),
    Form("bytes in the other order", lambda: FLOATS.astype(">f4"), tensor(FLOATS)),
    Form("an array read backwards", lambda: FLOATS[::-1, ::-1],
         tensor(np.ascontiguousarray(FLOATS[::-1, ::-1]))),
    Form("a read-only array", lambda: read_only(FLOATS), tensor(FLOATS)),
    Form("columns first", lambda: np.asfortranarray(FLOATS), tensor(FLOATS)),
    Form("a masked array without a mask", lambda: np.ma.masked_array(FLOATS), tensor(FLOATS)),
    Form("float pictures", lambda: FLOATS.reshape(N, H, W), tensor(FLOATS)),
    Form("float pictures of colours", lambda: (COLOURS / 255).astype(np.float32), COLOUR),
    Form("bytes", lambda: BYTES, GREY),
    Form("rows of bytes", lambda: BYTES.reshape(N, -1), GREY),
    Form("bytes of colours", lambda: COLOURS, COLOUR),
    Form("bytes with one channel", lambda: BYTES[..., None], GREY),
    Form("16 bits", lambda: WORDS, tensor(WORDS.astype(float)) / 65535),
    Form("bools", lambda: BOOLS, tensor(BOOLS)),
    Form("whole numbers", lambda: WHOLE, tensor(WHOLE)),
    Form("small whole numbers", lambda: WHOLE.astype(np.int8), tensor(WHOLE)),
    Form("lists", lambda: FLOATS.tolist(), tensor(FLOATS)),
    Form("a tuple of lists", lambda: tuple(FLOATS.tolist()), tensor(FLOATS)),
    Form("whole lists", lambda: WHOLE.tolist(), tensor(WHOLE)),
    Form("lists of bools", lambda: BOOLS.tolist(), tensor(BOOLS)),
    Form("nested lists of bytes are whole numbers", lambda: BYTES.tolist(), tensor(BYTES)),
    Form("a list of arrays", lambda: list(FLOATS), tensor(FLOATS)),
    Form("a list of pictures of bytes", lambda: list(BYTES), GREY),
    Form("a list of tensors", lambda: list(tensor(FLOATS)), tensor(FLOATS)),
    Form("a list of tensors of bytes", lambda: list(torch.from_numpy(BYTES)), GREY),
    Form("objects", lambda: FLOATS.astype(object), tensor(FLOATS, torch.float64)),
    Form("a DataFrame", lambda: pandas.DataFrame(FLOATS), tensor(FLOATS)),
    Form("a DataFrame of float64", lambda: pandas.DataFrame(FLOATS.astype(float)),
         tensor(FLOATS, torch.float64)),
    Form("a DataFrame of bytes", lambda: pandas.DataFrame(BYTES.reshape(N, -1)), tensor(BYTES)),
    Form("a DataFrame of bools", lambda: pandas.DataFrame(BOOLS.reshape(N, -1)), tensor(BOOLS)),
    Form("a DataFrame of nullable numbers",
         lambda: pandas.DataFrame(WHOLE).astype("Int64"), tensor(WHOLE)),
    Form("columns of one name", lambda: pandas.DataFrame(FLOATS, columns=["a"] * H * W),
         tensor(FLOATS)),
    Form("columns as polars has them", lambda: Columns(FLOATS), tensor(FLOATS)),
    Form("an Arrow table", lambda: arrow(FLOATS), tensor(FLOATS)),
    Form("pictures", lambda: images(BYTES), GREY),
    Form("pictures of colours", lambda: images(COLOURS), COLOUR),
    Form("pictures of 16 bits", lambda: images(WORDS), tensor(WORDS.astype(float)) / 65535),
    Form("pictures of one bit", lambda: images(BOOLS), tensor(BOOLS)),
]  # fmt: skip
by_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)


def new(stored: Tensor) -> ModernHopfield:
    memory = ModernHopfield(beta=3.0, similarity="euclidean")
    memory.store(stored)
    return memory


@by_form
def test_what_is_stored(form):
    memory = ModernHopfield()
    memory.store(form.given())
    assert memory.patterns.dtype == form.expected.dtype
    torch.testing.assert_close(memory.patterns, form.expected, rtol=1e-6, atol=0)
    assert torch.equal(data.from_array(form.given()).patterns, memory.patterns)


@by_form
def test_every_door_answers_as_for_the_tensor(form):
    memory, cue = new(form.expected), form.given()
    same, answer = memory.retrieve(form.expected), memory.retrieve(cue)
    array = cue.to_numpy() if isinstance(cue, Columns) else np.asarray(cue)
    assert answer.state.dtype == form.expected.dtype and answer.state.shape == array.shape
    assert torch.equal(answer.state.reshape(N, -1), same.state)
    for field in ("index", "weight", "energy", "entropy", "steps"):
        assert torch.equal(getattr(answer, field), getattr(same, field))
    assert isinstance(answer.state.numpy(), np.ndarray)
    assert torch.equal(memory.energy(cue), memory.energy(form.expected))
    assert torch.equal(memory.update(cue).reshape(N, -1), memory.update(form.expected))
    near, best = memory.nearest(cue, 3), memory.nearest(form.expected, 3)
    assert torch.equal(near.index, best.index) and torch.equal(near.score, best.score)


def test_one_picture_is_one_pattern_and_one_cue():
    picture = Image.fromarray(BYTES[2])
    memory = ModernHopfield(beta=90.0, similarity="euclidean")
    memory.store(picture)
    memory.store(BYTES)
    assert len(memory) == N + 1
    for cue in (picture, BYTES[2], BYTES[2].tolist()):
        result = memory.retrieve(cue, known=np.ones((H, W), bool), clamp=False)
        assert result.state.shape == (H, W) and result.index.shape == ()
    assert memory.retrieve(picture).index == 0
    assert memory.nearest(picture, 2).index.tolist() == [0, 3]


def test_batches_of_pictures_have_any_shape():
    memory = new(GREY)
    result = memory.retrieve(BYTES.reshape(2, 3, H, W))
    assert result.index.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert result.state.shape == (2, 3, H, W) and result.energy.shape == (2, 3)
    assert memory.retrieve(BYTES[:1]).index.shape == (1,)
    assert memory.retrieve(BYTES[:0]).state.shape == (0, H, W)
    assert memory.retrieve(BYTES[0].reshape(-1)).state.shape == (H * W,)


def test_later_arrays_are_cast_to_the_patterns():
    memory = ModernHopfield()
    memory.store(FLOATS.astype(np.float16))
    memory.store(FLOATS.astype(float))
    memory.store(FLOATS.tolist())
    assert memory.patterns.dtype == torch.float16 and len(memory) == 3 * N
    assert memory.retrieve(FLOATS[0].tolist()).state.dtype == torch.float16
    assert memory.retrieve(FLOATS[0]).state.dtype == torch.float32, "as for a tensor"
    precise = new(tensor(BYTES, torch.float64) / 255)
    assert torch.equal(precise.retrieve(BYTES, steps=0).state, torch.from_numpy(BYTES / 255))


# Masks


MASK = GENERATOR.random((N, H, W)) < 0.7


@pytest.mark.parametrize(
    ("cue", "known", "expected"),
    [
        ("bytes", MASK, MASK),
        ("bytes", MASK[0], MASK[0]),
        ("bytes", Image.fromarray(MASK[0]), MASK[0]),
        ("bytes", MASK.tolist(), MASK),
        ("bytes", MASK[0].reshape(-1), MASK[0]),
        ("bytes", MASK.reshape(N, -1), MASK),
        ("bytes", torch.from_numpy(MASK[0]), MASK[0]),
        ("bytes", MASK[:, :1], MASK[:, :1].repeat(H, axis=1)),
        ("rows", MASK[0], MASK[0]),
        ("rows", MASK, MASK),
        ("rows", MASK.reshape(N, -1).tolist(), MASK),
        ("rows", np.ma.masked_array(MASK, ~MASK), MASK),
    ],
)
def test_masks_have_the_shape_of_the_cue_or_of_one_picture(cue, known, expected):
    given = BYTES if cue == "bytes" else GREY
    mask = torch.from_numpy(np.broadcast_to(expected, (N, H, W)).reshape(N, -1).copy())
    memory = new(GREY)
    answer, same = memory.retrieve(given, known), memory.retrieve(GREY, mask)
    assert torch.equal(answer.state.reshape(N, -1), same.state)
    assert torch.equal(memory.nearest(given, 2, known).score, memory.nearest(GREY, 2, mask).score)
    gaps = ModernHopfield(similarity="euclidean")
    gaps.store(given, known=known)
    assert torch.equal(gaps.known, mask)


@pytest.mark.parametrize("known", [MASK, MASK[0], MASK[..., None], MASK[0][..., None]])
def test_masks_of_pixels_hold_for_all_colours(known):
    memory = new(COLOUR)
    mask = np.broadcast_to(known.reshape(-1, H, W)[..., None], (N, H, W, 3)).reshape(N, -1)
    expected = memory.retrieve(COLOUR, torch.from_numpy(mask.copy()))
    assert torch.equal(memory.retrieve(COLOURS, known).state.reshape(N, -1), expected.state)


def test_tables_with_gaps():
    """NaN and pandas.NA are allowed where the mask says so."""
    frame = pandas.DataFrame(WHOLE).astype("Int64")
    frame.iloc[2, 3] = pandas.NA
    memory = ModernHopfield(beta=9.0, similarity="euclidean")
    memory.store(frame, known=frame.notna(), names=[f"row {i}" for i in range(N)])
    assert int((~memory.known).sum()) == 1 and memory.patterns[2, 3].isnan()
    assert memory.retrieve(frame.iloc[[2]], known=frame.iloc[[2]].notna()).name[0] == "row 2"
    assert memory.retrieve(frame.iloc[4]).name == "row 4"


# Binary networks, values and users


@pytest.mark.parametrize("make", [lambda: ClassicalHopfield("pseudo_inverse"), DenseHopfield])
def test_binary_networks_take_bools_and_signs(make):
    signs = 2 * BOOLS.astype(int) - 1
    forms = [BOOLS, BOOLS.tolist(), signs, signs.astype(np.int8), signs.tolist(), images(BOOLS),
             signs.astype(float), pandas.DataFrame(BOOLS.reshape(N, -1)),
             list(tensor(signs))]  # fmt: skip
    for form in forms:
        memory = make()
        memory.store(form)
        assert torch.equal(memory.patterns, tensor(signs).to(memory.patterns))
        result = memory.retrieve(BOOLS)
        assert result.index.tolist() == list(range(N)) and result.state.shape == BOOLS.shape
        assert np.array_equal(result.state.numpy() > 0, BOOLS)
    partial = signs.copy()
    partial[:, 0] = 0
    assert memory.retrieve(partial).index.tolist() == list(range(N)), "0 is unknown"


def test_values_of_lists_and_arrays():
    memory = ModernHopfield(beta=99.0, similarity="euclidean")
    memory.store(BYTES, values=[3, 1, 4, 1, 5, 9])
    memory.store(BYTES[:1] // 2, values=np.array([7], np.uint8))
    assert memory.values.dtype == torch.int64
    assert memory.retrieve(BYTES).value.tolist() == [3, 1, 4, 1, 5, 9]
    other = ModernHopfield()
    other.store(BYTES, values=np.ones((N, 2)))
    other.store(BYTES[:1], values=[[0.5, 0.5]])
    assert other.values.dtype == torch.float64 and other.values.shape == (N + 1, 2)
    series = ModernHopfield()
    series.store(FLOATS, values=pandas.Series([0.5] * N))
    assert series.values.shape == (N,)
    wide = ModernHopfield()
    wide.store(FLOATS, values=np.array([0.1] * N, np.longdouble))
    assert wide.values.dtype == torch.float64
    short = ModernHopfield()
    short.store(FLOATS, values=[0.5] * N)
    with pytest.raises(hopfield.errors.InputTypeError, match=r"values must be torch\.float32"):
        short.store(FLOATS, values=[2**30 + 1] * N)  # which float32 would round


def test_images_of_bools_from_numpy():
    """Nearly every question about Hopfield networks begins so: no error at all."""
    letters = np.zeros((2, 10, 10), dtype=bool)
    letters[0, 2:8, 4:6] = letters[1, 4:6, 1:9] = True
    memory = ClassicalHopfield()
    memory.store(letters)
    damaged = letters.copy()
    damaged[:, :3] ^= GENERATOR.random((2, 3, 10)) < 0.3
    assert (damaged != letters).any(), "premise"
    restored = memory.retrieve(damaged).state.numpy() > 0
    assert np.array_equal(restored, letters)


def test_embeddings_from_numpy():
    vectors = GENERATOR.normal(size=(50, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    memory = ModernHopfield(beta=50.0)
    memory.store(vectors, names=[f"text {i}" for i in range(50)])
    noisy = vectors[7] + 0.05 * GENERATOR.normal(size=16).astype(np.float32)
    assert memory.retrieve(noisy).name == "text 7"
    assert memory.nearest(vectors[[3, 4]], 1).index.tolist() == [[3], [4]]


def test_patterns_are_copies_and_cues_are_not_changed():
    mine, memory = FLOATS.copy(), ModernHopfield(beta=2.0)
    memory.store(mine)
    cue = FLOATS[:2].copy()
    memory.retrieve(cue, known=np.arange(H * W) < 9)
    assert np.array_equal(cue, FLOATS[:2])
    mine[:] = 0
    assert torch.equal(memory.patterns, tensor(FLOATS))


# data.from_array


def test_data_sets_of_arrays():
    made = data.from_array(BYTES, list("abcabc"), names=[f"{i}.png" for i in range(N)])
    assert made.shape == (H, W) and made.classes == ("a", "b", "c")
    assert made.labels.tolist() == [0, 1, 2, 0, 1, 2] and made.names[5] == "5.png"
    assert torch.equal(made.patterns, GREY) and set(made.binary(0.5).unique().tolist()) == {-1, 1}
    assert data.from_array(BYTES, np.arange(N)).labels.tolist() == list(range(N))
    assert torch.equal(data.from_array(torch.from_numpy(BYTES)).patterns, GREY)
    rows = tensor(FLOATS)
    kept = data.from_array(rows)
    assert torch.equal(kept.images, rows) and kept.images.data_ptr() != rows.data_ptr()
    with pytest.raises(hopfield.errors.ShapeError, match="one per pattern"):
        data.from_array(BYTES, [1, 2])
    halves = torch.full((N,), 0.5)
    for labels in ([0.5] * N, halves, halves.to(torch.float8_e4m3fn), [[1], [1, 2]], object()):
        with pytest.raises(hopfield.errors.InputTypeError, match="labels must be whole numbers"):
            data.from_array(BYTES, labels)


def test_a_folder_and_its_pictures_in_memory_are_the_same_rows(tmp_path):
    for number, picture in enumerate(images(COLOURS)):
        picture.save(tmp_path / f"{number}.png")
    loaded = data.load(tmp_path, mode="RGB")
    opened = [Image.open(tmp_path / name) for name in loaded.names]
    assert torch.equal(data.from_array(opened).images, loaded.images)
    memory = ModernHopfield(beta=50.0, similarity="euclidean")
    memory.store(loaded.patterns, names=loaded.names)
    assert memory.retrieve(opened[3]).name == "3.png"
