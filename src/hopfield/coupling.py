"""Couplings: the quadratic form x ↦ Wx of a classical network, without building W if possible.

Both kinds keep a scale outside, W = scale·A, so that Hebbian fields are sums of integers and a tie
is exactly zero. Elsewhere a field is zero if it is no larger than `slack`, what rounding can make
of a zero: else it would depend on the order of a sum who wins.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from . import kernels
from .errors import DomainError, InputTypeError, ShapeError, check_dense, check_tensor
from .errors.words import dtype_of


@dataclass(frozen=True, eq=False)
class Visits:
    """What a sweep is told: which units it visits, and what decides about them.

    Attributes:
        order: the units in the order of their visits, `(visits,)`, the same for the whole batch.
        thresholds: b, `(dim,)`.
        held: units that keep their value, `(batch, dim)`, or None.
        cut: what a thermal field has to exceed for +1, `(batch, dim)`; None at temperature 0.
    """

    order: Tensor
    thresholds: Tensor
    held: Bool[Tensor, "batch dim"] | None = None
    cut: Float[Tensor, "batch dim"] | None = None


@dataclass(frozen=True, eq=False)
class Fields:
    """What a coupling knows of states: `units` = Ax, and `overlaps` = Rx where A = LᵀR − diag(d).

    A sweep keeps the overlaps up to date, or else the fields of the units.
    """

    units: Float[Tensor, "*batch dim"]
    overlaps: Float[Tensor, "*batch n"] | None = None


class Coupling(ABC):
    """A symmetric matrix W, `(dim, dim)`, as far as a network needs it.

    A sweep visits units one after another: `fields(state)` prepares it, `unit(fields, state, i)` is
    (Wx)_i, and `changed(fields, i, by)` tells them that x_i has grown. `sweep` is all of that in a
    kernel.
    """

    scale: float
    slack: float

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """The precision of its entries."""

    @abstractmethod
    def fields(self, state: Float[Tensor, "*batch dim"]) -> Fields:
        """Ax, and what a sweep needs beside it."""

    @abstractmethod
    def matrix(self) -> Float[Tensor, "dim dim"]:
        """W itself."""

    @property
    @abstractmethod
    def bare(self) -> "Coupling":
        """W without its diagonal: what one unit feels of the others."""

    @abstractmethod
    def unit(
        self, fields: Fields, state: Float[Tensor, "batch dim"], i: int
    ) -> Float[Tensor, " batch"]:
        """(Wx)_i."""

    @abstractmethod
    def changed(self, fields: Fields, i: int, by: Float[Tensor, " batch"]) -> None:
        """Update `fields` in place: x_i has grown by `by`."""

    @abstractmethod
    def sweep(self, fields: Fields, state: Float[Tensor, "batch dim"], visits: Visits) -> None:
        """Visit the units, changing all in place: on the CPU, in the coupling's precision."""

    def field(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Wx."""
        return self.scale * self.fields(state).units

    def quadratic(
        self,
        state: Float[Tensor, "*batch dim"],
        units: Float[Tensor, "*batch dim"] | None = None,
    ) -> Float[Tensor, "*batch"]:
        """xᵀWx, from Ax where that is known."""
        units = self.fields(state).units if units is None else units
        return self.scale * (units * state).sum(-1)

    def numbers(self) -> tuple[Any, Any, Any]:
        """1, scale and slack in the coupling's precision, as kernels take them."""
        number = np.float64 if self.dtype == torch.float64 else np.float32
        return number(1), number(self.scale), number(self.slack)


@dataclass(frozen=True, eq=False)
class LowRank(Coupling):
    """W = scale·(LᵀR − diag(d)): O(n·dim) instead of O(dim²), the better form for n ≪ dim.

    Args:
        left: L, `(n, dim)`.
        right: R, `(n, dim)`.
        scale: a number.
        dropped: d, `(dim,)`, the diagonal to take away; None keeps it.
        slack: the largest field that counts as zero.
    """

    left: Tensor
    right: Tensor
    scale: float
    dropped: Tensor | None
    slack: float = 0.0

    @property
    def dtype(self) -> torch.dtype:
        """The precision of its entries."""
        return self.right.dtype

    def fields(self, state: Float[Tensor, "*batch dim"]) -> Fields:
        """Ax and the overlaps Rx."""
        overlaps = state @ self.right.to(state.dtype).T
        units = overlaps @ self.left.to(state.dtype)
        return Fields(units if self.dropped is None else units - self.dropped * state, overlaps)

    def matrix(self) -> Float[Tensor, "dim dim"]:
        """W itself."""
        return self.unscaled().mul_(self.scale)

    def unscaled(self) -> Float[Tensor, "dim dim"]:
        """W/scale: whole numbers for Hebb's rule."""
        matrix = self.left.T @ self.right
        if self.dropped is not None:
            matrix.diagonal().sub_(self.dropped)
        return matrix

    @cached_property
    def bare(self) -> "LowRank":
        """W without its diagonal."""
        if self.dropped is not None:
            return self
        return replace(self, dropped=(self.left * self.right).sum(0))

    def unit(
        self, fields: Fields, state: Float[Tensor, "batch dim"], i: int
    ) -> Float[Tensor, " batch"]:
        """(Wx)_i."""
        field = _overlaps(fields) @ self.left[:, i]
        return self.scale * (
            field if self.dropped is None else field - self.dropped[i] * state[:, i]
        )

    def changed(self, fields: Fields, i: int, by: Float[Tensor, " batch"]) -> None:
        """The overlaps change by x_μi."""
        _overlaps(fields).addr_(by, self.right[:, i])

    def sweep(self, fields: Fields, state: Float[Tensor, "batch dim"], visits: Visits) -> None:
        """By overlaps that follow the flips; until the first one, by the fields of all units."""
        from .kernels.classical import low_rank_sweep

        work = partial(
            low_rank_sweep,
            visits.order.numpy(),
            (*_arrays(state, fields, visits), _overlaps(fields).numpy()),
            self._columns,
            visits.thresholds.numpy(),
            self.numbers(),
        )
        seconds = len(visits.order) * (1e-8 + 2e-10 * len(self.right))
        kernels.in_parts(len(state), len(state) * seconds, work)

    @cached_property
    def _columns(self) -> tuple[Any, Any, Any]:
        """Lᵀ and Rᵀ, units one after another in memory, and d."""
        left = self.left.T.contiguous().numpy()
        right = left if self.left is self.right else self.right.T.contiguous().numpy()
        dropped = self.right.new_zeros(()) if self.dropped is None else self.dropped
        return left, right, dropped.expand(len(left)).contiguous().numpy()


@dataclass(frozen=True, eq=False)
class Full(Coupling):
    """W = scale·A for a symmetric matrix A, `(dim, dim)`."""

    entries: Tensor
    scale: float = 1.0
    slack: float = 0.0

    @property
    def dtype(self) -> torch.dtype:
        """The precision of its entries."""
        return self.entries.dtype

    def fields(self, state: Float[Tensor, "*batch dim"]) -> Fields:
        """Ax."""
        return Fields(state @ self.entries.to(state.dtype))

    def matrix(self) -> Float[Tensor, "dim dim"]:
        """W itself."""
        return self.scale * self.entries

    @cached_property
    def bare(self) -> "Full":
        """W without its diagonal."""
        if not bool(self.entries.diagonal().any()):
            return self
        return replace(self, entries=self.entries.clone().fill_diagonal_(0))

    def unit(
        self, fields: Fields, state: Float[Tensor, "batch dim"], i: int
    ) -> Float[Tensor, " batch"]:
        """(Wx)_i."""
        return self.scale * fields.units[:, i]

    def changed(self, fields: Fields, i: int, by: Float[Tensor, " batch"]) -> None:
        """The fields change by A_i: exactly, twice or once an entry."""
        fields.units.addr_(by, self.entries[i])

    def sweep(self, fields: Fields, state: Float[Tensor, "batch dim"], visits: Visits) -> None:
        """By fields that follow the flips."""
        from .kernels.classical import full_sweep

        work = partial(
            full_sweep,
            visits.order.numpy(),
            _arrays(state, fields, visits),
            self.entries.numpy(),
            visits.thresholds.numpy(),
            self.numbers(),
        )
        seconds = len(visits.order) * (2e-9 + 2e-11 * len(self.entries))
        kernels.in_parts(len(state), len(state) * seconds, work)


def check_square(name: str, value: object) -> Tensor:
    """Return `value` if it is a floating point matrix `(dim, dim)`."""
    matrix = check_tensor(name, value)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(
            f"{name} must have shape (dim, dim), but has shape {tuple(matrix.shape)}. "
            "Use for instance rules.hebbian(patterns)."
        )
    return matrix


def check_order(order: object, size: int) -> None:
    """Raise unless `order` is a row of the numbers of units."""
    visits = check_dense("order", order)
    if visits.ndim != 1 or visits.dtype != torch.long or visits.device.type != "cpu":
        raise InputTypeError(
            "order must be a row of whole numbers on the CPU, the units to visit, but is "
            f"{dtype_of(visits)} of shape {tuple(visits.shape)} on {visits.device}. "
            "Use for instance torch.randperm(dim)."
        )
    if len(visits) and not 0 <= int(visits.min()) <= int(visits.max()) < size:
        raise DomainError(
            f"order must name units from 0 to {size - 1}, but goes from {int(visits.min())} to "
            f"{int(visits.max())}. Use for instance torch.randperm({size})."
        )


def _overlaps(fields: Fields) -> Tensor:
    if fields.overlaps is None:
        raise TypeError("a low-rank coupling needs the fields that it made itself")
    return fields.overlaps


def _arrays(state: Tensor, fields: Fields, visits: Visits) -> tuple[Any, Any, Any, Any]:
    """State, fields, held units and cuts for kernels: without rows where there are none."""
    none = state.new_empty(0, state.shape[-1])
    held = none.bool() if visits.held is None else visits.held.contiguous()
    cut = none.double() if visits.cut is None else visits.cut
    return state.numpy(), fields.units.numpy(), held.numpy(), cut.numpy()
