"""Couplings of a classical network: the linear map x ↦ Wx, without building W if possible.

Both kinds keep a scale outside, W = scale·A, so that Hebbian fields are sums of integers and a tie
is exactly zero. For other rules a field counts as zero up to `slack`, a bound of its rounding:
otherwise the order of a sum would decide.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from . import kernels
from .checks import check_dense, check_device, check_tensor, dtype_name
from .errors import DomainError, InputTypeError, ShapeError

States = Float[Tensor, "*batch dim"]
Fields = Float[Tensor, "*batch k"]
Numbers = Float[Tensor, "*batch"]


@dataclass(frozen=True, eq=False)
class SweepPlan:
    """The units that a sweep visits, and all that decides their values except the coupling.

    Attributes:
        order: the units in the order of their visits, `(visits,)`, the same for the whole batch.
        thresholds: b, `(dim,)`.
        held: units that keep their value, `(batch, dim)`, or None.
        cut: the value a thermal field must exceed for +1, `(batch, dim)`; None at temperature 0.
    """

    order: Tensor
    thresholds: Tensor
    held: Bool[Tensor, "batch dim"] | None = None
    cut: Float[Tensor, "batch dim"] | None = None


class _Coupling(ABC):
    # A sweep visits units one after another. It starts from `fields(state)`: Ax, or the overlaps
    # Rx. `unit(fields, state, i)` is (Wx)_i, and `update_fields(fields, i, delta)` follows a change
    # of x_i. `sweep` does all that in a kernel.
    __dataclass_fields__: ClassVar[dict[str, Any]]
    scale: float
    slack: float

    @abstractmethod
    def _kernel(self) -> tuple[str, Any, float]:
        """Return the name of its sweep, A as arrays, and the seconds of a visit per query."""

    def sweep(self, fields: Tensor, state: Float[Tensor, "batch dim"], plan: SweepPlan) -> None:
        """Visit the units and update the fields, in place, by a kernel on the CPU."""
        from .kernels import classical

        name, factors, seconds = self._kernel()
        empty = state.new_empty(0, state.shape[-1])  # kernels take no None
        held = empty.bool() if plan.held is None else plan.held.contiguous()
        cut = empty.double() if plan.cut is None else plan.cut
        number = np.float64 if state.dtype == torch.float64 else np.float32
        work = partial(
            getattr(classical, name),
            plan.order.numpy(),
            tuple(tensor.numpy() for tensor in (state, fields, held, cut)),
            factors,
            plan.thresholds.numpy(),
            (number(1), number(self.scale), number(self.slack)),
        )
        kernels.in_parts(len(state), len(state) * len(plan.order) * seconds, work)

    def __getstate__(self) -> dict[str, Any]:
        # The arguments alone: pickling moves tensors, and must not take caches along.
        return {name: vars(self)[name] for name in self.__dataclass_fields__}


@dataclass(frozen=True, eq=False)
class LowRank(_Coupling):
    """W = scale·(LᵀR − diag(d)): O(n·dim) instead of O(dim²), the better form for n ≪ dim.

    Args:
        left: L, `(n, dim)`.
        right: R, `(n, dim)`.
        scale: a number.
        diagonal: d, `(dim,)`, the diagonal of LᵀR, to be subtracted; None keeps it in W.
        slack: the largest field that counts as zero.
    """

    left: Tensor
    right: Tensor
    scale: float
    diagonal: Tensor | None
    slack: float = 0.0

    @property
    def dtype(self) -> torch.dtype:
        """The precision of its entries."""
        return self.right.dtype

    def fields(self, state: States) -> Fields:
        """Rx, the overlaps, in the state's precision."""
        return state @ self.right.to(state.dtype).T

    def units(self, fields: Fields, state: States) -> States:
        """Wx = scale·(LᵀRx − d·x)."""
        units = fields @ self.left.to(state.dtype)
        return self.scale * (units if self.diagonal is None else units - self.diagonal * state)

    def quadratic(self, state: States) -> Numbers:
        """xᵀWx = scale·(Lx·Rx − Σ d x²)."""
        right = self.fields(state)
        left = right if self.left is self.right else state @ self.left.to(state.dtype).T
        form = (left * right).sum(-1)
        if self.diagonal is not None:
            form = form - state.square() @ self.diagonal.to(state.dtype)
        return self.scale * form

    def matrix(self) -> Float[Tensor, "dim dim"]:
        """W itself."""
        return self.unscaled().mul_(self.scale)

    def unscaled(self) -> Float[Tensor, "dim dim"]:
        """W/scale: whole numbers for Hebb's rule."""
        matrix = self.left.T @ self.right
        if self.diagonal is not None:
            matrix.diagonal().sub_(self.diagonal)
        return matrix

    @cached_property
    def without_diagonal(self) -> "LowRank":
        """W without its diagonal: the field of a unit is then that of the others."""
        if self.diagonal is not None:
            return self
        return replace(self, diagonal=(self.left * self.right).sum(0))

    def unit(self, fields: Tensor, state: Tensor, i: int) -> Numbers:
        """(Wx)_i."""
        field = fields @ self.left[:, i]
        return self.scale * (
            field if self.diagonal is None else field - self.diagonal[i] * state[:, i]
        )

    def update_fields(self, fields: Tensor, i: int, delta: Numbers) -> None:
        """Add delta·x_μi to the overlaps."""
        fields.addr_(delta, self.right[:, i])

    def _kernel(self) -> tuple[str, Any, float]:
        columns = tuple(tensor.numpy() for tensor in self._columns)
        return "low_rank_sweep", columns, 2e-9 + 5e-11 * len(self.right)

    @cached_property
    def _columns(self) -> tuple[Tensor, Tensor, Tensor]:
        # Lᵀ and Rᵀ, units one after another in memory, and d.
        left = self.left.T.contiguous()
        right = left if self.left is self.right else self.right.T.contiguous()
        diagonal = self.right.new_zeros(()) if self.diagonal is None else self.diagonal
        return left, right, diagonal.expand(len(left)).contiguous()


