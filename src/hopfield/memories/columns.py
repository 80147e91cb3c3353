"""Tables with one row per pattern: mappings, DataFrames, Arrow tables and lists of dicts."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..checks import short_repr
from ..errors import InputTypeError, OptionError, ShapeError
from ..stores import Store
from ..stores.annotations import Cell, entries_at
from .entries import listed
from .naming import chosen_rows

CELLS = (str, int, float, bool, type(None))
"""Types of the cells of a table."""


def check_table(table: object, count: int) -> dict[str, list[Cell]]:
    """Return the columns of a table as lists of strings, numbers, bools and None."""
    columns: dict[str, list[Cell]] = {}
    for name, column in _columns(table, count):
        if not isinstance(name, str):
            raise InputTypeError(
                f"table must have columns whose names are strings, but one is {short_repr(name)}."
            )
        if name in columns:
            raise InputTypeError(
                f"table must have columns of different names, but two are {short_repr(name)}."
            )
        cells = listed(f"column {short_repr(name)} of the table", column, count)
        for row, cell in enumerate(cells):
            if type(cell) not in CELLS:
                hint = " Use text: str(cell)." if hasattr(cell, "isoformat") else ""
                raise InputTypeError(
                    f"table must hold strings, numbers, bools and None, but column "
                    f"{short_repr(name)} holds {short_repr(cell)} in row {row}.{hint}"
                )
        columns[str(name)] = cells
    return columns


def _columns(table: Any, count: int) -> list[tuple[Any, Any]]:
    # By capability, so that neither pandas nor polars nor Arrow has to be installed.
    if hasattr(table, "column_names") and hasattr(table, "itercolumns"):  # Arrow
        return list(zip(table.column_names, table.itercolumns(), strict=True))
    if hasattr(table, "get_columns"):  # polars
        return [(column.name, column) for column in table.get_columns()]
    if isinstance(table, Mapping) or hasattr(table, "iloc"):  # pandas has items() too
        return list(table.items())
    if isinstance(table, (list, tuple)) and all(isinstance(row, Mapping) for row in table):
        if len(table) != count:
            raise ShapeError(f"table must have one row per pattern, {count}, but has {len(table)}.")
        names = {name: None for row in table for name in row}
        return [(name, [row.get(name) for row in table]) for name in names]
    raise InputTypeError(
        "table must be a dict of columns, a DataFrame, an Arrow table or a list of dicts, with one "
        f"row per pattern, but is {short_repr(table)}."
    )


def table_rows(store: Store, indices: object, names: object) -> list[dict[str, Cell]]:
    """Return rows of the table, by index or by name; all of them if neither is given."""
    stored = store.annotations
    if stored is None or not stored.table:
        raise OptionError(
            "rows needs a table, but the patterns have none. Use store(patterns, table=…)."
        )
    if indices is None and names is None:
        indices = range(stored.count)
    places = chosen_rows(
        store, indices.flatten() if isinstance(indices, Tensor) else indices, names
    )
    columns = {name: entries_at(column, places) for name, column in stored.table.items()}
    return [{name: cells[row] for name, cells in columns.items()} for row in range(len(places))]
