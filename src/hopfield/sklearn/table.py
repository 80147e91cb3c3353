"""Tables of numbers and categories: DataFrames and arrays in, the same forms out."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from ..checks import short_repr
from ..errors import DomainError, InputTypeError

LARGEST = 1e150
"""Largest number in a table: squares of larger ones overflow."""


@dataclass(frozen=True, eq=False)
class RawTable:
    """The columns of a table as read, and the form to return it in.

    Attributes:
        columns: one array per column: float64 with NaN for numbers, else objects with None.
        source: the DataFrame, or None for an array.
    """

    columns: list[np.ndarray]
    source: Any
    dtype: np.dtype

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.columns[0])


def is_frame(table: object) -> bool:
    """Return whether `table` is a DataFrame of pandas."""
    return hasattr(table, "iloc") and hasattr(table, "columns")


def unmasked(table: Any) -> Any:
    """Return a masked array as an array with NaN where it is masked; anything else as it is."""
    if not isinstance(table, np.ma.MaskedArray):
        return table
    kinds = {"f": table.dtype, "i": np.float64, "u": np.float64, "b": np.float64}
    return np.ma.filled(table.astype(kinds.get(table.dtype.kind, object)), np.nan)


def read_table(table: Any, missing_values: object) -> RawTable:
    """Return the columns of a DataFrame or of a two-dimensional array."""
    if is_frame(table):
        columns = [
            _frame_column(table.iloc[:, j], table.columns[j], missing_values)
            for j in range(table.shape[1])
        ]
        return RawTable(columns, table, np.dtype(np.float64))
    if table.dtype.kind in "fiub":
        kept = table.dtype == np.float32
        numbers = table.astype(np.float64)
        columns = [_numbers(numbers[:, j], j, missing_values) for j in range(table.shape[1])]
        return RawTable(columns, None, np.dtype(np.float32 if kept else np.float64))
    columns = [
        _objects(table[:, j].astype(object), j, missing_values) for j in range(table.shape[1])
    ]
    return RawTable(columns, None, np.dtype(np.float64))


def _frame_column(series: Any, name: object, missing_values: object) -> np.ndarray:
    import pandas

    kinds = pandas.api.types
    if kinds.is_bool_dtype(series.dtype) or isinstance(series.dtype, pandas.CategoricalDtype):
        return _objects(series.astype(object).to_numpy(), name, missing_values, numeric=False)
    if kinds.is_numeric_dtype(series.dtype) and not kinds.is_complex_dtype(series.dtype):
        numbers = series.to_numpy(dtype=np.float64, na_value=np.nan).copy()
        return _numbers(numbers, name, missing_values)
    if kinds.is_object_dtype(series.dtype) or kinds.is_string_dtype(series.dtype):
        return _objects(series.astype(object).to_numpy(), name, missing_values)
    raise InputTypeError(
        f"column {name!r} must hold numbers or categories, but is {series.dtype}. "
        "Drop the column, or turn it into a number or into text."
    )


def _numbers(values: np.ndarray, name: object, missing_values: object) -> np.ndarray:
    if isinstance(missing_values, Real) and not np.isnan(float(missing_values)):
        values = np.where(values == float(missing_values), np.nan, values)
    if (wrong := np.isinf(values) | (np.abs(values) > LARGEST)).any():
        row = int(np.flatnonzero(wrong)[0])
        raise DomainError(
            f"column {name!r} must hold numbers up to {LARGEST:g} and not infinity, but row {row} "
            f"holds {values[row]:g}. Use NaN for a missing value."
        )
    return values


def _objects(
    values: np.ndarray, name: object, missing_values: object, numeric: bool = True
) -> np.ndarray:
    """Return float64 if all known entries are numbers, else objects with None where missing."""
    entries = [None if _is_missing(value, missing_values) else value for value in values]
    known = [value for value in entries if value is not None]
    if numeric and all(isinstance(x, Real) and not isinstance(x, (bool, np.bool_)) for x in known):
        numbers = [np.nan if value is None else float(value) for value in entries]
        return _numbers(np.array(numbers, dtype=np.float64), name, missing_values)
    for value in known:
        if not isinstance(value, (str, bytes, bool, np.bool_, Real, tuple)):
            raise InputTypeError(
                f"column {name!r} must hold numbers, text or bools, but holds "
                f"{short_repr(value)}, a {type(value).__name__}."
            )
    column = np.empty(len(entries), dtype=object)
    column[:] = entries
    return column


def _is_missing(value: object, missing_values: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Real) and value != value:
        return True
    return type(value) is type(missing_values) and value == missing_values


@dataclass
class StoredColumn:
    """A column of the rows stored so far.

    Attributes:
        name: its name, or its index.
        levels: number of each category; None for a column of numbers.
        is_whole: whether all known entries are whole numbers.
        low, high: range of the known numbers.
    """

    name: Any
    levels: dict[Any, int] | None

    is_whole: bool = False
    low: float = np.nan
    high: float = np.nan

    def encode(self, values: np.ndarray, extend: bool) -> np.ndarray:
        """Return numbers, or numbers of categories; NaN where missing or unseen."""
        if self.levels is None:
            if values.dtype == object and any(value is not None for value in values):
                raise InputTypeError(
                    f"column {self.name!r} must hold numbers as in fit, but holds text."
                )
            return np.array([np.nan] * len(values)) if values.dtype == object else values
        entries = _plain(values)
        if extend:
            for value in entries:
                if value is not None:
                    self.levels.setdefault(value, len(self.levels))
        codes = [np.nan if x is None else self.levels.get(x, np.nan) for x in entries]
        return np.array(codes, dtype=np.float64)

    def note_range(self, values: np.ndarray) -> None:
        """Note range and wholeness of the known numbers."""
        known = values[~np.isnan(values)]
        if len(known):
            self.is_whole = bool((known == np.round(known)).all())
            self.low, self.high = float(known.min()), float(known.max())

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Return the entries that numbers of categories stand for; numbers as they are."""
        if self.levels is None:
            return values
        entries = np.empty(len(values), dtype=object)
        names = list(self.levels)
        entries[:] = [None if np.isnan(x) else names[int(x)] for x in values]
        return entries


