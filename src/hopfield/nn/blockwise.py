"""Attention computed block by block: memory holds one block of weights at a time.

The backward pass computes the weights of each block again.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..separation import Separation
from .masks import Mask, fold_batch, fold_unexpanded, inner_products, masked_scores
from .scaled_separation import replace_tensors, tensors_of

BLOCK = 2**22
"""Most scores per block, or one row of scores if that is more.

Smaller blocks are slower on a GPU, and where a block is divided among many threads.
"""

THREAD_BLOCK = 2**20
"""Most scores per block and thread of a CPU.

The arrays of a larger block leave the cache, and each is taken from the system and cleared again.
"""


class Block(NamedTuple):
    """Slices of the group, head and state axes whose attention is computed at once.

    Groups are all other batch axes, flattened to one. A block of several groups has all heads; a
    block of several heads has all states.
    """

    groups: slice
    heads: slice
    states: slice

    def of(self, tensor: Tensor) -> Tensor:
        """Return the part of a tensor `(groups | 1, heads | 1, m | 1, …)` in this block."""
        for axis, part in enumerate(self):
            if tensor.shape[axis] > 1:
                tensor = tensor.narrow(axis, part.start, part.stop - part.start)
        return tensor

    def parts(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the states of this block, all their patterns, and their separation parameters."""
        state, stored, projected, *parameters = tensors
        rows = self.groups, self.heads
        return [self.of(state), stored[rows], projected[rows], *map(self.of, parameters)]

    def mask(self, mask: Mask | None) -> Mask | None:
        """Return the part of a mask in this block."""
        return None if mask is None else mask.map(self.of)


