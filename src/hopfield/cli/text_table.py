"""A file of delimited text with gaps: typed columns out, and the same file with gaps replaced."""

from collections.abc import Collection, Set

import numpy as np

from ..data.delimited import parse, quote_like, unquote
from ..errors import DataError
from .text_columns import Column, FilledColumn, is_header, read_column


class TextTable:
    """A file of delimited text."""

    def __init__(self, content: bytes, name: str) -> None:
        self.file = parse(content, name)
        records = [record for record in self.file.records if not record.is_blank]
        if not records:
            raise DataError(f"{name!r} must hold a table, but is empty.")
        first = list(map(unquote, records[0].fields))
        self.header = records[0] if is_header(first) else None
        self.rows = records[1:] if self.header else records
        if not self.rows:
            raise DataError(f"{name!r} must hold rows below its header, but holds none.")
        width = len(first)
        for record in self.rows:
            if len(record.fields) != width:
                raise DataError(
                    f"{name!r} must have equally many fields in every line, but line {record.line} "
                    f"has {len(record.fields)}, and line {records[0].line} has {width}."
                )
        names = first if self.header else [""] * width
        self.names = [name or str(j) for j, name in enumerate(names, 1)]

    def columns(self, categories: Collection[str], marks: Set[str] = frozenset()) -> list[Column]:
        """Return all columns.

        Args:
            categories: names of columns that are categories whatever they hold.
            marks: further texts that mark a missing entry, in lower case.
        """
        lines, separator = [record.line for record in self.rows], self.file.separator
        return [
            read_column(
                name, [r.fields[j] for r in self.rows], lines, separator, name in categories, marks
            )
            for j, name in enumerate(self.names)
        ]

    def texts(self, column: int) -> list[str]:
        """Return the fields of a column as text."""
        return [unquote(record.fields[column]) for record in self.rows]

    def write(self, filled: dict[int, FilledColumn], bounds: bool) -> bytes:
        """Return the file with its gaps filled, and bounds of numbers in further columns."""
        for j, each in filled.items():
            missing = each.column.missing
            example = self.rows[int(np.flatnonzero(~missing)[0])].fields[j]
            for row, value in zip(np.flatnonzero(missing), each.values, strict=True):
                fields = self.rows[row].fields
                text = quote_like(example, each.column.text(value), self.file.separator)
                mark = fields[j].strip()
                fields[j] = fields[j].replace(mark, text) if mark else fields[j] + text
        for each in filled.values() if bounds else ():
            for side, values in each.bounds().items():
                self._append(each.column, side, values)
        return self.file.to_bytes()

    def _append(self, column: Column, side: str, values: np.ndarray) -> None:
        texts = [""] * len(self.rows)
        for row, value in zip(np.flatnonzero(column.missing), values, strict=True):
            texts[row] = column.bound(value, up=side == "high") if np.isfinite(value) else ""
        for record, text in zip(self.rows, texts, strict=True):
            record.fields.append(quote_like("", text, self.file.separator))
        if self.header:
            name = quote_like("", f"{column.name}_{side}", self.file.separator)
            self.header.fields.append(name)
