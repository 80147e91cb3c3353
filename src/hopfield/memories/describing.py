"""Descriptions of memories: class, arguments, metadata and calibration, as JSON and tensors.

A description has metadata: `format` (a number), `memory` (JSON: class, arguments,
`Memory.metadata`, and the dim and dtype of patterns that are held as bits), `crc32` (JSON: of the
text of `memory` and of every tensor).
"""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

from torch import Tensor

from ..checks import check_choice, dtype_name
from ..errors import FileFormatError, HopfieldError, InputTypeError, OptionError
from ..rules import OBJECTS
from ..separation import SEPARATIONS, Separation
from ..similarity import SIMILARITIES, Similarity
from .base import MEMORIES, Memory
from .calibrating import restore_calibration
from .hooks import argument_text, checked_config, constructor_of
from .parts import Parts, chunks

FORMAT = 4
"""Version of the format: 2 has the masks of patterns with gaps, 3 a calibration, names, strings as
values, priors and a table, 4 networks of a given coupling; all are read."""

CONTENT = {"class", "constructor", "arguments", "metadata", "packed", "calibration"}
"""Keys of the description of a memory."""

CONSTRUCTORS = ("__init__", "from_coupling")
"""The methods that may make a memory from the arguments in a file."""


def describe(memory: Memory) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return class, arguments and metadata of a memory, and the tensors among its arguments."""
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
    return content, tensors


def as_chunks(
    content: dict[str, Any], tensors: Mapping[str, Tensor | Parts]
) -> Iterable[bytes | memoryview]:
    """Return a description and tensors as the content of a safetensors file, part by part."""
    parts = {name: Parts.of(tensor) for name, tensor in tensors.items()}
    described = _as_json(content)
    sums = json.dumps(_sums(described, parts))
    metadata = {"format": str(FORMAT), "memory": described, "crc32": sums}
    try:
        return chunks(parts, metadata)
    except (KeyError, ValueError):
        kinds = ", ".join(sorted({dtype_name(part.dtype) for part in parts.values()}))
        raise InputTypeError(
            f"values must have a dtype that safetensors files can hold, but they and the patterns "
            f"are {kinds}. Use torch.view_as_real for complex values."
        ) from None


def restored(
    file: str,
    content: tuple[dict[str, str], dict[str, Tensor]],
    fill: Callable[[Memory, dict[str, Any]], None],
    rows: Set[str],
) -> Memory:
    """Return the memory that metadata and tensors of `file` describe.

    Args:
        file: its name, for messages.
        content: metadata and tensors.
        fill: a function (memory, description) that adds the rows.
        rows: names of tensors that `fill` reads.

    Raises:
        FileFormatError: where the content is damaged, or from a newer version.
    """
    metadata, tensors = content
    described = _checked(file, metadata, tensors)
    try:
        given = described["arguments"]
        arguments = {name: _restored(value, tensors) for name, value in given.items()}
        name = check_choice("constructor", described.get("constructor", "__init__"), CONSTRUCTORS)
        memory = constructor_of(MEMORIES[described["class"]], name)(**arguments)
        memory.metadata.update(described.get("metadata", {}))
        _check_names(described, tensors, rows)
        fill(memory, described)
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


def _checked(file: str, metadata: dict[str, str], tensors: dict[str, Tensor]) -> dict[str, Any]:
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


def _check_names(described: dict[str, Any], tensors: dict[str, Tensor], rows: Set[str]) -> None:
    # A tensor that nothing reads would make an empty memory of a full file.
    named = [value for value in described["arguments"].values() if isinstance(value, dict)]
    read = {value["tensor"] for value in named if "tensor" in value}
    if unknown := sorted((tensors.keys() - read - rows) | (described.keys() - CONTENT)):
        raise OptionError(f"it must not hold {', '.join(map(repr, unknown))}, which are unknown.")


def _sums(described: str, tensors: Mapping[str, Tensor | Parts]) -> dict[str, int]:
    """Return the crc32 of the description, and of each tensor with its dtype and shape."""
    sums = {name: Parts.of(tensor).checksum() for name, tensor in tensors.items()}
    return {"memory": zlib.crc32(described.encode()), **sums}
