"""Reads whose weights are made block by block, forward and again backward, and never kept."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .rule import Rule
from .visible import Visible, folded, hidden

BLOCK = 2**22
"""Scores that are in memory at a time; a row of them at least."""


class Span(NamedTuple):
    """Some groups, some heads of them, some states: what one block answers.

    More than one group goes with all heads, more than one head with all states.
    """

    groups: slice
    heads: slice
    rows: slice

    def of(self, tensor: Tensor) -> Tensor:
        """Its part of `(groups | 1, heads | 1, m | 1, …)`."""
        for axis, part in enumerate(self):
            if tensor.shape[axis] > 1:
                tensor = tensor.narrow(axis, part.start, part.stop - part.start)
        return tensor

    def all_of(self, tensor: Tensor) -> Tensor:
        """Its part of `(groups, heads, n, …)`, of which every state reads all rows."""
        return tensor[self.groups, self.heads]


def spans(groups: int, heads: int, m: int, n: int, limit: int) -> Iterator[Span]:
    """Blocks of at most `limit` scores, or of one row of them."""
    rows = min(m, max(1, limit // n))
    some = min(heads, max(1, limit // (m * n)))
    many = max(1, limit // (heads * m * n))
    for g in range(0, groups, many):
        for h in range(0, heads, some):
            for r in range(0, m, rows):
                yield Span(
                    slice(g, min(g + many, groups)),
                    slice(h, min(h + some, heads)),
                    slice(r, min(r + rows, m)),
                )


def by_blocks(
    rule: Rule, state: Tensor, stored: Tensor, projected: Tensor, visible: Visible | None
) -> Tensor:
    """∇F(x Kᵀ) V with no more than a block of weights in memory, forward and backward.

    Zeros where nothing is visible.
    """
    batch = torch.broadcast_shapes(*(t.shape[:-2] for t in (state, stored, projected)))
    if visible is not None:
        batch = torch.broadcast_shapes(batch, visible.patterns.shape[:-2])
        visible = Visible(*(_kept(t, batch) for t in visible))
    numbers = {name: t for name, t in rule.numbers.items() if name != "beta"}
    common = torch.promote_types(state.dtype, stored.dtype)
    parts = [folded(t, batch) for t in (state.to(common), stored.to(common), projected)]
    parts += [_kept(t[..., None], batch) for t in numbers.values()]
    # Once, not once a block; and here, where slopes of slopes find their way through the copy.
    parts = [part.contiguous() for part in parts]
    found: Tensor = _Blocks.apply(Rule(rule.separation, 1.0), tuple(numbers), visible, *parts)
    return found.reshape(*batch, *found.shape[-2:])


def _kept(tensor: Tensor, batch: Sequence[int]) -> Tensor:
    """`(…, a, b)` with two axes before the last two, expanded only where more are folded."""
    return folded(tensor, batch if len(batch) > 2 else tensor.shape[:-2])


class _Blocks(torch.autograd.Function):
    """∇F(x Kᵀ) V for `(groups, heads, m, …)`; backward makes the weights of each block anew.

    Where the gradient is to be differentiated in turn, all of it is one block.
    """

    @staticmethod
    def forward(
        ctx: Any, rule: Rule, names: tuple[str, ...], visible: Visible | None, *parts: Tensor
    ) -> Tensor:
        """Block by block, without a graph."""
        ctx.rule, ctx.names = rule, names
        ctx.save_for_backward(*parts, *(visible or ()))
        state, stored, projected, *numbers = parts
        found = state.new_empty(*state.shape[:3], projected.shape[-1], dtype=projected.dtype)
        for span in _spans(state, stored):
            products = span.of(state) @ span.all_of(stored).mT
            weights = _weights(rule, names, products, span, visible, numbers)
            span.of(found).copy_(weights.to(projected.dtype) @ span.all_of(projected))
        return found if visible is None else found.masked_fill_(visible.none, 0.0)

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients that are wanted."""
        count = len(ctx.names) + 3
        saved = ctx.saved_tensors  # asked for once: checkpoints give it once
        parts, hidden = saved[:count], saved[count:]
        visible = Visible(*hidden) if hidden else None
        given = above[0] if visible is None else above[0].masked_fill(visible.none, 0.0)
        wanted = ctx.needs_input_grad[3:]
        if torch.is_grad_enabled():
            slopes: Iterable[Tensor | None] = _whole(ctx, parts, visible, given, wanted)
        else:
            slopes = _slopes(ctx, parts, visible, given.contiguous(), any(wanted[3:]))
        pairs = zip(slopes, wanted, strict=True)
        return None, None, None, *(slope if want else None for slope, want in pairs)


def _whole(
    ctx: Any,
    parts: Sequence[Tensor],
    visible: Visible | None,
    above: Tensor,
    wanted: Sequence[bool],
) -> list[Tensor | None]:
    """The slopes with a graph, by the plain formula."""
    state, stored, projected, *numbers = parts
    groups, heads, m, _ = state.shape
    all_of_it = Span(slice(0, groups), slice(0, heads), slice(0, m))
    weights = _weights(ctx.rule, ctx.names, state @ stored.mT, all_of_it, visible, numbers)
    found = weights.to(projected.dtype) @ projected
    leaves = [part for part, want in zip(parts, wanted, strict=True) if want]
    each = iter(torch.autograd.grad(found, leaves, above, create_graph=True))
    return [next(each) if want else None for want in wanted]


def _slopes(
    ctx: Any, parts: Sequence[Tensor], visible: Visible | None, above: Tensor, learned: bool
) -> list[Tensor]:
    """The slopes, block by block."""
    state, stored, projected, *numbers = parts
    slopes = [torch.zeros_like(part) for part in parts]
    for span in _spans(state, stored):
        x, k, v, g = span.of(state), span.all_of(stored), span.all_of(projected), span.of(above)
        products = (x @ k.mT).requires_grad_()
        own = [number.detach().requires_grad_(learned) for number in numbers]
        with torch.enable_grad():
            weights = _weights(ctx.rule, ctx.names, products, span, visible, own)
        leaves = [products, *own] if learned else [products]
        by = (g @ v.mT).to(weights.dtype)
        by_products, *by_numbers = torch.autograd.grad(weights, leaves, by)
        span.of(slopes[0]).add_(by_products @ k)
        span.all_of(slopes[1]).add_(by_products.mT @ x)
        span.all_of(slopes[2]).add_(weights.detach().to(g.dtype).mT @ g)
        for slope, more in zip(slopes[3:], by_numbers, strict=False):
            slope.add_(more)
    return slopes


def _spans(state: Tensor, stored: Tensor) -> Iterator[Span]:
    groups, heads, m, _ = state.shape
    return spans(groups, heads, m, stored.shape[-2], BLOCK)


def _weights(
    rule: Rule,
    names: Sequence[str],
    products: Tensor,
    span: Span,
    visible: Visible | None,
    numbers: Sequence[Tensor],
) -> Tensor:
    """∇F of the products of a block."""
    values = {name: span.of(t).squeeze(-1) for name, t in zip(names, numbers, strict=True)}
    seen = None if visible is None else Visible(*map(span.of, visible))
    return rule.with_numbers(values).separation(hidden(products, seen))
