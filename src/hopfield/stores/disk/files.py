"""Rows of a table, read from its files without Lance.

Lance hands each page from thread to thread, which takes five times as long as the scores of one
query. But rows of fixed length lie one after another in a file, if they are not compressed: then
a block is one read. The metadata of a file says where they lie.
"""

import re
import weakref
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .columns import TensorColumn
from .failures import reading
from .paths import local_folder
from .table import Table, lance

PLAIN = (
    "PageLayout{layout:Some(FullZipLayout(FullZipLayout{bits_rep:0,bits_def:0,num_items:N,"
    "num_visible_items:N,value_compression:Some(CompressiveEncoding{compression:Some(FixedSizeList("
    "FixedSizeList{items_per_value:N,has_validity:false,values:Some(CompressiveEncoding{compression"
    ":Some(Flat(Flat{bits_per_value:N,data:None,},),),},),},),),},),layers:[RepdefAllValidItem,],"
    "details:Some(BitsPerValue(N,),),},),),}"
)
"""The text by which Lance describes a page of uncompressed rows, with N for numbers above 0.

Spaces are left out. Rows in a page of any other description are read by Lance."""


@dataclass(frozen=True)
class Run:
    """Consecutive rows in a file.

    Attributes:
        path: the file.
        position: the byte where the first row begins.
        count: number of rows.
    """

    path: Path
    position: int
    count: int


class RowFiles:
    """The places of all rows of a column, in the order of storage.

    Args:
        table: the table, for errors.
        column: the column.
        runs: where the rows lie.
    """

    def __init__(self, table: Table, column: TensorColumn, runs: Sequence[Run]) -> None:
        self.table, self.column, self.runs = table, column, runs
        self._stops = list(accumulate(run.count for run in runs))

    @classmethod
    def of(
        cls, table: Table, name: str, column: TensorColumn, fragments: Sequence[int] | None = None
    ) -> "RowFiles | None":
        """Return the rows of a column in some fragments; None if only Lance can read them."""
        folder, width = local_folder(table.path), column.entry_bytes
        runs: list[Run] = []
        with reading(table.path, table.version):
            fields = {field.name(): field.id() for field in table.dataset.lance_schema.fields()}
            for number in table.fragments() if fragments is None else fragments:
                fragment = table.dataset.get_fragment(number)
                found = folder and _runs(folder / "data", fragment, fields[name], width)
                if not found:
                    return None
                runs += found
        return cls(table, column, runs)

    def read(self, start: int, stop: int, spare: "list[Any] | None" = None) -> Tensor:
        """Return the rows from `start` to `stop`.

        Their memory goes to the list `spare` once no tensor uses it, and is taken from there.
        """
        width = self.column.entry_bytes
        numbers = _memory((stop - start) * width, [] if spare is None else spare)
        buffer = numbers.data
        with reading(self.table.path, self.table.version):
            for path, cuts in groupby(self._cuts(start, stop), key=lambda cut: cut.path):
                with open(path, "rb", buffering=0) as file:
                    for cut in cuts:
                        file.seek(cut.position)
                        buffer = _fill(file, buffer, cut.count * width)
        rows = torch.from_numpy(numbers).view(self.column.dtype)
        return rows.view(stop - start, *self.column.shape)

    def take(self, places: Tensor) -> Tensor:
        """Return the rows at some places, in this order."""
        width = self.column.entry_bytes
        order = places.argsort()
        numbers = np.empty((len(places), width), np.uint8)
        wanted = places[order].numpy()
        runs = np.searchsorted(self._stops, wanted, side="right").tolist()
        with reading(self.table.path, self.table.version):
            for path, group in groupby(
                zip(runs, wanted.tolist(), order.tolist(), strict=True),
                key=lambda found: self.runs[found[0]].path,
            ):
                with open(path, "rb", buffering=0) as file:
                    for at, place, slot in group:
                        run, row = self.runs[at], numbers[slot]
                        file.seek(run.position + (place - self._stops[at] + run.count) * width)
                        _fill(file, row.data, width)
        rows = torch.from_numpy(numbers).view(self.column.dtype)
        return rows.view(len(places), *self.column.shape)

    def _cuts(self, start: int, stop: int) -> Iterator[Run]:
        # The parts of runs that hold these rows.
        width, at = self.column.entry_bytes, bisect(self._stops, start)
        while start < stop:
            run, end = self.runs[at], min(stop, self._stops[at])
            skipped = run.count - (self._stops[at] - start)
            yield Run(run.path, run.position + skipped * width, end - start)
            start, at = end, at + 1


def _memory(size: int, spare: list[Any]) -> Any:
    # New memory for each block would be spread over the heap, and be as large as the table. NumPy
    # asks for huge pages, which are several times as fast as the memory of a tensor.
    memory = spare.pop() if spare and len(spare[-1]) >= size else np.empty(size, np.uint8)
    numbers = memory[:size]
    weakref.finalize(numbers, spare.append, memory).atexit = False
    return numbers


def _fill(file: Any, buffer: memoryview, size: int) -> memoryview:
    # Reads `size` bytes, and returns the rest of the buffer.
    rest = buffer[:size]
    while len(rest):
        count = file.readinto(rest)
        if not count:
            raise OSError(f"{Path(file.name).name} ends before its last row")
        rest = rest[count:]
    return buffer[size:]


def _runs(folder: Path, fragment: Any, field: int, width: int) -> list[Run] | None:
    # The runs of a column in a fragment; None if some of its pages hold anything but plain rows.
    facts = fragment.metadata
    files = [file for file in facts.files if field in file.fields]
    if len(files) != 1 or files[0].base_id is not None or facts.overlays:
        return None
    path, place = folder / files[0].path, files[0].fields.index(field)
    metadata = lance().file.LanceFileReader(str(path)).metadata()
    runs: list[Run] = []
    for page in metadata.columns[files[0].column_indices[place]].pages:
        text = re.sub(r"\b[1-9]\d*", "N", re.sub(r"\s", "", page.encoding))
        if text != PLAIN or len(page.buffers) != 1 or page.buffers[0].size % width:
            return None
        position, count = page.buffers[0].position, page.buffers[0].size // width
        if runs and position == runs[-1].position + runs[-1].count * width:
            position, count = runs[-1].position, runs.pop().count + count
        runs.append(Run(path, position, count))
    if sum(run.count for run in runs) != facts.physical_rows:
        return None
    return _without_removed(runs, fragment, width) if fragment.num_deletions else runs


def _without_removed(runs: list[Run], fragment: Any, width: int) -> list[Run]:
    addresses = fragment.scanner(columns=[], with_row_address=True).to_table().column("_rowaddr")
    places = addresses.to_numpy().astype(np.int64) % 2**32
    left, first = [], 0
    for run in runs:
        inside = places[(places >= first) & (places < first + run.count)] - first
        for part in np.split(inside, np.flatnonzero(np.diff(inside) != 1) + 1):
            if len(part):
                left.append(Run(run.path, run.position + int(part[0]) * width, len(part)))
        first += run.count
    return left


def grouped(batches: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of slices of record batches with at most `size` rows together."""
    # Only few rows are joined with some of the next batch: a single slice is read where it lies.
    parts: list[Any] = []
    count = 0
    for batch in batches:
        at = 0
        if 2 * count >= size and count + batch.num_rows > size:
            yield parts
            parts, count = [], 0
        while at < batch.num_rows:
            step = min(size - count, batch.num_rows - at)
            parts.append(batch.slice(at, step))
            at, count = at + step, count + step
            if count == size:
                yield parts
                parts, count = [], 0
    if parts:
        yield parts
