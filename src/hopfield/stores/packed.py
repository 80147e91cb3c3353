"""±1 patterns as bits: a 32nd of what float32 takes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .. import kernels
from ..errors import EmptyMemoryError
from ..packing import pack, unpack
from .base import Store
from .ram import appended, cut

UNPACKED_ROWS = 512
"""Rows unpacked at a time."""


@dataclass(frozen=True, eq=False)
class PackedBlock:
    """Consecutive rows of a packed store; their scores are whole numbers, and exact.

    Attributes:
        start: index of the first row in the store.
        stop: index after the last row.
        words: the bits of all rows of the store, `(words, capacity)`.
        like: an empty tensor of the rows' dtype and length.
        values: the values of the rows, `(n, *)`, or None.
    """

    start: int
    stop: int
    words: Tensor
    like: Tensor
    values: Tensor | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return self.stop - self.start

    @property
    def rows(self) -> Tensor:
        """The rows as numbers: made anew each time."""
        return self._part(self.start, self.stop, self.like.dtype)

    def scores(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n"]:
        """X·x: bit counts where the states are ±1 or 0."""
        flat = state if state.ndim == 2 else state.reshape(-1, state.shape[-1])
        # Each row is unpacked once, or counted once a state.
        entries = len(self) * flat.shape[1] * (flat.shape[0] + 32)
        found = None
        if kernels.fused("bits", 0, entries, flat, self.words):
            found = self._counted(flat)
        if found is None:
            wide = flat.to(torch.promote_types(self.like.dtype, flat.dtype))
            found = torch.cat([wide @ part.T for part in self._parts(wide.dtype)], dim=-1)
        return found if flat is state else found.reshape(*state.shape[:-1], len(self))

    def squares(self, mask: Float[Tensor, "*batch dim"] | None = None) -> Float[Tensor, "*batch n"]:
        """Σ_i m_i x_μi² = Σ_i m_i."""
        if mask is None:
            dtype = torch.promote_types(self.like.dtype, torch.float32)
            return self.like.new_full((len(self),), self.like.shape[-1], dtype=dtype)
        return mask.sum(-1, keepdim=True).expand(*mask.shape[:-1], len(self))

    def weighted_sum(
        self, weights: Float[Tensor, "*batch k"], at: Int[Tensor, " k"] | None = None
    ) -> Float[Tensor, "*batch dim"]:
        """weights @ rows[at], of all rows for None."""
        wide = weights.to(torch.promote_types(self.like.dtype, weights.dtype))
        if at is not None:
            words = self.words[:, self.start + at].T
            return wide @ unpack(words, self.like.shape[-1], wide.dtype)
        shares = wide.split(UNPACKED_ROWS, dim=-1)
        total = wide.new_zeros(*weights.shape[:-1], self.like.shape[-1])
        for share, part in zip(shares, self._parts(wide.dtype), strict=True):
            total += share @ part
        return total

    def _parts(self, dtype: torch.dtype) -> Iterator[Tensor]:
        for start in range(self.start, self.stop, UNPACKED_ROWS):
            yield self._part(start, min(start + UNPACKED_ROWS, self.stop), dtype)

    def _part(self, start: int, stop: int, dtype: torch.dtype) -> Tensor:
        return unpack(self.words[:, start:stop].T, self.like.shape[-1], dtype)

    def _counted(self, flat: Tensor) -> Tensor | None:
        """The scores by a kernel; None where a state has entries other than −1, 0 and +1."""
        from ..kernels import bits

        count, start, words = len(self), self.start, self.words.numpy().view("u8")
        batch, places = flat.shape[0], words.shape[0]
        signs, known = np.empty((2, batch, places + places % 2), "u8")
        total = np.empty(batch, "i8")
        if not bits.pack(flat.contiguous().numpy(), signs, known, total):
            return None
        found = flat.new_empty(batch, count)
        states, out = (signs, known, total), found.numpy()

        def work(first: int, last: int) -> None:
            bits.scores(words, states, out, start + first, start + last, start)

        kernels.in_parts(count, count * signs.size * 1e-10, work)
        return found


class PackedStore(Store):
    """±1 rows, a bit an entry: columns of words that grow by doubling, as `RamStore` does."""

    def __init__(self) -> None:
        """An empty store; the first rows decide dim, dtype and device."""
        self.version = 0
        self.epoch = 0
        self._count = 0
        self._like: Tensor | None = None
        self._words: Tensor | None = None
        self._values: Tensor | None = None

    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        """Add copies of `rows`, all or none."""
        self.append_words(pack(rows), rows[:0].detach(), values)

    def append_words(self, words: Tensor, like: Tensor, values: Tensor | None = None) -> None:
        """Add rows that are packed already, `(n, words)`; `like` has their dtype and length."""
        count = self._count
        kept = (self._words, self._values) if count else (None, None)
        with torch.inference_mode(False):
            grown = _widened(kept[0], count, words)
            self._values = None if values is None else appended(kept[1], count, values)
            self._like = like.new_empty(0, like.shape[-1])
        self._words = grown
        self._count += len(words)
        self.version += 1

    def remove(self, indices: Tensor) -> None:
        """Take rows away; those behind them move up."""
        words, values = self.words, self.values
        keep = torch.ones(self._count, dtype=torch.bool, device=words.device)
        keep[indices.to(keep.device)] = False
        with torch.inference_mode(False):
            self._values = None if values is None else values[keep.to(values.device)]
            self._words = words[keep].T.contiguous()
        self._count = int(keep.sum())
        self.version += 1
        self.epoch += 1

    def take(self, indices: Tensor) -> Tensor:
        """Copies of the rows at `indices`."""
        return unpack(self.words[indices], self.like.shape[-1], self.like.dtype)

    def blocks(self, size: int) -> list[PackedBlock]:
        """All rows in order, `size` at a time."""
        like, words = self.like, self._words
        if words is None:
            return []
        edges = [(at, min(at + size, self._count)) for at in range(0, self._count, size)]
        return [
            PackedBlock(start, stop, words, like, cut(self._values, slice(start, stop)))
            for start, stop in edges
        ]

    def __len__(self) -> int:
        """Number of rows."""
        return self._count

    @property
    def like(self) -> Tensor:
        """An empty tensor of the rows' dtype and length, where they are."""
        if self._like is None:
            raise EmptyMemoryError(
                "this needs at least one pattern, but nothing is stored. "
                "Call store(patterns) first."
            )
        return self._like

    @property
    def words(self) -> Tensor:
        """The bits of all rows, `(n, words)` (see `packing`): a view, never write to it."""
        return self.like.new_empty(0) if self._words is None else self._words[:, : self._count].T

    @property
    def rows(self) -> Tensor:
        """All rows, `(n, dim)`, as numbers: made anew each time."""
        return unpack(self.words, self.like.shape[-1], self.like.dtype)

    @property
    def values(self) -> Tensor | None:
        """All values, `(n, *)`: a view, never write to it."""
        return cut(self._values, slice(0, self._count))

    def norms(self) -> Tensor:
        """Σ_i x_μi² = dim for every row."""
        dtype = torch.promote_types(self.like.dtype, torch.float32)
        return self.like.new_full((self._count,), self.like.shape[-1], dtype=dtype)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "PackedStore":
        """Move the rows (and floating values), say that they are `dtype`, and return self."""
        if self._like is not None and self._words is not None:
            values = self.values
            with torch.inference_mode(False):
                self._like = self._like.to(device=device, dtype=dtype)
                self._words = self._words[:, : self._count].to(device=device).contiguous()
                if values is not None:
                    floats = dtype if values.is_floating_point() else None
                    values = values.to(device=device, dtype=floats)
            self._values = values
            self.version += 1
            self.epoch += 1
        return self


def _widened(old: Tensor | None, count: int, new: Tensor) -> Tensor:
    """Columns of words that begin with `count` old rows and the new ones, `(words, room)`."""
    total = count + len(new)
    if old is None or total > old.shape[1]:
        room = total if old is None else max(total, 2 * old.shape[1])
        grown = new.new_empty(new.shape[1], room)
        if old is not None:
            grown[:, :count] = old[:, :count]
        old = grown
    old[:, count:total] = new.T
    return old
