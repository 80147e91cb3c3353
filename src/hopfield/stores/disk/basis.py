"""The file with centre and axes of a table's sketches, beside its rows."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...errors import TableError
from ..sketch import Sketch
from . import durable
from .columns import TensorColumn


@dataclass(frozen=True)
class SketchColumn:
    """The column of sketches.

    Attributes:
        size: coordinates per sketch.
        crc: crc32 of the file with centre and axes, which is named after it.
    """

    size: int
    crc: int

    @classmethod
    def of(cls, sketch: Sketch) -> "SketchColumn":
        """Return the column for a sketch."""
        return cls(sketch.size, zlib.crc32(sketch.to_bytes()))

    @property
    def file(self) -> str:
        """The name of the file in the folder of the table."""
        return f"{durable.SKETCHES}/{self.crc:08x}.safetensors"

    @property
    def tensors(self) -> TensorColumn:
        """The column of the table: coordinates, rest, and the product with the centre."""
        return TensorColumn(torch.float32, (self.size + 2,))

    @classmethod
    def from_facts(cls, facts: Mapping[str, int] | None) -> "SketchColumn | None":
        """Return the column that `facts` describe; None for a table without sketches."""
        return None if facts is None else cls(**facts)

    def read(self, path: str) -> Sketch:
        """Return the sketch of a table; raise if the file is not the one that was written."""
        place, files = _place(path, self.file)
        try:
            content = place.read_bytes() if files is None else files.open_input_file(place).read()
        except FileNotFoundError:
            content = None
        if content is None or zlib.crc32(content) != self.crc:
            raise TableError(
                f"{path}/{self.file} must hold the axes of the table's sketches, but is "
                f"{'missing' if content is None else 'damaged'}. The rows do not depend on it: "
                "DiskStore(path).add_sketch() makes new ones."
            )
        return Sketch.from_bytes(content)

    def write(self, path: str, sketch: Sketch) -> None:
        """Write the file of a sketch; durable on return."""
        place, files = _place(path, self.file)
        if files is not None:
            with files.open_output_stream(place) as stream:
                stream.write(sketch.to_bytes())
            return
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(sketch.to_bytes())
        for changed in (place, place.parent, place.parent.parent):
            durable.sync(changed)


def remove_others(path: str, column: SketchColumn | None) -> None:
    """Remove the files of sketches that no version of a local table refers to."""
    kept = None if column is None else Path(path) / column.file
    for file in (Path(path) / durable.SKETCHES).glob("*"):
        if file != kept:
            file.unlink()


def _place(path: str, file: str) -> tuple[Any, Any]:
    # A local file and None, or a name in a bucket and its file system.
    if "://" not in path:
        return Path(path) / file, None
    from pyarrow import fs

    files, base = fs.FileSystem.from_uri(path)
    return f"{base}/{file}", files
