"""Every mistake in loading pictures is refused by a named error; files and arguments."""

import os
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

import pictures
from bad_inputs import Bad, cases, judge
from hopfield import data
from hopfield.data import Dataset
from hopfield.errors import (
    DataError,
    DomainError,
    HopfieldError,
    InputTypeError,
    OptionError,
    ShapeError,
)

TYPE, DOMAIN, OPTION = InputTypeError, DomainError, OptionError


def encoded(image: Image.Image, kind: str = "png", **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


SCENE = Image.fromarray(pictures.scene(1, 40, 30))
PNG, JPEG = encoded(SCENE), encoded(SCENE, "jpeg")
GIF, TIFF, WEBP = (encoded(SCENE, kind) for kind in ("gif", "tiff", "webp"))


def with_header(width: int, height: int, bits: int = 8, colour: int = 2) -> bytes:
    """Return a .png whose header announces another size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return PNG[:12] + header + struct.pack(">I", zlib.crc32(header)) + PNG[33:]


def with_text_bomb() -> bytes:
    """Return a .png with a text of a few kilobytes that unpacks to 64 MiB."""
    text = b"zTXt" + b"a\0\0" + zlib.compress(bytes(2**26))
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return PNG[:33] + chunk + PNG[33:]


def frames(kind: str) -> bytes:
    other = Image.new("RGB", SCENE.size)
    return encoded(SCENE, kind, save_all=True, append_images=[other])


DAMAGED, FOREIGN = "is damaged", "of a format that Pillow does not read here"
FILES: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.png", b"", DAMAGED),
    "one byte": ("a.jpg", b"\xff", DAMAGED),
    "text": ("a.png", b"no picture\n", FOREIGN),
    "a page": ("a.png", b"<html><img src=a.png></html>", FOREIGN),
    "vectors": ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", FOREIGN),
    "an archive": ("a.jpg", b"PK\x03\x04" + bytes(200), FOREIGN),
    "an array": ("a.png", b"\x93NUMPY\x01\x00" + bytes(200), FOREIGN),
    "PostScript": ("a.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n", FOREIGN),
    "a document": ("a.jpg", b"%PDF-1.7\n" + bytes(50), FOREIGN),
    "a film": ("a.gif", b"\x00\x00\x00\x18ftypmp42" + bytes(100), FOREIGN),
    "HEIC without its reader": ("a.heic", b"\x00\x00\x00\x18ftypheic" + bytes(100), FOREIGN),
    "zeros": ("a.bmp", bytes(1000), FOREIGN),
    "noise": ("a.png", np.random.default_rng(0).bytes(1000), FOREIGN),
    "a signature alone": ("a.png", PNG[:8], DAMAGED),
    "half a header": ("a.png", PNG[:20], DAMAGED),
    "half the pixels": ("a.png", PNG[: len(PNG) // 2], DAMAGED),
    "half a .jpg": ("a.jpg", JPEG[: len(JPEG) // 2], DAMAGED),
    "half a .gif": ("a.gif", GIF[: len(GIF) // 2], DAMAGED),
    "half a .tiff": ("a.tif", TIFF[: len(TIFF) // 2], DAMAGED),
    "half a .webp": ("a.webp", WEBP[: len(WEBP) // 2], DAMAGED),
    "a wrong checksum": ("a.png", PNG[:60] + bytes([PNG[60] ^ 255]) + PNG[61:], DAMAGED),
    "a size of zero": ("a.png", with_header(0, 0), DAMAGED),
    "bits that do not exist": ("a.png", with_header(30, 40, 5), DAMAGED),
    "an enormous size": ("a.png", with_header(60_000, 60_000), "has more than 50000000 pixels"),
    "a large size": ("a.png", with_header(9_000, 9_000), "has more than 50000000 pixels"),
    "a text that unpacks": ("a.png", with_text_bomb(), DAMAGED),
    "two frames": ("a.gif", frames("gif"), "has 2 frames"),
    "two pages": ("a.tiff", frames("tiff"), "has 2 frames"),
    "a moving .png": ("a.png", frames("png"), "has 2 frames"),
    "a moving .webp": ("a.webp", frames("webp"), "has 2 frames"),
    "floats": ("a.tiff", encoded(Image.new("F", (2, 2)), "tiff"), "mode 'F'"),
    "32 bits": ("a.tiff", encoded(Image.new("I", (2, 2), 70_000), "tiff"), "has 32 bits"),
    "below 0": ("a.tiff", encoded(Image.new("I", (2, 2), -1), "tiff"), "has 32 bits"),
    "Lab": ("a.tiff", encoded(Image.new("LAB", (2, 2)), "tiff"), "mode 'LAB'"),
}
"""Files that hold no picture of one frame and 16 bits at most: name, content, what is said."""


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_files_that_are_no_pictures(tmp_path, name, mode):
    file, content, message = FILES[name]
    (tmp_path / file).write_bytes(content)
    for path in (tmp_path, tmp_path / file, [tmp_path / file]):
        call = lambda path=path: data.load(path, size=(4, 4), mode=mode)  # noqa: E731
        judge(Bad(name, call, DataError, (message, file)))
    SCENE.save(tmp_path / "z.png")
    loaded = data.load(tmp_path, size=(4, 4), mode=mode, unreadable="skip")
    assert loaded.names == ("z.png",) and message in loaded.skipped[file]


SIZES: dict[str, tuple[object, type[HopfieldError], str]] = {
    "one number": (64, TYPE, "size=(64, 64)"),
    "text": ("64x64", TYPE, "'64x64'"),
    "one side": ((64,), TYPE, "(height, width)"),
    "with colours": ((64, 64, 3), TYPE, "(height, width)"),
    "a tensor": (torch.tensor([64, 64]), TYPE, "a tensor of shape (2,)"),
    "floats": ((64.0, 64.0), TYPE, "64.0"),
    "bools": ((True, True), TYPE, "True"),
    "None": ((None, 64), TYPE, "None"),
    "zero": ((0, 64), DOMAIN, "at least 1"),
    "negative": ((64, -1), DOMAIN, "-1"),
    "enormous": ((10**6, 10**6), DOMAIN, "at most 50000000 pixels"),
    "above int64": ((10**30, 1), DOMAIN, "size must be"),
}
OPTIONS: dict[str, tuple[dict[str, object], type[HopfieldError], str]] = {
    **{f"size: {name}": ({"size": size}, *rest) for name, (size, *rest) in SIZES.items()},
    "mode: small": ({"mode": "rgb"}, OPTION, "'RGB'"),
    "mode: RGBA": ({"mode": "RGBA"}, OPTION, "'L', 'RGB'"),
    "mode: None": ({"mode": None}, OPTION, "None"),
    "mode: grey": ({"mode": "grey"}, OPTION, "'grey'"),
    "mode: number": ({"mode": 3}, OPTION, "3"),
    "background: a level of 255": ({"background": 255}, DOMAIN, "between 0 and 1"),
    "background: negative": ({"background": -0.1}, DOMAIN, "between 0 and 1"),
    "background: NaN": ({"background": float("nan")}, DOMAIN, "nan"),
    "background: a name": ({"background": "white"}, TYPE, "'white'"),
    "background: a colour": ({"background": (1, 1, 1)}, TYPE, "tuple"),
    "unreadable: ignore": ({"unreadable": "ignore"}, OPTION, "'refuse', 'skip'"),
    "unreadable: True": ({"unreadable": True}, OPTION, "True"),
    "unreadable: None": ({"unreadable": None}, OPTION, "None"),
    "split": ({"split": "train"}, OPTION, "one set without a split"),
    "folder": ({"folder": "."}, OPTION, "Leave folder out"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_pictures(tmp_path, name):
    options, error, shown = OPTIONS[name]
    SCENE.save(tmp_path / "a.png")
    judge(Bad(name, lambda: data.load(tmp_path, **options), error, (shown,)))


PATHS = [
    Bad("a list and a split", lambda: data.load(["a.png"], split="test"), OPTION, ("split",)),
    Bad("a list and a folder", lambda: data.load(["a.png"], folder="."), OPTION, ("folder out",)),
    Bad("no pictures", lambda: data.load([]), ShapeError, ("at least one picture",)),
    Bad("numbers", lambda: data.load([1, 2]), TYPE, ("paths of pictures", "1")),
    Bad("bytes", lambda: data.load([b"a.png"]), TYPE, ("bytes",)),
    Bad("arrays", lambda: data.load([np.zeros((2, 2))]), TYPE, ("numpy.ndarray",)),
    Bad("pictures", lambda: data.load([SCENE]), TYPE, ("PIL.Image.Image",)),
    Bad("names of sets", lambda: data.load(["digits", "mnist"]), TYPE, ("'digits'",)),
    Bad("tables", lambda: data.load(["a.csv", "b.csv"]), TYPE, ("'a.csv'", ".png")),
    Bad("a missing picture", lambda: data.load(["none/a.png"]), DataError, ("'none/a.png'",)),
    Bad("a missing file", lambda: data.load("none/a.png"), DataError, ("'none/a.png'",)),
    Bad("size of digits", lambda: data.load(size=(4, 4)), OPTION, ("for pictures only",)),
    Bad("colour of digits", lambda: data.load(mode="RGB"), OPTION, ("for pictures only",)),
    Bad("one name", lambda: Dataset(torch.ones(2, 3), None, "", "", names=["a"]), ShapeError,
        ("one per image", "2", "1")),
    Bad("names of numbers", lambda: Dataset(torch.ones(2, 3), None, "", "", names=[1, 2]), TYPE,
        ("list of strings",)),
    Bad("a name as names", lambda: Dataset(torch.ones(2, 3), None, "", "", names="ab"), TYPE,
        ("'ab'",)),
]  # fmt: skip


@cases(PATHS)
def test_paths_and_names(case):
    judge(case)


def test_places_that_cannot_be_read(tmp_path):
    (tmp_path / "empty").mkdir()
    judge(Bad("empty", lambda: data.load(tmp_path / "empty"), DataError, ("must hold images",)))
    os.mkfifo(tmp_path / "empty" / "pipe.png")  # opening it would wait for ever
    judge(Bad("a pipe", lambda: data.load(tmp_path / "empty"), DataError, ("must hold images",)))
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    judge(Bad("circle", lambda: data.load(tmp_path / "circle"), DataError, ("circle",)))


def test_there_are_enough():
    assert len(FILES) + len(OPTIONS) + len(PATHS) >= 60
