"""The default store: all patterns in one tensor, on one device."""

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from .base import Store
from .block import Block
from .growing import appended, remaining_rows

CONVERTED_ENTRIES = 2**20
"""Matrix entries up to which rows are converted once per dtype; above, at each computation."""


class RamStore(Store):
    """A store with all rows in one tensor, which doubles when full: appending is amortised O(1)."""

    resident: ClassVar[bool] = True

    def __init__(self) -> None:
        """Make an empty store; the first rows decide dim, dtype and device."""
        self._count = 0

    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        """Add copies of all `rows` and `values`; if this fails, nothing changes."""
        self._append(rows, None, values)

    def append_with_gaps(
        self, rows: Tensor, known: Tensor | None, values: Tensor | None = None
    ) -> None:
        """Add copies of all `rows`, masks and `values`; if this fails, nothing changes."""
        self._append(rows, known, values)

    def _append(self, rows: Tensor, known: Tensor | None, values: Tensor | None) -> None:
        # As in a new store, the first rows after it was emptied decide dim, dtype and device.
        before, values_before = (self.rows, self.values) if self._count else (None, None)
        room, values_room, known_room = self._buffers
        with torch.inference_mode(False):
            grown = appended(before, rows, room)
            grown_values = None if values is None else appended(values_before, values, values_room)
            if known is not None or self.has_gaps:
                new = torch.ones_like(rows, dtype=torch.bool) if known is None else known
                old = self.known
                if old is None and before is not None:
                    old = torch.ones_like(before, dtype=torch.bool)
                known = appended(old, new, known_room)
        self._set(grown, grown_values, known, self._count + len(rows))

    def remove(self, indices: Tensor) -> None:
        """Remove the rows at `indices`; the later rows move up."""
        remaining, values = remaining_rows(self._count, indices), self.values
        with torch.inference_mode(False):
            rows = self.rows[remaining.to(self.device)]
            values = None if values is None else values[remaining.to(values.device)]
            known = None if self.known is None else self.known[remaining.to(self.device)]
            if known is not None and bool(known.all()):  # no row with gaps is left
                known = None
        self._set(rows, values, known, len(rows))

    def take(self, indices: Tensor) -> Tensor:
        """Return copies of the rows at `indices`."""
        return self.rows[indices]

    def blocks(self, size: int) -> list[Block]:
        """Return all rows in order, at most `size` per block."""
        summary = self._cache.get("summary")
        norms = summary[1].squared_norms if summary and summary[0] == (self.version,) else None
        return self.cached("blocks", partial(self._blocks, size, norms), size, norms is not None)

    def _blocks(self, size: int, norms: Tensor | None) -> list[Block]:
        return [
            Block(
                part.start,
                self.rows[part],
                None if self.values is None else self.values[part],
                None if norms is None else norms[part],
                {} if self.rows.numel() <= CONVERTED_ENTRIES else None,
                None if self.known is None else self.known[part],
            )
            for part in (slice(at, at + size) for at in range(0, self._count, size))
        ]

    def __len__(self) -> int:
        """Number of rows."""
        return self._count

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "RamStore":
        """Move rows and values; convert rows and floating point values; return self."""
        if self._count:
            with torch.inference_mode(False):
                rows = self.rows.to(device=device, dtype=dtype)
                values = moved_values(self.values, device, dtype)
                known = None if self.known is None else self.known.to(device=device)
            self._set(rows, values, known, self._count)
        return self

    def _set(self, rows: Tensor, values: Tensor | None, known: Tensor | None, count: int) -> None:
        self._buffers, self._count = (rows, values, known), count
        self.has_gaps = known is not None
        self.dim, self.dtype, self.device = rows.shape[1], rows.dtype, rows.device
        with torch.inference_mode(False):
            self.rows = rows[:count]
            self.values = None if values is None else values[:count]
            self.known = None if known is None else known[:count]


def moved_values(
    values: Tensor | None, device: torch.device | str | None, dtype: torch.dtype | None
) -> Tensor | None:
    """Return the values on `device`, and in `dtype` if they are floating point."""
    if values is None:
        return None
    return values.to(device=device, dtype=dtype if values.is_floating_point() else None)
