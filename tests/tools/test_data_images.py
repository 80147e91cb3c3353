"""Folders of images: every mode that Pillow opens becomes grey, or is refused by name.

test_data_pictures.py has sizes, colours, transparency, rotations and names.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hopfield import data
from hopfield.data import images
from hopfield.errors import DataError
from pictures import GREY, picture, png


@pytest.fixture(autouse=True)
def listed_backwards(monkeypatch):
    """Folders list their files in no particular order."""
    plain = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter(sorted(plain(folder))[::-1]))


def test_a_folder_of_images_by_name(tmp_path):
    picture(tmp_path / "b.png", GREY[1])
    picture(tmp_path / "a.bmp", GREY[0])
    picture(tmp_path / ".hidden.png", np.zeros((9, 9), np.uint8))
    (tmp_path / "notes.txt").write_text("not an image")
    dataset = data.load(tmp_path)
    assert torch.equal(dataset.patterns * 255, torch.from_numpy(GREY).flatten(1).float())
    assert (dataset.shape, dataset.labels, dataset.split) == ((2, 2), None, None)
    assert dataset.source == str(tmp_path) and dataset.name == tmp_path.name


def test_subfolders_are_classes(tmp_path):
    for name in ("cat/1", "ant/2", "ant/1", "bee/x"):
        picture(tmp_path / f"{name}.png", np.full((2, 3), len(name) * 10, np.uint8))
    (tmp_path / "empty").mkdir()
    dataset = data.load(str(tmp_path))
    assert dataset.classes == ("ant", "bee", "cat") and dataset.labels.tolist() == [0, 0, 1, 2]
    assert "3 (ant, bee, cat)" in repr(dataset) and dataset.shape == (2, 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "PA", "RGB", "RGBA", "LA", "CMYK", "YCbCr"])
def test_every_mode_that_can_be_grey_becomes_grey(tmp_path, mode):
    """Modes as Pillow opens them; a .tiff keeps each."""
    picture(tmp_path / "a.tiff", np.array([[0, 255]], np.uint8), mode)
    with Image.open(tmp_path / "a.tiff") as image:
        assert image.mode == mode, "premise"
    assert data.load(tmp_path).patterns.tolist() == [[0.0, 1.0]]


def test_colours_become_their_luminance(tmp_path):
    Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)).save(tmp_path / "a.png")
    red, green = data.load(tmp_path).patterns[0].mul(255).tolist()
    assert (round(red), round(green)) == (76, 150)  # ITU-R 601: .299, .587, .114


@pytest.mark.parametrize(
    ("kind", "suffix"), [("<u2", "png"), ("<u2", "tiff"), (">u2", "tiff"), ("<u2", "pgm")]
)
def test_16_bit_images_keep_their_levels(tmp_path, kind, suffix):
    Image.fromarray(np.array([[0, 256, 65535]], kind)).save(tmp_path / f"a.{suffix}")
    levels = data.load(tmp_path).patterns * 65535
    torch.testing.assert_close(levels, torch.tensor([[0.0, 256.0, 65535.0]]))


def saved(tmp_path, image, suffix="png", **options):
    image.save(tmp_path / f"a.{suffix}", **options)


def frames(tmp_path):
    one, other = (Image.new("L", (2, 2), level) for level in (0, 255))
    saved(tmp_path, one, "gif", save_all=True, append_images=[other])


REFUSED = {
    "32-bit floats": (lambda p: saved(p, Image.new("F", (2, 1), 0.5), "tiff"), "mode 'F'"),
    "below 0": (lambda p: saved(p, Image.new("I", (2, 1), -1), "tiff"), "has 32 bits"),
    "above 65535": (lambda p: saved(p, Image.new("I", (2, 1), 65536), "tiff"), "has 32"),
    "Lab": (lambda p: saved(p, Image.new("LAB", (2, 1)), "tiff"), "mode 'LAB'"),
    "several frames": (frames, "has 2 frames"),
}
"""Images whose grey would be made up, or of which something would be lost."""


@pytest.mark.parametrize("name", REFUSED)
def test_images_that_cannot_be_grey_are_refused(tmp_path, name):
    make, message = REFUSED[name]
    make(tmp_path)
    with pytest.raises(DataError, match=f"must .*{message}"):
        data.load(tmp_path)


def test_an_image_of_too_many_pixels_is_not_unpacked(tmp_path):
    """A file of a few kilobytes that Pillow alone would read, with a warning at most."""
    Image.new("1", (10_000, 5_001)).save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 20_000, "premise"
    with pytest.raises(DataError, match="has more than 50000000 pixels"):
        data.load(tmp_path)


def test_images_of_several_sizes(tmp_path):
    picture(tmp_path / "a.png", np.zeros((2, 3), np.uint8))
    picture(tmp_path / "b.png", np.zeros((3, 2), np.uint8))
    with pytest.raises(DataError, match=r"one size, but 'a.png' has 3 × 2 .* 'b.png' has 2 × 3"):
        data.load(tmp_path)


def test_no_images(tmp_path):
    with pytest.raises(DataError, match=r"must hold images .* but holds neither"):
        data.load(tmp_path)


def bomb():
    """A sound header that announces 60 000 × 60 000 pixels, before what follows in `png`."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return png()[:12] + header + struct.pack(">I", zlib.crc32(header)) + png()[33:]


def garbled():
    """The pixels' chunk says it is shorter than it is, so that the next one begins inside it."""
    whole, place = png(), png().index(b"IDAT")
    (size,) = struct.unpack(">I", whole[place - 4 : place])
    return whole[: place - 4] + struct.pack(">I", size - 30) + whole[place:]


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", png()[:60], png()[:-40], bomb(), garbled()],
    ids=["empty", "text", "cut short", "cut", "a bomb", "garbled"],
)
def test_a_damaged_image(tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(
        DataError, match=r"bad\.png' must be an image .* but (is damaged|has more than)"
    ):
        data.load(tmp_path)


def test_image_suffixes_can_all_be_read():
    known = Image.registered_extensions()
    unread = {suffix for suffix in images.SUFFIXES if known.get(suffix) not in Image.OPEN}
    assert unread <= {".heic", ".heif"}, "those that another package reads"
