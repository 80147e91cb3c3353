"""Saving and loading memories: safetensors with a format version and checksums.

Metadata are those of `describing`. Bits are saved as words, see `hopfield.packing`, names and
tables as JSON. A file is written aside, synced and renamed, so that a reader sees the old one or
the new one whole.
"""

import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..checks import check_dtype, short_repr
from ..errors import FileFormatError, InputTypeError
from ..files import expanded, write_whole
from ..packing import pack, unpack, words_of
from ..readout import BLOCK_ROWS
from ..stores import PackedStore, Store
from ..stores.disk.paths import names_table
from .annotation_tensors import TENSORS, annotation_tensors, restore_annotations
from .base import Memory
from .calibrating import describe_calibration
from .describing import as_chunks, describe, restored
from .parts import Parts
from .tables import load_table, save_table

ROWS = {"patterns", "values", "known", "calibration"}
"""Names of tensors that come with rows, apart from their annotations."""


def save(memory: Memory, path: "str | PathLike[str]") -> None:
    """Write `memory` to `path`, all or nothing."""
    file = _path(path)
    if names_table(os.fspath(path)):
        save_table(memory, os.fspath(path))
        return
    try:
        with memory.storage.lock.reading:
            content, given = describe(memory)
            tensors: dict[str, Tensor | Parts] = {**given}
            if len(memory):
                store = memory.storage
                tensors |= _rows(store, content)
                tensors |= annotation_tensors(store.annotations)
                tensors |= describe_calibration(memory, content)
            write_whole(file, as_chunks(content, tensors))
    except OSError as error:
        raise FileFormatError(
            f"{file} must be a file that can be written, but is not: {error.strerror}. "
            "Name a file in a folder that exists and is yours."
        ) from None


def load(path: "str | PathLike[str]") -> Memory:
    """Read a memory that `save` wrote: a file, or a table on disk, which is read as it is asked.

    Raises:
        FileFormatError: where the file is missing, damaged, or from a newer version.
        TableError: where a table is damaged or cannot be read.
    """
    file = _path(path)
    if names_table(os.fspath(path)):
        return load_table(os.fspath(path))
    try:
        if not file.is_file():
            found = "a folder" if file.is_dir() else "not there"
            raise FileFormatError(
                f"{file} must be a file that Memory.save wrote, but is {found}. Check the name."
            )
        metadata, tensors = _read(file)
    except (SafetensorError, OSError):
        raise FileFormatError(
            f"{file} must be a safetensors file that Memory.save wrote, but is damaged, unreadable "
            "or something else. Save the memory again, or use a copy."
        ) from None
    names = ROWS | TENSORS if "patterns" in tensors else set()

    def fill(memory: Memory, described: dict[str, Any]) -> None:
        if "patterns" in tensors:
            _fill(memory, tensors, described)
            restore_annotations(memory, tensors)

    return restored(str(file), (metadata, tensors), fill, names)


def _read(file: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return metadata and tensors of one file, also while others replace it."""
    while True:
        # safetensors opens the name twice, for the header and for the tensors. A file held open
        # keeps its identity: a name that still leads to it led to it all the time.
        with file.open("rb") as held:
            try:
                with safe_open(file, "pt") as opened:
                    tensors = {name: opened.get_tensor(name) for name in opened.keys()}
                    content, failure = (opened.metadata() or {}, tensors), ""
            except (SafetensorError, RuntimeError) as error:
                failure = str(error)
            if os.path.samestat(os.fstat(held.fileno()), file.stat()):
                if failure:
                    raise SafetensorError(failure)
                return content


def _rows(store: Store, content: dict[str, Any]) -> dict[str, Parts]:
    # Rows and values; of ±1 rows their bits, whose dim and dtype go into `content`.
    def column(dtype: torch.dtype, shape: tuple[int, ...], part: Callable[[Any], Tensor]) -> Parts:
        return Parts(dtype, (len(store), *shape), lambda: map(part, store.blocks(BLOCK_ROWS)))

    tensors = {"patterns": column(store.dtype, (store.dim,), lambda block: block.rows)}
    if store.signs_only:
        dtype = str(store.dtype).removeprefix("torch.")
        content["packed"] = {"dim": store.dim, "dtype": dtype}
        shape = (words_of(store.dim),)
        tensors["patterns"] = column(torch.int64, shape, lambda block: pack(block.rows))
    values = store.empty_values()
    if values is not None:
        tensors["values"] = column(values.dtype, values.shape[1:], lambda block: block.values)
    if store.has_gaps:
        tensors["known"] = column(torch.bool, (store.dim,), lambda block: block.mask)
    return tensors


def _fill(memory: Memory, tensors: dict[str, Tensor], content: dict[str, Any]) -> None:
    """Store the contents of a file, after the checks that `store` makes."""
    patterns, values = tensors["patterns"], tensors.get("values")
    if "packed" not in content:
        memory.check_storable(patterns, values)
        if "known" in tensors:
            memory.store(patterns, values, known=tensors["known"])
        else:
            memory.storage.append(patterns, values)
        return
    dim = content["packed"]["dim"]
    if type(dim) is not int:
        raise TypeError("packed.dim must be a whole number")
    dtype = check_dtype("patterns", getattr(torch, content["packed"]["dtype"]))
    if patterns.dtype != torch.int64 or patterns.shape[1:] != (words_of(dim),):
        raise KeyError("the patterns are no words of bits")
    if values is not None and (not values.ndim or len(values) != len(patterns)):
        raise KeyError("there is not one value per pattern")
    memory.storage = PackedStore()
    for start in range(0, len(patterns), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        rows = unpack(patterns[part], dim, dtype)
        some = None if values is None else values[part]
        memory.check_storable(rows, some)
        memory.storage.append(rows, some)


def _path(path: object) -> Path:
    try:
        name = os.fspath(path)  # type: ignore[call-overload]
        if isinstance(name, str) and name and b"\0" not in os.fsencode(name):
            return expanded(name)
    except (TypeError, ValueError):
        pass
    raise InputTypeError(
        f"path must be a file name, but is {short_repr(path)}. Use a str or a pathlib.Path of "
        "letters that a file system can hold."
    )
