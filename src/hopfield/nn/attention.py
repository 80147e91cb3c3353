"""One read: states score the stored patterns, and the weights pull the projected ones."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import dropout as drop
from torch.nn.functional import pad, scaled_dot_product_attention

from ..checks import traced, transformed
from . import blocks
from .rule import Rule
from .visible import Visible, folded, scores

Parts = tuple[Tensor, Tensor, Tensor]
"""States, stored and projected patterns."""


def read(
    rule: Rule,
    state: Tensor,
    stored: Tensor,
    projected: Tensor,
    visible: Visible | None,
    dropout: float = 0.0,
) -> Tensor:
    """∇F(β x Kᵀ) V, `(*batch, m, out)`; without dropout not all weights are in memory at once."""
    beta = rule.scale(state)
    fast = rule.dense and not transformed()
    if not fast or isinstance(beta, Tensor):  # a number is left to torch's attention: no copy
        state, beta = beta * state, 1.0
    if not (rule.dense or dropout or traced()):
        return blocks.by_blocks(rule, state, stored, projected, visible)
    if fast:
        found = _softmax(beta, state, stored, projected, visible, dropout)
    else:
        weights = rule.separation(scores(state, stored, visible)).to(projected.dtype)
        found = drop(weights, dropout) @ projected
    return found if visible is None else found.masked_fill(visible.none, 0.0)


def _softmax(
    beta: float,
    state: Tensor,
    stored: Tensor,
    projected: Tensor,
    visible: Visible | None,
    dropout: float,
) -> Tensor:
    """softmax(β x Kᵀ) V by torch's attention: fast for (batch, heads, …) of one width."""
    batch = torch.broadcast_shapes(*(t.shape[:-2] for t in (state, stored, projected)))
    mask = None if visible is None else visible.patterns
    if mask is not None:
        batch = torch.broadcast_shapes(batch, mask.shape[:-2])
        # Not expanded where that can be helped: torch turns it into numbers, one for each entry.
        mask = folded(mask, batch if len(batch) > 2 else mask.shape[:-2])
    inner, out = state.shape[-1], projected.shape[-1]
    width = max(inner, out)
    state, stored = (pad(t, (0, width - inner)) if width > inner else t for t in (state, stored))
    projected = pad(projected, (0, width - out)) if width > out else projected
    parts = folded(state, batch), folded(stored, batch), folded(projected, batch)
    parts = _cast(parts)
    if dropout or torch.compiler.is_compiling():
        found = _attend(parts, mask, beta, dropout)
    elif mask is None or len(mask) == 1 or mask.numel() <= blocks.BLOCK:
        found = _once(parts, mask, beta)
    else:  # torch's attention makes numbers of a mask: so many entries that they are a block
        count = max(1, blocks.BLOCK // mask[0].numel())
        each = zip(*(part.split(count) for part in (*parts, mask)), strict=True)
        found = torch.cat([_once(tuple(own), hidden, beta) for *own, hidden in each])
    return found[..., :out].reshape(*batch, state.shape[-2], out)


def _once(parts: Parts, mask: Tensor | None, beta: float) -> Tensor:
    if not torch.is_grad_enabled():
        return _attend(parts, mask, beta)
    found: Tensor = _Attention.apply(mask, beta, *parts)
    return found


def _attend(parts: Parts, mask: Tensor | None, beta: float, dropout: float = 0.0) -> Tensor:
    state, stored, projected = parts
    return scaled_dot_product_attention(state, stored, projected, mask, dropout, scale=beta)


def _cast(parts: Parts) -> Parts:
    """What torch's attention makes of them under autocast, which no backward pass is under."""
    device = parts[0].device.type
    if not torch.is_autocast_enabled(device) or parts[0].dtype == torch.float64:
        return parts
    state, stored, projected = (part.to(torch.get_autocast_dtype(device)) for part in parts)
    return state, stored, projected


class _Attention(torch.autograd.Function):
    """torch's attention, which can be differentiated once, made differentiable any number of times.

    Where its gradient is to be differentiated in turn, the plain formula stands in for it.
    """

    @staticmethod
    def forward(
        ctx: Any, mask: Tensor | None, beta: float, state: Tensor, stored: Tensor, projected: Tensor
    ) -> Tensor:
        """softmax(β x Kᵀ) V."""
        ctx.beta, ctx.wanted = beta, ctx.needs_input_grad[2:]
        ctx.save_for_backward(mask, state, stored, projected)
        ctx.inner = _graph(mask, beta, (state, stored, projected), ctx.wanted)
        found: Tensor = ctx.inner[0]
        return found.detach()

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients that are wanted."""
        mask, *parts = ctx.saved_tensors
        if torch.is_grad_enabled():
            visible = None if mask is None else Visible(mask, mask)
            weights = torch.softmax(scores(ctx.beta * parts[0], parts[1], visible), dim=-1)
            found = weights.to(parts[2].dtype) @ parts[2]
            leaves = [part for part, want in zip(parts, ctx.wanted, strict=True) if want]
            slopes = torch.autograd.grad(found, leaves, above, create_graph=True)
        else:  # the first pass lets go of the inner graph; one through a kept graph begins anew
            found, leaves = ctx.inner or _graph(mask, ctx.beta, parts, ctx.wanted)
            ctx.inner = None
            slopes = torch.autograd.grad(found, leaves, above)
        each = iter(slopes)
        return None, None, *(next(each) if want else None for want in ctx.wanted)


def _graph(
    mask: Tensor | None, beta: float, parts: Parts, wanted: Sequence[bool]
) -> tuple[Tensor, list[Tensor]]:
    """Attention with a graph of its own, and the leaves of that graph."""
    state, stored, projected = (
        part.detach().requires_grad_(want) for part, want in zip(parts, wanted, strict=True)
    )
    numbers = None if mask is None else _numbers(mask, state.dtype)
    with torch.enable_grad(), _made_anew(mask, numbers):
        found = _attend((state, stored, projected), numbers, beta)
    return found, [part for part in (state, stored, projected) if part.requires_grad]


def _numbers(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to scores: 0 for what may be read, −∞ for the rest."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, -torch.inf)


def _made_anew(mask: Tensor | None, numbers: Tensor | None) -> AbstractContextManager[Any]:
    """Where the numbers of a mask are not kept for the backward pass, but made again there."""
    if mask is None or numbers is None or mask.shape[-2] == 1:  # no more than one row: no matter
        return nullcontext()
    place, dtype = numbers.data_ptr(), numbers.dtype

    def kept(tensor: Tensor) -> Tensor | None:
        return None if tensor.data_ptr() == place else tensor

    def again(tensor: Tensor | None) -> Tensor:
        return _numbers(mask, dtype) if tensor is None else tensor

    return torch.autograd.graph.saved_tensors_hooks(kept, again)
