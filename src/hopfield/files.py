"""Write files whole: a reader sees the old file or the new one, never a part of either."""

import errno
import os
import secrets
import stat
import zlib
from collections.abc import Iterable
from contextlib import suppress
from io import BufferedWriter
from os import PathLike
from pathlib import Path

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # not on Windows: there what a killed process leaves is not removed
    flock = None  # type: ignore[assignment]


def expanded(path: "str | PathLike[str]") -> Path:
    """Return a path; a leading `~` is the home folder, as in a shell."""
    return Path(os.path.expanduser(path))  # of an unknown user: stays, `Path.expanduser` raises


def write_whole(path: Path, content: bytes | Iterable[bytes | memoryview]) -> None:
    """Write bytes or chunks aside, sync and rename; on an error the old file stays.

    A symbolic link is followed, and an existing file keeps its permissions. Temporary files that a
    killed process left for the same file are removed.

    Raises:
        OSError: if the file cannot be written.
    """
    path = Path(os.path.realpath(path))
    prefix = f".{zlib.crc32(os.fsencode(path.name)):08x}-"
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if path.exists() and not path.is_file():  # a device or a pipe, which would be replaced
        raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
    _remove_abandoned(path.parent, prefix)
    temporary = path.parent / f"{prefix}{secrets.token_hex(8)}.hopfield"
    try:
        with _open_locked(temporary) as file:
            if path.exists():
                os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    with suppress(OSError):  # not every system opens folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _open_locked(temporary: Path) -> BufferedWriter:
    # The lock is held until the file has its name, which shows others that it has a writer.
    while True:
        file = open(temporary, "xb")
        if flock is None:
            return file
        flock(file, LOCK_EX)
        if temporary.exists():
            return file
        file.close()  # another writer took it for abandoned before it was locked


def _remove_abandoned(folder: Path, prefix: str) -> None:
    # A file whose lock is free has no writer any more.
    for path in folder.glob(f"{prefix}*.hopfield") if flock is not None else ():
        with suppress(OSError), open(path, "rb") as file:
            flock(file, LOCK_EX | LOCK_NB)
            path.unlink()
