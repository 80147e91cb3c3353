"""Memories of the command line: files, and tables on disk; `hopfield verify` and `compact`."""

import json
from pathlib import Path

from ..errors import DataError, HopfieldError
from ..memories.io import load
from ..stores import DiskStore
from ..stores.disk.description import read_description
from ..stores.disk.paths import names_table
from .reading import listed


def memory_exists(path: str) -> bool:
    """Return True if there is a memory, or another file, under this name."""
    if not names_table(path):
        return Path(path).exists()
    return read_description(DiskStore(path)) is not None


def size_of(path: str) -> tuple[int | None, int]:
    """Return the bytes of a memory and the number of its files; None in a bucket."""
    if "://" in path:
        return None, 0
    files = [Path(path), *Path(path).rglob("*")]
    sizes = [file.stat().st_size for file in files if file.is_file()]
    return sum(sizes), len(sizes)


def size_in_words(path: str) -> str:
    """Return the size of a memory in MB, of a table with its number of files; "" in a bucket."""
    octets, files = size_of(path)
    if octets is None:
        return ""
    return f"{octets / 1e6:.1f} MB" + (f" in {files} files" if names_table(path) else "")


def verify(path: str, *, as_json: bool) -> None:
    """Check every row of a memory against its checksum.

    Raises:
        HopfieldError: if some are damaged.
    """
    memory = load(path)  # all of a file
    storage = memory.storage
    damaged = storage.verify().tolist() if isinstance(storage, DiskStore) else []
    if as_json:
        print(json.dumps({"file": path, "patterns": len(memory), "damaged": damaged}))
    if damaged:
        raise DataError(
            f"{path} must be as it was stored, but {len(damaged)} of {len(memory)} rows are "
            f"damaged: {listed(damaged)}. Use a copy, or take them out by hopfield remove "
            f"{path} --index, and then call hopfield compact {path}."
        )
    if not as_json:
        print(f"{path}: {len(memory)} rows, all as they were stored.")


def compact(path: str, *, as_json: bool) -> None:
    """Join the small files of a table, and free the space of removed rows."""
    memory, before = load(path), size_in_words(path)
    if not names_table(path):
        raise HopfieldError(
            f"MEMORY must be a table, such as faces.lance, but {path!r} is a file, which every "
            "change writes anew."
        )
    if isinstance(memory.storage, DiskStore):
        memory.storage.compact()
    after = size_in_words(path)
    if as_json:
        print(json.dumps({"file": path, "patterns": len(memory), "size": after}))
    else:
        sizes = f"{after}, before {before}" if after else "joined"  # buckets tell no sizes
        print(f"{path}: {len(memory)} rows, {sizes}.")
