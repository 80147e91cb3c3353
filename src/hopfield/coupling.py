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
from .checks import check_dense, check_tensor, dtype_of
from .errors import DomainError, InputTypeError, ShapeError


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


class Coupling(ABC):
    """A symmetric matrix W, `(dim, dim)`, as far as a network needs it.

    `fields(state)` is what a sweep keeps up to date: Ax, or the overlaps Rx of A = LᵀR − diag(d).
    A sweep visits units one after another: `unit(fields, state, i)` is (Wx)_i, and
    `changed(fields, i, by)` tells the fields that x_i has grown. `sweep` is all that in a kernel.
    """

    scale: float
    slack: float

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """The precision of its entries."""

    @abstractmethod
    def fields(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch k"]:
        """Ax, or the overlaps Rx, in the state's precision."""

    @abstractmethod
    def units(
        self, fields: Float[Tensor, "*batch k"], state: Float[Tensor, "*batch dim"]
    ) -> Float[Tensor, "*batch dim"]:
        """Wx, from the fields of the state."""

    @abstractmethod
    def quadratic(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """xᵀWx."""

    @abstractmethod
    def matrix(self) -> Float[Tensor, "dim dim"]:
        """W itself."""

    @property
    @abstractmethod
    def bare(self) -> "Coupling":
        """W without its diagonal: what one unit feels of the others."""

    @abstractmethod
    def unit(
        self, fields: Tensor, state: Float[Tensor, "batch dim"], i: int
    ) -> Float[Tensor, " batch"]:
        """(Wx)_i."""

    @abstractmethod
    def changed(self, fields: Tensor, i: int, by: Float[Tensor, " batch"]) -> None:
        """Update `fields` in place: x_i has grown by `by`."""

    @abstractmethod
    def sweep(self, fields: Tensor, state: Float[Tensor, "batch dim"], visits: Visits) -> None:
        """Visit the units, changing all in place: on the CPU, in the coupling's precision."""

    def field(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Wx."""
        return self.units(self.fields(state), state)

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

    def fields(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n"]:
        """The overlaps Rx."""
        return state @ self.right.to(state.dtype).T

    def units(
        self, fields: Float[Tensor, "*batch n"], state: Float[Tensor, "*batch dim"]
    ) -> Float[Tensor, "*batch dim"]:
        """Wx = scale·(LᵀRx − d·x)."""
        units = fields @ self.left.to(state.dtype)
        return self.scale * (units if self.dropped is None else units - self.dropped * state)

    def quadratic(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """xᵀWx = scale·(Lx·Rx − Σ d x²)."""
        right = self.fields(state)
        left = right if self.left is self.right else state @ self.left.to(state.dtype).T
        form = (left * right).sum(-1)
        if self.dropped is not None:
            form = form - state.square() @ self.dropped.to(state.dtype)
        return self.scale * form

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
        self, fields: Tensor, state: Float[Tensor, "batch dim"], i: int
    ) -> Float[Tensor, " batch"]:
        """(Wx)_i."""
        field = fields @ self.left[:, i]
        return self.scale * (
            field if self.dropped is None else field - self.dropped[i] * state[:, i]
        )

    def changed(self, fields: Tensor, i: int, by: Float[Tensor, " batch"]) -> None:
        """The overlaps change by x_μi."""
        fields.addr_(by, self.right[:, i])

    def sweep(self, fields: Tensor, state: Float[Tensor, "batch dim"], visits: Visits) -> None:
        """By overlaps that follow the flips."""
        from .kernels.classical import low_rank_sweep

        work = partial(
            low_rank_sweep,
            visits.order.numpy(),
            _arrays(state, fields, visits),
            self._columns,
            visits.thresholds.numpy(),
            self.numbers(),
        )
        seconds = len(visits.order) * (2e-9 + 5e-11 * len(self.right))
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

    def fields(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Ax."""
        return state @ self.entries.to(state.dtype)

    def units(
        self, fields: Float[Tensor, "*batch dim"], state: Float[Tensor, "*batch dim"]
    ) -> Float[Tensor, "*batch dim"]:
        """Wx = scale·Ax."""
        return self.scale * fields

    def quadratic(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """xᵀWx = scale·x·Ax."""
        return self.scale * (self.fields(state) * state).sum(-1)

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
        self, fields: Tensor, state: Float[Tensor, "batch dim"], i: int
    ) -> Float[Tensor, " batch"]:
        """(Wx)_i."""
        return self.scale * fields[:, i]

    def changed(self, fields: Tensor, i: int, by: Float[Tensor, " batch"]) -> None:
        """The fields change by A_i: exactly, twice or once an entry."""
        fields.addr_(by, self.entries[i])

    def sweep(self, fields: Tensor, state: Float[Tensor, "batch dim"], visits: Visits) -> None:
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


def _arrays(state: Tensor, fields: Tensor, visits: Visits) -> tuple[Any, Any, Any, Any]:
    """State, fields, held units and cuts for kernels: without rows where there are none."""
    none = state.new_empty(0, state.shape[-1])
    held = none.bool() if visits.held is None else visits.held.contiguous()
    cut = none.double() if visits.cut is None else visits.cut
    return state.numpy(), fields.numpy(), held.numpy(), cut.numpy()
