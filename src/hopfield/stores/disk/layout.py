"""The columns of a table of patterns, and record batches of new rows."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import TableError
from ...packing import pack, unpack, words_of
from ..annotations import Annotations, Cell
from .basis import SketchColumn
from .columns import TensorColumn, arrow, cell_field, encode_cells, encode_masks, row_sums

FORMAT = 1
"""Version of the layout."""

KEY = b"hopfield"
"""Key of its description in the metadata of the schema."""

MEMORY = b"hopfield.memory"
"""Key of the description of the memory that reads the table."""

RESERVED = ("id", "vector", "value", "name", "known", "prior", "crc", "sketch")
"""Names of columns that a table of the user cannot have."""

BATCH_ROWS = 4096
"""Most rows per record batch when they are written."""

PART_BYTES = 2**26
"""Most bytes of rows and values that are read or written together; of long rows at least one.

Blocks below 32 MiB stay in the heap of glibc, which then grows to the size of the table.
"""

PLAIN_ROWS = {
    b"lance-encoding:structural-encoding": b"fullzip",
    b"lance-encoding:compression": b"none",
}
"""Makes Lance write short rows as it writes long ones: one after another, uncompressed."""


@dataclass(frozen=True)
class Layout:
    """Columns of a table.

    Attributes:
        rows: the patterns.
        bits: True if they are ±1, and kept as bits.
        values: the values, if they are numbers.
        fields: Arrow fields of all columns by name.
        description: the description of the memory that reads the table, or "".
        sketch: the column of sketches, or None.
    """

    rows: TensorColumn
    bits: bool
    values: TensorColumn | None
    fields: Mapping[str, Any]
    description: str = ""
    sketch: SketchColumn | None = None

    @classmethod
    def new(
        cls, rows: Tensor, values: Tensor | None, annotations: Annotations, bits: bool
    ) -> "Layout":
        """Return the layout of a table whose first rows are these."""
        pa, row_column = arrow(), TensorColumn.of("patterns", rows)
        stored = TensorColumn(torch.int64, (words_of(rows.shape[1]),)) if bits else row_column
        value_column = None if values is None else TensorColumn.of("values", values)
        fields = _own_fields(stored, value_column)
        if annotations.labels is not None:
            fields.append(pa.field("value", pa.string()))
        if annotations.names is not None:
            is_text = isinstance(annotations.names[0], str)
            fields.append(pa.field("name", pa.string() if is_text else pa.int64()))
        layout = cls(row_column, bits, value_column, {field.name: field for field in fields})
        return layout.extended(annotations.table)

    @classmethod
    def of_schema(cls, path: str, schema: Any) -> "Layout":
        """Return the layout that a schema describes."""
        try:
            facts = json.loads((schema.metadata or {})[KEY])
            values = facts["values"]
            if facts["format"] > FORMAT:
                raise TableError(
                    f"{path} must have a format up to {FORMAT}, the one of this version of "
                    f"hopfield, but has {facts['format']}. Update hopfield."
                )
            layout = cls(
                TensorColumn.from_facts(facts["rows"]),
                facts["bits"],
                None if values is None else TensorColumn.from_facts(values),
                {field.name: field for field in schema},
                schema.metadata.get(MEMORY, b"").decode(),
                SketchColumn.from_facts(facts.get("sketch")),
            )
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError):
            raise TableError(
                f"{path} must be a table that a DiskStore wrote, but is another Lance table. "
                "Read it with lance.dataset(path), and store its rows in a new one, or, for the "
                "command line, save them as an .npy file."
            ) from None
        needed, present = _own_fields(layout.stored, layout.values), list(schema)
        if changed := [field.name for field in needed if field not in present]:
            raise TableError(
                f"{path} must have the columns that a DiskStore wrote, but another program removed "
                f"or changed {', '.join(changed)}. Use a copy of the table."
            )
        return layout

    @property
    def schema(self) -> Any:
        """The schema of the table."""
        facts = {
            "format": FORMAT,
            "rows": self.rows.facts(),
            "bits": self.bits,
            "values": None if self.values is None else self.values.facts(),
        }
        if self.sketch is not None:
            facts["sketch"] = asdict(self.sketch)
        metadata = {KEY: json.dumps(facts).encode()}
        if self.description:
            metadata[MEMORY] = self.description.encode()
        return arrow().schema(list(self.fields.values()), metadata)

    @property
    def has_labels(self) -> bool:
        """True if the values are strings."""
        return self.values is None and "value" in self.fields

    @property
    def stored(self) -> TensorColumn:
        """The column of the patterns as they are stored."""
        if not self.bits:
            return self.rows
        return TensorColumn(torch.int64, (words_of(self.rows.shape[0]),))

    @property
    def part_rows(self) -> int:
        """The most rows that are read or written together."""
        values = 0 if self.values is None else self.values.entry_bytes
        return max(1, PART_BYTES // (self.rows.entry_bytes + values))

    @property
    def columns(self) -> dict[str, str]:
        """Names of the columns of the user's table, by their titles."""
        fields = self.fields.items()
        titles = {name: (field.metadata or {}).get(b"title") for name, field in fields}
        return {title.decode(): name for name, title in titles.items() if title is not None}

    def extended(self, table: Mapping[str, Sequence[Cell]]) -> "Layout":
        """Return the layout with columns for those of `table` that it lacks."""
        fields = dict(self.fields)
        for title, cells in table.items():
            if title not in self.columns:
                name = _free_name(title, fields)
                fields[name] = cell_field(name, title, cells)
        return self if len(fields) == len(self.fields) else replace(self, fields=fields)

    def with_sketch(self, sketch: SketchColumn) -> "Layout":
        """Return the layout with this column of sketches."""
        field = arrow().field("sketch", sketch.tensors.arrow_type, nullable=False)
        return replace(self, fields={**self.fields, "sketch": field}, sketch=sketch)

    def decode(self, parts: Sequence[Any]) -> Tensor:
        """Return patterns from arrays of their column."""
        numbers = self.stored.decode(parts)
        return unpack(numbers, self.rows.shape[0], self.rows.dtype) if self.bits else numbers

    def batches(
        self,
        first: int,
        rows: Tensor,
        known: Tensor | None,
        values: Tensor | None,
        annotations: Mapping[str, Any],
    ) -> Iterator[Any]:
        """Yield record batches of new rows, whose ids begin at `first`."""
        step = min(BATCH_ROWS, self.part_rows)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            count = len(rows[part])
            content: dict[str, Any] = {
                "id": arrow().array(range(first + start, first + start + count), arrow().int64()),
                "vector": self.stored.encode(pack(rows[part]) if self.bits else rows[part]),
                "known": encode_masks(None if known is None else known[part], count),
            }
            if self.values is not None and values is not None:
                content["value"] = self.values.encode(values[part])
            content |= {name: array.slice(start, count) for name, array in annotations.items()}
            yield self.with_sums(content, count)

    def with_sums(self, content: dict[str, Any], count: int) -> Any:
        """Return the record batch of these columns, null in others, and the checksums of rows."""
        schema = self.schema
        names = [name for name in schema.names if name != "crc"]
        arrays = [
            content[name] if name in content else arrow().nulls(count, self.fields[name].type)
            for name in names
        ]
        plain = arrow().RecordBatch.from_arrays(arrays, names)
        ordered = dict(zip(names, arrays, strict=True)) | {"crc": row_sums(plain)}
        return arrow().RecordBatch.from_arrays([ordered[n] for n in schema.names], schema=schema)

    def encode_annotations(self, annotations: Annotations) -> dict[str, Any]:
        """Return the columns of names, labels, priors and cells of new rows."""
        content: dict[str, Any] = {}
        if annotations.prior is not None:
            content["prior"] = arrow().array(annotations.prior.tolist(), arrow().float64())
        named: dict[str, tuple[str, Sequence[Cell] | None]] = {
            "name": ("names", annotations.names),
            "value": ("values", annotations.labels),
        }
        columns = self.columns
        for title, cells in annotations.table.items():
            named[columns[title]] = (f"column {title!r} of the table", cells)
        for name, (what, entries) in named.items():
            if entries is not None:
                content[name] = encode_cells(what, list(entries), self.fields[name])
        return content


def _own_fields(stored: TensorColumn, values: TensorColumn | None) -> list[Any]:
    pa, encoding = arrow(), None if stored.dtype == torch.bool else PLAIN_ROWS  # in whole bytes
    return [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("vector", stored.arrow_type, nullable=False, metadata=encoding),
        pa.field("known", pa.binary()),
        pa.field("prior", pa.float64()),
        pa.field("crc", pa.uint32(), nullable=False),
        *([] if values is None else [pa.field("value", values.arrow_type)]),
    ]


def _free_name(title: str, taken: Mapping[str, Any]) -> str:
    # Lance takes no points in names, and reserves `_rowid` and others; SQL tells no letters from
    # capitals.
    name = re.sub("^(?=_row|$)", "column", re.sub(r"\W", "_", title), flags=re.IGNORECASE)
    lower = {each.lower() for each in (*taken, *RESERVED)}
    number, free = 2, name
    while free.lower() in lower:
        free, number = f"{name}_{number}", number + 1
    return free
