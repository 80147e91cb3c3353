"""Saving and loading memories: safetensors with a format version and checksums.

Metadata: `format` (a number), `memory` (JSON: class, arguments, `Memory.metadata`, and the dim and
dtype of patterns that are held as bits), `crc32` (JSON: of the text of `memory` and of every
tensor). Bits are saved as words, see `hopfield.packing`, names and tables as JSON. A file is
written aside, synced and renamed, so that a reader sees the old one or the new one whole.
"""

import json
import os
import zlib
from os import PathLike
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..checks import check_choice, check_dtype, dtype_name, short_repr
from ..errors import FileFormatError, HopfieldError, InputTypeError, OptionError
from ..files import write_whole
from ..packing import pack, unpack, words_of
from ..readout import BLOCK_ROWS
from ..rules import OBJECTS
from ..separation import SEPARATIONS, Separation
from ..similarity import SIMILARITIES, Similarity
from ..stores import Block, PackedStore, Store
from .annotation_tensors import TENSORS, annotation_tensors, restore_annotations
from .base import MEMORIES, Memory
from .calibrating import describe_calibration, restore_calibration
from .hooks import argument_text, checked_config, constructor_of

FORMAT = 4
"""Version of the format: 2 has the masks of patterns with gaps, 3 a calibration, names, strings as
values, priors and a table, 4 networks of a given coupling; all are read."""

CONTENT = {"class", "constructor", "arguments", "metadata", "packed", "calibration"}
"""Keys of the description of a memory."""

CONSTRUCTORS = ("__init__", "from_coupling")
"""The methods that may make a memory from the arguments in a file."""


def save(memory: Memory, path: "str | PathLike[str]") -> None:
    """Write `memory` to `path`, all or nothing."""
    file = _path(path)
    if MEMORIES.get(type(memory).__name__) is not type(memory):
        raise OptionError(
            f"memory must be of a class whose name is its own, but another {type(memory).__name__} "
            "is registered. Rename the class."
        )
    tensors: dict[str, Tensor] = {}
    given = checked_config(memory)
    arguments = {name: _described(name, given, tensors) for name in given}
    for name, value in arguments.items():
        _as_json(value, f"{name}, which {type(memory).__name__}.config returns,")
    content: dict[str, Any] = {"class": type(memory).__name__, "arguments": arguments}
    if memory.constructor != "__init__":
        content["constructor"] = memory.constructor
    if memory.metadata:
        content["metadata"] = memory.metadata
    if len(memory):
        tensors |= _rows(memory.storage, content) | annotation_tensors(memory.storage.annotations)
        tensors |= describe_calibration(memory, content)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    described = _as_json(content)
    sums = json.dumps(_sums(described, tensors))
    metadata = {"format": str(FORMAT), "memory": described, "crc32": sums}
    try:
        written = to_bytes(tensors, metadata)
    except (KeyError, ValueError):
        kinds = ", ".join(sorted({dtype_name(tensor) for tensor in tensors.values()}))
        raise InputTypeError(
            f"values must have a dtype that safetensors files can hold, but they and the patterns "
            f"are {kinds}. Use torch.view_as_real for complex values."
        ) from None
    try:
        write_whole(file, written)
    except OSError as error:
        raise FileFormatError(
            f"{file} must be a file that can be written, but is not: {error.strerror}. "
            "Name a file in a folder that exists and is yours."
        ) from None


def load(path: "str | PathLike[str]") -> Memory:
    """Read a memory that `save` wrote.

    Raises:
        FileFormatError: where the file is missing, damaged, or from a newer version.
    """
    file = _path(path)
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
    described = _checked(file, metadata, tensors)
    try:
        given = described["arguments"]
        arguments = {name: _restored(value, tensors) for name, value in given.items()}
        name = check_choice("constructor", described.get("constructor", "__init__"), CONSTRUCTORS)
        memory = constructor_of(MEMORIES[described["class"]], name)(**arguments)
        memory.metadata.update(described.get("metadata", {}))
        _check_names(described, tensors)
        if "patterns" in tensors:
            _fill(memory, tensors, described)
            restore_annotations(memory, tensors)
            if "calibration" in tensors:
                restore_calibration(memory, described["calibration"], tensors["calibration"])
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        why = f": {error}" if isinstance(error, HopfieldError) else "."
        raise FileFormatError(
            f"{file} must describe a memory of this version, but does not{why} "
            "Save it again, or use the version that wrote it."
        ) from None
    return memory


def _as_json(content: object, name: str = "metadata") -> str:
    try:
        return json.dumps(content)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputTypeError(
            f"{name} must hold what JSON can (text, numbers, lists, dicts), but: {error}."
        ) from None


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


def _rows(store: Store, content: dict[str, Any]) -> dict[str, Tensor]:
    # Rows and values; of ±1 rows their bits, whose dim and dtype go into `content`.
    blocks = list(store.blocks(BLOCK_ROWS))
    if store.signs_only:
        dtype = str(store.dtype).removeprefix("torch.")
        content["packed"] = {"dim": store.dim, "dtype": dtype}
        patterns = torch.cat([pack(block.rows) for block in blocks])
    elif store.resident:
        patterns = store.rows
    else:
        patterns = torch.cat([block.rows for block in blocks])
    values = [block.values for block in blocks if block.values is not None]
    tensors = {"patterns": patterns}
    if store.has_gaps:
        tensors["known"] = torch.cat([cast(Block, block).mask for block in blocks])
    return tensors | ({"values": torch.cat(values)} if values else {})


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


