"""Tensors and sequences that grow at the end: appending is amortised O(1)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


def appended(old: Tensor | None, new: Tensor, room: Tensor | None, axis: int = 0) -> Tensor:
    """Return a tensor that begins with the rows `old` and `new`; unused rows may follow.

    Args:
        old: the rows before, or None.
        new: the rows to add; rows lie along `axis`.
        room: a tensor that begins with `old`, and that no other object writes to; or None. It is
            returned if `new` fits behind `old`; else a new tensor is.
        axis: the axis of rows.
    """
    count, added = 0 if old is None else old.shape[axis], new.shape[axis]
    if old is None or room is None or count + added > room.shape[axis]:
        shape = list(new.shape)
        shape[axis] = max(count + added, 2 * count)
        room = new.new_empty(shape)
        if old is not None:
            room.narrow(axis, 0, count).copy_(old)
    # Graphs of energies may hold the rows before. They do not change, but their version would.
    room.data.narrow(axis, count, added).copy_(new.detach())
    return room


class GrowingTensor:
    """Rows that are appended to one tensor.

    Attributes:
        filled: the rows so far
    """

    filled: Tensor
    _room: Tensor | None = None

    def append(self, rows: Tensor) -> None:
        """Add copies of the rows."""
        before = None if self._room is None else self.filled
        self._room = appended(before, rows, self._room)
        self.filled = self._room[: len(rows) + (0 if before is None else len(before))]


def remaining_rows(count: int, indices: Tensor) -> Tensor:
    """Return a mask of `count` rows, False at `indices`."""
    remaining = torch.ones(count, dtype=torch.bool, device=indices.device)
    remaining[indices] = False
    return remaining


class Column(Sequence[T]):
    """An immutable sequence; `extended` returns a longer one that shares its memory."""

    __slots__ = ("_count", "_entries", "_places")

    def __init__(self, entries: Iterable[T]) -> None:
        """Keep a copy of the entries."""
        self._entries = list(entries)
        self._count = len(self._entries)
        self._places: dict[T, int] | None = None

    def extended(self, entries: Sequence[T]) -> "Column[T]":
        """Return this column with more entries behind its own."""
        longer: Column[T] = Column(())
        longer._entries, longer._places = self._entries, self._places
        if len(self._entries) != self._count:  # another column has grown from this one
            longer._entries, longer._places = list(self), None
        longer._entries.extend(entries)
        longer._count = self._count + len(entries)
        if longer._places is not None:
            _add_places(longer._places, entries, self._count)
        return longer

    def __contains__(self, entry: object) -> bool:
        """Return True if an entry equals this one; in constant time after the first call."""
        if self._places is None:
            places: dict[T, int] = {}
            _add_places(places, list(self), 0)
            self._places = places
        return self._places.get(entry, self._count) < self._count  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> T:  # type: ignore[override]
        """Return the entry at a place."""
        if not 0 <= index < self._count:
            raise IndexError(index)
        return self._entries[index]

    def __iter__(self) -> Iterator[T]:
        """Return one entry after another."""
        return islice(self._entries, self._count)

    def __len__(self) -> int:
        """Return the number of entries."""
        return self._count

    def __reduce__(self) -> tuple[type, tuple[list[T]]]:
        """Copy and pickle without the entries of longer columns."""
        return Column, (list(self),)


def _add_places(places: dict[T, int], entries: Iterable[T], start: int) -> None:
    for place, entry in enumerate(entries, start):
        places.setdefault(entry, place)
