"""The implicit gradient: differentiate the equation of a fixed point, not the iteration to it."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Update = Callable[..., Tensor]
"""One update (x, *θ) → x', which treats each state separately; θ are all tensors it depends on."""


def with_implicit_gradient(
    update: Update, parameters: Sequence[Tensor], settled: Tensor, limit: int
) -> Tensor:
    """Return the settled states, differentiable in θ by the equation x = update(x, *θ).

    The backward pass iterates at most `limit` times.
    """
    state: Tensor = _FixedPoint.apply(update, limit, settled, *parameters)
    return state


class _FixedPoint(torch.autograd.Function):
    """x* = f(x*, θ) with dx* = (1 − J)⁻¹ ∂f/∂θ dθ, J = ∂f/∂x at x*.

    The backward pass solves g = v + Jᵀg by iteration. If it is differentiated in turn, g is a
    fixed point of that linear map, and this class gives its derivative too.
    """

    @staticmethod
    def forward(ctx: Any, update: Update, limit: int, state: Tensor, *parameters: Tensor) -> Tensor:
        ctx.update, ctx.limit = update, limit
        state = state.clone()
        ctx.save_for_backward(state, *parameters)
        return state

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        saved, (v,), differentiable = ctx.saved_tensors, grad_outputs, torch.is_grad_enabled()
        # Differentiates in views of θ: x* is a function of θ, but not of these views, so that no
        # gradient goes on through x*.
        state, *parameters = (t.view_as(t) if differentiable else t.detach() for t in saved)
        if not differentiable:
            for tensor, original in zip((state, *parameters), saved, strict=True):
                tensor.requires_grad_(original.requires_grad)
            state.requires_grad_()
        with torch.enable_grad():
            following = ctx.update(state, *parameters)

        def linear(g: Tensor, v: Tensor, state: Tensor, *parameters: Tensor) -> Tensor:
            with torch.enable_grad():
                output = ctx.update(state, *parameters)
            return v + _vjp(output, [state], g, torch.is_grad_enabled())[0]

        with torch.no_grad():
            g = _solve(lambda g: v + _vjp(following, [state], g, False)[0], v, ctx.limit)
        if differentiable:
            g = _FixedPoint.apply(linear, ctx.limit, g, v, *saved)
        wanted = [parameter for parameter in parameters if parameter.requires_grad]
        gradients = iter(_vjp(following, wanted, g, differentiable) if wanted else ())
        return None, None, None, *(next(gradients) if p.requires_grad else None for p in parameters)


def _vjp(
    output: Tensor, inputs: Sequence[Tensor], g: Tensor, create_graph: bool
) -> tuple[Tensor, ...]:
    return torch.autograd.grad(
        output, inputs, g, retain_graph=True, create_graph=create_graph, materialize_grads=True
    )


def _solve(linear: Callable[[Tensor], Tensor], start: Tensor, limit: int) -> Tensor:
    """Iterate a linear map until g changes only by rounding, at most `limit` times."""
    g, eps = start, torch.finfo(start.dtype).eps
    for _ in range(limit if start.numel() else 0):
        following = linear(g)
        change = (following - g).abs().amax()
        g = following
        if not bool(change > eps * g.abs().amax()):
            break
    return g
