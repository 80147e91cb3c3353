"""Association as a pure function: states read stored patterns, and bring back projected ones."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .. import energy
from ..checks import check_float, check_number
from ..errors import ShapeError
from ..separation import Separation
from .attention import read
from .fitting import check_alike
from .iteration import Iteration, check_iteration, settle
from .rule import Rule
from .visible import Visible, check_bool, scores

ONCE = Iteration()


@dataclass(frozen=True, eq=False)
class Association:
    """An association, described.

    Attributes:
        output: what was read, `(*batch, m, out)`.
        weights: those of the last softmax, `(*batch, m, n)`.
        energies: E(x) = ½‖x‖² − F(Kx) + ½M² of every state on the way, the first and the last
            included, `(states, *batch, m)`; M is the largest norm of a visible pattern. A query
            that has stopped keeps its last.
        steps: softmaxes made, `(*batch, m)`.
    """

    output: Tensor
    weights: Tensor
    energies: Tensor
    steps: Tensor


def association(
    state: Float[Tensor, "*#batch m dim"],
    stored: Float[Tensor, "*#batch n dim"],
    projected: Float[Tensor, "*#batch n out"] | None = None,
    *,
    separation: Separation | None = None,
    mask: Bool[Tensor, "*#batch #m #n"] | None = None,
    iteration: Iteration = ONCE,
    dropout: float = 0.0,
) -> Float[Tensor, "*batch m out"]:
    """Update states x in the energy of stored patterns K, then read the projected ones V.

    x ← Kᵀ∇F(βKx), `steps − 1` times;   output = Vᵀ∇F(βKx).

    With softmax and one step this is attention (Ramsauer et al. 2021, eq. 10), done by
    `torch.nn.functional.scaled_dot_product_attention`; other separations read block by block.
    Memory does not hold all weights at once, except with dropout.

    Args:
        state: x, `(*batch, m, dim)`.
        stored: K, `(*batch, n, dim)`.
        projected: V, `(*batch, n, out)`; None reads the stored patterns.
        separation: F and β, broadcastable to `(*batch, m)`; None is softmax at β = 1/√dim.
        mask: True where a pattern is ignored, broadcastable to `(*batch, m, n)`. A row that
            ignores all reads zeros.
        iteration: how many steps, when a query stops, what gradients see.
        dropout: share of the weights of the last read that are dropped; apply it in training only.

    Returns:
        `(*batch, m, out)`.

    Raises:
        ShapeError, InputTypeError, OptionError, DomainError: saying what was expected.
    """
    projected = check(state, stored, projected, mask, dropout)
    rule = _fitting(Rule.of(separation), state, stored, projected, mask)
    return associate(rule, state, stored, projected, _visible(mask), iteration, dropout)


def describe(
    state: Float[Tensor, "*#batch m dim"],
    stored: Float[Tensor, "*#batch n dim"],
    projected: Float[Tensor, "*#batch n out"] | None = None,
    *,
    separation: Separation | None = None,
    mask: Bool[Tensor, "*#batch #m #n"] | None = None,
    iteration: Iteration = ONCE,
) -> Association:
    """`association` with its weights, energies and steps, all of which are held in memory."""
    projected = check(state, stored, projected, mask, 0.0)
    rule = _fitting(Rule.of(separation), state, stored, projected, mask)
    return described(rule, state, stored, projected, _visible(mask), iteration)


def associate(
    rule: Rule,
    state: Tensor,
    stored: Tensor,
    projected: Tensor,
    visible: Visible | None,
    iteration: Iteration,
    dropout: float,
) -> Tensor:
    """The one way from states to what they read, for functions and layers alike."""
    state, _ = _settled(rule, state, stored, visible, iteration)
    return read(rule, state, stored, projected, visible, dropout)


def described(
    rule: Rule,
    state: Tensor,
    stored: Tensor,
    projected: Tensor,
    visible: Visible | None,
    iteration: Iteration,
) -> Association:
    """The same, with all there is to say."""
    visited: list[Tensor] = []
    state, steps = _settled(rule, state, stored, visible, iteration, visited)
    weights = rule.separation(scores(rule.scale(state) * state, stored, visible))
    if visible is not None:
        weights = weights.masked_fill(visible.none, 0.0)
    return Association(
        output=weights.to(projected.dtype) @ projected,
        weights=weights,
        energies=torch.stack([energies(rule, x, stored, visible) for x in visited]),
        steps=steps.expand(weights.shape[:-1]),
    )


def _fitting(rule: Rule, state: Tensor, *others: Tensor | None) -> Rule:
    """The rule, whose numbers must broadcast to the states."""
    shapes = [part.shape[:-2] for part in (state, *others) if part is not None]
    states = (*torch.broadcast_shapes(*shapes), state.shape[-2])
    for name, number in rule.numbers.items():
        try:
            fits = torch.broadcast_shapes(number.shape, states) == torch.Size(states)
        except RuntimeError:
            fits = False
        if not fits:
            raise ShapeError(
                f"{name} must be one number or broadcast to the states {states}, but has shape "
                f"{tuple(number.shape)}. Use unsqueeze(-1) for one number for each head."
            )
    return rule


def _visible(mask: Tensor | None) -> Visible | None:
    return None if mask is None else Visible.of(mask)


def _settled(
    rule: Rule,
    state: Tensor,
    stored: Tensor,
    visible: Visible | None,
    iteration: Iteration,
    visited: list[Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """The states that the last softmax reads, and the softmaxes that makes."""
    numbers, iteration = rule.numbers, check_iteration(iteration)

    def update(x: Tensor, stored: Tensor, *values: Tensor) -> Tensor:
        own = rule.with_numbers(dict(zip(numbers, values, strict=True)))
        return read(own, x, stored, stored, visible)

    return settle(update, state, iteration, [stored, *numbers.values()], visited)


def potential(
    rule: Rule,
    state: Float[Tensor, "*batch m dim"],
    stored: Float[Tensor, "*#batch n dim"],
    visible: Visible | None,
) -> Float[Tensor, "*all m"]:
    """F(Kx) over the visible patterns, with F(0) = 0; 0 where none is."""
    beta = rule.scale(state)
    value = rule.separation.potential(scores(beta * state, stored, visible))
    if visible is not None:
        # F(0) = 0 over all n; over those that are visible it is what must be taken off.
        value = value - rule.separation.potential(scores(0 * state, stored, visible))
        value = value.masked_fill(visible.none.squeeze(-1), 0.0)
    return value / (beta[..., 0] if isinstance(beta, Tensor) else beta)


def energies(
    rule: Rule,
    state: Float[Tensor, "*batch m dim"],
    stored: Float[Tensor, "*#batch n dim"],
    visible: Visible | None,
) -> Float[Tensor, "*all m"]:
    """E(x) = ½‖x‖² − F(Kx) + ½M² over the visible patterns; 0 where none is."""
    found = potential(rule, state, stored, visible)
    squares = stored.square().sum(-1)[..., None, :].to(found.dtype)
    if visible is not None:
        squares = squares.masked_fill(~visible.patterns, 0.0)
    bound = squares.amax(-1) / 2
    value = energy.modern(state.expand(*found.shape, -1), found, squares.new_zeros(())) + bound
    return value if visible is None else value.masked_fill(visible.none.squeeze(-1), 0.0)


def check(
    state: Tensor,
    stored: Tensor,
    projected: Tensor | None,
    mask: Tensor | None,
    dropout: float,
) -> Tensor:
    """Refuse what does not fit together; return the projected patterns."""
    for name, value in (("state", state), ("stored", stored)):
        _check_rows(name, value)
    if state.shape[-1] != stored.shape[-1]:
        raise ShapeError(
            f"state and stored must have rows of one length, but have shapes "
            f"{tuple(state.shape)} and {tuple(stored.shape)}. Project them to one space before."
        )
    projected = stored if projected is None else _check_rows("projected", projected)
    check_alike(state=state, stored=stored, projected=projected)
    if projected.shape[-2] != stored.shape[-2]:
        raise ShapeError(
            f"projected must have one row for each of the n={stored.shape[-2]} stored patterns, "
            f"but has shape {tuple(projected.shape)}. Give as many."
        )
    shapes = [value.shape[:-2] for value in (state, stored, projected)]
    if mask is not None:
        shapes.append(_check_mask(mask, state.shape[-2], stored.shape[-2]).shape[:-2])
    try:
        torch.broadcast_shapes(*shapes)
    except RuntimeError:
        raise ShapeError(
            "state, stored, projected and mask must have batch axes that broadcast, but have "
            f"{', '.join(str(tuple(shape)) for shape in shapes)}. Use unsqueeze or expand."
        ) from None
    check_number("dropout", dropout, low=0.0, high=1.0)
    return projected


def _check_rows(name: str, value: Tensor) -> Tensor:
    if check_float(name, value).ndim < 2 or 0 in value.shape[-2:]:
        raise ShapeError(
            f"{name} must have shape (*batch, rows, length) with at least one row, but has shape "
            f"{tuple(value.shape)}. Use unsqueeze where an axis is missing."
        )
    return value


def _check_mask(mask: Tensor, m: int, n: int) -> Tensor:
    if (
        check_bool("mask", mask).ndim < 2
        or mask.shape[-2] not in (1, m)
        or mask.shape[-1] not in (1, n)
    ):
        raise ShapeError(
            f"mask must broadcast to (*batch, {m}, {n}), one entry for each state and pattern, "
            f"but has shape {tuple(mask.shape)}. Use unsqueeze(-2) for a mask of patterns alone."
        )
    return mask
