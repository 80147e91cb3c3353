"""Patterns in memory, on one device."""

from typing import ClassVar

import torch
from torch import Tensor

from .base import SUMMARY_ROWS, Store
from .block import Block
from .scan import ScanCopy

CONVERTED_ENTRIES = 2**20
"""Entries up to which a store keeps its rows in every precision that computes with them."""


class RamStore(Store):
    """Rows in one tensor that grows by doubling, so that storing one by one stays linear."""

    resident: ClassVar[bool] = True

    def __init__(self) -> None:
        """Make an empty store; the first rows decide dim, dtype and device."""
        self._buffers: tuple[Tensor | None, Tensor | None] = (None, None)
        self._count = 0

    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        """Add copies of `rows` and `values`, all or none."""
        # An emptied store is like a new one: the next rows decide again.
        old, old_values = self._buffers if self._count else (None, None)
        with torch.inference_mode(False):
            grown = appended(old, self._count, rows)
            grown_values = None if values is None else appended(old_values, self._count, values)
        self._set(grown, grown_values, self._count + len(rows))

    def remove(self, indices: Tensor) -> None:
        """Remove rows; those behind them move up."""
        left = torch.ones(self._count, dtype=torch.bool, device=self.device)
        left[indices.to(self.device)] = False
        with torch.inference_mode(False):
            rows = self.rows[left]
            values = None if self.values is None else self.values[left.to(self.values.device)]
        self._set(rows, values, len(rows))

    def take(self, indices: Tensor) -> Tensor:
        """Return copies of the rows at `indices`."""
        return self.rows[indices]

    def blocks(self, size: int) -> list[Block]:
        """Return all rows in order, at most `size` per block."""
        if not self._count:
            return []
        version = self.version
        summary = self._cache.get("summary")
        norms = summary[1].squared_norms if summary and summary[0] == version else None
        key = (size, norms is not None)
        kept = self._cache.get("blocks")
        blocks: list[Block] | None = None
        if kept is not None and kept[0] == version and kept[1][0] == key:
            blocks = kept[1][1]
        if blocks is None:
            converted = self.rows.numel() <= CONVERTED_ENTRIES
            blocks = [
                Block(
                    part.start,
                    self.rows[part],
                    None if self.values is None else self.values[part],
                    None if norms is None else norms[part],
                    {} if converted else None,
                )
                for part in (slice(at, at + size) for at in range(0, self._count, size))
            ]
            self._cache["blocks"] = version, (key, blocks)
        return blocks

    def scan_copy(self) -> ScanCopy:
        """Return the rows in 8 bits, made once per version."""
        self.summary()  # blocks then carry the norms
        return self.cached("scan", lambda: ScanCopy.of(self.blocks(SUMMARY_ROWS)))

    def __len__(self) -> int:
        """Number of rows."""
        return self._count

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "RamStore":
        """Move the rows (and floating point values) and return self."""
        if self._count:
            with torch.inference_mode(False):
                values = self.values
                if values is not None:
                    floats = dtype if values.is_floating_point() else None
                    values = values.to(device=device, dtype=floats)
                self._set(self.rows.to(device=device, dtype=dtype), values, self._count)
        return self

    def _set(self, rows: Tensor, values: Tensor | None, count: int) -> None:
        self._buffers, self._count = (rows, values), count
        self.dim, self.dtype, self.device = rows.shape[1], rows.dtype, rows.device
        with torch.inference_mode(False):
            self.rows = rows[:count]
            self.values = None if values is None else values[:count]


def appended(old: Tensor | None, count: int, new: Tensor) -> Tensor:
    """Return a tensor that begins with `count` old rows and the new ones, in place if they fit."""
    total = count + len(new)
    if old is None or total > len(old):
        room = total if old is None else max(total, 2 * len(old))
        grown = new.new_empty(room, *new.shape[1:])
        if old is not None:
            grown[:count] = old[:count]
        old = grown
    old[count:total] = new.detach()
    return old
