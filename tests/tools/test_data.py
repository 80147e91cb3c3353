"""Loading by name: the embedded digits, IDX files in every place they may lie, and downloads."""

import gzip
import hashlib
import http.server
import struct
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets  # noqa: F401  what it loads draws from `random` once: not in a test
import torch

from hopfield import data
from hopfield.data import idx
from hopfield.errors import (
    DataError,
    DomainError,
    InputTypeError,
    MissingExtraError,
    OptionError,
    ShapeError,
)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """No set lies anywhere, the cache is empty, and nothing is to be downloaded."""
    monkeypatch.delenv("HOPFIELD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(idx, "DEBIAN", {})
    monkeypatch.setattr(idx, "_download", lambda *_: pytest.fail("nothing is to be downloaded"))


def encode(values, kind=8):
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, kind, values.ndim, *values.shape)
    return header + values.tobytes()


def content(n, seed=0, size=(3, 4)):
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (n, *size), dtype=np.uint8)
    return images, generator.integers(0, 10, n, dtype=np.uint8)


def write(folder, split, n=5, packed=True, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    for file, values in zip(idx._files(split), content(n, seed), strict=True):
        if packed:
            (folder / f"{file}.gz").write_bytes(gzip.compress(encode(values)))
        else:
            (folder / file).write_bytes(encode(values))
    return folder


def test_digits_are_the_default_and_real():
    digits = data.load()
    assert len(digits) == 1797 and digits.shape == (8, 8) and digits.name == "digits"
    assert digits.patterns.dtype == torch.float32 and digits.labels.dtype == torch.int64
    assert digits.patterns.min() == 0 and digits.patterns.max() == 1
    assert torch.equal(digits.patterns * 16, (digits.patterns * 16).round())
    assert digits.labels[:10].tolist() == list(range(10)) and digits.split is None
    assert digits.patterns[0].view(8, 8)[0].mul(16).tolist() == [0, 0, 5, 13, 9, 1, 0, 0]


def test_digits_have_no_split_and_no_folder(tmp_path):
    with pytest.raises(OptionError, match="without a split"):
        data.load("digits", split="train")
    with pytest.raises(OptionError, match="Leave folder out"):
        data.load("digits", folder=tmp_path)


def test_binary_is_ink_above_the_threshold():
    digits = data.load("digits")
    for threshold in (0.0, 0.5, 1.0):
        rows = digits.binary(threshold)
        assert rows.dtype == torch.float32 and rows.shape == digits.patterns.shape
        assert torch.equal(rows == 1, digits.patterns > threshold)
        assert torch.equal(rows == -1, digits.patterns <= threshold)
    assert (digits.patterns == 0.5).any(), "premise: a value at the threshold"
    assert torch.equal(digits.binary(), digits.binary(0.0))
    for threshold in (-0.1, 1.1, float("nan")):
        with pytest.raises(DomainError, match="threshold"):
            digits.binary(threshold)


def test_the_threshold_is_0_where_there_is_a_background_and_the_mean_elsewhere():
    assert data.load("digits").threshold() == 0.0
    for zeros, level in ((24, 0.38), (25, 0.0)):  # of 100
        images = torch.full((1, 10, 10), 0.5)
        images.view(-1)[:zeros] = 0.0
        assert data.Dataset(images, None, "made", "a test").threshold() == level
    with_dark_ink = torch.full((1, 10, 10), 1.0)
    with_dark_ink[0, 0, :3] = 0.0
    made = data.Dataset(with_dark_ink, None, "made", "a test")
    assert (made.binary(made.threshold()) == 1).sum() == 97


def test_printing_says_what_it_holds_and_where_it_came_from():
    text = str(data.load("digits"))
    for fact in ("digits", "1797", "8 × 8 = 64", "10 (0, 1, 2", "scikit-learn", "Split: none"):
        assert fact in text
    one = data.Dataset(torch.ones(2, 3), torch.tensor([5, 5]), "mine", "nowhere", "test")
    assert "Classes: 1\n" in str(one) and "Shape: 3\n" in str(one) and "Split: test" in str(one)
    assert "Classes: none" in str(data.Dataset(torch.ones(2, 3), None, "mine", "nowhere"))
    many = tuple(f"class number {i}" for i in range(50))
    dataset = data.Dataset(torch.ones(1, 3), torch.zeros(1), "", "", None, many)
    line = next(line for line in repr(dataset).split("\n") if "Classes" in line)
    assert line.endswith(", …)") and "50 (class number 0, " in line and len(line) < 110


def test_a_dataset_holds_images_with_their_labels():
    with pytest.raises(ShapeError, match=r"labels must have shape \(3,\)"):
        data.Dataset(torch.ones(3, 4), torch.zeros(2), "", "")
    with pytest.raises(InputTypeError, match="labels must be"):
        data.Dataset(torch.ones(3, 4), "abc", "", "")
    with pytest.raises(ShapeError, match="images must have shape"):
        data.Dataset(torch.ones(3), None, "", "")


TYPOS = {"minst": "mnist", "MNIST": "mnist", "digit": "digits", "fashion_mnist": "fashion-mnist"}


@pytest.mark.parametrize("name", TYPOS)
def test_a_mistyped_name(name):
    with pytest.raises(OptionError, match=rf"'mnist', .* the path .* mean '{TYPOS[name]}'\?"):
        data.load(name)


@pytest.mark.parametrize("path", ["gone.npy", "no/such/folder", Path("gone"), "~/gone.csv"])
def test_a_missing_path(path):
    with pytest.raises(DataError, match=r"an existing file or folder, but there is no"):
        data.load(path)


def test_wrong_types(tmp_path):
    for value in (None, 3, b"mnist", ["mnist"]):
        with pytest.raises(InputTypeError, match="name_or_path"):
            data.load(value)
    with pytest.raises(InputTypeError, match="folder"):
        data.load("mnist", folder=3)
    with pytest.raises(OptionError, match="Did you mean 'train'"):
        data.load("mnist", split="trian", folder=write(tmp_path, "train"))


# IDX files


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("split", ["train", "test"])
def test_idx_values(tmp_path, split, packed):
    dataset = data.load("mnist", folder=write(tmp_path, split, packed=packed), split=split)
    images, labels = content(5)
    assert torch.equal(dataset.patterns * 255, torch.from_numpy(images).flatten(1).float())
    assert dataset.patterns.dtype == torch.float32 and dataset.labels.dtype == torch.int64
    assert dataset.labels.tolist() == labels.tolist()
    assert (dataset.shape, dataset.split, dataset.name) == ((3, 4), split, "mnist")
    assert dataset.source == str(tmp_path)


def test_no_split_means_train_where_it_is_there_else_test(tmp_path):
    write(tmp_path, "test", n=2)
    only = data.load("mnist", folder=tmp_path)
    assert (only.split, len(only)) == ("test", 2)
    write(tmp_path, "train", n=7)
    assert len(data.load("mnist", folder=tmp_path)) == 7
    assert len(data.load("mnist", folder=tmp_path, split="test")) == 2


@pytest.mark.parametrize(("there", "missing"), [("test", "train"), ("train", "test")])
def test_a_missing_split_names_the_one_that_is_there(tmp_path, there, missing, monkeypatch):
    folder = write(tmp_path / "mnist", there)
    with pytest.raises(DataError, match=f"the {missing} split .* Use split='{there}'"):
        data.load("mnist", folder=folder, split=missing)
    monkeypatch.setenv("HOPFIELD_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"Use split='{there}'"):
        data.load("mnist", split=missing)


def test_places_in_order(tmp_path, monkeypatch):
    """A folder given, then HOPFIELD_DATA (subfolder, then itself), then Debian's."""
    monkeypatch.setattr(idx, "DEBIAN", {"fashion-mnist": write(tmp_path / "debian", "train", 1)})
    assert len(data.load("fashion-mnist")) == 1
    monkeypatch.setenv("HOPFIELD_DATA", str(tmp_path / "env"))
    assert len(data.load("fashion-mnist")) == 1, "HOPFIELD_DATA holds nothing"
    write(tmp_path / "env", "train", 2)
    assert len(data.load("fashion-mnist")) == 2
    write(tmp_path / "env" / "fashion-mnist", "train", 3)
    assert len(data.load("fashion-mnist")) == 3
    write(tmp_path / "given" / "fashion-mnist", "train", 4)
    assert len(data.load("fashion-mnist", folder=tmp_path / "given")) == 4
    assert len(data.load("fashion-mnist", folder=str(tmp_path / "given" / "fashion-mnist"))) == 4


def test_a_given_folder_is_the_only_place(tmp_path, monkeypatch):
    monkeypatch.setenv("HOPFIELD_DATA", str(write(tmp_path / "env", "train")))
    for folder in (tmp_path / "gone", tmp_path):
        with pytest.raises(
            DataError, match=r"mnist must lie in .* as train-images-idx3-ubyte .* it is missing"
        ):
            data.load("mnist", folder=folder)


def test_a_folder_of_idx_files_by_path(tmp_path):
    folder = write(tmp_path / "mine", "test")
    assert (data.load(folder).name, data.load(str(folder)).split) == ("mine", "test")
    with pytest.raises(DataError, match="the train split of mine must lie in"):
        data.load(folder, split="train")


def as_if_known(monkeypatch, name, split):
    digest = hashlib.sha256(encode(content(5)[1])).hexdigest()
    monkeypatch.setitem(idx.SETS[name].fingerprints, split, digest)


def test_files_of_another_set_are_not_taken_for_this_one(tmp_path, monkeypatch):
    """All sets name their files alike: the labels tell them apart."""
    as_if_known(monkeypatch, "mnist", "train")
    folder = write(tmp_path / "env", "train")
    with pytest.raises(DataError, match="must be those of fashion-mnist, but are those of mnist"):
        data.load("fashion-mnist", folder=folder)
    monkeypatch.setenv("HOPFIELD_DATA", str(folder))
    monkeypatch.setattr(idx, "DEBIAN", {"fashion-mnist": write(tmp_path / "deb", "train", seed=1)})
    assert data.load("fashion-mnist").source == str(tmp_path / "deb")
    assert data.load("mnist").source == str(folder)
    assert data.load(folder).name == "mnist" and len(data.load(folder).classes) == 10


IMAGES, LABELS = idx._files("train")
EMPTY = encode(np.zeros((0, 3, 4), "u1"))
DAMAGES = {
    "truncated": (IMAGES, lambda b: b[:-1], "truncated for 60 values"),
    "too long": (IMAGES, lambda b: b + b"x", "too long"),
    "cut in its header": (IMAGES, lambda b: b[:9], "ends inside its header"),
    "empty": (IMAGES, lambda b: b"", "begins with nothing"),
    "a web page": (IMAGES, lambda b: b"<html>", "begins with 3c68746d"),
    "wrong magic": (LABELS, lambda b: b"\0\0\x08\3" + b[4:], "00000801"),
    "wrong type": (IMAGES, lambda b: b"\0\0\x0d\3" + b[4:], "00000803"),
    "no images": (IMAGES, lambda b: EMPTY, "announces 0 values, not 1 to 1073741824"),
    "a large header": (IMAGES, lambda b: b[:4] + b"\1\0\0\0" * 3 + b[16:], "announces 472236648"),
    "fewer labels": (LABELS, lambda b: encode(np.zeros(4, "u1")), "5 images .* holds 4 labels"),
}
PACKED_DAMAGES = {
    "no gzip": (lambda b: b"plain" + b, "must be intact .*: "),
    "cut gzip": (lambda b: b[:-9], "must be intact .*: damaged"),
    "flipped gzip": (lambda b: b[:30] + bytes([b[30] ^ 255]) + b[31:], "intact .*: damaged"),
    "empty gzip": (lambda b: b"", "begins with nothing"),
}


@pytest.mark.parametrize("case", [*DAMAGES, *PACKED_DAMAGES])
def test_damaged_files(tmp_path, case):
    folder = write(tmp_path / "set", "train", packed=case in PACKED_DAMAGES)
    assert len(data.load("mnist", folder=folder)) == 5, "premise: sound before"
    name, change, message = DAMAGES.get(case) or (f"{IMAGES}.gz", *PACKED_DAMAGES[case])
    (folder / name).write_bytes(change((folder / name).read_bytes()))
    with pytest.raises(DataError, match=message) as caught:
        data.load("mnist", folder=folder)
    assert "\n" not in str(caught.value)


def test_images_need_their_labels(tmp_path):
    folder = write(tmp_path, "train")
    (folder / f"{LABELS}.gz").unlink()
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte .* the labels are missing"):
        data.load("mnist", folder=folder)


def test_a_gzip_file_is_unpacked_only_as_far_as_its_header_says(tmp_path, monkeypatch):
    """A few megabytes may unpack to gigabytes."""
    folder = write(tmp_path / "set", "train")
    file = folder / "train-images-idx3-ubyte.gz"
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()) + bytes(10**7)))
    plain, read = gzip.GzipFile.read, []
    monkeypatch.setattr(
        gzip.GzipFile, "read", lambda self, size: read.append(plain(self, size)) or read[-1]
    )
    with pytest.raises(DataError, match="too long"):
        data.load("mnist", folder=folder)
    assert 0 < max(map(len, read)) <= 5 * 3 * 4 + 1


