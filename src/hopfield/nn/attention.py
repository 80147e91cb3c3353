"""One read: states score the stored patterns, and the weights pull the projected ones."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import dropout as drop
from torch.nn.functional import pad, scaled_dot_product_attention

from .iteration import transformed
from .rule import Rule

Parts = tuple[Tensor, Tensor, Tensor]
"""States, stored and projected patterns."""


class Visible(NamedTuple):
    """What states may read, broadcastable to the scores `(*batch, m, n)`.

    Attributes:
        patterns: True where a pattern may be read; all of a row where none may.
        none: True for rows that may read none, `(…, m | 1, 1)`: what they read is 0.
    """

    patterns: Tensor
    none: Tensor

    @classmethod
    def of(cls, mask: Tensor) -> "Visible":
        """From a mask that is True where a pattern is to be ignored."""
        none = mask.all(-1, keepdim=True)
        return cls(~mask | none, none)


def read(
    rule: Rule,
    state: Tensor,
    stored: Tensor,
    projected: Tensor,
    visible: Visible | None,
    dropout: float = 0.0,
) -> Tensor:
    """∇F(β x Kᵀ) V, `(*batch, m, out)`; for softmax without all weights in memory at once."""
    state = rule.scale(state) * state
    if rule.dense and not transformed():
        found = _softmax(state, stored, projected, visible, dropout)
    else:
        weights = rule.separation(scores(state, stored, visible)).to(projected.dtype)
        found = drop(weights, dropout) @ projected
    return found if visible is None else found.masked_fill(visible.none, 0.0)


def scores(state: Tensor, stored: Tensor, visible: Visible | None) -> Tensor:
    """x Kᵀ in float32 at least, and so low for what is not visible that it has no weight."""
    found = state @ stored.mT
    found = found.to(torch.promote_types(found.dtype, torch.float32))
    if visible is None:
        return found
    # Finite, or slopes are 0·∞; far enough from the end of the range to be subtracted from.
    return found.masked_fill(~visible.patterns, torch.finfo(found.dtype).min / 64)


def _softmax(
    state: Tensor, stored: Tensor, projected: Tensor, visible: Visible | None, dropout: float
) -> Tensor:
    """softmax(x Kᵀ) V by torch's attention, whose fast way wants (batch, heads, …) of one width."""
    batch = torch.broadcast_shapes(*(t.shape[:-2] for t in (state, stored, projected)))
    mask = None if visible is None else visible.patterns
    if mask is not None:
        batch = torch.broadcast_shapes(batch, mask.shape[:-2])
        # Not expanded where that can be helped: torch turns it into numbers, one for each entry.
        mask = _folded(mask, batch if len(batch) > 2 else mask.shape[:-2])
    inner, out = state.shape[-1], projected.shape[-1]
    width = max(inner, out)
    state, stored = (pad(t, (0, width - inner)) if width > inner else t for t in (state, stored))
    projected = pad(projected, (0, width - out)) if width > out else projected
    parts = _folded(state, batch), _folded(stored, batch), _folded(projected, batch)
    if dropout or torch.compiler.is_compiling() or not torch.is_grad_enabled():
        found = _attend(parts, mask, dropout)
    else:
        found = _Attention.apply(mask, *parts)
    return found[..., :out].reshape(*batch, state.shape[-2], out)


def _folded(tensor: Tensor, batch: Sequence[int]) -> Tensor:
    """`(*batch, a, b)` with exactly two axes before the last two."""
    tensor = tensor.expand(*batch, *tensor.shape[-2:])
    if len(batch) < 2:
        return tensor.reshape(*[1] * (2 - len(batch)), *tensor.shape)
    return tensor.flatten(0, len(batch) - 2)


def _attend(parts: Parts, mask: Tensor | None, dropout: float = 0.0) -> Tensor:
    state, stored, projected = parts
    return scaled_dot_product_attention(state, stored, projected, mask, dropout, scale=1.0)


class _Attention(torch.autograd.Function):
    """torch's attention, which can be differentiated once, made differentiable any number of times.

    Where its gradient is to be differentiated in turn, the plain formula stands in for it.
    """

    @staticmethod
    def forward(
        ctx: Any, mask: Tensor | None, state: Tensor, stored: Tensor, projected: Tensor
    ) -> Tensor:
        """softmax(x Kᵀ) V."""
        ctx.wanted = ctx.needs_input_grad[1:]
        ctx.save_for_backward(mask, state, stored, projected)
        ctx.inner = _graph(mask, (state, stored, projected), ctx.wanted)
        found: Tensor = ctx.inner[0]
        return found.detach()

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients that are wanted."""
        mask, *parts = ctx.saved_tensors
        if torch.is_grad_enabled():
            visible = None if mask is None else Visible(mask, mask)
            weights = torch.softmax(scores(parts[0], parts[1], visible), dim=-1)
            found = weights.to(parts[2].dtype) @ parts[2]
            leaves = [part for part, want in zip(parts, ctx.wanted, strict=True) if want]
            slopes = torch.autograd.grad(found, leaves, above, create_graph=True)
        else:  # the first pass lets go of the inner graph; one through a kept graph begins anew
            found, leaves = ctx.inner or _graph(mask, parts, ctx.wanted)
            ctx.inner = None
            slopes = torch.autograd.grad(found, leaves, above)
        each = iter(slopes)
        return None, *(next(each) if want else None for want in ctx.wanted)


def _graph(
    mask: Tensor | None, parts: Parts, wanted: Sequence[bool]
) -> tuple[Tensor, list[Tensor]]:
    """Attention with a graph of its own, and the leaves of that graph."""
    state, stored, projected = (
        part.detach().requires_grad_(want) for part, want in zip(parts, wanted, strict=True)
    )
    with torch.enable_grad():
        found = _attend((state, stored, projected), mask)
    return found, [part for part in (state, stored, projected) if part.requires_grad]
