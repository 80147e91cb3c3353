"""The computation of an association, which functions and layers share."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import dropout as drop

from ..checks import is_traced
from .attention import attend
from .blockwise import BLOCK
from .energies import energies
from .iteration import Iteration, settle
from .masks import Mask, inner_products, masked_scores
from .scaled_separation import ScaledSeparation


@dataclass(frozen=True, eq=False)
class Association:
    """The output of an association, with its weights, energies and steps.

    Attributes:
        output: weighted sums of the projected patterns, `(*batch, m, out)`.
        weights: weights of these sums, `(*batch, m, n)`.
        energies: E(x) = ½‖x‖² − F(Kx) + ½M² of each state from the first to the last,
            `(states, *batch, m)`; M is the largest norm of a visible pattern. A query that has
            stopped keeps its last energy.
        steps: number of softmaxes of each query, `(*batch, m)`.
    """

    output: Tensor
    weights: Tensor
    energies: Tensor
    steps: Tensor


class Operands(NamedTuple):
    """Arguments of an association that are checked and projected: K is stored, V is projected."""

    separation: ScaledSeparation
    state: Tensor
    stored: Tensor
    projected: Tensor
    mask: Mask | None
    iteration: Iteration


def associate(operands: Operands, dropout: float) -> Tensor:
    """Return the output of an association, `(*batch, m, out)`."""
    separation, _, stored, projected, mask, _ = operands
    state, _ = _settle(operands)
    return attend(separation, state, stored, projected, mask, dropout)


def associate_with_weights(operands: Operands, dropout: float) -> tuple[Tensor, Tensor]:
    """Return the output of an association and the weights after dropout, `(*batch, m, n)`."""
    separation, _, stored, projected, mask, _ = operands
    state, _ = _settle(operands)
    weights = drop(_weights(separation, state, stored, mask), dropout).to(projected.dtype)
    return weights @ projected, weights


def associate_in_detail(operands: Operands) -> Association:
    """Return output, weights, energies and steps of an association."""
    separation, _, stored, projected, mask, _ = operands
    visited: list[Tensor] = []
    state, steps = _settle(operands, visited)
    weights = _weights(separation, state, stored, mask)
    return Association(
        output=weights.to(projected.dtype) @ projected,
        weights=weights,
        energies=torch.stack([energies(separation, x, stored, mask) for x in visited]),
        steps=steps.expand(weights.shape[:-1]),
    )


def _weights(
    separation: ScaledSeparation, state: Tensor, stored: Tensor, mask: Mask | None
) -> Tensor:
    products = inner_products(separation.scale(state) * state, stored)
    weights = separation.unit(masked_scores(products, mask))
    return weights if mask is None else weights.masked_fill(mask.empty, 0.0)


def _settle(operands: Operands, visited: list[Tensor] | None = None) -> tuple[Tensor, Tensor]:
    separation, state, stored, _, mask, iteration = operands

    bias = [] if mask is None or mask.bias is None else [mask.bias]

    def update(x: Tensor, stored: Tensor, *tensors: Tensor) -> Tensor:
        visible = mask._replace(bias=tensors[-1]) if mask is not None and bias else mask
        own = tensors[:-1] if bias else tensors
        return attend(separation.with_tensors(own), x, stored, stored, visible)

    tolerance = None
    if iteration.tol and iteration.steps > 1:
        with torch.no_grad():
            scale = _spread(stored, mask)
            if separation.has_beta:  # β^−½ is a length: of scores x·k that differ by 1/β
                root = torch.as_tensor(separation.scale(state)).to(scale.dtype).rsqrt()
                scale = torch.minimum(scale, root.to(scale.device))
            tolerance = iteration.tol * scale
    return settle(
        update, [stored, *separation.tensors(), *bias], state, iteration, tolerance, visited
    )


def _spread(stored: Tensor, mask: Mask | None) -> Tensor:
    # The deviation per entry over the visible patterns, `(*batch, m | 1, dim)`.
    rows = stored.detach().to(torch.promote_types(stored.dtype, torch.float32))
    if mask is None:
        return (rows - rows.mean(-2, keepdim=True)).square().mean(-2, keepdim=True).sqrt()
    visible = (mask.visible & ~mask.empty).expand(*mask.visible.shape[:-1], rows.shape[-2])
    # Centred, or squares of large entries would cancel; without rows that are never visible.
    is_read = visible.any(-2, keepdim=True).to(rows.dtype)
    centre = is_read @ rows / is_read.sum(-1, keepdim=True).clamp_min(1)
    centred = (rows - centre) * is_read.mT
    if is_traced():  # the number of blocks would depend on sizes that an export leaves open
        return _deviation(centred, visible)
    size = max(1, BLOCK // visible[..., :1, :].numel()) if visible.numel() else 1
    parts = [_deviation(centred, part) for part in visible.split(size, dim=-2)]
    return torch.cat(parts, dim=-2)


def _deviation(centred: Tensor, visible: Tensor) -> Tensor:
    weights = visible.to(centred.dtype)
    weights = weights / weights.sum(-1, keepdim=True).clamp_min(1)
    mean = weights @ centred
    return (weights @ centred.square() - mean.square()).clamp_min(0).sqrt()