def split_blocks(groups: int, heads: int, m: int, n: int, limit: int) -> Iterator[Block]:
    """Split into blocks of at most `limit` scores; one state has n scores, and may have more."""
    axes = []
    for length, scores in ((groups, heads * m * n), (heads, m * n), (m, n)):
        size = max(1, limit // scores)
        axes.append([slice(i, min(i + size, length)) for i in range(0, length, size)])
    yield from itertools.starmap(Block, itertools.product(*axes))


def blockwise_attention(
    separation: Separation, state: Tensor, stored: Tensor, projected: Tensor, mask: Mask | None
) -> Tensor:
    """Compute the attention ∇F(x Kᵀ) V, where ∇F are the weights of the separation, e.g. softmax.

    The output is 0 where a mask hides all patterns from a state.

    Args:
        separation: F at β = 1.
        state: x, already multiplied by β, `(*batch, m, dim)`.
        stored: K, `(*batch, n, dim)`.
        projected: V, `(*batch, n, dim_v)`.
        mask: the patterns that each state may read; None for all.
    """
    batch = torch.broadcast_shapes(*(t.shape[:-2] for t in (state, stored, projected)))
    if mask is not None:
        batch = torch.broadcast_shapes(batch, mask.visible.shape[:-2])
        mask = mask.map(lambda tensor: fold_unexpanded(tensor, batch))
    common = torch.promote_types(state.dtype, stored.dtype)
    inputs = [fold_batch(t, batch) for t in (state.to(common), stored.to(common), projected)]
    inputs += [fold_unexpanded(t[..., None], batch) for t in tensors_of(separation).values()]
    # Copied once, not once per block, and outside: second derivatives need the copy's graph.
    inputs = [tensor.contiguous() for tensor in inputs]
    output: Tensor = _BlockwiseAttention.apply(separation, mask, *inputs)
    return output.reshape(*batch, *output.shape[-2:])


class _BlockwiseAttention(torch.autograd.Function):
    """∇F(x Kᵀ) V block by block, for inputs `(groups, heads, m, …)`."""

    @staticmethod
    def forward(ctx: Any, separation: Separation, mask: Mask | None, *inputs: Tensor) -> Tensor:
        ctx.separation, ctx.count = separation, len(inputs)
        ctx.save_for_backward(*inputs, *(mask or ()))
        state, _, projected, *_ = inputs
        output = state.new_empty(*state.shape[:3], projected.shape[-1], dtype=projected.dtype)
        for block in _blocks(inputs):
            part = full_attention(separation, block.mask(mask), *block.parts(inputs))
            block.of(output).copy_(part)
        return output if mask is None else output.masked_fill_(mask.empty, 0.0)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors  # read once: checkpointing forbids a second access
        inputs, masks = saved[: ctx.count], saved[ctx.count :]
        mask = Mask(*masks) if masks else None
        grad_output = grad_outputs[0]
        if mask is not None:
            grad_output = grad_output.masked_fill(mask.empty, 0.0)
        wanted = ctx.needs_input_grad[2:]
        if torch.is_grad_enabled():
            output = full_attention(ctx.separation, mask, *inputs)
            return None, None, *gradients_of(output, inputs, wanted, grad_output)
        gradients = _gradients(ctx.separation, mask, inputs, wanted, grad_output.contiguous())
        pairs = zip(gradients, wanted, strict=True)
        return None, None, *(gradient if want else None for gradient, want in pairs)


def full_attention(separation: Separation, mask: Mask | None, *inputs: Tensor) -> Tensor:
    """∇F(x Kᵀ) V in plain torch code, which holds all weights in memory.

    The inputs are x, K, V and the tensor parameters of F, these with a last axis of length 1.
    """
    state, stored, projected, *parameters = inputs
    weights = _weights(separation, inner_products(state, stored), mask, parameters)
    return weights.to(projected.dtype) @ projected


def gradients_of(
    output: Tensor, inputs: Sequence[Tensor | None], wanted: Sequence[bool], grad_output: Tensor
) -> list[Tensor | None]:
    """Return the gradient of each wanted input, and None for the others.

    In a backward pass that will itself be differentiated, the gradients have a graph.
    """
    leaves = [x for x, want in zip(inputs, wanted, strict=True) if want and x is not None]
    create_graph = torch.is_grad_enabled()
    gradients = iter(torch.autograd.grad(output, leaves, grad_output, create_graph=create_graph))
    return [next(gradients) if want else None for want in wanted]


def _gradients(
    separation: Separation,
    mask: Mask | None,
    inputs: Sequence[Tensor],
    wanted: Sequence[bool],
    grad_output: Tensor,
) -> list[Tensor]:
    gradients = [torch.zeros_like(tensor) for tensor in inputs]
    with_parameters = any(wanted[3:])
    for block in _blocks(inputs):
        x, k, v, *parameters = block.parts(inputs)
        g = block.of(grad_output)
        products = inner_products(x, k).requires_grad_()
        leaves = [p.detach().requires_grad_(with_parameters) for p in parameters]
        with torch.enable_grad():
            weights = _weights(separation, products, block.mask(mask), leaves)
        leaves = [products, *leaves] if with_parameters else [products]
        grad_weights = (g @ v.mT).to(weights.dtype)
        grad_products, *grad_parameters = torch.autograd.grad(weights, leaves, grad_weights)
        grad_products = grad_products.to(k.dtype)  # products of half precision are float32
        grad_x, grad_k, grad_v, *others = block.parts(gradients)
        grad_x.add_(grad_products @ k)
        grad_k.add_(grad_products.mT @ x)
        grad_v.add_(weights.detach().to(g.dtype).mT @ g)
        for gradient, part in zip(others, grad_parameters, strict=False):
            gradient.add_(part)
    return gradients


def _blocks(inputs: Sequence[Tensor]) -> Iterator[Block]:
    (groups, heads, m, _), n = inputs[0].shape, inputs[1].shape[-2]
    on_cpu = inputs[0].device.type == "cpu"
    limit = min(BLOCK, torch.get_num_threads() * THREAD_BLOCK) if on_cpu else BLOCK
    return split_blocks(groups, heads, m, n, limit)


def _weights(
    separation: Separation, products: Tensor, mask: Mask | None, parameters: Sequence[Tensor]
) -> Tensor:
    # `parameters` are the tensors of F, with a last axis of length 1.
    values = (parameter.squeeze(-1) for parameter in parameters)
    tensors = dict(zip(tensors_of(separation), values, strict=True))
    return replace_tensors(separation, tensors)(masked_scores(products, mask))
