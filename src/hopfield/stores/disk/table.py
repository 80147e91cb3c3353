"""A Lance table at one version: it is scanned and changed, and changes are durable on return.

The order of every change: write files, sync them, commit, sync the manifest, return.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import Any

from ...errors import TableError, missing_extra
from ..sketch import Sketch
from . import durable
from .basis import SketchColumn, remove_others
from .columns import arrow, row_sums
from .failures import changed_elsewhere, check_version, reading
from .layout import BATCH_ROWS, MEMORY, Layout
from .paths import is_foreign, local_folder
from .sums import damaged_files

FRAGMENT_ROWS = 2**16
"""Most rows of a fragment: a file with rows, and the part of a table that one rank reads."""

SCAN = {"io_buffer_size": 2**25, "batch_readahead": 2, "fragment_readahead": 1}
"""Settings of scans. Lance's own buffer 700 MB, and are slower."""


def lance() -> Any:
    """Return the module lance."""
    try:
        import lance
        import lance.file
        import lance.fragment
        import lance.schema
    except ImportError:
        raise missing_extra("pylance", "disk") from None
    return lance


class Table:
    """One version of a table; a change returns the next one.

    Attributes:
        path: the folder, or the address of a bucket.
        dataset: the dataset of Lance at this version.
        layout: columns of the table.
    """

    def __init__(self, path: str, dataset: Any) -> None:
        """Read the layout of a dataset."""
        self.path, self.dataset = path, dataset
        self.layout = Layout.of_schema(path, dataset.schema)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, int]]:
        """Copy and pickle as a path and a version."""
        return open_version, (self.path, self.version)

    @property
    def version(self) -> int:
        """The number of the version."""
        return self.dataset.version

    @property
    def scan_settings(self) -> dict[str, int]:
        """The settings of scans of this table."""
        return {**SCAN, "batch_size": min(BATCH_ROWS, self.layout.part_rows)}

    @cached_property
    def sketch(self) -> Sketch | None:
        """The map from rows to their sketches, or None."""
        with reading(self.path, self.version):
            return None if self.layout.sketch is None else self.layout.sketch.read(self.path)

    def scan(
        self,
        columns: Sequence[str],
        condition: str | None = None,
        fragments: Sequence[int] | None = None,
    ) -> Iterator[Any]:
        """Yield record batches of some columns, of rows that meet a condition and lie in fragments.

        They come in the order of storage.
        """
        chosen = None
        if fragments is not None:
            chosen = [self.dataset.get_fragment(number) for number in fragments]
            if not chosen:
                return
        with reading(self.path, self.version):
            scanner = self.dataset.scanner(
                list(columns),
                filter=condition,
                fragments=chosen,
                scan_in_order=True,
                **self.scan_settings,
            )
            yield from scanner.to_batches()

    def fragments(self) -> list[int]:
        """Return the numbers of the fragments in the order of storage."""
        return [fragment.fragment_id for fragment in self.dataset.get_fragments()]

    def ids(self, **selection: Any) -> Any:
        """Return the ids of rows as an array; they ascend."""
        parts = [batch.column(0) for batch in self.scan(["id"], **selection)]
        return arrow().chunked_array(parts, arrow().int64()).to_numpy()

    def damaged_rows(self, fragment: Any, count: int) -> list[int]:
        """Return the rows of a fragment whose checksums are wrong, or all if it is unreadable."""
        damaged, start = [], 0
        try:
            with reading(self.path, self.version):
                scanner = self.dataset.scanner(fragments=[fragment], **self.scan_settings)
                for batch in scanner.to_batches():
                    sums = zip(
                        row_sums(batch).to_pylist(), batch.column("crc").to_pylist(), strict=True
                    )
                    damaged += [start + row for row, (now, then) in enumerate(sums) if now != then]
                    start += batch.num_rows
        except TableError:
            return list(range(count))
        return damaged if start == count else list(range(count))

    def check_files(self, are_rows_damaged: bool) -> None:
        """Raise if a file differs from what was written; those of damaged rows may."""
        check_version(self.path, self.version)
        folder = local_folder(self.path)
        with reading(self.path, self.version):
            damaged = [] if folder is None else damaged_files(folder)
        if are_rows_damaged:
            damaged = [name for name in damaged if not name.startswith(f"{durable.DATA}/")]
        if damaged:
            raise TableError(
                f"{self.path} must be as it was written, but has damaged files: "
                f"{', '.join(damaged):.200}. Use a copy of the table."
            )

    def take(self, places: Sequence[int], column: str) -> Any:
        """Return the entries of a column at these rows, in this order."""
        taken = self.take_columns(places, [column]).column(0)
        return taken.combine_chunks() if taken.num_chunks != 1 else taken.chunk(0)

    def take_columns(self, places: Sequence[int], columns: Sequence[str]) -> Any:
        """Return columns of these rows, in this order, as an Arrow table."""
        with reading(self.path, self.version):
            return self.dataset.take(list(places), columns=list(columns))

    def count(self, condition: str | None = None) -> int:
        """Return the number of rows, or of those that meet a condition."""
        with reading(self.path, self.version):
            return self.dataset.count_rows(condition)

    def describe(self, description: str) -> "Table":
        """Keep the description of the memory that reads the table."""
        operations = lance().LanceOperation
        updates = operations.UpdateMap({MEMORY.decode(): description})
        return self.change(lambda _: operations.UpdateConfig(schema_metadata_updates=updates))

    def replace(
        self, places: Sequence[int], batches: Iterable[Any] | None, layout: Layout
    ) -> "Table":
        """Add rows, if any, and remove those at these places, which ascend.

        Columns of `layout` that the table lacks are null in the rows before.
        """
        added = [field for name, field in layout.fields.items() if name not in self.layout.fields]
        numbers = [field.id() for field in self.dataset.lance_schema.fields()]
        if added and numbers != list(range(len(numbers))):  # new files would number them otherwise
            table = self.change(lambda dataset: dataset.add_columns(arrow().schema(added)))
            return table.replace(places, batches, layout)
        identities = self.take(places, "id").to_pylist() if len(places) else []

        def change(dataset: Any) -> Any:
            changed = _mark_removed(dataset, places, identities)
            mode = "overwrite" if added else "append"  # Lance appends no other columns
            new = []
            if batches is not None:
                new = write_fragments(dataset, layout.schema, batches, mode)
            return _merge(dataset, changed, new, layout if added else None)

        return self.change(change)

    def compact(self) -> "Table":
        """Join small fragments, and drop removed rows and all older versions."""

        def change(dataset: Any) -> Any:
            # Lance puts new fragments behind all others: to keep the order of rows, all that
            # follow the first one to be joined are written again.
            fragments = dataset.get_fragments()
            old = fragments[_count_unchanged(fragments) :]
            if not old:
                return None
            rows = dataset.scanner(
                fragments=old, scan_in_order=True, **self.scan_settings
            ).to_batches()
            new = write_fragments(dataset, dataset.schema, rows, "append")
            operations = lance().LanceOperation
            group = operations.RewriteGroup([fragment.metadata for fragment in old], new)
            return operations.Rewrite([group], [])

        table = self.change(change)
        with writing(self.path, table):
            # Without a lock, files that no version refers to may be those of another writer.
            is_locked = durable.has_lock(self.path)
            table.dataset.cleanup_old_versions(timedelta(0), delete_unverified=is_locked)
            remove_others(self.path, table.layout.sketch)
            folder = local_folder(self.path)
            if folder is not None:
                durable.merge_sums(folder, table.version)
        return table

    def change(self, change: Callable[[Any], Any]) -> "Table":
        """Write files and commit; `change` returns the operation, None if nothing is left to do."""
        with writing(self.path, self) as sync_files:
            dataset = lance().dataset(self.path, version=self.version)
            operation = change(dataset)
            sync_files()
            if operation is not None:
                dataset = commit(self.path, operation, self.version)
            return _synced(self.path, dataset)


