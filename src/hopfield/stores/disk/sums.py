"""Checksums of the files of a table, which Lance does not keep.

A change writes the file `_sums/VERSION`: a line `crc32 bytes path` for each file that it wrote, and
a last line with the checksum of the lines above. A file of a table is never changed.
"""

import os
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

SUMS, UNFINISHED = "_sums", ".new"
CHUNK = 2**20
"""Bytes that are read at a time."""


def describe(folder: Path, files: Iterable[Path]) -> bytes:
    """Return the content of a file of checksums."""
    lines = [
        f"{checksum(path):08x} {path.stat().st_size} {path.relative_to(folder).as_posix()}\n"
        for path in sorted(files)
    ]
    return _closed("".join(lines).encode())


def merged(folder: Path) -> bytes:
    """Return one file of checksums in the place of all, without files that are gone."""
    entries = {name: entry for entries in _all(folder).values() for name, entry in entries.items()}
    lines = [
        f"{crc:08x} {size} {name}\n"
        for name, (crc, size) in sorted(entries.items())
        if (folder / name).exists()
    ]
    return _closed("".join(lines).encode())


def _closed(text: bytes) -> bytes:
    return text + f"{zlib.crc32(text):08x}\n".encode()


def read(path: Path) -> dict[str, tuple[int, int]]:
    """Return checksum and size of each file by its path in the table.

    Raises:
        ValueError: if the file is damaged.
    """
    content = path.read_bytes()
    text = content[: max(0, len(content) - 9)]
    if _closed(text) != content:
        raise ValueError(f"{path.name} is damaged")
    lines = [line.split(" ", 2) for line in text.decode().splitlines()]
    return {name: (int(crc, 16), int(size)) for crc, size, name in lines}


def checksum(path: Path) -> int:
    """Return the crc32 of a file."""
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc


def is_damaged_manifest(folder: Path, version: int, manifest: Path, content: bytes) -> bool:
    """Return True if a manifest differs from the one that an acknowledged change wrote."""
    with suppress(FileNotFoundError, ValueError):
        entries = read(folder / SUMS / str(version))
        entry = entries.get(manifest.relative_to(folder).as_posix())
        return entry is not None and entry != (zlib.crc32(content), len(content))
    return False


def damaged_files(folder: Path, within: str = "") -> list[str]:
    """Return the files of a table that differ from what was written, by their paths in it.

    Args:
        folder: the table.
        within: how these paths start; with "" also damaged files of checksums.
    """
    damaged = []
    for sums, entries in _all(folder).items():
        damaged += [] if entries or within else [f"{SUMS}/{sums}"]
        for name in (name for name in entries if name.startswith(within)):
            entry = entries[name]
            with suppress(FileNotFoundError):
                path = folder / name
                if (checksum(path), path.stat().st_size) != entry:
                    damaged.append(name)
    return sorted(set(damaged))


def cut_files(folder: Path) -> list[str]:
    """Return the files of a table that are shorter than what was written, by their paths in it."""
    entries = {name: entry for entries in _all(folder).values() for name, entry in entries.items()}
    return sorted(
        name
        for name, (_, size) in entries.items()
        if (folder / name).exists() and (folder / name).stat().st_size < size
    )


def _all(folder: Path) -> dict[str, dict[str, tuple[int, int]]]:
    # The entries of all files of checksums; none of a damaged one.
    found: dict[str, dict[str, tuple[int, int]]] = {}
    with suppress(FileNotFoundError):
        for name in os.listdir(folder / SUMS):
            if not name.endswith(UNFINISHED):
                found[name] = {}
                with suppress(ValueError):
                    found[name] = read(folder / SUMS / name)
    return found
