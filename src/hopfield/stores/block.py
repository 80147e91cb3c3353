"""Blocks of consecutive rows of a store, with their scores and weighted sums."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..ranks import Ranks
from ..readout import ValuedBlock, WrappedBlock

SQUARED_ENTRIES = 2**18
"""Matrix entries squared at a time for a mask that all states share: they stay in the L2 cache."""


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive rows of a store; results are in float32 at least.

    Attributes:
        start: index of the first row in the store.
        rows: `(n, dim)`, possibly a view into the store: never write to it.
        values: the values of the rows, `(n, *)`, or None.
        squared_norms: Σ_i x_μi², `(n,)`, or None to compute them when needed.
        converted: keeps the rows in other precisions, or None to convert them each time.
        known: k, the entries that the rows know, `(n, dim)`; rows are 0 elsewhere. None: all.
    """

    start: int
    rows: Tensor
    values: Tensor | None = None
    squared_norms: Tensor | None = None
    converted: dict[torch.dtype, Tensor] | None = None
    known: Tensor | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.rows.shape[0]

    def placed(self, first: int, stop: int, start: int) -> "Block":
        """Return some of the rows as those from `start` on of another store."""
        if (first, stop) == (0, len(self)):
            return replace(self, start=start)
        parts = self.rows, self.values, self.squared_norms, self.known
        rows, *others = (None if part is None else part[first:stop] for part in parts)
        values, norms, known = others
        return Block(start, cast(Tensor, rows), values, norms, None, known)

    def scores(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n"]:
        """Return the scores Xx."""
        rows = self.rows if self.rows.dtype == state.dtype else self._upcast(state.dtype)
        state = state if state.dtype == rows.dtype else state.to(rows.dtype)
        return torch.nn.functional.linear(state, rows)

    def squares(self, mask: Float[Tensor, "*batch dim"] | None = None) -> Float[Tensor, "*batch n"]:
        """Return Σ_i m_i x_μi² of each row, with the mask m; None means m = 1."""
        if mask is not None and mask.ndim == 1:
            parts = self._upcast(mask.dtype).split(max(1, SQUARED_ENTRIES // mask.shape[-1]))
            return torch.cat([mask @ part.square().T for part in parts])
        if mask is not None:
            return mask @ self._upcast(mask.dtype).square().T
        if self.squared_norms is not None:
            return self.squared_norms
        return self._upcast(torch.float32).square().sum(-1)

    @property
    def mask(self) -> Tensor:
        """The known entries, `(n, dim)`, bool."""
        full = self.rows.new_ones(1, dtype=torch.bool)
        return full.expand(self.rows.shape) if self.known is None else self.known

    def at(self, indices: Int[Tensor, " k"]) -> "Block":
        """Return some of the rows with their masks."""
        known = None if self.known is None else self.known[indices]
        return Block(self.start, self.rows[indices], known=known)

    def known_sums(self, terms: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n"]:
        """Σ_i k_μi t_i."""
        return torch.nn.functional.linear(terms, self.mask.to(terms.dtype))

    def weighted_sum(
        self, weights: Float[Tensor, "*batch k"], at: Int[Tensor, " k"] | None = None
    ) -> Float[Tensor, "*batch dim"]:
        """Return weights @ rows[at], for all rows if `at` is None."""
        if at is not None:
            rows = self.rows[at]
            return weights @ rows.to(torch.promote_types(rows.dtype, weights.dtype))
        rows = self.rows if self.rows.dtype == weights.dtype else self._upcast(weights.dtype)
        return weights @ rows

    def _upcast(self, dtype: torch.dtype) -> Tensor:
        # The rows in the precision of the computation, at least their own.
        if self.rows.dtype == dtype:
            return self.rows
        wide = torch.promote_types(self.rows.dtype, dtype)
        if self.converted is None or wide == self.rows.dtype:
            return self.rows.to(wide)
        if wide not in self.converted:
            with torch.inference_mode(False):  # it is used outside as well
                self.converted[wide] = self.rows.to(wide)
        return self.converted[wide]


class _SameBlock(WrappedBlock):
    """A block to which subclasses add a fact; all else is as in the block itself."""

    def scores(self, state: Tensor) -> Tensor:
        """Return the scores Xx."""
        return self.block.scores(state)

    def weighted_sum(self, weights: Tensor, at: Tensor | None = None) -> Tensor:
        """Return weights @ rows[at], for all rows if `at` is None."""
        return self.block.weighted_sum(weights, at)

    def __getattr__(self, name: str) -> Any:
        """Return another attribute of the block, such as the mask of known entries."""
        return getattr(self.block, name)


@dataclass(frozen=True, eq=False)
class PriorBlock(_SameBlock):
    """A block with a prior per row.

    Attributes:
        prior: w of each row, `(n,)`.
    """

    prior: Tensor


@dataclass(frozen=True, eq=False)
class RankBlock(_SameBlock):
    """A block of the rows of one rank.

    Attributes:
        ranks: the processes that share the rows of the store.
    """

    ranks: Ranks


def with_prior(blocks: Iterable[ValuedBlock], prior: Tensor) -> Iterator[PriorBlock]:
    """Yield the blocks of a store with their part of the prior of all rows."""
    for block in blocks:
        yield PriorBlock(block, prior[block.start : block.start + len(block)])