def _checked(file: Path, metadata: dict[str, str], tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Return the description in `metadata`, if version and checksums are right."""
    try:
        version = int(metadata["format"])
        described = json.loads(metadata["memory"])
        sums = json.loads(metadata["crc32"])
    except (KeyError, ValueError, RecursionError):
        raise FileFormatError(
            f"{file} must be a file that Memory.save wrote, but is another safetensors file. "
            "Use safetensors.torch.load_file to read its tensors."
        ) from None
    if version > FORMAT:
        raise FileFormatError(
            f"{file} must have a format up to {FORMAT}, the one of this version of hopfield, but "
            f"has {version}. Update hopfield."
        )
    right = _sums(metadata["memory"], tensors)
    if version < 1 or sums != right:
        names = sorted(
            name for name in right if not isinstance(sums, dict) or sums.get(name) != right[name]
        )
        raise FileFormatError(
            f"{file} must be as Memory.save wrote it, but is damaged: the checksum of "
            f"{', '.join(names) or 'something'} is wrong. Save the memory again, or use a copy."
        )
    known = isinstance(described, dict) and isinstance(described.get("class"), str)
    if not known or described["class"] not in MEMORIES:
        raise FileFormatError(
            f"{file} must hold a memory of a known class, but holds {described!r:.80}. "
            "Use the version that wrote it, or import the class before."
        )
    return described


def _described(name: str, given: dict[str, Any], tensors: dict[str, Tensor]) -> object:
    """Return an argument of those `given` to the constructor as JSON; tensors go to `tensors`."""
    value = given[name]
    if isinstance(value, Tensor):
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, Similarity):
        if SIMILARITIES.get(value.name) is not value:
            raise OptionError(
                f"similarity must be a built-in one to be saved, but is {value.name}, a function "
                "of your own. Save memory.patterns instead, and build the memory again."
            )
        return value.name
    if isinstance(value, Separation):
        kind = type(value)
        if kind not in SEPARATIONS.values():
            raise OptionError(
                "separation must be one of hopfield's own, or a file cannot describe it, but is "
                f"{kind.__qualname__}. Save memory.patterns instead, and build the memory again."
            )
        numbers = {k: x.item() if isinstance(x, Tensor) else x for k, x in vars(value).items()}
        return {"separation": kind.__name__, "arguments": numbers}
    if callable(value):
        if type(value) not in OBJECTS.values():
            advice = "Save memory.patterns instead, and build the memory again."
            if name == "rule":
                options = {"symmetric": getattr(value, "symmetric", True), **given}
                kept = (f", {k}={v!r}" for k, v in options.items() if k not in (name, "thresholds"))
                advice = (
                    "Save memory.patterns, or a network of what was learned: type(memory)."
                    f"from_coupling(memory.coupling, memory.thresholds{''.join(kept)})."
                )
            raise OptionError(
                f"{name} must be one of hopfield's own, or a file cannot describe it, but is "
                f"{argument_text(value)}. {advice}"
            )
        return {"rule": type(value).__name__, "arguments": dict(vars(value))}
    return value


def _restored(value: object, tensors: dict[str, Tensor]) -> object:
    if isinstance(value, dict) and "tensor" in value:
        return tensors[value["tensor"]]
    if isinstance(value, dict) and "separation" in value:
        by_class = {kind.__name__: kind for kind in SEPARATIONS.values()}
        return by_class[value["separation"]](**value["arguments"])
    if isinstance(value, dict) and "rule" in value:
        return OBJECTS[value["rule"]](**value["arguments"])
    return value


def _check_names(described: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    # A tensor that nothing reads would make an empty memory of a full file.
    named = [value for value in described["arguments"].values() if isinstance(value, dict)]
    read = {value["tensor"] for value in named if "tensor" in value}
    if "patterns" in tensors:
        read |= {"patterns", "values", "known", "calibration"} | TENSORS
    if unknown := sorted((tensors.keys() - read) | (described.keys() - CONTENT)):
        raise OptionError(f"it must not hold {', '.join(map(repr, unknown))}, which are unknown.")


def _sums(described: str, tensors: dict[str, Tensor]) -> dict[str, int]:
    """Return the crc32 of the description, and of each tensor with its dtype and shape."""
    sums = {"memory": zlib.crc32(described.encode())}
    for name, tensor in tensors.items():
        form = zlib.crc32(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        content = tensor.contiguous().flatten().view(torch.uint8).numpy().data
        sums[name] = zlib.crc32(content, form)
    return sums


def _path(path: object) -> Path:
    try:
        name = os.fspath(path)  # type: ignore[call-overload]
        if isinstance(name, str) and name and b"\0" not in os.fsencode(name):
            return Path(name)
    except (TypeError, ValueError):
        pass
    raise InputTypeError(
        f"path must be a file name, but is {short_repr(path)}. Use a str or a pathlib.Path of "
        "letters that a file system can hold."
    )
