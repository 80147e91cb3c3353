"""A Parquet file with gaps: typed columns out, and the same table with gaps replaced."""

import io
from collections.abc import Collection, Set
from typing import Any

import numpy as np

from ..errors import DataError, missing_extra
from .text_columns import Column, FilledColumn, NumberForm, text_column

MAGIC = b"PAR1"
"""First bytes of a Parquet file."""

TEXT = ("string", "large_string", "string_view")
"""Arrow's types of text; polars writes the last one."""


class ParquetTable:
    """A table of Arrow columns; needs pyarrow."""

    def __init__(self, content: bytes, name: str) -> None:
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError:
            raise missing_extra("pyarrow", "parquet") from None
        self.arrow, self.parquet = arrow, parquet
        try:
            self.table = parquet.read_table(io.BytesIO(content))
        except arrow.ArrowException as error:
            raise DataError(f"{name!r} must be an intact Parquet file, but {error}.") from None
        self.names: list[str] = self.table.column_names
        if not len(self.table):
            raise DataError(f"{name!r} must hold rows, but holds none.")

    def columns(self, categories: Collection[str], marks: Set[str] = frozenset()) -> list[Column]:
        """Return all columns.

        Args:
            categories: names of columns that are categories whatever they hold.
            marks: texts that mark a missing entry, in lower case; a number counts as its text.
        """
        return [self._column(name, name in categories, marks) for name in self.names]

    def texts(self, column: int) -> list[str]:
        """Return the entries of a column as text, "" for a missing one."""
        entries = self.table.column(column).to_pylist()
        return ["" if entry is None else str(entry) for entry in entries]

    def write(self, filled: dict[int, FilledColumn], bounds: bool) -> bytes:
        """Return a file with the gaps filled, and bounds of numbers in further columns."""
        table, scalar = self.table, self.arrow.scalar
        for j, each in filled.items():
            field, values = table.field(j), table.column(j).to_pylist()
            kind = self._kind(field.type)
            for row, value in zip(np.flatnonzero(each.column.missing), each.values, strict=True):
                values[row] = scalar(each.column.text(value)).cast(kind).as_py()
            table = table.set_column(j, field, self.arrow.array(values, field.type))
        for each in filled.values() if bounds else ():
            for side, numbers in each.bounds().items():
                column = np.full(len(table), None)
                column[each.column.missing] = numbers
                values = self.arrow.array(column.tolist(), "float64")
                table = table.append_column(f"{each.column.name}_{side}", values)
        out = io.BytesIO()
        self.parquet.write_table(table, out)
        return out.getvalue()

    def _kind(self, kind: Any) -> Any:
        return kind.value_type if self.arrow.types.is_dictionary(kind) else kind

    def _column(self, name: str, is_category: bool, marks: Set[str]) -> Column:
        types, column = self.arrow.types, self.table.column(name)
        kind, entries = self._kind(column.type), column.to_pylist()
        missing = np.array([_is_missing(entry, marks) for entry in entries], dtype=bool)
        is_decimal = types.is_decimal(kind)
        is_number = types.is_integer(kind) or types.is_floating(kind) or is_decimal
        is_bool, is_text = types.is_boolean(kind), str(kind) in TEXT
        if missing.all() or not (is_number or is_bool or is_text):
            return Column(name, missing, reason="empty" if missing.all() else str(kind))
        if is_category or not is_number:
            return text_column(name, [str(x) for x in entries], missing, is_category or is_bool)
        numbers = [np.nan if gap else float(x) for x, gap in zip(entries, missing, strict=True)]
        decimals = kind.scale if is_decimal else 0 if types.is_integer(kind) else None
        return Column(name, missing, np.array(numbers), form=NumberForm(decimals))


def _is_missing(entry: object, marks: Set[str]) -> bool:
    text = f"{entry:.15g}" if isinstance(entry, float) else str(entry)
    return entry is None or entry != entry or text.lower() in marks