def open_table(path: str) -> Table | None:
    """Return the newest version of a table; None where there is none yet."""
    folder = local_folder(path)
    if folder is None:
        try:
            return open_version(path)
        except TableError as error:
            if "not found" in str(error):
                return None
            raise
    with reading(path):
        if folder.is_file() or (folder.is_dir() and is_foreign(folder)):
            raise TableError(f"{path} must be a Lance table or not exist, but is something else.")
        version = durable.newest_version(folder)
        if marks := damaged_files(folder, f"{durable.DELETIONS}/"):  # Lance can abort the process
            raise TableError(
                f"{path} must be as it was written, but its marks of removed rows are damaged: "
                f"{', '.join(marks):.200}. Use a copy of the table."
            )
        return open_version(path, version) if version else None


def open_version(path: str, version: int | None = None) -> Table:
    """Return one version of a table, or the newest."""
    with reading(path, version):
        return Table(path, lance().dataset(path, version=version))


def write(
    path: str,
    table: Table | None,
    schema: Any,
    batches: Iterable[Any],
    mode: str,
    sketch: Sketch | None = None,
) -> Table:
    """Write rows into new fragments, and commit; `mode` is create, append or overwrite.

    The file of a new `sketch` is written first.
    """
    operations = lance().LanceOperation
    with writing(path, table) as sync_files:
        if sketch is not None:
            SketchColumn.of(sketch).write(path, sketch)
        fragments = write_fragments(path if table is None else table.dataset, schema, batches, mode)
        sync_files()
        operation: Any = operations.Append(fragments)
        if mode != "append":
            operation = operations.Overwrite(schema, fragments)
        return _synced(path, commit(path, operation, None if table is None else table.version))


