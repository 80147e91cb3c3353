"""One step of an association, ∇F(β x Kᵀ) V, by the fastest method for its arguments."""

from torch import Tensor
from torch.nn.functional import dropout as drop

from ..checks import is_traced, is_transformed
from . import blockwise
from .fused import fused_attention
from .masks import Mask, inner_products, masked_scores
from .scaled_separation import ScaledSeparation


def attend(
    separation: ScaledSeparation,
    state: Tensor,
    stored: Tensor,
    projected: Tensor,
    mask: Mask | None,
    dropout: float = 0.0,
) -> Tensor:
    """Return ∇F(β x Kᵀ) V, `(*batch, m, out)`; states that may read no pattern get 0.

    Softmax is computed by torch's attention, and other separations block by block. These keep all
    weights in memory only in traced code, with dropout and for a learned bias of the scores.
    """
    unit, beta = separation.unit, separation.scale(state)
    learned_bias = mask is not None and mask.bias is not None and mask.bias.requires_grad
    plain = is_transformed() or learned_bias  # with all weights in memory
    softmax_beta = None if plain else unit.softmax_beta()
    if not isinstance(softmax_beta, float) or isinstance(beta, Tensor):
        state, beta = beta * state, 1.0  # only torch's attention takes a number: no copy of x
    if isinstance(softmax_beta, float):
        beta = beta * softmax_beta
        output = fused_attention(beta, state, stored, projected, mask, dropout)
    elif not (dropout or learned_bias or is_traced()):
        return blockwise.blockwise_attention(unit, state, stored, projected, mask)
    else:
        weights = unit(masked_scores(inner_products(state, stored), mask)).to(projected.dtype)
        output = drop(weights, dropout) @ projected
    return output if mask is None else output.masked_fill(mask.empty, 0.0)
