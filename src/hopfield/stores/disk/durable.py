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
from . import sums

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows has no lock for folders: a second writer is found by its version
    flock = None  # type: ignore[assignment]

VERSIONS, DATA, DELETIONS, TORN = "_versions", "data", "_deletions", "_torn"
SKETCHES = "_sketches"
SUFFIX, MAGIC, HINT = ".manifest", b"LANC", "latest_version_hint.json"
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
    (folder / VERSIONS / HINT).unlink(missing_ok=True)  # a guess of Lance, which has no checksum
    sync(manifests[version])
    for path in (folder / "_transactions").glob(f"{version - 1}-*"):
        sync(path)
    for path in (folder / VERSIONS, folder / "_transactions", folder, folder.parent):
        if path.is_dir():
            sync(path)


def write_sums(folder: Path, version: int, before: set[Path]) -> None:
    """Keep the checksums of all files that are new since `before` and a version; durable."""
    manifests = manifests_of(folder)
    files = files_of(folder) - before
    for number in range(version + 1, max(manifests, default=0) + 1):
        files |= {manifests[number]} if number in manifests else set()
        files |= set((folder / "_transactions").glob(f"{number - 1}-*"))
    if files:
        _write(folder, max(manifests, default=0), sums.describe(folder, files))


def merge_sums(folder: Path, version: int) -> None:
    """Join the files of checksums in that of a version."""
    old = set(os.listdir(folder / sums.SUMS)) - {str(version)}
    _write(folder, version, sums.merged(folder))
    for name in old:
        (folder / sums.SUMS / name).unlink()


def _write(folder: Path, version: int, content: bytes) -> None:
    place = folder / sums.SUMS
    place.mkdir(exist_ok=True)
    unfinished = place / f"{version}{sums.UNFINISHED}"
    unfinished.write_bytes(content)
    sync(unfinished)
    os.replace(unfinished, place / str(version))
    sync(place)
    sync(folder)


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
    """Return the newest version whose manifest is whole, or 0; set torn ones aside, and warn.

    Raises:
        TableError: if the manifest of an acknowledged change is damaged.
    """
    manifests = manifests_of(folder)
    for version in sorted(manifests, reverse=True):
        content = manifests[version].read_bytes()
        if sums.is_damaged_manifest(folder, version, manifests[version], content):
            raise TableError(
                f"{folder} must be as it was written, but {VERSIONS}/{manifests[version].name}, "
                "the manifest of its newest version, is damaged. Use a copy of it; without this "
                "file the version before opens."
            )
        if content.endswith(MAGIC):
            return version
        place = f"now lies in {TORN}" if _set_aside(folder, manifests[version]) else "stays"
        warn_caller(
            f"the newest change of {folder} was cut short, as by a power loss: its manifest is "
            f"torn, and {place}. It had not been acknowledged; the table is as before it.",
            RecoveryWarning,
        )
    return 0


def _set_aside(folder: Path, manifest: Path) -> bool:
    try:
        (folder / TORN).mkdir(exist_ok=True)
        os.replace(manifest, folder / TORN / manifest.name)
    except OSError:  # a table that can only be read is opened by its version
        return False
    sync(folder / VERSIONS)
    return True


def has_lock(path: str) -> bool:
    """Return True if a lock keeps other writers out: not in buckets, and not on Windows."""
    return flock is not None and "://" not in path


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
