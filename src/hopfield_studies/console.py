"""Input and output of the commands: numbers as typed, folders to write to, rows on a terminal."""

import os
import shutil
import tempfile
import textwrap
from pathlib import Path

from hopfield.errors import HopfieldError

from .wording import keep_equations_whole

MAX_SEED = 2**31 - 1
COLUMN = 28
"""Characters of the first of two columns."""


def parse_seed(typed: str) -> int:
    """Return the seed as a number."""
    try:
        seed = int(typed)
    except ValueError:
        seed = -1
    if not 0 <= seed <= MAX_SEED:
        raise HopfieldError(
            f"--seed must be a whole number from 0 to {MAX_SEED}, but is {typed!r:.40}. "
            "Choose one, or leave --seed out."
        )
    return seed


def parse_processes(typed: str) -> int:
    """Return the number of processes; one per core where nothing was typed."""
    if not typed:
        return os.cpu_count() or 1
    if not typed.isdecimal() or int(typed) < 1:
        raise HopfieldError(
            f"--processes must be a whole number from 1 on, but is {typed!r:.40}. "
            "Leave it out for one per core."
        )
    return int(typed)


def make_folder(out: str) -> Path:
    """Make the folder if it is missing, and check that files can be written to it."""
    if not out:
        raise HopfieldError("--out must be a folder, but is empty. For this one say --out .")
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except FileExistsError:
        raise HopfieldError(f"--out must be a folder, but {out} is a file.") from None
    except OSError as error:
        raise HopfieldError(
            f"--out must be a folder that can be written to, but {out} is not: "
            f"{error.strerror or error}."
        ) from None


def write_page(path: Path, html: str) -> None:
    """Write the page aside and rename it, so that a reader never sees half of it."""
    aside = path.with_name(f".{path.name}")
    aside.write_text(html, "utf-8")
    aside.replace(path)


def print_row(first: str, second: str) -> None:
    """Print two columns, the second one wrapped to the terminal."""
    width = max(60, min(110, shutil.get_terminal_size().columns))
    indent = " " * COLUMN
    text = keep_equations_whole(second)
    text = textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)
    print(f"{first:<{COLUMN - 1}} {text[COLUMN:]}", flush=True)
