"""Columns of a table on disk: tensors, names and cells as Arrow arrays, and back."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from ...checks import dtype_name, short_repr
from ...errors import InputTypeError, missing_extra
from ..annotations import Cell

BITS = {torch.bfloat16: torch.uint16}
"""Types that Arrow does not have, and those that hold their bits."""


def arrow() -> Any:
    """Return the module pyarrow."""
    try:
        import pyarrow
        import pyarrow.compute
    except ImportError:
        raise missing_extra("pylance", "disk") from None
    return pyarrow


@dataclass(frozen=True)
class TensorColumn:
    """A column of tensors of one shape and dtype.

    Attributes:
        dtype: their dtype.
        shape: the shape of one entry; () for numbers.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]

    @classmethod
    def of(cls, name: str, tensor: Tensor) -> "TensorColumn":
        """Return the column for a tensor, `(n, *shape)`; `name` is that of the argument."""
        column = cls(tensor.dtype, tuple(tensor.shape[1:]))
        try:
            column.arrow_type  # noqa: B018 it raises for a dtype that Arrow lacks
        except (TypeError, NotImplementedError, arrow().ArrowException):
            raise InputTypeError(
                f"{name} must have a dtype that a table can hold, but are {dtype_name(tensor)}. "
                "Use torch.view_as_real for complex values."
            ) from None
        return column

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "TensorColumn":
        """Return the column that `facts` describe."""
        return cls(getattr(torch, facts["dtype"]), tuple(facts["shape"]))

    def facts(self) -> dict[str, Any]:
        """Return dtype and shape as plain objects."""
        return {"dtype": str(self.dtype).removeprefix("torch."), "shape": list(self.shape)}

    @property
    def entry_bytes(self) -> int:
        """The bytes of one entry."""
        return prod(self.shape) * self.dtype.itemsize

    @cached_property
    def arrow_type(self) -> Any:
        """The Arrow type: a number, or a list of fixed length."""
        stored = torch.empty(0, dtype=BITS.get(self.dtype, self.dtype)).numpy().dtype
        number = arrow().from_numpy_dtype(stored)
        return arrow().list_(number, prod(self.shape)) if self.shape else number

    def encode(self, tensor: Tensor) -> Any:
        """Return an Arrow array of the entries of `tensor`."""
        flat = _as_numpy(tensor.detach().contiguous()).reshape(-1)
        numbers = arrow().array(flat)
        if not self.shape:
            return numbers
        return arrow().FixedSizeListArray.from_arrays(numbers, prod(self.shape))

    def decode(self, parts: Sequence[Any], shared: bool = False) -> Tensor:
        """Return the entries of several Arrow arrays; `shared` may be a view of a single one."""
        counts = [len(part) for part in parts]
        if shared and len(parts) == 1 and self.dtype != torch.bool:
            view = from_dlpack(parts[0].flatten() if self.shape else parts[0])
            return view.view(self.dtype).view(counts[0], *self.shape)
        tensor = torch.empty((sum(counts), *self.shape), dtype=self.dtype)
        flat, at = _as_numpy(tensor).reshape(-1), 0
        for part in parts:
            numbers = (part.flatten() if self.shape else part).to_numpy(zero_copy_only=False)
            flat[at : at + len(numbers)] = numbers
            at += len(numbers)
        return tensor


def _as_numpy(tensor: Tensor) -> Any:
    return tensor.view(BITS.get(tensor.dtype, tensor.dtype)).numpy()


def encode_masks(known: Tensor | None, count: int) -> Any:
    """Return masks as bits in bytes, and null for complete rows."""
    octets: list[bytes | None] = [None] * count
    if known is not None:
        packed = np.packbits(known.numpy(), axis=1)
        complete = known.all(1).tolist()
        octets = [
            None if full else row.tobytes() for full, row in zip(complete, packed, strict=True)
        ]
    return arrow().array(octets, arrow().binary())


def decode_masks(parts: Sequence[Any], dim: int) -> Tensor:
    """Return the masks, `(n, dim)`, of several arrays of `encode_masks`."""
    full = np.packbits(np.ones(dim, bool)).tobytes()
    octets = [full if row is None else row for part in parts for row in part.to_pylist()]
    packed = np.frombuffer(b"".join(octets), np.uint8).reshape(len(octets), len(full))
    return torch.from_numpy(np.unpackbits(packed, axis=1, count=dim).astype(bool))


CELLS = {str: "string", int: "int64", float: "float64", bool: "bool_"}
JSON = {b"cells": b"json"}
"""Marks a column whose cells are of several types, and kept as JSON."""


def cell_field(name: str, title: str, cells: Sequence[Cell]) -> Any:
    """Return the Arrow field of a new column of the table; `title` is its name in the table."""
    kinds = {type(cell) for cell in cells} - {type(None)}
    facts: dict[bytes, bytes] = {b"title": title.encode()}
    if len(kinds) == 1:
        return arrow().field(name, getattr(arrow(), CELLS[kinds.pop()])(), metadata=facts)
    return arrow().field(name, arrow().string(), metadata=facts | JSON)


def encode_cells(what: str, cells: Sequence[Cell], field: Any) -> Any:
    """Return an Arrow array of names, labels or cells; `what` describes them in errors."""
    if JSON.items() <= (field.metadata or {}).items():
        return arrow().array([json.dumps(cell) for cell in cells], field.type)
    try:
        kinds = {type(cell) for cell in cells} - {type(None)}
        if len(kinds) > 1 or any(getattr(arrow(), CELLS[kind])() != field.type for kind in kinds):
            shown = next(cell for cell in cells if cell is not None)
            raise TypeError(f"a {type(shown).__name__} came: {short_repr(shown)}")
        return arrow().array(list(cells), field.type)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputTypeError(
            f"{what} must fit the column of the table, which holds {field.type}, but: {error}."
        ) from None


def decode_cells(array: Any, field: Any) -> list[Any]:
    """Return the cells of an Arrow array as plain objects."""
    cells = array.to_pylist()
    if JSON.items() <= (field.metadata or {}).items():
        return [None if cell is None else json.loads(cell) for cell in cells]
    return cells


def row_sums(batch: Any, sums: str = "crc") -> Any:
    """Return a crc32 of each row of a record batch: of all its entries but nulls."""
    crcs = [0] * batch.num_rows
    for name in sorted(set(batch.schema.names) - {sums}):
        tag = name.encode()
        for row, content in enumerate(_contents(batch.column(name))):
            if content is not None:
                crcs[row] = zlib.crc32(content, zlib.crc32(tag, crcs[row]))
    return arrow().array(crcs, arrow().uint32())


def _contents(array: Any) -> Any:
    # The bytes of each entry of a column, None where it is null.
    kinds = arrow().types
    if kinds.is_fixed_size_list(array.type):
        flat = array.flatten().to_numpy(zero_copy_only=False)
        return flat.view(np.uint8).reshape(len(array), -1)
    cells = array.to_pylist()
    if kinds.is_binary(array.type):
        return cells
    if kinds.is_string(array.type):
        return [None if cell is None else cell.encode() for cell in cells]
    return [None if cell is None else repr(cell).encode() for cell in cells]
