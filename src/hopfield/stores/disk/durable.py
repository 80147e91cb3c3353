"""Durability of a Lance table in a local folder: syncs, torn manifests, and one writer at a time.

Lance never calls fsync, and opens a manifest of zeros as a table without rows. So what a commit
refers to is synced before it, and what it wrote after it; on opening, a manifest that a power loss
cut is set aside before Lance sees it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...errors import RecoveryWarning, TableError, warn_caller

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows has no lock for folders: a second writer is found by its version
    flock = None  # type: ignore[assignment]

VERSIONS, DATA, DELETIONS, TORN = "_versions", "data", "_deletions", "_torn"
SKETCHES = "_sketches"
SUFFIX, MAGIC = ".manifest", b"LANC"
LARGEST = 2**64 - 1
"""A manifest's name is this number minus its version, so that the newest comes first."""


def sync(path: Path) -> None:
    """Write a file, or the names in a folder, to the disk itself."""
    if os.name == "nt" and path.is_dir():  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_new(folder: Path, before: set[Path]) -> None:
    """Sync the files that were not there `before`, and the folders that hold them."""
    new = files_of(folder) - before
    for path in (*sorted(new), *sorted({path.parent for path in new})):
        sync(path)
    if new:
        sync(folder)  # it may have got its first folder of removed rows


def files_of(folder: Path) -> set[Path]:
    """Return the files with rows, marks of removed ones, or axes of sketches of a table."""
    found: set[Path] = set()
    for name in (DATA, DELETIONS, SKETCHES):
        with suppress(FileNotFoundError):
            found.update(folder / name / entry for entry in os.listdir(folder / name))
    return found


def sync_commit(folder: Path, version: int) -> None:
    """Sync the manifest of a version, the file of its transaction, and the folders."""
    manifests = manifests_of(folder)
    sync(manifests[version])
    for path in (folder / "_transactions").glob(f"{version - 1}-*"):
        sync(path)
    for path in (folder / VERSIONS, folder / "_transactions", folder, folder.parent):
        if path.is_dir():
            sync(path)


def manifests_of(folder: Path) -> dict[int, Path]:
    """Return the manifests of a table by their versions."""
    found = {}
    with suppress(FileNotFoundError):
        for entry in os.listdir(folder / VERSIONS):
            number = entry.removesuffix(SUFFIX)
            if entry.endswith(SUFFIX) and number.isdigit():
                version = LARGEST - int(number) if len(number) == 20 else int(number)
                found[version] = folder / VERSIONS / entry
    return found


def newest_version(folder: Path) -> int:
    """Return the newest version whose manifest is whole, or 0; set torn ones aside, and warn."""
    manifests = manifests_of(folder)
    for version in sorted(manifests, reverse=True):
        if _is_whole(manifests[version]):
            return version
        place = f"now lies in {TORN}" if _set_aside(folder, manifests[version]) else "stays"
        warn_caller(
            f"the newest change of {folder} was cut short, as by a power loss: its manifest is "
            f"torn, and {place}. It had not been acknowledged; the table is as before it.",
            RecoveryWarning,
        )
    return 0


def _is_whole(manifest: Path) -> bool:
    return manifest.read_bytes().endswith(MAGIC)


def _set_aside(folder: Path, manifest: Path) -> bool:
    try:
        (folder / TORN).mkdir(exist_ok=True)
        os.replace(manifest, folder / TORN / manifest.name)
    except OSError:  # a table that can only be read is opened by its version
        return False
    sync(folder / VERSIONS)
    return True


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of writers on a table."""
    handle = os.open(folder, os.O_RDONLY) if flock is not None else -1
    try:
        if flock is not None:
            try:
                flock(handle, LOCK_EX | LOCK_NB)
            except OSError:
                raise TableError(
                    f"{folder} must have one writer at a time, but another process changes it "
                    "now. Wait, then open it again."
                ) from None
        yield
    finally:
        if handle >= 0:
            os.close(handle)
