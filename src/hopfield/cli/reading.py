"""Settings of reading inputs, the rows that come out, and what inputs have in common."""

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checks import short_repr
from ..errors import DataError, HopfieldError

WHOLE = re.compile(r"-?[1-9]\d{0,17}|0")
NUMBER = re.compile(r"[+-]?((0|[1-9]\d{0,17})(\.\d*)?|\.\d+)([eE][+-]?\d+)?")

LISTED = 5
"""Most rows, names, columns or pairs in a line."""


@dataclass(frozen=True)
class PictureOptions:
    """Options for pictures; "" where one is left out.

    Attributes:
        size: width and height, such as "64x48".
        mode: "L" or "RGB".
        skip: whether unreadable pictures are left out.
        half: the half of a picture that each file is: top, bottom, left or right.
    """

    size: str = ""
    mode: str = ""
    skip: bool = False
    half: str = ""


@dataclass(frozen=True)
class TableOptions:
    """Options for tables.

    Attributes:
        columns: columns of the pattern, separated by commas.
        unscaled: whether columns keep their units.
    """

    columns: str = ""
    unscaled: bool = False


@dataclass(frozen=True)
class ReadOptions:
    """Options that say how inputs are read; "" where one is left out.

    Attributes:
        names: column, array, or text file that has the name of each row.
        values: column, array, or text file that has the value of each row; "folder" for pictures.
        missing: mark of missing entries: "nan", "transparent" or a number.
        array: name of the array of patterns.
        pictures: options for pictures.
        table: options for tables.
    """

    names: str = ""
    values: str = ""
    missing: str = ""
    array: str = ""
    pictures: PictureOptions = PictureOptions()
    table: TableOptions = TableOptions()

    def missing_number(self) -> float | None:
        """Return the number that marks a missing entry, or None.

        Raises:
            HopfieldError: if the option is neither a number nor a word it knows.
        """
        if self.missing in ("", "transparent"):
            return None
        try:
            return float(self.missing)
        except ValueError:
            raise HopfieldError(
                f"--missing must be nan, transparent or a number, but is {self.missing!r}."
            ) from None


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of numbers, and what comes with them.

    Attributes:
        numbers: `(n, dim)`, floating point, NaN where an entry is missing.
        names: one per row.
        values: text or numbers, one per row; None without values.
        table: further columns, one entry per row.
    """

    numbers: Tensor
    names: list[str]
    values: list[str] | Tensor | None = None
    table: dict[str, list[Any]] = field(default_factory=dict)


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the rows of several inputs as one."""
    if len(parts) == 1:
        return parts[0]
    values: list[str] | Tensor | None = None
    texts = [part.values for part in parts if isinstance(part.values, list)]
    numbers = [part.values for part in parts if isinstance(part.values, Tensor)]
    if len(texts) == len(parts):
        values = [value for part in texts for value in part]
    elif len(numbers) == len(parts):
        values = torch.cat(numbers)
    elif texts or numbers:
        raise HopfieldError("--values must be text in all inputs, or numbers in all of them.")
    columns = list(dict.fromkeys(name for part in parts for name in part.table))
    table = {
        name: [cell for part in parts for cell in part.table.get(name, [None] * len(part.names))]
        for name in columns
    }
    rows = torch.cat([part.numbers for part in parts])  # in the widest dtype
    return Rows(rows, [name for part in parts for name in part.names], values, table)


def parse_share(option: str, text: str, hint: str) -> float:
    """Return the number between 0 and 1 that an option gives."""
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        hint = f"Use {share / 100:g}." if 2 <= share < 100 else hint
        raise HopfieldError(f"{option} must be a share between 0 and 1, but is {text!r}. {hint}")
    return share


def split_names(text: str) -> list[str]:
    """Return the names in a list such as "a, b"."""
    return [name.strip() for name in text.split(",") if name.strip()]


def listed(entries: Sequence[object], most: int = LISTED) -> str:
    """Return the first entries of a list as text, and the number of all if there are more."""
    more = f", … ({len(entries)})" if len(entries) > most else ""
    return ", ".join(map(str, entries[:most])) + more


def unknown_name(option: str, what: str, name: str, known: Sequence[str], place: str) -> DataError:
    """Return the error for a name that a file does not have; it suggests a close one."""
    close = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {close[0]!r}?" if close else f"It has {listed(known) or 'none'}."
    return DataError(f"{option} must name {what} of {short_repr(place)}, but is {name!r}. {hint}")


def check_file(argument: str, file: str, hint: str = "") -> Path:
    """Return the path of a file that exists."""
    path = Path(file)
    if not path.is_file():
        state = "a folder" if path.is_dir() else "not there"
        raise HopfieldError(f"{argument} must be a file, but {short_repr(file)} is {state}.{hint}")
    return path


def check_out(out: str, may_be_folder: bool = False) -> Path:
    """Return the path of a file to write, in a folder that exists."""
    path = Path(out)
    is_free = path.is_file() or may_be_folder or not path.exists()
    if not (out and is_free and path.parent.is_dir()):
        raise HopfieldError(f"--out must be a file in an existing folder, but is {out!r}.")
    return path


def read_lines(
    option: str, file: str, what: str, known: Sequence[str], count: int, place: str
) -> list[str]:
    """Return the lines of a text file, one per row of the input `place`.

    Without such a file, the error says that the option must name `what`, one of those `known`.
    """
    if not Path(file).is_file():
        raise unknown_name(option, f"{what} or a text file", file, known, place)
    try:
        lines = Path(file).read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{option} {file} must be a text file in UTF-8, but is not.") from None
    if len(lines) != count:
        raise DataError(
            f"{option} {file} must have one line per row, but {place} has {count} rows and the "
            f"file {len(lines)} lines."
        )
    return [line.strip() for line in lines]


def to_values(texts: Sequence[str]) -> list[str] | Tensor:
    """Return values as whole numbers or numbers if all are; else as text, also codes as 007.

    Whole numbers of more than 18 digits are codes, of which a float would lose digits.
    """
    if all(WHOLE.fullmatch(text) for text in texts):
        return torch.tensor([int(text) for text in texts])
    if all(NUMBER.fullmatch(text) for text in texts):
        return torch.tensor([float(text) for text in texts], dtype=torch.float32)
    return list(texts)
