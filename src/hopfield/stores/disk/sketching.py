"""The sketches of a table: made for all its rows, written with new ones, and read."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ...checks import check_integer
from ...errors import OptionError
from ..sketch import FITTED_BYTES, FITTED_ROWS, MOST_COORDINATES, Sketch
from .basis import SketchColumn
from .table import Table, write


def add_sketches(table: Table, size: int | None) -> Table:
    """Write a table again, with a sketch of each row that is fitted to its rows."""
    layout, count = table.layout, table.count()
    if layout.bits:
        raise OptionError(
            f"{table.path} must hold numbers to have a sketch, but holds bits, which are shorter "
            "than a sketch."
        )
    if not count:
        raise OptionError(f"{table.path} must hold patterns, but is empty. Store some first.")
    dim = layout.rows.shape[0]
    if size is None:
        size = min(MOST_COORDINATES, -(-dim // 4))
    check_integer("size", size, low=1, high=dim)
    fitted = min(count, FITTED_ROWS, max(2 * size, FITTED_BYTES // layout.rows.entry_bytes))
    places = torch.linspace(0, count - 1, fitted, dtype=torch.float64).long()
    sample = table.take(places.tolist(), "vector")
    sketch = Sketch.fit(layout.rows.decode([sample], shared=True), size)
    column = SketchColumn.of(sketch)
    sketched = layout.with_sketch(column)

    def batches() -> Iterator[Any]:
        for batch in table.scan(layout.schema.names):
            content = dict(zip(batch.schema.names, batch.columns, strict=True))
            rows = layout.rows.decode([content["vector"]], shared=True)
            content["sketch"] = column.tensors.encode(sketch.columns(rows))
            yield sketched.with_sums(content, batch.num_rows)

    return write(table.path, table, sketched.schema, batches(), "overwrite", sketch)


def encode_sketches(table: Table | None, rows: Tensor) -> dict[str, Any]:
    """Return the column of sketches of new rows; empty for a table that has none."""
    if table is None or table.layout.sketch is None or table.sketch is None:
        return {}
    return {"sketch": table.layout.sketch.tensors.encode(table.sketch.columns(rows))}


def read_sketches(table: Table, **selection: Any) -> Iterator[Tensor]:
    """Yield the sketches of rows in order, float32, part by part."""
    column = table.layout.sketch
    if column is not None:
        for batch in table.scan(["sketch"], **selection):
            yield column.tensors.decode([batch.column(0)], shared=True)
