"""The description of a memory in its table, and whole stores written as tables."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from ..annotations import Annotations
from ..base import Store
from .layout import BATCH_ROWS, Layout
from .store import IDS_PER_VERSION, DiskStore
from .table import write


def rows_key(store: DiskStore) -> list[int]:
    """Return the number of rows and the id of the last: other rows have others."""
    count = len(store)
    return [count, store._opened.take([count - 1], "id")[0].as_py() if count else 0]


def read_description(store: DiskStore) -> str | None:
    """Return the description of the memory, "" without one; None if there is no table."""
    return None if store._table is None else store._table.layout.description


def write_description(store: DiskStore, description: str) -> None:
    """Keep the description of a memory in the table of its rows; durable on return."""
    store._refuse_selection("save")
    with store.lock.writing:
        store._adopt(store._opened.describe(description), store.has_gaps)


def write_store(path: str, source: Store, describe: Callable[[list[int]], str]) -> None:
    """Write all rows of a store into a table, block by block, in one change; durable on return.

    Args:
        path: the table; rows that it had are replaced.
        source: the store, with at least one row.
        describe: a function (key as of `rows_key`) → description.
    """
    target = DiskStore(path)
    before, count = target._table, len(source)
    first = (1 if before is None else before.version + 1) * IDS_PER_VERSION
    annotations = (source.annotations or Annotations(count)).to(torch.device("cpu"))
    block = next(iter(source.blocks(BATCH_ROWS)))
    values = None if block.values is None else block.values.cpu()
    layout = Layout.new(block.rows.cpu(), values, annotations, source.signs_only)
    layout = replace(layout, description=describe([count, first + count - 1]))

    def batches() -> Iterator[Any]:
        for block in source.blocks(BATCH_ROWS):
            places = torch.arange(block.start, block.start + len(block))
            columns = layout.encode_annotations(annotations.at(places))
            known = getattr(block, "known", None)
            known, values = (None if x is None else x.cpu() for x in (known, block.values))
            at = first + block.start
            yield from layout.batches(at, block.rows.cpu(), known, values, columns)

    mode = "create" if before is None else "overwrite"
    write(target.path, before, layout.schema, batches(), mode)
