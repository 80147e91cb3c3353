"""Couplings: the quadratic form x ↦ Wx of a classical network, without building W if possible.

Both kinds keep a scale outside, W = scale · (…), so that Hebbian fields are sums of integers and
a tie is exactly zero.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


class Coupling(ABC):
    """A symmetric matrix W, `(dim, dim)`, as far as a network needs it.

    A sweep visits units one after another: `carry(state)` prepares it, `unit(carry, state, i)` is
    (Wx)_i, and `changed(carry, i, by)` tells it that x_i has grown.
    """

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """The precision of its entries."""

    @abstractmethod
    def field(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Wx."""

    @abstractmethod
    def quadratic(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """xᵀWx."""

    @abstractmethod
    def matrix(self) -> Float[Tensor, "dim dim"]:
        """W itself."""

    @abstractmethod
    def carry(self, state: Float[Tensor, "batch dim"]) -> Tensor:
        """What a sweep keeps up to date."""

    @abstractmethod
    def unit(
        self, carry: Tensor, state: Float[Tensor, "batch dim"], i: int
    ) -> Float[Tensor, " batch"]:
        """(Wx)_i."""

    @abstractmethod
    def changed(self, carry: Tensor, i: int, by: Float[Tensor, " batch"]) -> None:
        """Update `carry` in place: x_i has grown by `by`."""


@dataclass(frozen=True, eq=False)
class LowRank(Coupling):
    """W = scale·(LᵀR − diag(d)): O(n·dim) instead of O(dim²), the better form for n ≪ dim.

    Args:
        left: L, `(n, dim)`.
        right: R, `(n, dim)`.
        scale: a number.
        dropped: d, `(dim,)`, the diagonal to take away; None keeps it.
    """

    left: Tensor
    right: Tensor
    scale: float
    dropped: Tensor | None

    @property
    def dtype(self) -> torch.dtype:
        """The precision of its entries."""
        return self.right.dtype

    def field(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Wx."""
        field = (state @ self.right.T) @ self.left
        return self.scale * (field if self.dropped is None else field - self.dropped * state)

    def quadratic(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """xᵀWx."""
        value = ((state @ self.left.T) * (state @ self.right.T)).sum(-1)
        if self.dropped is not None:
            value = value - (self.dropped * state.square()).sum(-1)
        return self.scale * value

    def matrix(self) -> Float[Tensor, "dim dim"]:
        """W itself."""
        return self.scale * self.unscaled()

    def unscaled(self) -> Float[Tensor, "dim dim"]:
        """W/scale: whole numbers for Hebb's rule."""
        matrix = self.left.T @ self.right
        if self.dropped is not None:
            matrix.diagonal().sub_(self.dropped)
        return matrix

    def carry(self, state: Float[Tensor, "batch dim"]) -> Tensor:
        """The overlaps Rx, `(batch, n)`."""
        return state @ self.right.T

    def unit(
        self, carry: Tensor, state: Float[Tensor, "batch dim"], i: int
    ) -> Float[Tensor, " batch"]:
        """(Wx)_i."""
        field = carry @ self.left[:, i]
        return self.scale * (
            field if self.dropped is None else field - self.dropped[i] * state[:, i]
        )

    def changed(self, carry: Tensor, i: int, by: Float[Tensor, " batch"]) -> None:
        """The overlaps change by x_μi."""
        carry.addr_(by, self.right[:, i])


@dataclass(frozen=True, eq=False)
class Full(Coupling):
    """W = scale·A for a symmetric matrix A, `(dim, dim)`."""

    entries: Tensor
    scale: float = 1.0

    @property
    def dtype(self) -> torch.dtype:
        """The precision of its entries."""
        return self.entries.dtype

    def field(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Wx."""
        return self.scale * (state @ self.entries)

    def quadratic(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """xᵀWx."""
        return self.scale * ((state @ self.entries) * state).sum(-1)

    def matrix(self) -> Float[Tensor, "dim dim"]:
        """W itself."""
        return self.scale * self.entries

    def carry(self, state: Float[Tensor, "batch dim"]) -> Tensor:
        """Nothing: the field of one unit is one product with a row of W."""
        return state.new_empty(0)

    def unit(
        self, carry: Tensor, state: Float[Tensor, "batch dim"], i: int
    ) -> Float[Tensor, " batch"]:
        """(Wx)_i."""
        return self.scale * (state @ self.entries[i])

    def changed(self, carry: Tensor, i: int, by: Float[Tensor, " batch"]) -> None:
        """Nothing is carried."""
