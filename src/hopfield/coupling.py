"""Couplings of a classical network: the linear map x ↦ Wx, without building W if possible.

Both classes write W = scale·A. For Hebb's rule A has whole entries, so that fields are exact and a
tie is exactly 0. For other rules, a field counts as 0 if it is at most `slack`, a bound of its
rounding error: otherwise the order of summation would decide ties.
"""

import math
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
Products = Float[Tensor, "*batch k"]
Numbers = Float[Tensor, "*batch"]


@dataclass(frozen=True, eq=False)
class SweepPlan:
    """The units that a sweep visits, and the options that decide their new values.

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
    # A sweep visits units one after another. It starts from `products(state)`: Ax, or the overlaps
    # Rx. `unit_field(products, state, i)` is (Wx)_i, and `update_products(products, i, delta)`
    # follows a change of x_i. `sweep` does all that in a kernel.
    __dataclass_fields__: ClassVar[dict[str, Any]]
    scale: float
    slack: float
    is_symmetric: bool

    @abstractmethod
    def _kernel(self) -> tuple[str, Any, float]:
        """Return the name of the kernel, A as arrays, and the seconds per visit and query."""

    def sweep(self, products: Tensor, state: Float[Tensor, "batch dim"], plan: SweepPlan) -> None:
        """Visit the units of a plan by a kernel, which updates state and products in place."""
        from .kernels import classical

        name, factors, seconds = self._kernel()
        empty = state.new_empty(0, state.shape[-1])  # kernels take no None
        held = empty.bool() if plan.held is None else plan.held.contiguous()
        cut = empty.double() if plan.cut is None else plan.cut
        scalar = np.float64 if state.dtype == torch.float64 else np.float32
        work = partial(
            getattr(classical, name),
            plan.order.numpy(),
            tuple(tensor.numpy() for tensor in (state, products, held, cut)),
            factors,
            plan.thresholds.numpy(),
            (scalar(1), scalar(self.scale), scalar(self.slack)),
        )
        kernels.in_parts(len(state), len(state) * len(plan.order) * seconds, work)

    def __getstate__(self) -> dict[str, Any]:
        # Pickle the arguments only: caches would add copies of the tensors.
        return {name: vars(self)[name] for name in self.__dataclass_fields__}


@dataclass(frozen=True, eq=False)
class LowRankCoupling(_Coupling):
    """W as two factors, scale·(LᵀR − diag(d)): Wx in O(n·dim), cheaper than O(dim²) for n ≪ dim.

    Args:
        left: L, `(n, dim)`.
        right: R, `(n, dim)`.
        scale: the factor of the matrix, such as 1/dim for Hebb's rule.
        diagonal: d, `(dim,)`, the diagonal of LᵀR, to be subtracted; None keeps it in W.
        slack: the largest field that counts as zero.
        is_symmetric: whether W = Wᵀ. Only then does the network have an energy.
    """

    left: Tensor
    right: Tensor
    scale: float
    diagonal: Tensor | None
    slack: float = 0.0
    is_symmetric: bool = True

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the entries of A."""
        return self.right.dtype

    def products(self, state: States) -> Products:
        """Return the overlaps Rx, in the dtype of the state."""
        return state @ self.right.to(state.dtype).T

    def field_from(self, products: Products, state: States) -> States:
        """Return Wx = scale·(LᵀRx − d·x) from the overlaps Rx."""
        field = products @ self.left.to(state.dtype)
        return self.scale * (field if self.diagonal is None else field - self.diagonal * state)

    def quadratic(self, state: States) -> Numbers:
        """Return xᵀWx = scale·(Lx·Rx − Σ d x²)."""
        right = self.products(state)
        left = right if self.left is self.right else state @ self.left.to(state.dtype).T
        form = (left * right).sum(-1)
        if self.diagonal is not None:
            form = form - state.square() @ self.diagonal.to(state.dtype)
        return self.scale * form

    def matrix(self) -> Float[Tensor, "dim dim"]:
        """Return the matrix W."""
        return self.unscaled().mul_(self.scale)

    def unscaled(self) -> Float[Tensor, "dim dim"]:
        """Return A = W/scale, which has whole entries for Hebb's rule."""
        matrix = self.left.T @ self.right
        if self.diagonal is not None:
            matrix.diagonal().sub_(self.diagonal)
        return matrix

    @cached_property
    def without_diagonal(self) -> "LowRankCoupling":
        """The coupling W without its diagonal: no unit then contributes to its field."""
        if self.diagonal is not None:
            return self
        return replace(self, diagonal=(self.left * self.right).sum(0))

    def unit_field(self, products: Tensor, state: Tensor, i: int) -> Numbers:
        """Return the field (Wx)_i of unit i."""
        field = products @ self.left[:, i]
        return self.scale * (
            field if self.diagonal is None else field - self.diagonal[i] * state[:, i]
        )

    def update_products(self, products: Tensor, i: int, delta: Numbers) -> None:
        """Add delta·R_μi to the overlaps, after x_i has changed by delta."""
        products.addr_(delta, self.right[:, i])

    def _kernel(self) -> tuple[str, Any, float]:
        columns = tuple(tensor.numpy() for tensor in self._columns)
        return "low_rank_sweep", columns, 2e-9 + 5e-11 * len(self.right)

    @cached_property
    def _columns(self) -> tuple[Tensor, Tensor, Tensor]:
        # Lᵀ and Rᵀ, with the row of each unit contiguous in memory, and d.
        left = self.left.T.contiguous()
        right = left if self.left is self.right else self.right.T.contiguous()
        diagonal = self.right.new_zeros(()) if self.diagonal is None else self.diagonal
        return left, right, diagonal.expand(len(left)).contiguous()


