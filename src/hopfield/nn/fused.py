"""torch's attention, differentiable any number of times, in the layouts where it is fast."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from ..separation import Softmax
from . import blockwise
from .inner_graph import InnerGraph
from .masks import Mask, fold_batch, fold_unexpanded

SOFTMAX = Softmax()

Inputs = tuple[Tensor, Tensor, Tensor]
"""States, stored and projected patterns."""


def fused_attention(
    beta: float, state: Tensor, stored: Tensor, projected: Tensor, mask: Mask | None, dropout: float
) -> Tensor:
    """softmax(β x Kᵀ) V; rows that may read no pattern average all."""
    # torch's attention is fast only for (batch, heads, …) with keys and values of one width.
    batch = torch.broadcast_shapes(*(t.shape[:-2] for t in (state, stored, projected)))
    visible = None
    if mask is not None:  # bools, or numbers that are added to the scores
        visible = mask.readable(state.dtype)
        batch = torch.broadcast_shapes(batch, visible.shape[:-2])
        visible = fold_unexpanded(visible, batch)  # torch makes a float of each of its entries
    inner, out = state.shape[-1], projected.shape[-1]
    width = max(inner, out)
    state, stored = (pad(t, (0, width - inner)) if width > inner else t for t in (state, stored))
    projected = pad(projected, (0, width - out)) if width > out else projected
    inputs = _autocast(*(fold_batch(t, batch) for t in (state, stored, projected)))
    if visible is not None and visible.is_floating_point():
        visible = visible.to(inputs[0].dtype)
    if dropout or torch.compiler.is_compiling():
        output = scaled_dot_product_attention(*inputs, visible, dropout, scale=beta)
    elif visible is None or visible.shape[0] == 1 or visible.numel() <= blockwise.BLOCK:
        output = _differentiable_sdpa(inputs, visible, beta)
    else:  # a mask as floats must not take more memory than one block
        count = max(1, blockwise.BLOCK // visible[0].numel())
        parts = zip(*(tensor.split(count) for tensor in (*inputs, visible)), strict=True)
        output = torch.cat([_differentiable_sdpa((x, k, v), part, beta) for x, k, v, part in parts])
    return output[..., :out].reshape(*batch, state.shape[-2], out)


def _autocast(state: Tensor, stored: Tensor, projected: Tensor) -> Inputs:
    # Cast here as torch's attention would: its backward pass does not run under autocast.
    device = state.device.type
    if not torch.is_autocast_enabled(device) or state.dtype == torch.float64:
        return state, stored, projected
    dtype = torch.get_autocast_dtype(device)
    return state.to(dtype), stored.to(dtype), projected.to(dtype)


def _differentiable_sdpa(inputs: Inputs, visible: Tensor | None, beta: float) -> Tensor:
    if not torch.is_grad_enabled():
        return scaled_dot_product_attention(*inputs, visible, scale=beta)
    functions = partial(_fast_attention, beta), partial(_plain_attention, beta)
    output: Tensor = InnerGraph.apply(*functions, visible, *inputs)
    return output


def _fast_attention(beta: float, visible: Tensor | None, *inputs: Tensor) -> Tensor:
    """torch's attention, which is differentiable once."""
    (x, k, v), bias = inputs, visible
    if visible is not None and visible.dtype == torch.bool:
        bias = _additive_mask(visible, x.dtype)
    with _rebuilt_for_backward(visible, bias):
        return scaled_dot_product_attention(x, k, v, bias, scale=beta)


def _plain_attention(beta: float, visible: Tensor | None, x: Tensor, *patterns: Tensor) -> Tensor:
    mask = None
    if visible is not None:
        is_bool = visible.dtype == torch.bool
        mask = Mask(visible, visible) if is_bool else Mask.of_scores(visible)
    return blockwise.full_attention(SOFTMAX, mask, beta * x, *patterns)


def _additive_mask(visible: Tensor, dtype: torch.dtype) -> Tensor:
    zeros = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
    return zeros.masked_fill_(~visible, -torch.inf)


def _rebuilt_for_backward(
    visible: Tensor | None, bias: Tensor | None
) -> AbstractContextManager[Any]:
    # A mask of floats is built again in the backward pass, not kept: it may be m·n large.
    if visible is None or bias is None or bias is visible or visible.shape[-2] == 1:
        return nullcontext()
    address, dtype = bias.data_ptr(), bias.dtype

    def pack(tensor: Tensor) -> Tensor | None:
        return None if tensor.data_ptr() == address else tensor

    def unpack(tensor: Tensor | None) -> Tensor:
        return _additive_mask(visible, dtype) if tensor is None else tensor

    return torch.autograd.graph.saved_tensors_hooks(pack, unpack)
