"""What every store is: rows in blocks, and nothing of energies."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..readout import ValuedBlock


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive rows of a store, computed with in float32 at least.

    Attributes:
        start: index of the first row in the store.
        rows: `(n, dim)`, a view into the store: never write to it.
        values: the values of the rows, `(n, *)`, or None.
        norms: Σ_i x_μi², `(n,)`, where the store has them at hand.
        kept: the rows in other precisions, where the store is small enough to keep them.
    """

    start: int
    rows: Tensor
    values: Tensor | None = None
    norms: Tensor | None = None
    kept: dict[torch.dtype, Tensor] | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return self.rows.shape[0]

    def scores(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n"]:
        """X·x."""
        rows = self._wide(state.dtype)
        state = state if state.dtype == rows.dtype else state.to(rows.dtype)
        return torch.nn.functional.linear(state, rows)

    def squares(self, mask: Float[Tensor, "*batch dim"] | None = None) -> Float[Tensor, "*batch n"]:
        """Σ_i m_i x_μi²; m = 1 for None."""
        if mask is None and self.norms is not None:
            return self.norms
        if mask is None:
            return self._wide(torch.float32).square().sum(-1)
        return mask @ self._wide(mask.dtype).square().T

    def weighted_sum(
        self, weights: Float[Tensor, "*batch k"], at: Int[Tensor, " k"] | None = None
    ) -> Float[Tensor, "*batch dim"]:
        """weights @ rows[at], of all rows for None."""
        if at is not None:
            rows = self.rows[at]
            return weights @ rows.to(torch.promote_types(rows.dtype, weights.dtype))
        return weights @ self._wide(weights.dtype)

    def _wide(self, dtype: torch.dtype) -> Tensor:
        """Rows in the precision of the computation, at least their own."""
        if self.rows.dtype == dtype:
            return self.rows
        wide = torch.promote_types(self.rows.dtype, dtype)
        if self.kept is None or wide == self.rows.dtype:
            return self.rows.to(wide)
        if wide not in self.kept:
            with torch.inference_mode(False):  # it is used outside as well
                self.kept[wide] = self.rows.to(wide)
        return self.kept[wide]


class Store(ABC):
    """Where patterns and their values live.

    Whatever is derived from the rows can be kept as long as `version` stays the same: it grows with
    every change. `epoch` grows with every change but appending.
    """

    version: int
    epoch: int

    @abstractmethod
    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        """Add copies of `rows`, all or none."""

    @abstractmethod
    def remove(self, indices: Tensor) -> None:
        """Take rows away; those behind them move up."""

    @abstractmethod
    def take(self, indices: Tensor) -> Tensor:
        """Copies of the rows at `indices`."""

    @abstractmethod
    def blocks(self, size: int) -> Iterable[ValuedBlock]:
        """All rows in order, `size` at a time; may be iterated more than once."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @property
    @abstractmethod
    def rows(self) -> Tensor:
        """All rows, `(n, dim)`: a view, never write to it."""

    @property
    @abstractmethod
    def like(self) -> Tensor:
        """An empty tensor of the rows' dtype and length, where they are."""

    @property
    @abstractmethod
    def values(self) -> Tensor | None:
        """All values, `(n, *)`: a view, never write to it."""

    @abstractmethod
    def norms(self) -> Tensor:
        """Σ_i x_μi² of every row, `(n,)`, in float32 at least; blocks then carry them."""

    @abstractmethod
    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Store":
        """Move the rows (and floating values) and return self."""
