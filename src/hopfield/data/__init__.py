"""Sets of patterns to store: three by name, and your own files."""

import difflib
from pathlib import Path

from ..checks import check_choice, short_repr
from ..errors import DataError, InputTypeError, OptionError
from .dataset import Dataset
from .digits import load_digits
from .files import load_csv, load_npy, load_npz
from .idx import SETS, is_on_disk, load_folder, load_named, splits_in
from .images import load_images

__all__ = ["NAMES", "Dataset", "is_on_disk", "load"]

NAMES = ("digits", *SETS)
READERS = {".npy": load_npy, ".csv": load_csv}


def load(
    name_or_path: str | Path = "digits",
    *,
    split: str | None = None,
    folder: str | Path | None = None,
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

    - a folder of images of one size, sorted by name, read as grey (white is 1); subfolders are
      classes. An image that is transparent in places, has several frames, 32 bits per pixel or
      more than 50 million pixels is refused;
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

    Args:
        name_or_path: one of the names, or a path.
        split: "train" or "test"; None is train if the set has it, else test. An error for sets
            without a split. `Dataset.split` is the one loaded.
        folder: the place of the IDX files of a named set.

    Raises:
        OptionError: for an unknown name, or a split or folder that the set does not have.
        DataError: if files are missing, damaged, too large, or do not fit together.
        MissingExtraError: if scikit-learn, pillow or pooch is needed and not installed.
    """
    if not isinstance(name_or_path, (str, Path)):
        raise InputTypeError(
            f"name_or_path must be one of {', '.join(map(repr, NAMES))} or a path, but is "
            f"{short_repr(name_or_path)}."
        )
    if folder is not None and not isinstance(folder, (str, Path)):
        raise InputTypeError(f"folder must be a path or None, but is {short_repr(folder)}.")
    if split is not None:
        check_choice("split", split, ("train", "test"))
    if name_or_path in SETS:
        return load_named(str(name_or_path), split, folder)
    if folder is not None:
        raise OptionError(
            f"folder is for {' and '.join(SETS)} only, but name_or_path is {str(name_or_path)!r}. "
            "Leave folder out."
        )
    path = None if name_or_path == "digits" else _existing(name_or_path)
    if path and path.is_dir() and splits_in(path):
        return load_folder(path, split)
    if path and path.suffix.lower() == ".npz":
        return load_npz(path, split)
    if split is not None:
        raise OptionError(
            f"{str(name_or_path)!r} is one set without a split, but split is {split!r}. Leave "
            "split out."
        )
    return load_digits() if path is None else _load_whole(path)


def _load_whole(path: Path) -> Dataset:
    suffix = path.suffix.lower()
    if not path.is_dir() and suffix not in READERS:
        raise DataError(
            f"{str(path)!r} must be a folder, or end in .npy, .npz or .csv, but ends in "
            f"{suffix!r}. Images and IDX files are loaded by the folder they are in."
        )
    return load_images(path) if path.is_dir() else READERS[suffix](path)


def _existing(name_or_path: str | Path) -> Path:
    """Return the path if it exists; the error tells a mistyped name from a missing file."""
    path = Path(name_or_path).expanduser()
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
