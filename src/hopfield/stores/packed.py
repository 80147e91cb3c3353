"""±1 patterns as bits: 1/32 of the size in float32."""

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
from .ram import appended

UNPACKED_ROWS = 512
"""Rows unpacked at a time."""


@dataclass(frozen=True, eq=False)
class PackedBlock:
    """Consecutive rows of a packed store; their scores at ±1 states are exact whole numbers.

    Attributes:
        start: index of the first row in the store.
        stop: index after the last row.
        words: the bits of all rows of the store, `(words, capacity)`.
        like: an empty tensor with the dtype and length of the rows.
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
        """The rows as numbers, unpacked at each access."""
        return self._unpack(self.start, self.stop, self.like.dtype)

    def scores(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n"]:
        """X·x: bit counts for states of ±1 and 0."""
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
        """Σ_i m_i x_μi² = Σ_i m_i."""
        if mask is None:
            dtype = torch.promote_types(self.like.dtype, torch.float32)
            return self.like.new_full((len(self),), self.like.shape[-1], dtype=dtype)
        return mask.sum(-1, keepdim=True).expand(*mask.shape[:-1], len(self))

    def weighted_sum(
        self, weights: Float[Tensor, "*batch k"], at: Int[Tensor, " k"] | None = None
    ) -> Float[Tensor, "*batch dim"]:
        """weights @ rows[at]; None takes all rows."""
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
            yield self._unpack(start, min(start + UNPACKED_ROWS, self.stop), dtype)

    def _unpack(self, start: int, stop: int, dtype: torch.dtype) -> Tensor:
        return unpack(self.words[:, start:stop].T, self.like.shape[-1], dtype)

    def _count_bits(self, flat: Tensor) -> Tensor | None:
        # By a kernel; None where a state has entries other than −1, 0 and +1.
        from ..kernels import bits

        count, start, words = len(self), self.start, self.words.numpy().view("u8")
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
    """±1 rows with one bit per entry, in columns of words that grow by doubling."""

    resident: ClassVar[bool] = True
    signs_only: ClassVar[bool] = True

    def __init__(self) -> None:
        """Make an empty store; the first rows decide dim, dtype and device."""
        self._count = 0
        self._words: Tensor | None = None  # (words, capacity)
        self._values: Tensor | None = None
        self._like = torch.empty(0, 0)

    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        """Add copies of `rows` and `values`, all or none."""
        self.append_words(pack(rows), rows[:0].detach(), values)

    def append_words(self, words: Tensor, like: Tensor, values: Tensor | None = None) -> None:
        """Add rows that are packed already, `(n, words)`; `like` has their dtype and length."""
        old, old_values = (self._words, self._values) if self._count else (None, None)
        with torch.inference_mode(False):
            grown = _with_columns(old, self._count, words)
            grown_values = None if values is None else appended(old_values, self._count, values)
            self._set(like.new_empty(0, like.shape[-1]))
        self._words, self._values = grown, grown_values
        self._count += len(words)

    def remove(self, indices: Tensor) -> None:
        """Remove rows; those behind them move up."""
        words, values = self.words, self.values
        left = torch.ones(self._count, dtype=torch.bool, device=words.device)
        left[indices.to(left.device)] = False
        with torch.inference_mode(False):
            self._values = None if values is None else values[left.to(values.device)]
            self._words = words[left].T.contiguous()
        self._count = int(left.sum())

    def take(self, indices: Tensor) -> Tensor:
        """Return copies of the rows at `indices`."""
        return unpack(self.words[indices], self.dim, self.dtype)

    def blocks(self, size: int) -> list[PackedBlock]:
        """Return all rows in order, at most `size` per block."""
        words, values = self._words, self.values
        if words is None:
            return []
        edges = [(at, min(at + size, self._count)) for at in range(0, self._count, size)]
        return [
            PackedBlock(a, b, words, self._like, None if values is None else values[a:b])
            for a, b in edges
        ]

    def __len__(self) -> int:
        """Number of rows."""
        return self._count

    @property
    def words(self) -> Tensor:
        """The bits of all rows, `(n, words)` (see `packing`): a view, never write to it."""
        return self._like.new_empty(0) if self._words is None else self._words[:, : self._count].T

    @property
    def rows(self) -> Tensor:  # type: ignore[override]
        """All rows, `(n, dim)`, as numbers, unpacked at each access."""
        return unpack(self.words, self.dim, self.dtype)

    @property
    def values(self) -> Tensor | None:  # type: ignore[override]
        """All values, `(n, *)`: a view, never write to it."""
        return None if self._values is None else self._values[: self._count]

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "PackedStore":
        """Move the rows (and floating point values), name `dtype` theirs, and return self."""
        if self._words is not None:
            values = self.values
            with torch.inference_mode(False):
                self._set(self._like.to(device=device, dtype=dtype))
                self._words = self._words[:, : self._count].to(device=device).contiguous()
                if values is not None:
                    floats = dtype if values.is_floating_point() else None
                    values = values.to(device=device, dtype=floats)
            self._values = values
        return self

    def _set(self, like: Tensor) -> None:
        self._like = like
        self.dim, self.dtype, self.device = like.shape[1], like.dtype, like.device


def _with_columns(old: Tensor | None, count: int, new: Tensor) -> Tensor:
    # Columns of words, (words, room), that begin with `count` old rows and the new ones.
    total = count + len(new)
    if old is None or total > old.shape[1]:
        room = total if old is None else max(total, 2 * old.shape[1])
        grown = new.new_empty(new.shape[1], room)
        if old is not None:
            grown[:, :count] = old[:, :count]
        old = grown
    old[:, count:total] = new.T
    return old
