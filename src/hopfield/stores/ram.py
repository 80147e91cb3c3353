"""Patterns in memory, on one device."""

import math

import torch
from torch import Tensor

from ..errors import EmptyMemoryError
from .base import Block, Store
from .scan import ScanCopy

NORM_ROWS = 1024
"""Rows squared at a time."""

KEPT_ENTRIES = 2**20
"""Entries of a store that also keeps its rows in the other precisions they are computed with."""


class RamStore(Store):
    """Rows in one tensor that grows by doubling, so that storing one by one stays linear.

    What is kept is made outside of torch's inference mode, so that it can be used there and
    elsewhere.
    """

    def __init__(self) -> None:
        """An empty store; the first rows decide dim, dtype and device."""
        self.version = 0
        self.epoch = 0
        self._count = 0
        self._rows: Tensor | None = None
        self._values: Tensor | None = None
        self._viewed: tuple[int, tuple[Tensor, Tensor]] | None = None
        self._norms: tuple[int, Tensor] | None = None
        self._largest: tuple[int, float] | None = None
        self._blocks: tuple[tuple[int, int, bool], list[Block]] | None = None
        self._scan: tuple[int, ScanCopy] | None = None

    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        """Add copies of `rows`, all or none."""
        # An emptied store is like a new one: the next rows decide again.
        kept = (self._rows, self._values) if self._count else (None, None)
        with torch.inference_mode(False):
            grown = appended(kept[0], self._count, rows)
            self._values = None if values is None else appended(kept[1], self._count, values)
        self._rows = grown
        self._count += len(rows)
        self.version += 1

    def remove(self, indices: Tensor) -> None:
        """Take rows away; those behind them move up."""
        keep = torch.ones(self._count, dtype=torch.bool, device=self.rows.device)
        keep[indices.to(keep.device)] = False
        with torch.inference_mode(False):
            self._values = None if self.values is None else self.values[keep.to(self.values.device)]
            self._rows = self.rows[keep]
        self._count = len(self._rows)
        self.version += 1
        self.epoch += 1

    def take(self, indices: Tensor) -> Tensor:
        """Copies of the rows at `indices`."""
        return self.rows[indices]

    def blocks(self, size: int) -> list[Block]:
        """All rows in order, `size` at a time."""
        norms = None
        if self._norms is not None and self._norms[0] == self.version:
            norms = self._norms[1]
        key = (self.version, size, norms is None)
        if self._blocks is None or self._blocks[0] != key:
            rows, values = self.rows, self.values
            small = rows.numel() <= KEPT_ENTRIES
            parts = [slice(start, start + size) for start in range(0, len(rows), size)]
            blocks = [
                Block(
                    part.start,
                    rows[part],
                    cut(values, part),
                    cut(norms, part),
                    {} if small else None,
                )
                for part in parts
            ]
            self._blocks = (key, blocks)
        return self._blocks[1]

    def norms(self) -> Tensor:
        """Σ_i x_μi² of every row, kept until the rows change."""
        if self._norms is None or self._norms[0] != self.version:
            with torch.inference_mode(False):
                precision = torch.promote_types(self.rows.dtype, torch.float32)
                norms = self.rows.new_empty(self._count, dtype=precision)
                for block in self.blocks(NORM_ROWS):  # one by one: else no memory is used again
                    norms[block.start : block.start + len(block)] = block.squares()
                self._norms = (self.version, norms)
        return self._norms[1]

    def largest_norm(self) -> float:
        """M = max ‖x_μ‖, kept likewise."""
        if self._largest is None or self._largest[0] != self.version:
            self._largest = (self.version, math.sqrt(self.norms().max().item()))
        return self._largest[1]

    def scan_copy(self) -> ScanCopy:
        """The rows in 8 bits, kept until they change."""
        if self._scan is None or self._scan[0] != self.version:
            self.norms()
            with torch.inference_mode(False):
                self._scan = (self.version, ScanCopy.of(self.blocks(NORM_ROWS)))
        return self._scan[1]

    def __len__(self) -> int:
        """Number of rows."""
        return self._count

    @property
    def rows(self) -> Tensor:
        """All rows, `(n, dim)`: a view, never write to it."""
        return self._views()[0]

    @property
    def like(self) -> Tensor:
        """An empty tensor of the rows' dtype and length, where they are."""
        return self._views()[1]

    def _views(self) -> tuple[Tensor, Tensor]:
        """All rows and none of them, kept until they change."""
        if self._rows is None:
            raise EmptyMemoryError(
                "this needs at least one pattern, but nothing is stored. "
                "Call store(patterns) first."
            )
        if self._viewed is None or self._viewed[0] != self.version:
            with torch.inference_mode(False):
                self._viewed = (self.version, (self._rows[: self._count], self._rows[:0]))
        return self._viewed[1]

    @property
    def values(self) -> Tensor | None:
        """All values, `(n, *)`: a view, never write to it."""
        return cut(self._values, slice(0, self._count))

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "RamStore":
        """Move the rows (and floating values) and return self."""
        if self._rows is not None:
            values = self.values
            with torch.inference_mode(False):
                moved = self.rows.to(device=device, dtype=dtype)
                if values is not None:
                    floats = dtype if values.is_floating_point() else None
                    values = values.to(device=device, dtype=floats)
            self._rows, self._values = moved, values
            self._count = len(moved)
            self.version += 1
            self.epoch += 1
        return self


def cut(values: Tensor | None, part: slice) -> Tensor | None:
    """Some of the values, where there are any."""
    return None if values is None else values[part]


def appended(old: Tensor | None, count: int, new: Tensor) -> Tensor:
    """A tensor that begins with `count` old rows and the new ones; old memory where it fits."""
    total = count + len(new)
    if old is None or total > len(old):
        room = total if old is None else max(total, 2 * len(old))
        grown = new.new_empty(room, *new.shape[1:])
        if old is not None:
            grown[:count] = old[:count]
        old = grown
    old[count:total] = new.detach()
    return old
