"""Files of users: .npy, .npz and .csv, sound and damaged."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hopfield import data
from hopfield.data import files
from hopfield.errors import DataError, HopfieldError, OptionError
from pictures import GREY, picture, png

# Scale


def loaded(tmp_path, values):
    np.save(tmp_path / "x.npy", values)
    return data.load(tmp_path / "x.npy")


def test_bytes_are_divided_by_255(tmp_path):
    dataset = loaded(tmp_path, GREY)
    assert dataset.shape == (2, 2) and dataset.patterns.dtype == torch.float32
    assert torch.equal(dataset.patterns * 255, torch.from_numpy(GREY).flatten(1).float())
    assert "scaled" not in dataset.source and dataset.labels is None and dataset.name == "x.npy"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, bool])
def test_values_in_0_to_1_are_kept(tmp_path, dtype):
    values = np.array([[0, 1, 0], [0, 0, 1]], dtype=dtype)
    if np.dtype(dtype).kind == "f":
        values = values / 2
    dataset = loaded(tmp_path, values)
    assert torch.equal(dataset.patterns, torch.from_numpy(values).float())
    assert "scaled" not in dataset.source


def test_other_ranges_are_mapped_over_the_whole_set_and_it_says_so(tmp_path):
    dataset = loaded(tmp_path, np.array([[-3.0, 1.0], [5.0, 1.0]]))
    assert dataset.patterns.tolist() == [[0.0, 0.5], [1.0, 0.5]]
    assert dataset.source.endswith("(scaled from [-3, 5])")


def test_plus_minus_one_comes_back_as_binary(tmp_path):
    signs = np.array([[-1, 1, 1], [1, -1, 1]])
    assert torch.equal(loaded(tmp_path, signs).binary(), torch.from_numpy(signs).float())


def test_a_compressed_array_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "UNPACKED", 1000)
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((10, 200), np.uint8))
    with pytest.raises(DataError, match=r"at most 1000 bytes .* 'x.npy' has 2128"):
        data.load(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", x=np.zeros((10, 200), np.uint8))
    assert len(data.load(tmp_path / "x.npz")) == 10, "plain ones are as large as their file"


@pytest.mark.parametrize("name", ["a.txt", "t10k-images-idx3-ubyte", "a.tar.gz"])
def test_a_file_of_another_kind(tmp_path, name):
    (tmp_path / name).write_bytes(b"0")
    message = r"must be a folder, a picture, or end in \.npy, \.npz or \.csv"
    with pytest.raises(DataError, match=message):
        data.load(tmp_path / name)


def test_files_have_no_split(tmp_path):
    picture(tmp_path / "images" / "a.png")
    np.save(tmp_path / "x.npy", GREY)
    for path in (tmp_path / "images", tmp_path / "x.npy"):
        with pytest.raises(OptionError, match="one set without a split"):
            data.load(path, split="train")


# .npy


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.arange(4.0), r"array \(n, …\)"),
        (np.float64(3), r"array \(n, …\)"),
        (np.ones((0, 4)), r"\(0, 4\)"),
        (np.ones((4, 0)), r"\(4, 0\)"),
        (np.array([["a", "b"]]), "real numbers, but holds <U1"),
        (np.array([[1j, 2]]), "real numbers, but holds complex128"),
        (np.array([[0.5, np.nan]]), r"at \[0, 1\] is nan"),
        (np.array([[0.5], [np.inf]]), r"at \[1, 0\] is inf"),
        (np.full((2, 2), 7.0), "from 7 to 7"),
        (np.array([[-1.7e308, 1.7e308]]), "scaled to .* but they run from"),
    ],
)
def test_arrays_that_are_no_patterns(tmp_path, values, message):
    with np.errstate(over="ignore"), pytest.raises(DataError, match=message):
        loaded(tmp_path, values)


def test_object_arrays_are_refused_unread(tmp_path):
    for name, save in (("x.npy", np.save), ("x.npz", np.savez)):
        save(tmp_path / name, np.array([[1, "a", None]], dtype=object))
        with pytest.raises(DataError, match="no dtype=object"):
            data.load(tmp_path / name)


def encoded(save):
    stream = io.BytesIO()
    save(stream, GREY)
    return stream.getvalue()


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"hello", b"PK\3\4", b"\x93NUMPY\1\0"),
        *(encoded(np.save)[:-1], encoded(np.savez)[:-9]),
        *(encoded(np.save).replace(b"}", b" "), encoded(np.savez).replace(b"}", b" ")),
    ],
    ids=["empty", "text", "cut zip", "cut header", "cut npy", "cut npz", "open npy", "open npz"],
)
def test_damaged_arrays(tmp_path, suffix, content):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match="must be an intact"):
        data.load(path)


def test_arrays_under_the_wrong_suffix(tmp_path):
    (tmp_path / "x.npz").write_bytes(encoded(np.save))
    (tmp_path / "x.npy").write_bytes(encoded(np.savez))
    for name in ("x.npz", "x.npy"):
        with pytest.raises(DataError, match="must be an intact"):
            data.load(tmp_path / name)


@given(
    kind=st.sampled_from([".npy", ".npz", ".csv", ".png"]),
    place=st.integers(0, 400),
    byte=st.integers(0, 255),
    cut=st.booleans(),
)
def test_no_damage_shows_an_error_from_below(kind, place, byte, cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damage")
    whole = {
        ".npy": encoded(np.save),
        ".npz": encoded(np.savez_compressed),
        ".csv": b"a,b,label\n1,2,x\n3,4,y\n",
        ".png": png(),
    }[kind]
    place %= len(whole)
    spoiled = whole[:place] if cut else whole[:place] + bytes([byte]) + whole[place + 1 :]
    (folder / f"x{kind}").write_bytes(spoiled)
    try:
        dataset = data.load(folder if kind == ".png" else folder / f"x{kind}")
    except HopfieldError as error:
        assert "\n" not in str(error)
    else:
        assert dataset.patterns.isfinite().all()


# .npz


def test_npz_by_names(tmp_path):
    path = tmp_path / "set.npz"
    for x, y in (("patterns", "labels"), ("x", "y"), ("X", "Y"), ("images", "label")):
        np.savez(path, **{x: GREY, y: np.array([4, 7]), "extra": np.ones(3)})
        dataset = data.load(path)
        assert (
            dataset.labels.tolist() == [4, 7] and dataset.shape == (2, 2) and dataset.split is None
        )
    np.savez(path, anything=GREY)
    assert data.load(path).labels is None


def test_npz_with_splits(tmp_path):
    path, labels = tmp_path / "set.npz", np.array([1, 2])
    np.savez(path, x_train=GREY, y_train=labels, x_test=GREY[:1], y_test=labels[:1])
    assert (len(data.load(path)), data.load(path).split) == (2, "train")
    assert data.load(path, split="test").labels.tolist() == [1]
    np.savez(path, x_test=GREY)
    assert data.load(path).split == "test"
    with pytest.raises(DataError, match=r"'x_train', but holds 'x_test'\."):
        data.load(path, split="train")
    np.savez(path, patterns=GREY)
    with pytest.raises(DataError, match="named 'x_train'"):
        data.load(path, split="train")


def test_npz_without_patterns(tmp_path):
    np.savez(tmp_path / "set.npz", a=GREY, b=GREY)
    with pytest.raises(DataError, match=r"named 'patterns' or .* but holds 'a', 'b'"):
        data.load(tmp_path / "set.npz")
    np.savez(tmp_path / "set.npz")
    with pytest.raises(DataError, match="but holds none"):
        data.load(tmp_path / "set.npz")


@pytest.mark.parametrize(
    ("labels", "numbers", "classes"),
    [
        (np.array([3, 1], np.uint8), [3, 1], ()),
        (np.array([3.0, 1.0]), [3, 1], ()),
        (np.array([True, False]), [1, 0], ()),
        (np.array(["dog", "cat"]), [1, 0], ("cat", "dog")),
    ],
)
def test_labels(tmp_path, labels, numbers, classes):
    np.savez(tmp_path / "set.npz", x=GREY, y=labels)
    dataset = data.load(tmp_path / "set.npz")
    assert dataset.labels.tolist() == numbers and dataset.labels.dtype == torch.int64
    assert dataset.classes == classes


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0.5, 1]), r"whole numbers or text .*float64 such as .*0\.5"),
        (np.array([np.nan, 1]), "whole numbers or text"),
        (np.array([np.inf, 1]), "whole numbers or text"),
        (np.array([1, 2, 3]), r"one label for each of 2 patterns, but labels have shape \(3,\)"),
        (np.array([[1], [2]]), r"shape \(2, 1\)"),
    ],
)
def test_labels_that_do_not_fit(tmp_path, labels, message):
    np.savez(tmp_path / "set.npz", x=GREY, y=labels)
    with pytest.raises(DataError, match=message):
        data.load(tmp_path / "set.npz")


# .csv


def table(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    return data.load(path)


@pytest.mark.parametrize(
    "text",
    ["0,0.5\n1,0.25\n", "a,b\n0,0.5\n1,0.25", " a , b\r\n\r\n 0, 0.5\r\n1,0.25\r\n\r\n"],
    ids=["plain", "header", "spaces and empty lines"],
)
def test_a_table(tmp_path, text):
    dataset = table(tmp_path, text)
    assert dataset.patterns.tolist() == [[0.0, 0.5], [1.0, 0.25]] and dataset.shape == (2,)
    assert dataset.labels is None


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_signs_between_columns(tmp_path, sign):
    text = "a,label,b\n0,one two,0.5\n1,x,0.25\n".replace(",", sign)
    dataset = table(tmp_path, text)
    assert dataset.patterns.tolist() == [[0.0, 0.5], [1.0, 0.25]]
    assert dataset.classes == ("one two", "x")


def test_a_sign_in_a_name_separates_nothing(tmp_path):
    dataset = table(tmp_path, 'a;b,"one, c",label\n0.5,1,one two\n')
    assert dataset.patterns.tolist() == [[0.5, 1.0]] and dataset.classes == ("one two",)
    assert table(tmp_path, "one two\n0.5\n1\n").patterns.tolist() == [[0.5], [1.0]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_table_with_labels(tmp_path, encoding):
    dataset = table(tmp_path, "Label,a,b\n7,0,0.5\n3,1,0.25\n", encoding)
    assert dataset.patterns.tolist() == [[0.0, 0.5], [1.0, 0.25]] and dataset.labels.tolist() == [
        7,
        3,
    ]
    dataset = table(tmp_path, "a,label,b\n0,dog,0.5\n1,cat,0.25\n")
    assert dataset.classes == ("cat", "dog") and dataset.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds none"),
        ("\n\n", "holds none"),
        ("a,b\n", "holds none"),
        ("1,2\n3\n", "number of columns changed from 2 to 1 at row 2"),
        ("1,2\n3,4,5\n", "number of columns changed from 2 to 3 at row 2"),
        ("a,b\n1,2\n3,oops\n", "row 2 has 'oops' under 'b'.$"),
        ("a,b\n1,2\n3,\n", "row 2 has '' under 'b'. Fill its gaps by `hopfield impute`"),
        ("1,2\n3,4\n ? ,6\n", r"row 3 has ' \? ' in column 1. Fill its gaps"),
        ("1,2\nnan,4\n", r"at \[1, 0\] is nan. Fill its gaps"),
        ("1,2\n3,inf\n", r"at \[1, 1\] is inf"),
        ("a,label\n1,2\n3,\n", "whole numbers or text"),
        ("a,label\n1,2\n3,1.5\n", "whole numbers or text"),
        ("label\n1\n2\n", r"shape \(2, 0\)"),
        (",a\n0,1\n1,2\n", r"column 1 has no name.*index=False"),
        ("1,5;2,5\n3,5;4,5\n", "row 1 has '3,5' under '1,5'"),
        ("x" * 200_000 + "\n1\n", "must be a table of numbers, but field larger"),
        ("1 2\n3  4\n", "row 1 has '3  4' under '1 2'"),
        ("5,5\n5,5\n", "from 5 to 5"),
    ],
)
def test_tables_that_are_no_patterns(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        table(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_no_text(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe1\x002\x00")
    with pytest.raises(DataError, match="must be text in UTF-8"):
        data.load(tmp_path / "t.csv")
