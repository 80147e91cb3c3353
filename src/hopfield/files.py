"""Writing files whole: a reader sees the old one or the new one, never half of either."""

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write aside, sync, rename; on an error the old file stays and nothing is left behind.

    Raises:
        OSError: where the file cannot be written.
    """
    aside = path.parent / f".{secrets.token_hex(8)}.hopfield"
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        with open(aside, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise
    with suppress(OSError):  # not every system opens folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
