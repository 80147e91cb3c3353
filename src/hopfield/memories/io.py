"""Saving and loading memories: safetensors with a format version and a checksum per tensor.

Metadata: `format` (a number), `memory` (JSON: class, arguments), `crc32` (JSON: per tensor). A
file is written aside, synced and renamed, so that a reader sees the old one or the new one whole.
"""

import json
import os
import tempfile
import zlib
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from .. import separation as separations
from ..errors import FileFormatError, HopfieldError, InputTypeError, OptionError
from ..separation import Separation
from .base import MEMORIES, Memory

FORMAT = 1


def save(memory: Memory, path: "str | PathLike[str]") -> None:
    """Write `memory` to `path`, all or nothing."""
    tensors: dict[str, Tensor] = {}
    config = {name: _described(name, value, tensors) for name, value in memory._config().items()}
    if len(memory):
        tensors["patterns"] = memory.patterns
        if memory.values is not None:
            tensors["values"] = memory.values
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {
        "format": str(FORMAT),
        "memory": json.dumps({"class": type(memory).__name__, "arguments": config}),
        "crc32": json.dumps({name: _crc32(tensor) for name, tensor in tensors.items()}),
    }
    _write(_path(path), to_bytes(tensors, metadata))


def load(path: "str | PathLike[str]") -> Memory:
    """Read a memory that `save` wrote.

    Raises:
        FileFormatError: where the file is missing, damaged, or from a newer version.
    """
    file = _path(path)
    if not file.is_file():
        raise FileFormatError(f"{file} must be a file that Memory.save wrote, but there is none.")
    try:
        with safe_open(file, "pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    except (SafetensorError, OSError) as error:
        raise FileFormatError(f"{file} is damaged or no safetensors file: {error}.") from None
    described = _checked(file, metadata, tensors)
    try:
        arguments = {
            name: _restored(value, tensors) for name, value in described["arguments"].items()
        }
        memory = MEMORIES[described["class"]](**arguments)
        if "patterns" in tensors:
            memory._store.append(tensors["patterns"], tensors.get("values"))
    except (KeyError, TypeError, AttributeError, HopfieldError) as error:
        raise FileFormatError(
            f"{file} does not describe a memory of this version: {error}"
        ) from None
    return memory


def _checked(file: Path, metadata: dict[str, str], tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The description in `metadata`, if version and checksums are right."""
    try:
        version = int(metadata["format"])
        described = json.loads(metadata["memory"])
        sums = json.loads(metadata["crc32"])
    except (KeyError, ValueError):
        raise FileFormatError(
            f"{file} is a safetensors file, but not one that Memory.save wrote."
        ) from None
    if version > FORMAT:
        raise FileFormatError(
            f"{file} has format {version}, but this version of hopfield reads up to {FORMAT}. "
            "Update hopfield."
        )
    damaged = [name for name in sums if name not in tensors or _crc32(tensors[name]) != sums[name]]
    if damaged or set(tensors) - set(sums):
        names = ", ".join(damaged) or "an extra tensor"
        raise FileFormatError(f"{file} is damaged: the checksum of {names} is wrong.")
    if not isinstance(described, dict) or described.get("class") not in MEMORIES:
        raise FileFormatError(f"{file} holds a memory of an unknown class: {described!r:.80}.")
    return described


def _described(name: str, value: object, tensors: dict[str, Tensor]) -> object:
    """A constructor's argument as JSON; tensors are put beside it."""
    if isinstance(value, Tensor):
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, Separation):
        kind = type(value)
        if getattr(separations, kind.__name__, None) is not kind:
            raise OptionError(
                f"the separation {kind.__qualname__} is not one of hopfield's own, so a file "
                "cannot describe it. Save memory.patterns instead, and build the memory again."
            )
        given = {field.name: getattr(value, field.name) for field in fields(value)}
        numbers = {key: x.item() if isinstance(x, Tensor) else x for key, x in given.items()}
        return {"separation": kind.__name__, "arguments": numbers}
    return value


def _restored(value: object, tensors: dict[str, Tensor]) -> object:
    """The argument that `_described` wrote."""
    if isinstance(value, dict) and "tensor" in value:
        return tensors[value["tensor"]]
    if isinstance(value, dict) and "separation" in value:
        if value["separation"] not in separations.__all__:
            raise KeyError(f"no separation {value['separation']!r}")
        made: Separation = getattr(separations, value["separation"])(**value["arguments"])
        return made
    return value


def _crc32(tensor: Tensor) -> int:
    return zlib.crc32(tensor.contiguous().flatten().view(torch.uint8).numpy().data)


def _umask() -> int:
    """The permissions that new files do not get: mkstemp grants them to nobody else."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _path(path: object) -> Path:
    if not isinstance(path, (str, PathLike)):
        raise InputTypeError(f"path must be a file name, but is a {type(path).__name__}.")
    return Path(path)


def _write(path: Path, content: bytes) -> None:
    """Write aside, sync, rename."""
    try:
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise FileFormatError(
            f"{path} cannot be written: {error.strerror}. Name a folder that exists and is yours."
        ) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(aside, 0o666 & ~_umask())
        os.replace(aside, path)
    except OSError as error:
        Path(aside).unlink(missing_ok=True)
        raise FileFormatError(f"{path} cannot be written: {error.strerror}.") from None
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
