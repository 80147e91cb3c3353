"""The iteration of states before a layer reads its output."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_choice, check_integer, check_number, is_traced
from .fixed_point import Update, with_implicit_gradient

GRADIENTS = ("unrolled", "implicit", "last")


@dataclass(frozen=True)
class Iteration:
    """Number of updates of a state in a layer, their stopping, and their gradient.

    Args:
        steps: number of softmaxes (or sparse equivalents): `steps − 1` updates x ← Kᵀ∇F(βKx), then
            one read of the projected patterns. 1 is attention.
        tol: each query stops by itself after an update with |x'_j − x_j| ≤ tol·min(σ_j, β^−½) in
            every entry j, where σ_j is the standard deviation over the patterns that it may read.
            Scaling or shifting all patterns does not change the steps. With 0 all steps are made.
        gradient: "unrolled" differentiates through all steps. "implicit" differentiates through
            the fixed point, in memory that does not grow with the steps; it is exact where the
            states have settled. "last" takes the state that the last softmax reads as a constant.
            With the last two, the gradient with respect to the initial state is 0.
    """

    steps: int = 1
    tol: float = 0.0
    gradient: str = "unrolled"

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", check_integer("steps", self.steps, low=1))
        object.__setattr__(self, "tol", check_number("tol", self.tol, low=0.0))
        check_choice("gradient", self.gradient, GRADIENTS)


ONE_STEP = Iteration()


def settle(
    update: Update,
    parameters: Sequence[Tensor],
    state: Tensor,
    iteration: Iteration,
    tolerance: Tensor | None,
    visited: list[Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the states that the last softmax reads, and the number of softmaxes, `(*batch, m)`.

    A state has settled if no entry changes by more than `tolerance`; with None all steps are made.
    Every state from the first to the last is appended to `visited`.
    """
    gradient = iteration.gradient if torch.is_grad_enabled() and iteration.steps > 1 else "unrolled"
    if gradient == "unrolled" or (gradient == "implicit" and is_traced()):
        return _iterate(update, parameters, state, iteration.steps, tolerance, visited)
    with torch.no_grad():
        settled, steps = _iterate(update, parameters, state, iteration.steps, tolerance, visited)
    if gradient == "implicit":
        settled = with_implicit_gradient(update, parameters, settled, iteration.steps)
    return settled, steps


def _iterate(
    update: Update,
    parameters: Sequence[Tensor],
    state: Tensor,
    max_steps: int,
    tolerance: Tensor | None,
    visited: list[Tensor] | None,
) -> tuple[Tensor, Tensor]:
    moving = torch.ones(state.shape[:-1], dtype=torch.bool, device=state.device)
    steps = torch.ones(state.shape[:-1], dtype=torch.long, device=state.device)
    if visited is not None:
        visited.append(state)
    for _ in range(max_steps - 1):
        following = update(state, *parameters)
        steps = steps + moving
        if tolerance is not None:
            following = torch.where(moving[..., None], following, state)
            moving = moving & ~_is_settled(state, following, tolerance)
        state = following
        if visited is not None:
            visited.append(state)
        if tolerance is not None and not is_traced() and not bool(moving.any()):
            break
    return state, steps


def _is_settled(state: Tensor, following: Tensor, tolerance: Tensor) -> Tensor:
    # Rounding of sums in at least float32, and of results in half precision, is no change.
    rounding = 4 * torch.finfo(torch.promote_types(state.dtype, torch.float32)).eps
    rounding += torch.finfo(state.dtype).eps if state.dtype.itemsize == 2 else 0.0
    size = torch.maximum(state.abs(), following.abs())
    return ((following - state).abs() <= tolerance + rounding * size).all(-1)
