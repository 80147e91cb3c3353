"""Write files whole: a reader sees the old file or the new one, never a part of either."""

import errno
import os
import secrets
import stat
import zlib
from contextlib import suppress
from pathlib import Path

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # not on Windows: there what a killed process leaves is not removed
    flock = None  # type: ignore[assignment]


def write_whole(path: Path, content: bytes) -> None:
    """Write to a temporary file, sync and rename; on an error the old file stays.

    A symbolic link is followed, and an existing file keeps its permissions. Temporary files that a
    killed process left for the same file are removed.

    Raises:
        OSError: if the file cannot be written.
    """
    path = Path(os.path.realpath(path))
    prefix = f".{zlib.crc32(os.fsencode(path.name)):08x}-"
    temporary = path.parent / f"{prefix}{secrets.token_hex(8)}.hopfield"
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        _remove_abandoned(path.parent, prefix)
        with open(temporary, "xb") as file:
            if flock is not None:
                flock(file, LOCK_EX)  # held until the file has its name
            if path.exists():
                os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
            file.write(content)
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


def _remove_abandoned(folder: Path, prefix: str) -> None:
    # A file whose lock is free has no writer any more.
    for path in folder.glob(f"{prefix}*.hopfield") if flock is not None else ():
        with suppress(OSError), open(path, "rb") as file:
            flock(file, LOCK_EX | LOCK_NB)
            path.unlink()
