"""Memories in tables on disk: rows as columns, and a description in the metadata of the schema.

The description is what a file of the memory without its rows would hold.
"""

import base64
import binascii
import json
from os.path import realpath
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from torch import Tensor

from ..errors import FileFormatError, OptionError
from ..stores import DiskStore
from ..stores.disk.description import read_description, rows_key, write_description, write_store
from ..stores.disk.paths import table_path
from .base import Memory
from .calibrating import describe_calibration
from .describing import as_chunks, describe, restored


def save_table(memory: Memory, path: str) -> None:
    """Write a memory into a table; into the table of its rows only how it answers."""
    store = memory.storage
    is_own = isinstance(store, DiskStore) and realpath(store.path) == realpath(table_path(path))

    def description(key: list[int]) -> str:
        content, tensors = describe(memory)
        tensors |= describe_calibration(memory, content) if len(store) else {}
        if "calibration" in content:
            content["calibration"]["rows"] = key
        return base64.b64encode(b"".join(as_chunks(content, tensors))).decode()

    if isinstance(store, DiskStore) and is_own:
        with store.lock.writing:
            write_description(store, description(rows_key(store)))
        return
    with store.lock.reading:
        if not store.holds_patterns or not len(store):
            raise OptionError(
                f"a table, such as {path}, is made of patterns, but the memory holds none. Store "
                "some first, or save it in a file, such as memory.hop."
            )
        write_store(path, store, description)
        if store.sketch is not None:
            DiskStore(path).add_sketch(store.sketch.size)


def load_table(path: str) -> Memory:
    """Return the memory of a table, which reads its rows from there.

    Raises:
        FileFormatError: where the table is missing, or holds rows without a description.
        TableError: where it is damaged or cannot be read.
    """
    store = DiskStore(path)
    description = read_description(store)
    if not description:
        found = "is not there. Check the name"
        if description is not None:
            found = (
                "holds rows alone. Open it with its network, such as "
                f"ModernHopfield(beta=8.0, store=DiskStore({path!r})), and save that there once"
            )
        raise FileFormatError(f"{path} must be a table that Memory.save wrote, but {found}.")
    content = _read(path, description)

    def fill(memory: Memory, described: dict[str, Any]) -> None:
        memory.storage = store
        calibration = described.get("calibration")
        if calibration is not None and calibration.pop("rows") != rows_key(store):
            calibration["is_current"] = False

    return restored(path, content, fill, {"calibration"})


def _read(path: str, description: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        content = base64.b64decode(description, validate=True)
        stop = 8 + int.from_bytes(content[:8], "little")
        return json.loads(content[8:stop])["__metadata__"], from_bytes(content)
    except (binascii.Error, SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        raise FileFormatError(
            f"{path} must say how it answers as Memory.save does, but that part is damaged. Open "
            f"its rows by DiskStore({path!r}), and save a memory of them there."
        ) from None