@dataclass(frozen=True, eq=False)
class Full(_Coupling):
    """W = scale·A for a symmetric matrix A, `(dim, dim)`."""

    entries: Tensor
    scale: float = 1.0
    slack: float = 0.0

    @property
    def dtype(self) -> torch.dtype:
        """The precision of its entries."""
        return self.entries.dtype

    def fields(self, state: States) -> Fields:
        """Ax, in the state's precision."""
        return state @ self.entries.to(state.dtype)

    def units(self, fields: Fields, state: States) -> States:
        """Wx = scale·Ax."""
        return self.scale * fields

    def quadratic(self, state: States) -> Numbers:
        """xᵀWx = scale·x·Ax."""
        return self.scale * (self.fields(state) * state).sum(-1)

    def matrix(self) -> Float[Tensor, "dim dim"]:
        """W itself."""
        return self.scale * self.entries

    @cached_property
    def without_diagonal(self) -> "Full":
        """W without its diagonal."""
        if not bool(self.entries.diagonal().any()):
            return self
        return replace(self, entries=self.entries.clone().fill_diagonal_(0))

    def unit(self, fields: Tensor, state: Tensor, i: int) -> Numbers:
        """(Wx)_i."""
        return self.scale * fields[:, i]

    def update_fields(self, fields: Tensor, i: int, delta: Numbers) -> None:
        """Add delta·A_i to the fields: exactly, for delta is −2 to 2."""
        fields.addr_(delta, self.entries[i])

    def _kernel(self) -> tuple[str, Any, float]:
        return "full_sweep", self.entries.numpy(), 2e-9 + 2e-11 * len(self.entries)


Coupling = LowRank | Full
"""A symmetric matrix W, `(dim, dim)`, in one of its forms."""


def check_square(name: str, value: object) -> Tensor:
    """Return `value` if it is a floating point matrix `(dim, dim)`."""
    matrix = check_tensor(name, value)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(
            f"{name} must have shape (dim, dim), but has shape {tuple(matrix.shape)}. "
            "Use for instance rules.hebbian(patterns)."
        )
    return matrix


def check_thresholds(thresholds: object, state: Tensor) -> Tensor:
    """Return `thresholds` if there is one finite number per unit of the state, on its device."""
    value = check_tensor("thresholds", thresholds)
    if value.shape != state.shape[-1:]:
        raise ShapeError(
            f"thresholds must have shape ({state.shape[-1]},), one per unit, but have shape "
            f"{tuple(value.shape)}. Give one number for each unit."
        )
    return check_device("thresholds", value, state.device)


def check_order(order: object, size: int) -> None:
    """Raise unless `order` is a row of the numbers of units."""
    visits = check_dense("order", order)
    if visits.ndim != 1 or visits.dtype != torch.long or visits.device.type != "cpu":
        raise InputTypeError(
            "order must be a row of whole numbers on the CPU, the units to visit, but is "
            f"{dtype_name(visits)} of shape {tuple(visits.shape)} on {visits.device}. "
            "Use for instance torch.randperm(dim)."
        )
    if len(visits) and not 0 <= int(visits.min()) <= int(visits.max()) < size:
        raise DomainError(
            f"order must name units from 0 to {size - 1}, but goes from {int(visits.min())} to "
            f"{int(visits.max())}. Use for instance torch.randperm({size})."
        )