@dataclass(frozen=True, eq=False)
class FullCoupling(_Coupling):
    """W in full, as scale·A.

    Args:
        entries: A, `(dim, dim)`.
        scale: the factor of the matrix.
        slack: the largest field that counts as zero.
        is_symmetric: whether W = Wᵀ. Only then does the network have an energy.
    """

    entries: Tensor
    scale: float = 1.0
    slack: float = 0.0
    is_symmetric: bool = True

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the entries of A."""
        return self.entries.dtype

    def products(self, state: States) -> Products:
        """Return Ax, in the dtype of the state."""
        return state @ self.outgoing.to(state.dtype)

    def field_from(self, products: Products, state: States) -> States:
        """Return Wx = scale·Ax from Ax."""
        return self.scale * products

    def quadratic(self, state: States) -> Numbers:
        """Return xᵀWx = scale·x·Ax."""
        return self.scale * (self.products(state) * state).sum(-1)

    def matrix(self) -> Float[Tensor, "dim dim"]:
        """Return the matrix W."""
        return self.scale * self.entries

    @cached_property
    def without_diagonal(self) -> "FullCoupling":
        """The coupling W without its diagonal: no unit then contributes to its field."""
        if not bool(self.entries.diagonal().any()):
            return self
        return replace(self, entries=self.entries.clone().fill_diagonal_(0))

    def unit_field(self, products: Tensor, state: Tensor, i: int) -> Numbers:
        """Return the field (Wx)_i of unit i."""
        return self.scale * products[:, i]

    def update_products(self, products: Tensor, i: int, delta: Numbers) -> None:
        """Add delta·A_ji to (Ax)_j for all j, after x_i has changed by delta."""
        products.addr_(delta, self.outgoing[i])

    @cached_property
    def outgoing(self) -> Float[Tensor, "dim dim"]:
        """Return Aᵀ: its row i holds the couplings from unit i to the others."""
        return self.entries if self.is_symmetric else self.entries.T.contiguous()

    def _kernel(self) -> tuple[str, Any, float]:
        return "full_sweep", self.outgoing.numpy(), 2e-9 + 2e-11 * len(self.entries)


Coupling = LowRankCoupling | FullCoupling
"""A matrix W, `(dim, dim)`, as two factors or in full."""

ASYMMETRY = 1e-5
"""Largest difference |W_ij − W_ji|, relative to the largest entry, that counts as rounding."""


def check_square(name: str, value: object) -> Tensor:
    """Return `value` if it is a floating point matrix `(dim, dim)`."""
    matrix = check_tensor(name, value)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise ShapeError(
            f"{name} must have shape (dim, dim), one row and one column per unit, but has shape "
            f"{tuple(matrix.shape)}.{_square_hint(name, matrix)}"
        )
    return matrix


def _square_hint(name: str, matrix: Tensor) -> str:
    side = math.isqrt(matrix.numel())
    if matrix.ndim == 1 and side > 1 and side**2 == matrix.numel():
        return f" For rows one after the other use numpy.reshape({name}, {side, side})."
    return " Patterns are learned by store(patterns)." if matrix.ndim == 2 and len(matrix) else ""


def check_symmetric(
    name: str, matrix: Float[Tensor, "dim dim"], declaration: str = "use symmetric=False"
) -> None:
    """Raise unless a square matrix is symmetric up to rounding."""
    difference = (matrix - matrix.T).abs()
    largest = float(difference.max())
    if largest <= ASYMMETRY * float(matrix.abs().max()):
        return
    i, j = divmod(int(difference.argmax()), len(matrix))
    raise DomainError(
        f"{name} must be symmetric, because the energy can rise otherwise, but {name}[{i}, {j}] is "
        f"{float(matrix[i, j]):.4g} and {name}[{j}, {i}] is {float(matrix[j, i]):.4g}. If the two "
        f"directions differ on purpose, as in a sequence or a connectome, {declaration}: such a "
        "network has no energy."
    )


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
    """Raise unless `order` is a row of unit indices, from 0 to `size` − 1."""
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