def _plain(values: np.ndarray) -> Sequence[Any]:
    """Return categories as hashable objects, None where missing."""
    if values.dtype == object:
        return [value.item() if isinstance(value, np.generic) else value for value in values]
    return [None if np.isnan(value) else value for value in values.tolist()]


def is_missing(raw: RawTable) -> np.ndarray:
    """Return the mask of missing entries, `(rows, columns)`."""
    masks = [
        np.array([value is None for value in column], dtype=bool)
        if column.dtype == object
        else np.isnan(column)
        for column in raw.columns
    ]
    return np.stack(masks, axis=1)


def rebuild(raw: RawTable, filled: list[np.ndarray], missing: np.ndarray, keep: list[int]) -> Any:
    """Return the table with its gaps filled, in the form it came in.

    Args:
        raw: the table.
        filled: per column, an array with the values of the gaps.
        missing: the mask of the gaps.
        keep: indices of the columns to return.
    """
    if raw.source is not None:
        return _rebuild_frame(raw, filled, missing, keep)
    columns = [np.where(missing[:, j], filled[j], raw.columns[j]) for j in keep]
    if all(column.dtype != object for column in columns):
        empty = np.empty((len(raw), 0))
        return (np.stack(columns, axis=1) if columns else empty).astype(raw.dtype)
    table = np.empty((len(raw), len(keep)), dtype=object)
    for place, column in enumerate(columns):
        table[:, place] = column
    return table


def _rebuild_frame(
    raw: RawTable, filled: list[np.ndarray], missing: np.ndarray, keep: list[int]
) -> Any:
    import pandas

    series = []
    for j in keep:
        old, gaps = raw.source.iloc[:, j], missing[:, j]
        if not gaps.any():
            series.append(old)
            continue
        values = old.astype(object).to_numpy(copy=True)
        values[gaps] = filled[j][gaps]
        new = pandas.Series(values, index=old.index, name=old.name)
        if isinstance(old.dtype, pandas.CategoricalDtype):
            of_fit = [x for x in dict.fromkeys(filled[j][gaps]) if x is not None]
            old = old.cat.add_categories([x for x in of_fit if x not in old.cat.categories])
        if filled[j].dtype == object or pandas.api.types.is_object_dtype(old.dtype):
            series.append(new.astype(old.dtype))
            continue
        is_integer = pandas.api.types.is_integer_dtype(old.dtype)
        whole = bool((filled[j][gaps] == np.round(filled[j][gaps])).all())
        series.append(new.astype(old.dtype if whole or not is_integer else "Float64"))
    return pandas.concat(series, axis=1) if series else raw.source.iloc[:, []]
