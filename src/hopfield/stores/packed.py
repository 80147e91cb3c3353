"""A store of ±1 patterns as bits, which take 1/32 of the memory of float32."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .. import kernels
from ..packing import pack, unpack
from .base import Store
from .growing import appended, remaining_rows
from .ram import moved_values

UNPACKED_ROWS = 512
"""Number of rows that are unpacked at a time."""


@dataclass(frozen=True, eq=False)
class PackedBlock:
    """Consecutive rows of a packed store; their scores at ±1 states are exact whole numbers.

    Attributes:
        start: index of the first row in the store.
        stop: index after the last row.
        words: the bits of these rows and of others of the store, `(words, capacity)`.
        like: an empty tensor with the dtype and length of the rows.
        values: the values of the rows, `(n, *)`, or None.
        offset: index of the row whose bits come first in `words`.
    """

    start: int
    stop: int
    words: Tensor
    like: Tensor
    values: Tensor | None = None
    offset: int = 0

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.stop - self.start

    def placed(self, first: int, stop: int, start: int) -> "PackedBlock":
        """Return some of the rows as those from `start` on of another store."""
        offset = self.offset + start - (self.start + first)
        values = None if self.values is None else self.values[first:stop]
        place = start, start + stop - first
        return PackedBlock(*place, self.words, self.like, values, offset)

    @property
    def rows(self) -> Tensor:
        """The rows as numbers, unpacked at each access."""
        return self._unpack(self.start, self.stop, self.like.dtype)

    def scores(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n"]:
        """Return the scores Xx, by bit counts if states have entries ±1 and 0 only."""
        flat = state if state.ndim == 2 else state.reshape(-1, state.shape[-1])
        # Torch unpacks each row once; the kernel counts its bits once per state.
        entries = len(self) * flat.shape[1] * (flat.shape[0] + 32)
        scores = None
        if kernels.fused("bits", 0, entries, flat, self.words):
            scores = self._count_bits(flat)
        if scores is None:
            wide = flat.to(torch.promote_types(self.like.dtype, flat.dtype))
            scores = torch.cat([wide @ part.T for part in self._parts(wide.dtype)], dim=-1)
        return scores if flat is state else scores.reshape(*state.shape[:-1], len(self))

    def squares(self, mask: Float[Tensor, "*batch dim"] | None = None) -> Float[Tensor, "*batch n"]:
        """Return Σ_i m_i x_μi² = Σ_i m_i of each row, with the mask m; None means m = 1."""
        if mask is None:
            dtype = torch.promote_types(self.like.dtype, torch.float32)
            return self.like.new_full((len(self),), self.like.shape[-1], dtype=dtype)
        return mask.sum(-1, keepdim=True).expand(*mask.shape[:-1], len(self))

    def weighted_sum(
        self, weights: Float[Tensor, "*batch k"], at: Int[Tensor, " k"] | None = None
    ) -> Float[Tensor, "*batch dim"]:
        """Return weights @ rows[at], for all rows if `at` is None."""
        wide = weights.to(torch.promote_types(self.like.dtype, weights.dtype))
        if at is not None:
            words = self.words[:, self.start - self.offset + at].T
            return wide @ unpack(words, self.like.shape[-1], wide.dtype)
        shares = wide.split(UNPACKED_ROWS, dim=-1)
        total = wide.new_zeros(*weights.shape[:-1], self.like.shape[-1])
        for share, part in zip(shares, self._parts(wide.dtype), strict=True):
            total += share @ part
        return total

    def _parts(self, dtype: torch.dtype) -> Iterator[Tensor]:
        for start in range(self.start, self.stop, UNPACKED_ROWS):
            yield self._unpack(start, min(start + UNPACKED_ROWS, self.stop), dtype)

    def _unpack(self, start: int, stop: int, dtype: torch.dtype) -> Tensor:
        part = slice(start - self.offset, stop - self.offset)
        return unpack(self.words[:, part].T, self.like.shape[-1], dtype)

    def _count_bits(self, flat: Tensor) -> Tensor | None:
        # By a kernel; None where a state has entries other than −1, 0 and +1.
        from ..kernels import bits

        count, start, words = len(self), self.start - self.offset, self.words.numpy().view("u8")
        batch, places = flat.shape[0], words.shape[0]
        signs, known = np.empty((2, batch, places + places % 2), "u8")
        total = np.empty(batch, "i8")
        if not bits.pack(flat.contiguous().numpy(), signs, known, total):
            return None
        scores = flat.new_empty(batch, count)
        states, out = (signs, known, total), scores.numpy()

        def work(first: int, last: int) -> None:
            bits.scores(words, states, out, start + first, start + last, start)

        kernels.in_parts(count, count * signs.size * 1e-10, work)
        return scores


class PackedStore(Store):
    """A store of ±1 rows with one bit per entry; its memory grows by doubling."""

    resident: ClassVar[bool] = True
    signs_only = True

    def __init__(self) -> None:
        """Make an empty store; the first rows decide dim, dtype and device."""
        self._count = 0

    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        """Add copies of `rows` and `values`, all or none."""
        # An emptied store is like a new one: the next rows decide again.
        before, values_before = (self._columns, self.values) if self._count else (None, None)
        room, values_room, _ = self._buffers
        words = pack(rows).T
        with torch.inference_mode(False):
            grown = appended(before, words, room, axis=1)
            grown_values = None if values is None else appended(values_before, values, values_room)
            like = rows.new_empty(0, rows.shape[-1])
        self._set(grown, grown_values, self._count + len(rows), like)

    def remove(self, indices: Tensor) -> None:
        """Remove the rows at `indices`; the indices of later rows decrease."""
        remaining, values = remaining_rows(self._count, indices), self.values
        with torch.inference_mode(False):
            words = self.words[remaining.to(self.device)].T.contiguous()
            values = None if values is None else values[remaining.to(values.device)]
        self._set(words, values, words.shape[1], self._like)

    def take(self, indices: Tensor) -> Tensor:
        """Return copies of the rows at `indices`."""
        return unpack(self.words[indices], self.dim, self.dtype)

    def blocks(self, size: int) -> list[PackedBlock]:
        """Return all rows in order, at most `size` per block."""
        if not self._count:
            return []
        room = self._buffers[0]  # contiguous, as kernels take it
        words = self._columns if room is None else room
        return [
            PackedBlock(
                start,
                min(start + size, self._count),
                words,
                self._like,
                None if self.values is None else self.values[start : start + size],
            )
            for start in range(0, self._count, size)
        ]

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._count

    @property
    def words(self) -> Tensor:
        """The bits of all rows, `(n, words)` (see `packing`): a view, never write to it."""
        return self._columns.T

    @property
    def rows(self) -> Tensor:  # type: ignore[override]
        """All rows, `(n, dim)`, as numbers, unpacked at each access."""
        return unpack(self.words, self.dim, self.dtype)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "PackedStore":
        """Move the rows (and floating point values) and return self; rows unpack to `dtype`."""
        if self._count:
            with torch.inference_mode(False):
                like = self._like.to(device=device, dtype=dtype)
                words = self._columns.to(device=device).contiguous()
                values = moved_values(self.values, device, dtype)
            self._set(words, values, self._count, like)
        return self

    def _set(self, words: Tensor, values: Tensor | None, count: int, like: Tensor) -> None:
        self._buffers, self._count, self._like = (words, values, None), count, like
        self.dim, self.dtype, self.device = like.shape[1], like.dtype, like.device
        with torch.inference_mode(False):
            self._columns = words[:, :count]
            self.values = None if values is None else values[:count]
