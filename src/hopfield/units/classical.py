"""Sweeps of a classical network: each unit visited takes the sign of its field."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .. import kernels
from ..checks import (
    check_binary,
    check_dense,
    check_device,
    check_dim,
    check_flag,
    check_positive,
    check_tensor,
    dtype_name,
)
from ..coupling import (
    Coupling,
    SweepPlan,
    check_order,
    check_square,
    check_symmetric,
    check_thresholds,
)
from ..errors import ShapeError
from ..rules import with_rounding_slack
from .signs import glauber, sign_or_keep, thermal_cut


def classical_sweep(
    coupling: Coupling | Float[Tensor, "dim dim"],
    state: Float[Tensor, "batch dim"],
    order: Int[Tensor, " visits"] | None = None,
    *,
    thresholds: Float[Tensor, " dim"] | None = None,
    held: Bool[Tensor, "batch dim"] | None = None,
    thermal: tuple[float, Float[Tensor, "batch dim"]] | None = None,
    symmetric: bool = True,
) -> Float[Tensor, "batch dim"]:
    """Make one sweep of a classical network.

    Args:
        coupling: the matrix W, or a `Coupling`. Given a symmetric matrix, the asynchronous sweep
            leaves out its diagonal, and the synchronous one keeps it.
        state: x, with entries −1, 0 (unknown) or +1.
        order: the units in the order of their visits; None is synchronous.
        thresholds: b, one per unit; None is 0.
        held: units that keep their value.
        thermal: the temperature T, and uniform random numbers, for Glauber dynamics.
        symmetric: False for a matrix W of which the two directions differ: both sweeps keep its
            diagonal, and no energy descends.

    Returns:
        The next state; `state` is not changed.

    Raises:
        ShapeError, InputTypeError, DomainError: if W and the state do not fit.
    """
    if not isinstance(coupling, Coupling):
        coupling = _checked_coupling(coupling, state, order, check_flag("symmetric", symmetric))
        _check_options(state, thresholds, held, thermal)
    # Kernels address rows directly, so the copy must be contiguous.
    exact = state.to(coupling.dtype, copy=True, memory_format=torch.contiguous_format)
    products = coupling.products(exact)
    cut = None if thermal is None else thermal_cut(*thermal)
    bias = exact.new_zeros(exact.shape[-1]) if thresholds is None else thresholds.to(exact)
    if order is None:
        field = coupling.field_from(products, exact) - bias
        new = glauber(field, cut) if cut is not None else sign_or_keep(field, exact, coupling.slack)
        return (new if held is None else torch.where(held, exact, new)).to(state.dtype)
    plan = SweepPlan(order, bias, held, cut)
    if kernels.fused("classical", len(order), len(order) * exact.numel(), exact):
        coupling.sweep(products, exact, plan)
    else:
        _sweep(coupling, products, exact, plan)
    return exact.to(state.dtype)


def _checked_coupling(
    matrix: Tensor, state: Tensor, order: Tensor | None, symmetric: bool
) -> Coupling:
    size = len(check_square("coupling", matrix))
    if symmetric:
        check_symmetric("coupling", matrix)
    check_binary("state", check_dim("state", check_tensor("state", state), size), zero=True)
    if state.ndim != 2:
        raise ShapeError(
            f"state must have shape (batch, {size}), but has shape {tuple(state.shape)}. "
            "For a single state use state[None]."
        )
    check_device("state", state, matrix.device)
    if order is not None:
        check_order(order, size)
    whole = with_rounding_slack(
        matrix.to(torch.promote_types(matrix.dtype, torch.float32)), symmetric
    )
    return whole if order is None or not symmetric else whole.without_diagonal


def _check_options(
    state: Tensor, thresholds: object, held: object, thermal: "tuple[float, Tensor] | None"
) -> None:
    if thresholds is not None:
        check_thresholds(thresholds, state)
    if held is not None:
        mask = check_dense("held", held)
        if mask.dtype != torch.bool or mask.shape != state.shape or mask.device != state.device:
            raise ShapeError(
                f"held must be a bool mask of shape {tuple(state.shape)} like the state, but is "
                f"{dtype_name(mask)} of shape {tuple(mask.shape)} on {mask.device}. "
                "Use held.expand(state.shape)."
            )
    if thermal is not None:
        temperature, noise = thermal
        check_positive("temperature", temperature)
        if check_tensor("noise", noise).shape != state.shape:
            raise ShapeError(
                f"noise must have the shape of the state, {tuple(state.shape)}, but has shape "
                f"{tuple(noise.shape)}. Use torch.rand(state.shape, dtype=torch.float64)."
            )


def _sweep(coupling: Coupling, products: Tensor, state: Tensor, plan: SweepPlan) -> None:
    # In torch operations; `Coupling.sweep` computes this in a kernel.
    for i in plan.order.tolist():
        present = state[:, i].clone()
        field = coupling.unit_field(products, state, i) - plan.thresholds[i]
        if plan.cut is None:
            new = sign_or_keep(field, present, coupling.slack)
        else:
            new = glauber(field, plan.cut[:, i])
        if plan.held is not None:
            new = torch.where(plan.held[:, i], present, new)
        state[:, i] = new
        coupling.update_products(products, i, new - present)
