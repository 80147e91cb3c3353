"""What commands share: seeds as typed, folders to write to, rows on a terminal."""

import shutil
import tempfile
import textwrap
from pathlib import Path

from hopfield.checks import say
from hopfield.errors import HopfieldError

from .wording import bound

SEEDS = 2**31 - 1
"""The largest seed."""


def whole_seed(typed: str) -> int:
    """The seed as a number."""
    try:
        seed = int(typed)
    except ValueError:
        seed = -1
    if not 0 <= seed <= SEEDS:
        raise HopfieldError(
            f"--seed must be a whole number from 0 to {SEEDS}, but is {say(typed)}. "
            "Choose one, or leave --seed out."
        )
    return seed


def prepared(out: str) -> Path:
    """The folder, made if missing, and sure to be one that can be written to."""
    if not out:
        raise HopfieldError("--out must be a folder, but is empty. For this one say --out .")
    return _writable(Path(out))


def _writable(out: Path) -> Path:
    """The folder, made if missing, in which a file could be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            return out
    except FileExistsError:
        raise HopfieldError(f"--out must be a folder, but {out} is a file.") from None
    except OSError as error:
        raise HopfieldError(
            f"--out must be a folder that can be written to, but {out} is not: "
            f"{error.strerror or error}."
        ) from None


def print_row(first: str, second: str) -> None:
    """Two columns, the second wrapped to the terminal."""
    width = max(60, min(110, shutil.get_terminal_size().columns))
    indent = " " * 26
    text = textwrap.fill(bound(second), width, initial_indent=indent, subsequent_indent=indent)
    print(f"{first:<26}{text[len(indent) :]}", flush=True)
