"""A store whose patterns lie in a Lance table on disk."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...checks import check_device, check_flag, check_integer, short_repr
from ...errors import InputTypeError, OptionError
from ...inputs.indices import index_list
from ..annotations import Annotations
from ..base import Store
from ..block import Block
from ..growing import remaining_rows
from ..packed import PackedBlock
from ..sketch import Sketch
from .columns import arrow, decode_masks
from .durable import has_lock
from .entries import StoredColumn
from .files import RowFiles, grouped
from .layout import Layout
from .paths import table_path
from .priors import set_priors
from .sketching import add_sketches, encode_sketches, read_sketches
from .table import Table, open_table, write

IDS_PER_VERSION = 2**32
"""Ids of the rows that version v of a table adds begin at this number times v."""


class DiskStore(Store):
    """A store whose rows lie in a Lance table, a folder that any reader of Lance opens.

    Rows are read block by block, never all at once. A change is durable when it returns: what was
    stored survives a crash and a power loss. One store changes a table at a time; others keep the
    version that they opened. Needs the extra `disk`.

    Args:
        path: the folder, such as "faces.lance", or an address such as "s3://bucket/faces.lance";
            made by the first `store` if missing.
        bits: keep ±1 patterns as bits, as a `PackedStore` does.
    """

    _replaced: Sequence[int] = ()
    """Places of rows that the next append removes."""

    def __init__(self, path: "str | PathLike[str]", *, bits: bool = False) -> None:
        """Open a table if there is one; its rows are then those of the store."""
        self.path = table_path(path)
        self.signs_only = check_flag("bits", bits)
        self._table: Table | None = None
        self._count = 0
        self._places: Tensor | None = None
        self._selection: dict[str, Any] = {}
        self._adopt(open_table(self.path))
        if self._count:
            self.annotations = self._read_annotations()
        if bits and self._count and not self.signs_only:
            raise OptionError(f"bits must be False: {self.path} holds patterns of numbers.")

    def __repr__(self) -> str:
        """Return the path and the condition of the rows."""
        condition = self._selection.get("condition")
        return f"DiskStore({self.path!r})" + (f".where({condition!r})" if condition else "")

    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        """Add copies of all `rows` and `values`; durable on return."""
        self._append(rows, None, values)

    @contextmanager
    def replacing(self, indices: Tensor) -> Iterator[None]:
        """Remove the rows at `indices` in one change with the `add` inside."""
        with self.lock.writing:
            self._replaced = sorted(place % self._count for place in indices.tolist())
            try:
                yield
            finally:
                self._replaced = ()
                self.epoch += 1
                self._cache.clear()

    def append_with_gaps(
        self, rows: Tensor, known: Tensor | None, values: Tensor | None = None
    ) -> None:
        """Add copies of all `rows`, masks and `values`; durable on return."""
        if self.signs_only:
            raise OptionError("known must be left out: bits hold complete rows only.")
        self._append(rows, known, values)

    def _append(self, rows: Tensor, known: Tensor | None, values: Tensor | None) -> None:
        self._refuse_selection("append")
        check_device("patterns", rows, self.device)
        new = self._incoming or Annotations(len(rows))
        if not len(rows):
            return
        table, before = self._table, self._count
        if table is None or not before:
            layout = Layout.new(rows, values, new, self.signs_only)
            if table is not None:  # emptied: how it answers stays
                layout = replace(layout, description=table.layout.description)
            mode = "create" if table is None else "overwrite"
        else:
            layout, mode = table.layout.extended(new.table), "append"
        columns = layout.encode_annotations(new)  # before anything is written
        if before:
            columns |= encode_sketches(table, rows)
        first = (1 if table is None else table.version + 1) * IDS_PER_VERSION
        batches = layout.batches(first, rows, known, values, columns)
        prior = self._remaining_prior(self._replaced)
        is_plain = table is None or (not self._replaced and layout is table.layout)
        if table is None or not before or (is_plain and has_lock(self.path)):
            table = write(self.path, table, layout.schema, batches, mode)
        else:
            table = table.replace(self._replaced, batches, layout)
        has_gaps = known is not None or (self.has_gaps and before > 0)
        self._adopt(table, has_gaps)
        self._extend_annotations(before - len(self._replaced), prior, new)

    def remove(self, indices: Tensor) -> None:
        """Remove the rows at `indices`; durable on return."""
        self._refuse_selection("remove")
        table = self._table
        if table is None or not len(indices):
            return
        removed = sorted({place % self._count for place in indices.tolist()})
        prior = self._remaining_prior(removed)
        self._adopt(table.replace(removed, None, table.layout))
        self.annotations = self._annotations(prior)

    def take(self, indices: Tensor) -> Tensor:
        """Return the rows at `indices`."""
        layout, files = self._opened.layout, None
        if self._count and indices.numel() and not layout.bits:
            files = self._row_files()
        if files is None:
            rows = layout.decode([self._opened.take(self._places_of(indices), "vector")])
        else:
            rows = files.take(indices.flatten() % self._count)
        return rows.reshape(*indices.shape, rows.shape[-1])

    def take_known(self, indices: Tensor) -> Tensor | None:
        """Return the masks of the rows at `indices`; None if all rows are complete."""
        if not self.has_gaps:
            return None
        masks = decode_masks([self._opened.take(self._places_of(indices), "known")], self.dim)
        return masks.reshape(*indices.shape, self.dim)

    def take_values(self, indices: Tensor) -> Tensor:
        """Return the values at `indices`."""
        column = self._opened.layout.values
        if column is None:
            raise OptionError(f"{self.path} must hold values that are numbers, but holds none.")
        return column.decode([self._opened.take(self._places_of(indices), "value")])

    def blocks(self, size: int) -> Iterator[Block | PackedBlock]:
        """Yield all rows in order, at most `size` per block."""
        if not self._count:
            return
        layout, files = self._opened.layout, self._row_files()
        size = min(size, layout.part_rows)
        columns = ["vector"] if files is None else []
        columns += ["known"] if self.has_gaps else []
        columns += ["value"] if layout.values is not None else []
        summary = self._cache.get("summary")
        norms = summary[1].squared_norms if summary and summary[0] == (self.version,) else None
        spare: list[Any] = []
        for start, stop, arrays in self._parts(columns, size):
            values = None
            if layout.values is not None:
                values = layout.values.decode(arrays["value"], shared=True)
            if files is None:
                stored = layout.stored.decode(arrays["vector"], shared=True)
            else:
                stored = files.read(start, stop, spare)
            if layout.bits:
                like = torch.empty(0, self.dim, dtype=self.dtype)
                yield PackedBlock(start, stop, stored.T.contiguous(), like, values, start)
            else:
                known = decode_masks(arrays["known"], self.dim) if self.has_gaps else None
                some_norms = None if norms is None else norms[start:stop]
                yield Block(start, stored, values, some_norms, known=known)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._count

    def verify(self) -> Tensor:
        """Return the indices of rows that are damaged or cannot be read; none if all are whole.

        The checksum of each row is computed again from all that was stored with it, and in a local
        folder that of each file. Reading does not compute checksums: call this when a disk is in
        doubt.

        Raises:
            TableError: if files are damaged from which no row is read.
        """
        if self._table is None:
            return torch.empty(0, dtype=torch.long)
        table, damaged, start = self._opened, [], 0
        if table.layout.sketch is not None:
            table.layout.sketch.read(table.path)
        with self.lock.reading:
            for fragment in table.dataset.get_fragments():
                count = fragment.count_rows()
                damaged += [start + row for row in table.damaged_rows(fragment, count)]
                start += count
            table.check_files(bool(damaged))
        found = torch.tensor(damaged, dtype=torch.long)
        return found if self._places is None else torch.isin(self._places, found).nonzero()[:, 0]

    def compact(self) -> None:
        """Join the small files of many appends, and free the space of removed rows."""
        if self._table is not None:
            self._rewrite("compact", Table.compact)

    def add_sketch(self, size: int | None = None) -> None:
        """Add `size` coordinates to each row, by which certified readouts find those they need.

        They are principal coordinates of the rows as they are now: by default 128, or a quarter
        of `dim` if that is less. The table is written again. Rows stored later get theirs.
        """
        self._rewrite("add_sketch", partial(add_sketches, size=size))

    @property
    def sketch(self) -> Sketch | None:
        """The map from rows to their sketches; None without `add_sketch`."""
        return None if self._table is None or not self._count else self._table.sketch

    def sketches(self) -> Iterator[Tensor]:
        """Yield the sketches of all rows in order, float32, part by part."""
        return read_sketches(self._opened, **self._selection)

    def written_annotations(self, annotations: Annotations | None) -> Annotations | None:
        """Write other priors, of all rows or none; names and columns stay."""
        self._refuse_selection("set_prior")
        empty = Annotations(self._count)
        old, new = self.annotations or empty, annotations or empty
        if (old.names, old.labels, old.table) != (new.names, new.labels, new.table):
            raise OptionError(
                f"names, labels and columns of {self.path} must stay as they were stored. Store "
                "the patterns in a new table."
            )
        numbers = new.full_prior()
        changed = (numbers != old.full_prior()).nonzero()[:, 0]
        if len(changed):
            places, priors = changed.tolist(), numbers[changed].tolist()
            self._adopt(set_priors(self._opened, places, priors), self.has_gaps)
        return self._annotations(new.prior)

    def where(self, condition: str) -> "DiskStore":
        """Return a store of the rows that meet an SQL condition on columns, such as "year > 1990".

        It shares the table, is read-only, and keeps the version of now. Columns are those of the
        table stored with the patterns, `name`, and `value` if values are numbers or strings.
        """
        if not isinstance(condition, str):
            raise InputTypeError(
                f"condition must be a string like 'year > 1990', but is {short_repr(condition)}."
            )
        before = self._selection.get("condition")
        both = condition if before is None else f"({before}) AND ({condition})"
        return self._view(condition=both)

    def shard(self, rank: int, world: int) -> "DiskStore":
        """Return a store of every `world`-th file of the table, from `rank` on: read-only."""
        check_integer("world", world, low=1)
        check_integer("rank", rank, low=0, high=world - 1)
        fragments = self._selection.get("fragments", self._opened.fragments())
        return self._view(fragments=fragments[rank::world])

    def places_in(self, whole: "DiskStore") -> Tensor:
        """Return the index of each row in a store of which this one is a part."""
        own = torch.arange(self._count) if self._places is None else self._places
        return own if whole._places is None else torch.searchsorted(whole._places, own)

    def table(self, indices: int | Iterable[int] | Tensor) -> Any:
        """Return names, strings stored as values, and columns of these rows as an Arrow table."""
        layout = self._opened.layout
        titles = {"name": "name"} if "name" in layout.fields else {}
        titles |= {"value": "value"} if layout.has_labels else {}
        titles |= layout.columns
        flat = indices.flatten() if isinstance(indices, Tensor) else indices
        places = self._places_of(torch.tensor(index_list(flat, self._count), dtype=torch.long))
        cells = [self._opened.take(places, name) for name in titles.values()]
        return arrow().table(cells, names=list(titles))

    def _view(self, **selection: Any) -> "DiskStore":
        view: Any = DiskStore.__new__(DiskStore)
        view.path, view._selection = self.path, self._selection | selection
        view._adopt(self._opened, self.has_gaps)
        every, some = self._opened.ids(), self._opened.ids(**view._selection)
        view._places = torch.from_numpy(np.searchsorted(every, some))
        view._count = len(some)
        view.annotations = view._read_annotations() if view._count else None
        return view

    # ---- the table behind the store

    @property
    def _opened(self) -> Table:
        if self._table is None:
            raise OptionError(f"{self.path} must hold patterns, but is empty. Store some first.")
        return self._table

    def _adopt(self, table: Table | None, has_gaps: bool | None = None) -> None:
        # Make a version of the table the one of this store.
        self._table, self._count = table, 0 if table is None else table.count()
        if table is None or not self._count:  # the next rows decide dim and dtype
            self.has_gaps = False
            return
        layout = table.layout
        self.dim, self.dtype = layout.rows.shape[0], layout.rows.dtype
        self.signs_only = layout.bits
        self.has_gaps = table.count("known IS NOT NULL") > 0 if has_gaps is None else has_gaps

    def _rewrite(self, caller: str, change: Callable[[Table], Table]) -> None:
        self._refuse_selection(caller)
        with self.lock.writing:
            self._adopt(change(self._opened), self.has_gaps)
            self.annotations = self._annotations(self.prior)

    def _row_files(self) -> RowFiles | None:
        # Where the rows lie in the files; None if Lance has to find or to decode them.
        if "condition" in self._selection:
            return None
        table, column = self._opened, self._opened.layout.stored
        make = partial(RowFiles.of, table, "vector", column, **self._selection)
        return self.cached("files", make, table.version)

    def _parts(self, columns: list[str], size: int) -> Iterator[tuple[int, int, dict[str, Any]]]:
        # Consecutive parts of the rows: first row, end, and arrays of each column.
        if not columns:
            for start in range(0, self._count, size):
                yield start, min(start + size, self._count), {}
            return
        start = 0
        for parts in grouped(self._opened.scan(columns, **self._selection), size):
            stop = start + sum(part.num_rows for part in parts)
            yield start, stop, {name: [part.column(name) for part in parts] for name in columns}
            start = stop

    def _refuse_selection(self, caller: str) -> None:
        if self._selection:
            raise OptionError(
                f"{caller} needs a whole table, but this store has only some of its rows. "
                f"Use DiskStore({short_repr(self.path)})."
            )

    def _places_of(self, indices: Tensor) -> list[int]:
        places = indices.flatten() % max(1, self._count)
        return (places if self._places is None else self._places[places]).tolist()

    def _read_annotations(self) -> Annotations | None:
        prior = None
        if self._opened.count("prior IS NOT NULL"):
            parts = [batch.column(0).fill_null(1.0)
                     for batch in self._opened.scan(["prior"], **self._selection)]  # fmt: skip
            prior = torch.from_numpy(arrow().chunked_array(parts).to_numpy().copy())
        return self._annotations(prior)

    def _annotations(self, prior: Tensor | None) -> Annotations | None:
        # Names and columns of the table, which are read when needed.
        table = self._opened
        places = None if self._places is None else self._places.tolist()
        fields, columns = table.layout.fields, table.layout.columns

        def column(name: str) -> StoredColumn:
            return StoredColumn(table, name, places)

        annotations = Annotations(
            self._count,
            column("name") if "name" in fields else None,
            column("value") if table.layout.has_labels else None,
            prior,
            {title: column(name) for title, name in columns.items()},
        )
        return None if annotations.is_empty or not self._count else annotations

    def _remaining_prior(self, removed: Sequence[int]) -> Tensor | None:
        prior = self.prior
        if prior is None or not len(removed):
            return prior
        return prior[remaining_rows(self._count, torch.tensor(removed))]

    def _extend_annotations(self, before: int, prior: Tensor | None, new: Annotations) -> None:
        # `before` and `prior` are those of the rows that the new ones follow.
        names = self.annotations.names if before and self.annotations else None
        if prior is not None or new.prior is not None:
            old = Annotations(before, prior=prior if before else None)
            prior = torch.cat([old.full_prior(), new.full_prior()])
        extended = self._annotations(prior)
        if extended and isinstance(names, StoredColumn) and new.names and not self._replaced:
            extended = replace(extended, names=names.followed_by(self._opened, new.names))
        self.annotations = extended
