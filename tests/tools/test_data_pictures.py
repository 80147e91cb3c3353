"""Pictures of all sizes, colours and formats, beside Pillow's own and those of 2 × 2 pixels."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

import hopfield
import pictures
from hopfield import data
from hopfield.data import images
from hopfield.errors import DataError

COLOURS = np.array(
    [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [90, 90, 90]]], np.uint8
)  # red, green; blue, grey
LUMINANCE = torch.tensor([0.299, 0.587, 0.114])
LUMA = [[76, 150], [29, 90]]
ALPHA = np.array([[255, 0], [128, 255]], np.uint8)
GREY = np.array([[0, 51], [102, 255]], np.uint8)


def grey(values=GREY, mode="L"):
    return Image.fromarray(values).convert(mode)


def rgba():
    return Image.fromarray(np.dstack([COLOURS, ALPHA]))


def grey_alpha():
    return Image.fromarray(np.dstack([GREY, ALPHA]))


def palette(*levels):
    image = Image.new("P", (2, 2))
    image.putdata([0, 1, 2, 3])
    image.putpalette(COLOURS.reshape(-1).tolist())
    return image


def sixteen():
    return Image.fromarray(np.array([[0, 256], [30_000, 65_535]], np.uint16))


def over(values, alpha, level):
    """Alpha compositing by its formula, of 8-bit values on a grey level, rounded to 8 bits."""
    share = alpha[..., None] / 255 if values.ndim == 3 else alpha / 255
    return np.round(share * values + (1 - share) * level)


class Small(NamedTuple):
    """A picture of 2 × 2 pixels, the values it has as RGB and as grey, of 255, and its suffix."""

    name: str
    image: Image.Image
    rgb: object
    luma: object
    suffix: str = "png"
    options: dict = {}  # noqa: RUF012  never changed


SIXTEEN = np.array([[0, 256], [30_000, 65_535]]) / 257
TRANSPARENT = {"transparency": bytes(ALPHA.reshape(-1).tolist())}
SMALL = [
    Small("grey", grey(), GREY, GREY),
    Small("1 bit", grey(np.array([[0, 255], [255, 0]], np.uint8), "1"), [[0, 255], [255, 0]],
          [[0, 255], [255, 0]]),
    Small("RGB", Image.fromarray(COLOURS), COLOURS, LUMA),
    Small("RGB in .bmp", Image.fromarray(COLOURS), COLOURS, LUMA, "bmp"),
    Small("RGB in .webp", Image.fromarray(COLOURS), COLOURS, LUMA, "webp", {"lossless": True}),
    Small("RGB in .ppm", Image.fromarray(COLOURS), COLOURS, LUMA, "ppm"),
    Small("palette", palette(), COLOURS, LUMA),
    Small("palette in .gif", palette(), COLOURS, LUMA, "gif"),
    Small("transparent palette", palette(), over(COLOURS, ALPHA, 255), None, "png", TRANSPARENT),
    Small("opaque palette", palette(), COLOURS, LUMA, "png", {"transparency": b"\xff" * 4}),
    Small("RGBA", rgba(), over(COLOURS, ALPHA, 255), None),
    Small("RGBA in .tiff", rgba(), over(COLOURS, ALPHA, 255), None, "tiff"),
    Small("grey and alpha", grey_alpha(), over(GREY, ALPHA, 255), over(GREY, ALPHA, 255)),
    Small("a transparent colour", Image.fromarray(COLOURS),
          [[[255, 0, 0], [255, 255, 255]], [[0, 0, 255], [90, 90, 90]]], [[76, 255], [29, 90]],
          "png", {"transparency": (0, 255, 0)}),
    Small("CMYK", Image.fromarray(255 - np.dstack([COLOURS, np.full((2, 2), 255, np.uint8)]),
                                  "CMYK"), COLOURS, LUMA, "tiff"),
    Small("16 bits", sixteen(), SIXTEEN, SIXTEEN),
    Small("16 bits in .tiff", sixteen(), SIXTEEN, SIXTEEN, "tiff"),
    Small("a transparent level of 16 bits", sixteen(), [[0, 255], SIXTEEN[1]],
          [[0, 255], SIXTEEN[1]], "png", {"transparency": 256}),
]  # fmt: skip


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_small_pictures_have_the_values_they_show(tmp_path, case):
    case.image.save(tmp_path / f"a.{case.suffix}", **case.options)
    colour = data.load(tmp_path, mode="RGB").images[0]
    expected = np.array(case.rgb, float)
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    assert colour.shape == (2, 2, 3)
    assert np.abs(colour.numpy() * 255 - expected).max() <= 1  # one level by compositing
    luma = expected @ LUMINANCE.numpy() if case.luma is None else np.array(case.luma, float)
    level = data.load(tmp_path).images[0]
    assert level.shape == (2, 2) and np.abs(level.numpy() * 255 - luma).max() <= 1.1
    if case.luma is not None and case.name not in ("grey and alpha", "16 bits"):
        assert np.abs(level.numpy() * 255 - luma).max() < 1e-4


@pytest.mark.parametrize(("background", "level"), [(1.0, 255), (0.0, 0), (0.5, 128)])
def test_transparent_places_show_the_background(tmp_path, background, level):
    grey_alpha().save(tmp_path / "a.png")
    loaded = data.load(tmp_path, background=background).images[0].numpy() * 255
    assert np.abs(loaded - over(GREY, ALPHA, level)).max() <= 1
    assert loaded[0, 0] == 0 and round(float(loaded[0, 1])) == level


@pytest.mark.parametrize("orientation", pictures.TURNED)
@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
def test_pictures_are_turned_upright(tmp_path, orientation, suffix):
    upright = Image.fromarray(pictures.scene(3, 24, 40))
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = orientation
    options = {"quality": 100} if suffix in ("jpg", "webp") else {}
    pictures.TURNED[orientation](upright).save(tmp_path / f"a.{suffix}", exif=exif, **options)
    loaded = data.load(tmp_path, mode="RGB").images[0].numpy() * 255
    assert loaded.shape == (24, 40, 3)
    assert np.abs(loaded - np.asarray(upright, float)).mean() < 4, "lossy, but upright"


def test_an_unknown_orientation_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = 99
    grey().save(tmp_path / "a.png", exif=exif)
    assert torch.equal(data.load(tmp_path).images[0], torch.from_numpy(GREY).float() / 255)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(8, 6), (24, 40), (50, 90), (1, 1), (7, 100)])
def test_sizes_are_pillows_means_over_areas(tmp_path, mode, size):
    image = Image.fromarray(pictures.scene(5, 24, 40))
    image.save(tmp_path / "a.png")
    loaded = data.load(tmp_path, size=size, mode=mode)
    expected = image.convert(mode).resize(size[::-1], Image.Resampling.BOX)
    assert loaded.shape == (*size, 3) if mode == "RGB" else loaded.shape == size
    assert torch.equal(loaded.images[0] * 255, torch.from_numpy(np.array(expected)).float())


def test_whole_areas_become_their_mean(tmp_path):
    values = np.arange(16, dtype=np.uint8).reshape(4, 4) * 16
    grey(values).save(tmp_path / "a.png")
    Image.fromarray(values.astype(np.uint16) * 256).save(tmp_path / "b.png")
    means = values.reshape(2, 2, 2, 2).mean((1, 3))
    eight, sixteen_bits = data.load(tmp_path, size=(2, 2)).images.numpy()
    np.testing.assert_allclose(eight * 255, means)
    np.testing.assert_allclose(sixteen_bits * 65535, means * 256, rtol=1e-6)


def test_what_one_half_hides_does_not_reach_the_other(tmp_path):
    """With the mean over areas, pixels of a known half are those of the whole picture."""
    whole = pictures.scene(8, 60, 60)
    hidden = whole.copy()
    hidden[30:] = 255
    for name, values in (("whole", whole), ("hidden", hidden)):
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    loaded = data.load(tmp_path, size=(10, 7))
    assert torch.equal(loaded.images[0, :5], loaded.images[1, :5])


def test_the_same_picture_in_several_formats(tmp_path):
    image = Image.fromarray(pictures.scene(2, 30, 30)).convert("L")
    for suffix in ("png", "bmp", "tiff", "pgm"):
        image.save(tmp_path / f"a.{suffix}")
    image.save(tmp_path / "a.webp", lossless=True)
    image.save(tmp_path / "really a png.jpg", format="PNG")
    rows = data.load(tmp_path).patterns
    assert len(rows) == 6 and (rows - rows[0]).abs().max() < 0.005


def test_a_phones_picture_with_a_preview_is_its_first_frame(tmp_path):
    one, preview = (Image.fromarray(pictures.scene(n, 30, 30)) for n in (1, 2))
    one.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[preview])
    with Image.open(tmp_path / "a.jpg") as image:
        assert (image.format, image.n_frames) == ("MPO", 2), "premise"
    loaded = data.load(tmp_path, mode="RGB").images[0].numpy() * 255
    assert np.abs(loaded - np.asarray(one, float)).mean() < 6


# Folders, names and files that cannot be read


def write(path, level=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (2, 2), level).save(path)


def test_names_are_the_paths_within_the_folder(tmp_path):
    for name in ("b/2.png", "a/deep/er/1.png", "a/9.png"):
        write(tmp_path / name)
    (tmp_path / "b" / "notes.txt").write_text("no picture")
    write(tmp_path / "b" / ".hidden.png")
    write(tmp_path / ".thumbnails" / "2.png")
    loaded = data.load(tmp_path)
    assert loaded.names == ("a/9.png", "a/deep/er/1.png", "b/2.png")
    assert loaded.classes == ("a", "b") and loaded.labels.tolist() == [0, 0, 1]
    write(tmp_path / "top.png")
    with pytest.raises(DataError, match=r"has both \('top.png' and 'a'\)"):
        data.load(tmp_path)


def test_one_picture_and_a_list_of_pictures(tmp_path):
    write(tmp_path / "a.png", 0)
    write(tmp_path / "b.png", 255)
    one = data.load(tmp_path / "b.png", size=(1, 3))
    assert one.names == ("b.png",) and one.patterns.tolist() == [[1.0, 1.0, 1.0]]
    assert one.labels is None and one.name == "b.png"
    paths = [str(tmp_path / "b.png"), tmp_path / "a.png"]
    several = data.load(paths)
    assert several.labels is None and several.classes == ()
    assert several.names == tuple(map(str, paths)) and several.images[:, 0, 0].tolist() == [1, 0]


def test_links_in_a_circle(tmp_path):
    """Each folder is read once, by its own path."""
    write(tmp_path / "top" / "b" / "1.png")
    (tmp_path / "top" / "a").symlink_to(tmp_path / "top", target_is_directory=True)
    (tmp_path / "top" / "b" / "up").symlink_to(tmp_path / "top", target_is_directory=True)
    write(tmp_path / "elsewhere" / "2.png")
    (tmp_path / "top" / "c").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert data.load(tmp_path / "top").names == ("b/1.png", "c/2.png")


def test_names_that_are_no_text(tmp_path):
    path = Path(str(tmp_path) + "/caf\udce9.png")
    try:
        write(path)
    except (OSError, UnicodeError):
        pytest.skip("this file system has no such names")
    assert data.load(tmp_path).names == ("caf\\xe9.png",)


def test_pictures_that_cannot_be_read_are_refused_together_or_skipped(tmp_path):
    write(tmp_path / "good.png", 255)
    Image.fromarray(pictures.scene(1, 20, 20)).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:300])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "lost.png").symlink_to(tmp_path / "nowhere.png")
    Image.new("F", (2, 2)).save(tmp_path / "floats.tiff")
    with pytest.raises(DataError) as caught:
        data.load(tmp_path)
    text = str(caught.value)
    assert "all 5 files must be images that can become grey, but 4 cannot" in text
    for part in ("'cut.png' is damaged", "'floats.tiff' has values of Pillow's mode 'F'",
                 "'lost.png' cannot be opened: No such file", "'text.jpg' is damaged, or of a",
                 "unreadable='skip'"):  # fmt: skip
        assert part in text
    loaded = data.load(tmp_path, unreadable="skip")
    assert loaded.names == ("good.png",) and loaded.patterns.tolist() == [[1.0] * 4]
    assert sorted(loaded.skipped) == ["cut.png", "floats.tiff", "lost.png", "text.jpg"]
    assert "4 skipped: 'cut.png' is damaged" in repr(loaded)
    (tmp_path / "good.png").unlink()
    with pytest.raises(DataError, match=r"but 4 cannot: .*'text.jpg' is damaged[^.]*\.$"):
        data.load(tmp_path, unreadable="skip")


def test_long_lists_of_unreadable_pictures_are_cut(tmp_path):
    for number in range(9):
        (tmp_path / f"{number}.png").write_bytes(b"0")
    with pytest.raises(DataError, match=r"'4.png' is damaged[^;]*; and 4 more\.$"):
        data.load(tmp_path)


def test_a_picture_whose_content_starts_a_program_is_not_read(tmp_path, monkeypatch):
    Image.init()
    started = []
    monkeypatch.setitem(Image.OPEN, "EPS", (lambda *_: started.append(1), lambda _: True))
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 2 2\n")
    with pytest.raises(DataError, match="is damaged, or of a format"):
        data.load(tmp_path)
    assert not started


def test_a_collection_of_all_kinds(tmp_path):
    """Sizes, formats, modes and rotations: every picture is upright, and recalled from a half."""
    pictures.make_collection(tmp_path, 42)
    loaded = data.load(tmp_path, size=(16, 16), mode="RGB")
    assert len(loaded) == 42 and loaded.shape == (16, 16, 3)
    for name, image in zip(loaded.names, loaded.images, strict=True):
        shown = Image.fromarray(pictures.scene(int(Path(name).stem), 160, 160))
        with Image.open(tmp_path / name) as stored:
            tones = 2 if stored.mode == "1" else 256
        wanted = torch.from_numpy(np.array(shown.resize((16, 16)), np.float32))
        rows = torch.stack([(x[4:] @ LUMINANCE).flatten() for x in (image, wanted)])
        assert torch.corrcoef(rows)[0, 1] > (0.98 if tones == 256 else 0.4), name
    memory = hopfield.ModernHopfield(beta=100.0, similarity="euclidean")
    memory.store(loaded.patterns)
    result = memory.retrieve(hopfield.corruption.occlude_half(loaded.patterns, loaded.shape))
    assert result.index.tolist() == list(range(42))


def test_large_sets_are_filled_in_place(tmp_path, monkeypatch):
    """The rows of skipped pictures are left out at the end."""
    for number in (0, 1, 2):
        write(tmp_path / f"{number}.png", number)
    (tmp_path / "1.png").write_bytes(b"")
    loaded = data.load(tmp_path, unreadable="skip")
    assert loaded.images.mul(255).round()[:, 0, 0].tolist() == [0, 2]
    assert images.LISTED < 9, "premise of the test above"
