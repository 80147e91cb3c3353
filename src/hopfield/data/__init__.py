"""Sets of patterns to store: three by name, and your own files."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from ..checks import check_choice, check_integer, check_number, short_repr
from ..errors import DataError, DomainError, InputTypeError, OptionError, ShapeError
from ..files import expanded
from ..pictures import COLOURS, PIXELS, PictureForm
from .arrays import from_array
from .dataset import Dataset
from .digits import load_digits
from .files import load_csv, load_npy, load_npz
from .idx import SETS, is_on_disk, load_folder, load_named, splits_in
from .images import SUFFIXES, load_files, load_folder_of_images

__all__ = ["NAMES", "Dataset", "from_array", "is_on_disk", "load"]

NAMES = ("digits", *SETS)
READERS = {".npy": load_npy, ".csv": load_csv}
UNREADABLE = ("refuse", "skip")


def load(
    name_or_path: str | Path | Sequence[str | Path] = "digits",
    *,
    split: str | None = None,
    folder: str | Path | None = None,
    size: tuple[int, int] | None = None,
    mode: str = "L",
    background: float = 1.0,
    unreadable: str = "refuse",
) -> Dataset:
    """Load a set of patterns: rows of float32 in [0, 1].

    By name:

    - "digits": the 1797 digits of 8 × 8 pixels that come with scikit-learn. One set, no split.
    - "mnist", "fashion-mnist": 28 × 28 pixels, 60 000 to train and 10 000 to test, from IDX files,
      plain or .gz. With `folder` they must lie there. Without, `load` looks in the folder named by
      the environment variable HOPFIELD_DATA and in that of Debian's package
      dataset-fashion-mnist, and downloads the set (with checksums) if neither holds it. A
      folder may hold the files itself, or in a subfolder named like the set.

    By path (to load ./mnist, which is also a name, say "./mnist"):

    - a folder of pictures, also in its subfolders, sorted by path, which is their name within the
      folder; the first subfolder on the path is the class;
    - a picture, or a list of pictures;
    - a folder of IDX files, as above;
    - .npy: an array (n, …). .npz: such an array under "patterns", "x", "images" or "data", with
      labels under "labels" or "y"; "x_train" and "y_train", "x_test" and "y_test" are splits;
      a single array may have any name;
    - .csv: numbers separated by commas, semicolons, tabs or vertical bars, one pattern per line;
      an optional header; a column named "label" is not part of the pattern.

    A compressed file (.gz, or an array in a compressed .npz) may unpack to at most 1 GiB.

    Values become [0, 1] thus: 8-bit ones (0 … 255) are divided by 255, 16-bit images by 65535;
    other numbers in [0, 1] are kept; anything else is mapped linearly so that the lowest value of
    the whole set becomes 0 and the highest 1 (±1 become 0 and 1), and `source` says so.

    Pictures are read as they are seen: turned upright as their EXIF data say, in the colours of
    their palette, and on the background where they are transparent. White is 1. A picture of
    several frames, 32 bits per pixel or more than 50 million pixels is unreadable, as is a damaged
    one. Colour profiles are not applied.

    Args:
        name_or_path: one of the names, a path, or the paths of pictures.
        split: "train" or "test"; None is train if the set has it, else test. An error for sets
            without a split. `Dataset.split` is the one loaded.
        folder: the place of the IDX files of a named set.
        size: (height, width) that pictures are resized to, by the mean over the area of each new
            pixel. The whole picture is kept, so that another aspect ratio stretches it. None: all
            pictures must have one size.
        mode: "L" for grey (ITU-R 601), images `(n, h, w)`; "RGB" for colour, `(n, h, w, 3)`.
        background: grey level in [0, 1] of transparent places.
        unreadable: "refuse" pictures that cannot be read, in one error that lists them, or "skip"
            them: `Dataset.skipped` says why.

    Raises:
        OptionError: for an unknown name, or a split or folder that the set does not have.
        DataError: if files are missing, damaged, too large, or do not fit together.
        MissingExtraError: if scikit-learn, pillow or pooch is needed and not installed.
    """
    form, skip = _picture_options(size, mode, background, unreadable)
    is_list = isinstance(name_or_path, (list, tuple))
    name = _check_places("pictures" if is_list else name_or_path, folder)
    if split is not None:
        check_choice("split", split, ("train", "test"))
    if isinstance(name_or_path, (list, tuple)):
        _check_no_split(name, split)
        paths = [_existing(path) for path in _checked_paths(name_or_path)]
        return load_files(paths, form, skip)
    path = None if name in NAMES else _existing(name)
    if path and _holds_pictures(path):
        _check_no_split(name, split)
        if path.is_dir():
            return load_folder_of_images(path, form, skip)
        return load_files([path], form, skip)
    if size is not None or form.mode != "L":
        raise OptionError(
            f"size and mode must be left out: they are for pictures only, and "
            f"{str(name)!r} holds none."
        )
    return _load_numbers(name, path, split, folder)


def _check_places(name_or_path: object, folder: object) -> str | Path:
    if not isinstance(name_or_path, (str, Path)):
        raise InputTypeError(
            f"name_or_path must be one of {', '.join(map(repr, NAMES))} or a path, but is "
            f"{short_repr(name_or_path)}."
        )
    if folder is not None and not isinstance(folder, (str, Path)):
        raise InputTypeError(f"folder must be a path or None, but is {short_repr(folder)}.")
    if name_or_path not in SETS and folder is not None:
        raise OptionError(
            f"folder must be that of {' or '.join(SETS)}, but name_or_path is "
            f"{str(name_or_path)!r}. Leave folder out."
        )
    return name_or_path


def _load_numbers(
    name: str | Path, path: Path | None, split: str | None, folder: str | Path | None
) -> Dataset:
    if name in SETS:
        return load_named(str(name), split, folder)
    if path and path.is_dir():
        return load_folder(path, split)
    suffix = path.suffix.lower() if path else ""
    if path and suffix == ".npz":
        return load_npz(path, split)
    _check_no_split(name, split)
    if path is None:
        return load_digits()
    if suffix not in READERS:
        raise DataError(
            f"{str(path)!r} must be a folder, a picture, or end in .npy, .npz or .csv, but ends in "
            f"{suffix!r}. IDX files are loaded by the folder they are in."
        )
    return READERS[suffix](path)


def _holds_pictures(path: Path) -> bool:
    return not splits_in(path) if path.is_dir() else path.suffix.lower() in SUFFIXES


def _check_no_split(name: str | Path, split: str | None) -> None:
    if split is not None:
        raise OptionError(
            f"split must be left out, as {str(name)!r} is one set without a split, but is "
            f"{split!r}."
        )


def _picture_options(
    size: object, mode: object, background: object, unreadable: object
) -> tuple[PictureForm, bool]:
    check_choice("mode", mode, COLOURS)
    level = check_number("background", background, low=0.0, high=1.0)
    skip = check_choice("unreadable", unreadable, UNREADABLE) == "skip"
    if size is None:
        return PictureForm(str(mode), None, level), skip
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        raise InputTypeError(
            f"size must be (height, width) or None, but is {short_repr(size)}. Use for instance "
            "size=(64, 64)."
        )
    height, width = (check_integer("size", side, low=1) for side in size)
    if height * width > PIXELS:
        raise DomainError(f"size must be at most {PIXELS} pixels, but is {height} × {width}.")
    return PictureForm(str(mode), (height, width), level), skip


def _checked_paths(paths: Sequence[object]) -> list[str | Path]:
    checked: list[str | Path] = []
    for path in paths:
        if not isinstance(path, (str, Path)) or Path(path).suffix.lower() not in SUFFIXES:
            shown = repr(str(path)) if isinstance(path, (str, Path)) else short_repr(path)
            raise InputTypeError(
                f"name_or_path must list paths of pictures ({', '.join(SUFFIXES)}), but lists "
                f"{shown}."
            )
        checked.append(path)
    if not checked:
        raise ShapeError("name_or_path must list at least one picture, but lists none.")
    return checked


def _existing(name_or_path: str | Path) -> Path:
    """Return the path if it exists; the error tells a mistyped name from a missing file."""
    path = expanded(name_or_path)
    if path.exists():
        return path
    if isinstance(name_or_path, Path) or path.suffix or len(path.parts) != 1:
        raise DataError(
            f"name_or_path must be {', '.join(map(repr, NAMES))} or an existing file or folder, "
            f"but there is no {str(name_or_path)!r}."
        )
    near = difflib.get_close_matches(name_or_path.lower().replace("_", "-"), NAMES, n=1)
    raise OptionError(
        f"name_or_path must be {', '.join(map(repr, NAMES))} or the path of a file or folder, "
        f"but is {name_or_path!r}." + (f" Did you mean {near[0]!r}?" if near else "")
    )
