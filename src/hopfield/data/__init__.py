"""Sets of patterns to store: three by name, and files of one's own."""

import difflib
from pathlib import Path

from ..checks import check_choice, say
from ..errors import DataError, InputTypeError, OptionError
from .dataset import Dataset
from .digits import load_digits
from .files import load_path
from .idx import SETS, at_hand, load_named

__all__ = ["NAMES", "Dataset", "at_hand", "load"]

NAMES = ("digits", *SETS)
SPLITS = ("train", "test")


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
      plain or .gz. They are looked for in `folder` alone where it is given; else in the folder
      named by the environment variable HOPFIELD_DATA and in that of Debian's package
      dataset-fashion-mnist, and downloaded (with checksums) only where none holds the set. A
      folder may hold the files itself, or in a subfolder named like the set.

    By path (to load ./mnist, which is also a name, say "./mnist"):

    - a folder of images, all of one size, sorted by name, read as grey (white is 1); subfolders
      are classes;
    - a folder of IDX files, as above;
    - .npy: an array (n, …). .npz: such an array under "patterns", "x", "images" or "data", with
      labels under "labels" or "y"; "x_train" and "y_train", "x_test" and "y_test" are splits;
      a single array may have any name;
    - .csv: commas between numbers, a row a pattern; an optional header; a column named "label" is
      not part of the pattern.

    Values become [0, 1] thus: 8-bit ones (0 … 255) are divided by 255, 16-bit images by 65535;
    other numbers that lie in [0, 1] are kept; anything else is mapped linearly so that the lowest
    value of the whole set becomes 0 and the highest 1 (±1 become 0 and 1), and `source` says so.

    Args:
        name_or_path: one of the names, or a path.
        split: "train" or "test"; None is train where that is there, else test. An error for sets
            without a split. `Dataset.split` says which it is.
        folder: where the IDX files of a named set lie.

    Raises:
        OptionError: for an unknown name, or a split or folder where there is none.
        DataError: where files are missing, damaged, or do not fit together.
        MissingExtraError: where scikit-learn, pillow or pooch is needed and not installed.
    """
    if not isinstance(name_or_path, (str, Path)):
        raise InputTypeError(
            f"name_or_path must be a name or a path, but is {say(name_or_path)}. "
            f"Names are {', '.join(map(repr, NAMES))}."
        )
    if folder is not None and not isinstance(folder, (str, Path)):
        raise InputTypeError(f"folder must be a path or None, but is {folder!r}.")
    if split is not None:
        check_choice("split", split, SPLITS)
    if name_or_path in SETS:
        return load_named(str(name_or_path), split, folder)
    if folder is not None:
        raise OptionError(
            f"folder is for {' and '.join(SETS)} only, but name_or_path is {str(name_or_path)!r}. "
            "Leave folder out."
        )
    if name_or_path == "digits":
        return load_digits(split)
    return load_path(_existing(name_or_path), split)


def _existing(name_or_path: str | Path) -> Path:
    """The path, if there is something; an error that tells a mistyped name from a missing file."""
    path = Path(name_or_path).expanduser()
    if path.exists():
        return path
    if "://" in str(name_or_path):
        raise DataError(
            f"{str(name_or_path)!r} is an address, and addresses are not read. Download the file, "
            "and give its path."
        )
    if isinstance(name_or_path, Path) or path.suffix or len(path.parts) != 1:
        raise DataError(
            f"there is no file or folder {str(path)!r}. Give the path of a folder of images, a "
            ".npy, .npz or .csv file, or one of the names "
            f"{', '.join(map(repr, NAMES))}."
        )
    near = difflib.get_close_matches(name_or_path.lower().replace("_", "-"), NAMES, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise OptionError(
        f"name_or_path must be {', '.join(map(repr, NAMES))} or the path of a file or folder, "
        f"but {name_or_path!r} is none of these.{hint}"
    )
