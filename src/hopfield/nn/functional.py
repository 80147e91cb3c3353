"""Association as a function of states and patterns."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..checks import is_broadcastable
from ..errors import ShapeError
from ..separation import Separation
from .compute import Association, Operands, associate_in_detail
from .input_checks import check_association, check_instance
from .iteration import ONE_STEP, Iteration
from .masks import split_bias
from .scaled_separation import ScaledSeparation, tensors_of
from .window import Window
from .windowed import associate_in_window, check_window, with_whole_window


def association(
    state: Float[Tensor, "*#batch m dim"],
    stored: Float[Tensor, "*#batch n dim"],
    projected: Float[Tensor, "*#batch n out"] | None = None,
    *,
    separation: Separation | None = None,
    mask: Bool[Tensor, "*#batch #m #n"] | Float[Tensor, "*#batch #m #n"] | None = None,
    iteration: Iteration = ONE_STEP,
    dropout: float = 0.0,
    window: Window | None = None,
) -> Float[Tensor, "*batch m out"]:
    """Update states x in the energy of stored patterns K, then read the projected ones V.

    x ← Kᵀ∇F(βKx), `steps − 1` times;   output = Vᵀ∇F(βKx).

    With softmax and one step this is attention (Ramsauer et al. 2021, eq. 10), computed by
    `torch.nn.functional.scaled_dot_product_attention`. Other separations are computed block by
    block. All weights are in memory at once only with dropout. Results and gradients are finite if
    β·x·k, ‖x‖² and ‖k‖² are far from the largest number of the dtype.

    Args:
        state: x, `(*batch, m, dim)`.
        stored: K, `(*batch, n, dim)`.
        projected: V, `(*batch, n, out)`; None reads the stored patterns.
        separation: F and β, broadcastable to `(*batch, m)`; None is softmax at β = 1/√dim. Your
            own must give no weight to masked patterns, whose scores are far below all others.
        mask: True where a pattern is ignored, broadcastable to `(*batch, m, n)`; or numbers that
            are added to the scores βKx, with −∞ to ignore. The output is 0 where all are ignored.
        iteration: number of steps, stopping and differentiation.
        dropout: share of the weights of the last step that are set to 0; give it in training only.
        window: positions near its own that a state reads, for instance `Window(before=255,
            after=0)`. Other pairs are not computed. Needs m = n.

    Returns:
        `(*batch, m, out)`.

    Raises:
        ShapeError, InputTypeError, OptionError, DomainError: with what was expected.
    """
    operands = _check_operands(state, stored, projected, separation, mask, iteration, dropout)
    return associate_in_window(operands, check_window(window, operands), dropout)


def describe(
    state: Float[Tensor, "*#batch m dim"],
    stored: Float[Tensor, "*#batch n dim"],
    projected: Float[Tensor, "*#batch n out"] | None = None,
    *,
    separation: Separation | None = None,
    mask: Bool[Tensor, "*#batch #m #n"] | Float[Tensor, "*#batch #m #n"] | None = None,
    iteration: Iteration = ONE_STEP,
    window: Window | None = None,
) -> Association:
    """Return the `association` with its weights, energies and steps, all of them in memory."""
    operands = _check_operands(state, stored, projected, separation, mask, iteration, 0.0)
    return associate_in_detail(with_whole_window(operands, check_window(window, operands)))


def _check_operands(
    state: Tensor,
    stored: Tensor,
    projected: Tensor | None,
    separation: Separation | None,
    mask: Tensor | None,
    iteration: Iteration,
    dropout: float,
) -> Operands:
    projected = stored if projected is None else projected
    ignored, bias = (None, None) if mask is None else split_bias("mask", mask)
    check_association(state, stored, projected, ignored, dropout)
    scaled = ScaledSeparation.of(separation)
    shapes = [t.shape[:-2] for t in (state, stored, projected, mask) if t is not None]
    _check_parameters(scaled, (*torch.broadcast_shapes(*shapes), state.shape[-2]))
    check_instance("iteration", iteration, Iteration, "Iteration(steps=3)")
    return Operands(scaled, state, stored, projected, scaled.mask(ignored, bias), iteration)


def _check_parameters(scaled: ScaledSeparation, states: tuple[int, ...]) -> None:
    for name, number in {**tensors_of(scaled.unit), "beta": scaled.beta}.items():
        if isinstance(number, Tensor) and not is_broadcastable(number.shape, states):
            raise ShapeError(
                f"{name} must be one number or broadcast to the states {states}, but has shape "
                f"{tuple(number.shape)}. Use unsqueeze(-1) for one number per head."
            )
