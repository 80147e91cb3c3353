"""Tables in files: columns of numbers are the pattern, other columns are kept with it."""

import csv
import difflib
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError, HopfieldError
from .form import RowForm, fit_columns, to_stored
from .parquet_table import MAGIC, ParquetTable
from .progress import report_kept
from .reading import (
    ReadOptions,
    Rows,
    joined,
    listed,
    read_lines,
    split_names,
    to_values,
    unknown_name,
)
from .text_columns import Column
from .text_table import TextTable

SUFFIXES = (".csv", ".tsv", ".parquet", ".pq")


def open_table(file: str) -> tuple[bytes, str, TextTable | ParquetTable]:
    """Return the content of a file, its name for messages, and its table; "-" is standard input."""
    place = "standard input" if file == "-" else Path(file).as_posix()
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    kind = ParquetTable if content.startswith(MAGIC) else TextTable
    return content, place, kind(content, place)


class TableFile:
    """A table with columns of numbers and columns of text."""

    def __init__(self, file: str) -> None:
        """Read a file; "-" is standard input."""
        _, self.place, self.table = open_table(file)
        self.names: list[str] = self.table.names
        self.columns = dict(zip(self.names, self.table.columns(()), strict=True))
        if len(self.columns) < len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise DataError(
                f"{self.place!r} must have columns of different names, but has {twice!r} twice."
            )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.columns[self.names[0]].missing)

    def numeric(self) -> list[str]:
        """Return the names of the columns of numbers."""
        return [name for name, column in self.columns.items() if _is_number(column)]

    def nearly_numeric(self) -> dict[str, str]:
        """Return why columns of numbers are text, by their names."""
        reasons = {name: column.reason.split(";")[0] for name, column in self.columns.items()}
        return {name: why for name, why in reasons.items() if why.startswith("numbers, but")}

    def numbers(self, name: str) -> np.ndarray:
        """Return a column of numbers, NaN in gaps."""
        column = self.columns[name]
        if _is_number(column):
            return np.asarray(column.values, dtype=np.float64)
        try:
            texts = zip(self.texts(name), column.missing, strict=True)
            return np.array([np.nan if gap else float(text) for text, gap in texts])
        except ValueError:
            reason = f": it is {column.reason}" if column.reason else ""
            raise DataError(
                f"column {name!r} of {self.place!r} must hold numbers, but does not{reason}. Leave "
                "it out, or name it by --names or --values."
            ) from None

    def texts(self, name: str) -> list[str]:
        """Return a column as text, "" in gaps."""
        return self.table.texts(self.names.index(name))

    def along(self, option: str, name: str) -> list[str] | None:
        """Return the texts, one per row, of the column or text file that an option names."""
        if not name:
            return None
        if name in self.columns:
            return self.texts(name)
        return read_lines(option, name, "a column", self.names, len(self), self.place)


def read_tables(
    files: Sequence[str], options: ReadOptions, form: RowForm | None
) -> tuple[Rows, RowForm]:
    """Return the rows of several tables, and their form: the one given, or a new one."""
    tables = [TableFile(file) for file in files]
    columns = list(form.columns) if form else _pattern_columns(tables[0], options)
    parts = [_rows(table, columns, options, partial=form is not None) for table in tables]
    rows = joined(parts)
    if form is None:
        form = fit_columns(columns, rows.numbers, not options.table.unscaled)
        if not options.table.columns:
            report_kept(tables[0].nearly_numeric())
    return Rows(to_stored(form, rows.numbers), rows.names, rows.values, rows.table), form


def _pattern_columns(table: TableFile, options: ReadOptions) -> list[str]:
    wanted = split_names(options.table.columns)
    for name in wanted:
        if name not in table.columns:
            raise unknown_name("--columns", "columns", name, table.names, table.place)
    beside = (options.names, options.values)
    columns = list(dict.fromkeys(wanted)) or [x for x in table.numeric() if x not in beside]
    if not columns:
        raise DataError(
            f"{table.place!r} must have columns of numbers, which become the pattern, but has none."
        )
    return columns


def _rows(table: TableFile, columns: list[str], options: ReadOptions, partial: bool) -> Rows:
    absent = [name for name in columns if name not in table.columns]
    if (absent and not partial) or len(absent) == len(columns):
        raise DataError(
            f"{table.place!r} must have column {absent[0]!r}, which is part of the pattern, but "
            f"has {listed(table.names)}."
        )
    others = [name for name in table.names if name not in columns]
    for name in absent:
        if close := difflib.get_close_matches(name, others, 1):
            raise DataError(
                f"{table.place!r} must have column {name!r} or leave it out, but has {close[0]!r}. "
                "Rename it."
            )
    gap = np.full(len(table), np.nan)
    numbers = np.stack([gap if name in absent else table.numbers(name) for name in columns], axis=1)
    _check_gaps(table, columns, absent, numbers, options)
    number = options.missing_number()
    if number is not None:
        numbers[numbers == number] = np.nan
    names = table.along("--names", options.names)
    values = table.along("--values", options.values)
    kept = [name for name in others if name not in (options.names, options.values)]
    return Rows(
        torch.from_numpy(numbers),
        names or [f"{table.place}[{k}]" for k in range(len(table))],
        None if values is None else to_values(values),
        {name: table.texts(name) for name in kept},
    )


def _check_gaps(
    table: TableFile,
    columns: list[str],
    absent: list[str],
    numbers: np.ndarray,
    options: ReadOptions,
) -> None:
    gaps = np.isnan(numbers) & ~np.isin(columns, absent)
    if options.missing or not gaps.any():
        return
    row, column = np.argwhere(gaps)[0]
    raise HopfieldError(
        f"{table.place!r} must have all cells, but row {row + 1} has none in column "
        f"{columns[column]!r}. --missing nan reads empty cells as unknown."
    )


def _is_number(column: Column) -> bool:
    return column.values is not None and column.categories is None


def to_csv(form: RowForm, names: Sequence[str], numbers: Tensor) -> str:
    """Return rows in the units of their table as text; empty cells for NaN."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["name", *form.columns])
    for name, row in zip(names, numbers.tolist(), strict=True):
        writer.writerow([name, *("" if cell != cell else f"{cell:.7g}" for cell in row)])
    return out.getvalue()
