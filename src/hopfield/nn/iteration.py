"""How often a layer reads, when a query stops, and what gradients see of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import check_choice, check_integer, check_number, say, traced
from ..errors import InputTypeError
from ..iteration import moved_within

Update = Callable[..., Tensor]
"""(x, *θ) → x', each state by itself; θ is all that it depends on besides."""

GRADIENTS = ("unrolled", "implicit", "last")
"""Ways to differentiate an iteration."""


@dataclass(frozen=True)
class Iteration:
    """How often states are updated before they read the projected patterns.

    Args:
        steps: softmaxes (or what takes their place): `steps − 1` updates x ← Kᵀ∇F(βKx) in the
            space of association, then one read of the projected patterns. 1 is attention.
        tol: a query moves no more after an update of max|x' − x| ≤ tol·max(1, max|x|); each by
            itself, whatever its batch-mates do. 0 makes all steps.
        gradient: "unrolled" through all steps. "implicit" through the fixed point alone, whose
            memory does not grow with the steps: right where the states have settled; neither here
            nor there does it matter where a query began, so its gradient is 0. "last" takes the
            state that the last softmax reads as a constant.
    """

    steps: int = 1
    tol: float = 0.0
    gradient: str = "unrolled"

    def __post_init__(self) -> None:
        """Check them."""
        object.__setattr__(self, "steps", check_integer("steps", self.steps, low=1))
        object.__setattr__(self, "tol", check_number("tol", self.tol, low=0.0))
        check_choice("gradient", self.gradient, GRADIENTS)


def check_iteration(value: object) -> Iteration:
    """Return it, or say what it must be."""
    if isinstance(value, Iteration):
        return value
    raise InputTypeError(
        f"iteration must be an Iteration, but is {say(value)}. Use for instance Iteration(steps=3)."
    )


def settle(
    update: Update,
    state: Tensor,
    iteration: Iteration,
    parameters: Sequence[Tensor],
    visited: list[Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """The states that the last softmax reads, and how many softmaxes that makes, `(*batch, m)`.

    Args:
        update: (x, *θ) → x'.
        state: where the queries begin, `(*batch, m, dim)`.
        iteration: how far they go.
        parameters: θ.
        visited: takes every state on the way, the first and the last included.
    """
    mode = iteration.gradient if torch.is_grad_enabled() and iteration.steps > 1 else "unrolled"
    if mode == "unrolled" or (mode == "implicit" and traced()):
        return _updated(update, state, iteration, parameters, visited)
    with torch.no_grad():
        settled, steps = _updated(update, state, iteration, parameters, visited)
    if mode == "implicit":
        settled = _FixedPoint.apply(update, iteration.steps, settled, *parameters)
    return settled, steps


def _updated(
    update: Update,
    state: Tensor,
    iteration: Iteration,
    parameters: Sequence[Tensor],
    visited: list[Tensor] | None,
) -> tuple[Tensor, Tensor]:
    """States after `steps − 1` updates, less where a query stopped before."""
    settled = moved_within(iteration.tol)
    moving = torch.ones(state.shape[:-1], dtype=torch.bool, device=state.device)
    steps = torch.ones(state.shape[:-1], dtype=torch.long, device=state.device)
    if visited is not None:
        visited.append(state)
    for _ in range(iteration.steps - 1):
        following = update(state, *parameters)
        if iteration.tol:
            following = torch.where(moving[..., None], following, state)
            steps, moving = steps + moving, moving & ~settled(state, following)
        else:
            steps = steps + 1
        state = following
        if visited is not None:
            visited.append(state)
        if iteration.tol and not traced() and not bool(moving.any()):
            break
    return state, steps


class _FixedPoint(torch.autograd.Function):
    """x* = f(x*, θ): dx* = (1 − J)⁻¹ ∂f/∂θ dθ, J = ∂f/∂x at x*.

    Backward solves g = v + Jᵀg. Where the gradient shall be differentiated in turn, g is the
    fixed point of that map, by this same class.
    """

    @staticmethod
    def forward(ctx: Any, update: Update, limit: int, state: Tensor, *parameters: Tensor) -> Tensor:
        """x*, found before."""
        ctx.update, ctx.limit = update, limit
        state = state.clone()
        ctx.save_for_backward(state, *parameters)
        return state

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        """(∂f/∂θ)ᵀ(1 − Jᵀ)⁻¹ v."""
        given, (v,), again = ctx.saved_tensors, above, torch.is_grad_enabled()
        # Names of their own, or slopes by θ would go on through x*, which is one of θ's results.
        state, *parameters = (t.view_as(t) if again else t.detach() for t in given)
        if not again:
            for one, other in zip((state, *parameters), given, strict=True):
                one.requires_grad_(other.requires_grad)
            state.requires_grad_()
        with torch.enable_grad():
            following = ctx.update(state, *parameters)

        def linear(g: Tensor, v: Tensor, state: Tensor, *parameters: Tensor) -> Tensor:
            with torch.enable_grad():
                output = ctx.update(state, *parameters)
            return v + _pulled(output, [state], g, torch.is_grad_enabled())[0]

        with torch.no_grad():
            g = _series(lambda g: v + _pulled(following, [state], g, False)[0], v, ctx.limit)
        if again:
            g = _FixedPoint.apply(linear, ctx.limit, g, v, *given)
        wanted = [one for one in parameters if one.requires_grad]
        slopes = iter(_pulled(following, wanted, g, again) if wanted else ())
        return None, None, None, *(next(slopes) if p.requires_grad else None for p in parameters)


def _pulled(
    output: Tensor, inputs: Sequence[Tensor], g: Tensor, create_graph: bool
) -> tuple[Tensor, ...]:
    """gᵀ ∂output/∂inputs."""
    return torch.autograd.grad(
        output, inputs, g, retain_graph=True, create_graph=create_graph, materialize_grads=True
    )


def _series(linear: Callable[[Tensor], Tensor], start: Tensor, limit: int) -> Tensor:
    """The fixed point of a linear map, up to rounding or so many terms."""
    g, eps = start, torch.finfo(start.dtype).eps
    for _ in range(limit if start.numel() else 0):
        following = linear(g)
        moved = (following - g).abs().amax()
        g = following
        if not bool(moved > eps * g.abs().amax()):
            break
    return g