def write_fragments(target: Any, schema: Any, batches: Iterable[Any], mode: str) -> Any:
    """Write rows into new files of a dataset, or of a path; return what to commit."""
    return lance().fragment.write_fragments(
        arrow().RecordBatchReader.from_batches(schema, batches),
        target,
        schema=schema,
        mode=mode,
        max_rows_per_file=FRAGMENT_ROWS,
    )


def _count_unchanged(fragments: Sequence[Any]) -> int:
    # Fragments at the start that stay: full ones, and the last one, if no rows were removed.
    for count, fragment in enumerate(fragments, 1):
        is_filled = count == len(fragments) or fragment.count_rows() == FRAGMENT_ROWS
        if fragment.num_deletions or not is_filled:
            return count - 1
    return len(fragments)


def commit(path: str, operation: Any, version: int | None) -> Any:
    """Commit an operation on a version, and return the dataset after it."""
    return lance().LanceDataset.commit(
        path, operation, version, enable_v2_manifest_paths=True, max_retries=0
    )


def _synced(path: str, dataset: Any) -> Table:
    folder = local_folder(path)
    dataset = lance().dataset(path, version=dataset.version)
    if folder is not None:
        durable.sync_commit(folder, dataset.version)
    return Table(path, dataset)


def parts_of(dataset: Any, places: Sequence[int]) -> Iterator[tuple[Any, slice]]:
    """Yield each fragment with some of the rows at `places`, which ascend, and their part."""
    start, at = 0, 0
    for fragment in dataset.get_fragments():
        first, start = at, start + fragment.count_rows()
        while at < len(places) and places[at] < start:
            at += 1
        if at > first:
            yield fragment, slice(first, at)


def _mark_removed(dataset: Any, places: Sequence[int], identities: Sequence[int]) -> list[Any]:
    # Write marks of removed rows; return the fragments that have some.
    changed = []
    for fragment, part in parts_of(dataset, places):
        if part.stop - part.start == fragment.count_rows():
            facts = fragment.metadata  # Lance drops it at the commit: of its marks no file is read
            count, kind = facts.physical_rows, lance().fragment.DeletionFile
            facts.deletion_file = kind(dataset.version, 0, "array", count, None)
            changed.append(facts)
        else:
            changed.append(fragment.delete(_one_of(identities[part])))
    return changed


def _merge(dataset: Any, changed: list[Any], new: Sequence[Any], layout: Layout | None) -> Any:
    # An operation that changes fragments and adds some. Lance would apply others, such as Append,
    # to a version that another program committed meanwhile, in which the same ids may be in use.
    old = {fragment.fragment_id: fragment.metadata for fragment in dataset.get_fragments()}
    old |= {fragment.id: fragment for fragment in changed}
    for number, fragment in enumerate(new, max(old, default=-1) + 1):
        fragment.id = number
    schema = dataset.lance_schema
    if layout is not None:  # with other columns
        schema = lance().schema.LanceSchema.from_pyarrow(layout.schema)
    return lance().LanceOperation.Merge([*old.values(), *new], schema)


def _one_of(identities: Sequence[int]) -> str:
    # A condition that holds for these ascending ids.
    first, last = identities[0], identities[-1]
    if last - first == len(identities) - 1:
        return f"id >= {first} AND id <= {last}"
    return f"id IN ({', '.join(map(str, identities))})"


@contextmanager
def writing(path: str, table: Table | None) -> Iterator[Callable[[], None]]:
    """Change a table as its only writer; yield a function that syncs the files written so far."""
    folder = local_folder(path)
    if folder is None:
        newest = open_table(path)  # Lance would add the rows to it, with ids that it has
        if newest is not None and (table is None or newest.version != table.version):
            raise changed_elsewhere(path)
        with reading(path):
            yield lambda: None
        return
    with reading(path):
        if not folder.parent.is_dir():
            raise TableError(f"{path} must be in a folder that exists. Make {folder.parent} first.")
        if not folder.is_dir():
            folder.mkdir()
            durable.sync(folder.parent)
        with durable.locked(folder):
            version = 0 if table is None else table.version
            if durable.newest_version(folder) != version:
                raise changed_elsewhere(path)
            before = durable.files_of(folder)
            try:
                yield lambda: durable.sync_new(folder, before)
            except BaseException:
                is_uncommitted = max(durable.manifests_of(folder), default=0) == version
                if is_uncommitted and durable.has_lock(path):
                    for path_left in durable.files_of(folder) - before:
                        path_left.unlink(missing_ok=True)
                raise
            durable.write_sums(folder, version, before)
