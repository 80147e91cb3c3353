"""Names, labels and columns of a table on disk as sequences: entries are read when needed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .columns import decode_cells
from .table import Table


class StoredColumn(Sequence[Any]):
    """The entries of a column, read from the disk at each access.

    Args:
        table: the table.
        name: the column.
        places: rows that count, or None for all.
        seen: a set of all entries, or None to read them when one is looked up.
    """

    __slots__ = ("_name", "_places", "_seen", "_table")

    def __init__(
        self,
        table: Table,
        name: str,
        places: Sequence[int] | None = None,
        seen: set[Any] | None = None,
    ) -> None:
        self._table, self._name, self._places, self._seen = table, name, places, seen

    def take(self, places: Sequence[int]) -> list[Any]:
        """Return the entries at these places."""
        if not len(places):
            return []
        if self._places is not None:
            places = [self._places[place] for place in places]
        return self._decode(self._table.take(places, self._name))

    def followed_by(self, table: Table, entries: Iterable[Any]) -> "StoredColumn":
        """Return the column of the next version of the table, which ends with `entries`."""
        if self._seen is not None:
            self._seen.update(entries)
        return StoredColumn(table, self._name, None, self._seen)

    def __contains__(self, entry: object) -> bool:
        """Return True if an entry equals this one; in constant time after the first call."""
        if self._seen is None:
            self._seen = set(self)
        return entry in self._seen

    def __getitem__(self, index: int) -> Any:  # type: ignore[override]
        """Return the entry at a place."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.take([index])[0]

    def __iter__(self) -> Iterator[Any]:
        """Yield one entry after another."""
        if self._places is not None:
            yield from self.take(range(len(self._places)))
            return
        for batch in self._table.scan([self._name]):
            yield from self._decode(batch.column(0))

    def __len__(self) -> int:
        """Return the number of entries."""
        return self._table.count() if self._places is None else len(self._places)

    def _decode(self, array: Any) -> list[Any]:
        return decode_cells(array, self._table.layout.fields[self._name])