def test_real_mnist(mnist, monkeypatch):
    monkeypatch.setenv("HOPFIELD_DATA", str(mnist.parent))
    digits = data.load("mnist", split="test")
    assert len(digits) == 10_000 and digits.shape == (28, 28) and digits.split == "test"
    assert digits.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert digits.patterns.max() == 1 and digits.patterns.dtype == torch.float32
    assert data.load(mnist, split="test").name == "mnist", "recognised by its labels"


# Downloads


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server on this machine that offers both files of a small train split."""
    folder = write(tmp_path / "served", "train")
    monkeypatch.undo()
    monkeypatch.delenv("HOPFIELD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    sums = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{running.server_port}/"
        small = idx._Set(url, sums, {}, ())
        monkeypatch.setitem(idx.SETS, "mnist", small)
        yield folder, sums
        running.shutdown()
        thread.join()


def test_downloads_once_into_the_cache(server, tmp_path):
    folder, sums = server
    dataset = data.load("mnist")
    assert len(dataset) == 5 and dataset.split == "train" and "127.0.0.1" in dataset.source
    assert {path.name for path in (tmp_path / "cache").rglob("*.gz")} == set(sums)
    for file in folder.iterdir():
        file.unlink()
    assert torch.equal(data.load("mnist").patterns, dataset.patterns), "from the cache"


def test_a_wrong_checksum_is_refused(server, tmp_path):
    _, sums = server
    sums["train-labels-idx1-ubyte.gz"] = "0" * 64
    with pytest.raises(DataError, match="the checksum is wrong"):
        data.load("mnist")
    assert not list((tmp_path / "cache").rglob("*labels*"))


def test_a_failing_download_says_how_to_get_the_files(server, tmp_path, monkeypatch):
    folder, sums = server
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(
        DataError,
        match=r"in any folder, as HOPFIELD_DATA is not set, and could not be downloaded",
    ):
        data.load("mnist")
    monkeypatch.setenv("HOPFIELD_DATA", str(tmp_path / "empty"))
    monkeypatch.setitem(idx.SETS, "mnist", idx._Set("http://127.0.0.1:9/", sums, {}, ()))
    with pytest.raises(DataError, match=r"mnist was not found in .*empty"):
        data.load("mnist")


def test_every_download_has_its_checksum():
    for one in idx.SETS.values():
        files = [f"{file}.gz" for split in ("train", "test") for file in idx._files(split)]
        assert set(one.checksums) == set(files) and set(one.fingerprints) == {"train", "test"}
        digests = [*one.checksums.values(), *one.fingerprints.values()]
        assert len(set(digests)) == 6 and all(len(bytes.fromhex(d)) == 32 for d in digests)


# Extras


def test_missing_packages_name_the_extra(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.delenv("HOPFIELD_DATA", raising=False)
    (tmp_path / "a.png").touch()
    for package, what, name in (
        ("sklearn", "digits", "scikit-learn"),
        ("pooch", "mnist", "pooch"),
        ("PIL", tmp_path, "pillow"),
    ):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, package, None)
            with pytest.raises(MissingExtraError, match=rf"needs {name}.*hopfield\[data\]"):
                data.load(what)
