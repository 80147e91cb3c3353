"""`hopfield remove`: patterns of a memory are removed by name or number."""

import difflib
import json
from collections.abc import Sequence

from ..checks import short_repr
from ..errors import HopfieldError
from ..memories.io import load
from ..memories.naming import names_of


def remove(file: str, names: Sequence[str], index: str, *, as_json: bool) -> None:
    """Remove patterns from a memory by names or row numbers; on an error, none."""
    if bool(names) == bool(index):
        raise HopfieldError("Give either names of patterns, or their rows by --index 3,5.")
    memory = load(file)
    if index:
        rows = _numbers(index, len(memory))
    else:
        wanted, stored = set(names), names_of(memory.storage)
        named = [(row, str(name)) for row, name in enumerate(stored) if str(name) in wanted]
        if unknown := wanted - {name for _, name in named}:
            first = next(name for name in names if name in unknown)
            raise _unknown(file, first, [str(name) for name in stored])
        rows = [row for row, _ in named]
    memory.remove(rows)
    if memory.storage.resident:  # a table is changed already
        memory.save(file)
    if as_json:
        print(json.dumps({"file": file, "removed": len(rows), "patterns": len(memory)}))
    else:
        print(f"Removed {len(rows)} from {file}; it holds {len(memory)} now.")


def _numbers(text: str, count: int) -> list[int]:
    numbers = []
    for part in text.split(","):
        if not part.strip().isascii() or not part.strip().isdigit() or int(part) >= count:
            raise HopfieldError(
                f"--index must be numbers of rows from 0 to {count - 1}, separated by commas, but "
                f"is {text!r}."
                if count
                else "--index must be numbers of rows, but the memory is empty."
            )
        numbers.append(int(part))
    return sorted(set(numbers))


def _unknown(file: str, name: str, stored: list[str]) -> HopfieldError:
    if not stored:
        return HopfieldError(f"{file} has no names. Use --index with numbers of rows.")
    close = difflib.get_close_matches(name, stored, 1)
    hint = f"Did you mean {close[0]!r}?" if close else f"hopfield info {file} lists names."
    return HopfieldError(f"NAME must be a name in {file}, but is {short_repr(name)}. {hint}")
