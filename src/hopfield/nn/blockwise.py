"""Attention computed block by block: no more than one block of weights is in memory.

The backward pass computes the weights of each block again.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..separation import Separation
from .masks import Mask, fold_batch, fold_unexpanded, masked_scores
from .scaled_separation import replace_tensors, tensors_of

BLOCK = 2**22
"""Scores in memory at a time, or one row of scores if that is more. Smaller blocks are slower."""


class Block(NamedTuple):
    """Groups, heads and states that are computed together.

    A block of several groups has all heads; a block of several heads has all states.
    """

    groups: slice
    heads: slice
    states: slice

    def of(self, tensor: Tensor) -> Tensor:
        """Return the part of `(groups | 1, heads | 1, m | 1, …)`."""
        for axis, part in enumerate(self):
            if tensor.shape[axis] > 1:
                tensor = tensor.narrow(axis, part.start, part.stop - part.start)
        return tensor

    def all_rows(self, tensor: Tensor) -> Tensor:
        """Return all patterns that the states read, of `(groups, heads, n, …)`."""
        return tensor[self.groups, self.heads]


def split_blocks(groups: int, heads: int, m: int, n: int, limit: int) -> Iterator[Block]:
    """Split into blocks of at most `limit` scores, or of one state."""
    axes = (groups, limit // (heads * m * n)), (heads, limit // (m * n)), (m, limit // n)
    for slices in itertools.product(*(_slices(length, size) for length, size in axes)):
        yield Block(*slices)


def _slices(length: int, size: int) -> list[slice]:
    size = max(1, size)
    return [slice(i, min(i + size, length)) for i in range(0, length, size)]


def blockwise_attention(
    unit: Separation, state: Tensor, stored: Tensor, projected: Tensor, mask: Mask | None
) -> Tensor:
    """∇F(x Kᵀ) V, with 0 for states that may read no pattern."""
    batch = torch.broadcast_shapes(*(t.shape[:-2] for t in (state, stored, projected)))
    if mask is not None:
        batch = torch.broadcast_shapes(batch, mask.visible.shape[:-2])
        mask = Mask(*(fold_unexpanded(t, batch) for t in mask))
    common = torch.promote_types(state.dtype, stored.dtype)
    inputs = [fold_batch(t, batch) for t in (state.to(common), stored.to(common), projected)]
    inputs += [fold_unexpanded(t[..., None], batch) for t in tensors_of(unit).values()]
    # Copied once, not once per block, and outside: second derivatives need the copy's graph.
    inputs = [tensor.contiguous() for tensor in inputs]
    output: Tensor = _BlockwiseAttention.apply(unit, mask, *inputs)
    return output.reshape(*batch, *output.shape[-2:])


class _BlockwiseAttention(torch.autograd.Function):
    """∇F(x Kᵀ) V for `(groups, heads, m, …)`."""

    @staticmethod
    def forward(ctx: Any, unit: Separation, mask: Mask | None, *inputs: Tensor) -> Tensor:
        ctx.unit, ctx.count = unit, len(inputs)
        ctx.save_for_backward(*inputs, *(mask or ()))
        state, stored, projected, *numbers = inputs
        output = state.new_empty(*state.shape[:3], projected.shape[-1], dtype=projected.dtype)
        for block in _blocks(state, stored):
            products = block.of(state) @ block.all_rows(stored).mT
            weights = _weights(unit, products, block, mask, numbers)
            block.of(output).copy_(weights.to(projected.dtype) @ block.all_rows(projected))
        return output if mask is None else output.masked_fill_(mask.empty, 0.0)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors  # unpacked once: checkpointing allows no second time
        inputs, masks = saved[: ctx.count], saved[ctx.count :]
        mask = Mask(*masks) if masks else None
        above = upstream[0] if mask is None else upstream[0].masked_fill(mask.empty, 0.0)
        wanted = ctx.needs_input_grad[2:]
        if torch.is_grad_enabled():
            formula = partial(_plain, ctx.unit, mask)
            return None, None, *differentiable_gradients(formula, inputs, wanted, above)
        gradients = _gradients(ctx.unit, mask, inputs, above.contiguous(), any(wanted[3:]))
        pairs = zip(gradients, wanted, strict=True)
        return None, None, *(gradient if want else None for gradient, want in pairs)


def _plain(unit: Separation, mask: Mask | None, *inputs: Tensor) -> Tensor:
    state, stored, projected, *numbers = inputs
    whole = Block(*(slice(0, length) for length in state.shape[:3]))
    weights = _weights(unit, state @ stored.mT, whole, mask, numbers)
    return weights.to(projected.dtype) @ projected


def differentiable_gradients(
    formula: Callable[..., Tensor], inputs: Sequence[Tensor], wanted: Sequence[bool], above: Tensor
) -> list[Tensor | None]:
    """Return the wanted gradients with a graph, for a backward pass that is differentiated.

    `formula` is plain torch code, and holds all weights in memory.
    """
    leaves = [tensor for tensor, want in zip(inputs, wanted, strict=True) if want]
    gradients = iter(torch.autograd.grad(formula(*inputs), leaves, above, create_graph=True))
    return [next(gradients) if want else None for want in wanted]


def _gradients(
    unit: Separation, mask: Mask | None, inputs: Sequence[Tensor], above: Tensor, learned: bool
) -> list[Tensor]:
    state, stored, projected, *numbers = inputs
    gradients = [torch.zeros_like(tensor) for tensor in inputs]
    for block in _blocks(state, stored):
        x, g = block.of(state), block.of(above)
        k, v = block.all_rows(stored), block.all_rows(projected)
        products = (x @ k.mT).requires_grad_()
        own = [number.detach().requires_grad_(learned) for number in numbers]
        with torch.enable_grad():
            weights = _weights(unit, products, block, mask, own)
        leaves = [products, *own] if learned else [products]
        by_weights = (g @ v.mT).to(weights.dtype)
        by_products, *by_numbers = torch.autograd.grad(weights, leaves, by_weights)
        block.of(gradients[0]).add_(by_products @ k)
        block.all_rows(gradients[1]).add_(by_products.mT @ x)
        block.all_rows(gradients[2]).add_(weights.detach().to(g.dtype).mT @ g)
        for gradient, part in zip(gradients[3:], by_numbers, strict=False):
            gradient.add_(part)
    return gradients


def _blocks(state: Tensor, stored: Tensor) -> Iterator[Block]:
    groups, heads, m, _ = state.shape
    return split_blocks(groups, heads, m, stored.shape[-2], BLOCK)


def _weights(
    unit: Separation, products: Tensor, block: Block, mask: Mask | None, numbers: Sequence[Tensor]
) -> Tensor:
    # ∇F of the products of a block; `numbers` are the tensors of F, for all blocks.
    own = (block.of(number).squeeze(-1) for number in numbers)
    unit = replace_tensors(unit, dict(zip(tensors_of(unit), own, strict=True)))
    part = None if mask is None else Mask(*map(block.of, mask))
    return unit(masked_scores(products, part))
