"""Names of tables: folders and addresses."""

import os
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ...checks import short_repr
from ...errors import InputTypeError
from ...files import expanded
from . import durable
from .sums import SUMS


def table_path(path: object) -> str:
    """Return the absolute path of a table, or its address."""
    try:
        name = os.fspath(path)  # type: ignore[call-overload]
    except TypeError:
        name = None
    if not isinstance(name, str) or not name or "\0" in name:
        raise InputTypeError(
            f"path must be the name of a folder, such as 'faces.lance', but is {short_repr(path)}."
        )
    if name.startswith("file://"):  # a folder, whose changes are synced as those of others
        name = url2pathname(urlsplit(name).path)
    return name if "://" in name else str(expanded(name).absolute())


def names_table(path: str) -> bool:
    """Return True if a path ends in .lance, is an address, or is the folder of a table."""
    ending = path.rstrip("/\\").lower().endswith(".lance")
    return ending or "://" in path or os.path.isdir(expanded(path) / durable.VERSIONS)


def local_folder(path: str) -> Path | None:
    """Return the folder of a local table; None for one in a bucket, where writes are durable."""
    return None if "://" in path else Path(path)


def is_foreign(folder: Path) -> bool:
    """Return True if a folder holds files, and none of a table."""
    ours = {durable.VERSIONS, durable.DATA, durable.DELETIONS, durable.TORN, "_transactions", SUMS}
    present = set(os.listdir(folder))
    return bool(present) and not present & ours
