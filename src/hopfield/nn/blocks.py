"""Reads whose weights are made block by block, forward and again backward, and never kept."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .rule import Rule
from .visible import Visible, folded, scores

BLOCK = 2**20
"""Scores that are in memory at a time; a row of them at least."""


class Span(NamedTuple):
    """Some groups, some heads of them, some states: what one block answers."""

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


def plain(
    rule: Rule, state: Tensor, stored: Tensor, projected: Tensor, visible: Visible | None
) -> Tensor:
    """∇F(x Kᵀ) V with all weights in memory; zeros where nothing is visible."""
    weights = rule.separation(scores(state, stored, visible)).to(projected.dtype)
    found = weights @ projected
    return found if visible is None else found.masked_fill(visible.none, 0.0)


def by_blocks(
    rule: Rule, state: Tensor, stored: Tensor, projected: Tensor, visible: Visible | None
) -> Tensor:
    """The same, with no more than a block of weights in memory, forward and backward."""
    batch = torch.broadcast_shapes(*(t.shape[:-2] for t in (state, stored, projected)))
    if visible is not None:
        batch = torch.broadcast_shapes(batch, visible.patterns.shape[:-2])
        visible = Visible(*(_kept(t, batch) for t in visible))
    numbers = {name: t for name, t in rule.numbers.items() if name != "beta"}
    parts = [folded(t, batch) for t in (state, stored, projected)]
    parts += [_kept(t[..., None], batch) for t in numbers.values()]
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
        found = parts[0].new_empty(*parts[0].shape[:3], parts[2].shape[-1], dtype=parts[2].dtype)
        for span in _spans(parts):
            cut = [_part(span, i, part) for i, part in enumerate(parts)]
            span.of(found).copy_(_read(rule, names, cut, _seen(span, visible)))
        return found

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients that are wanted."""
        count = len(ctx.names) + 3
        parts, hidden = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        visible, wanted = Visible(*hidden) if hidden else None, ctx.needs_input_grad[3:]
        if torch.is_grad_enabled():
            whole = _read(ctx.rule, ctx.names, parts, visible)
            leaves = [part for part, want in zip(parts, wanted, strict=True) if want]
            each = iter(torch.autograd.grad(whole, leaves, above, create_graph=True))
            return None, None, None, *(next(each) if want else None for want in wanted)
        slopes = [
            torch.zeros_like(part, memory_format=torch.contiguous_format) if want else None
            for part, want in zip(parts, wanted, strict=True)
        ]
        for span in _spans(parts):
            cut = [
                _part(span, i, part).detach().requires_grad_(want)
                for i, (part, want) in enumerate(zip(parts, wanted, strict=True))
            ]
            with torch.enable_grad():
                found = _read(ctx.rule, ctx.names, cut, _seen(span, visible))
            given = span.of(above[0]).to(found.dtype)
            each = iter(torch.autograd.grad(found, [c for c in cut if c.requires_grad], given))
            for i, slope in enumerate(slopes):
                if slope is not None:
                    _part(span, i, slope).add_(next(each))
        return None, None, None, *slopes


def _spans(parts: Sequence[Tensor]) -> Iterator[Span]:
    groups, heads, m, _ = parts[0].shape
    return spans(groups, heads, m, parts[1].shape[-2], BLOCK)


def _part(span: Span, i: int, part: Tensor) -> Tensor:
    """Of stored and projected patterns every state reads all."""
    return span.all_of(part) if i in (1, 2) else span.of(part)


def _seen(span: Span, visible: Visible | None) -> Visible | None:
    return None if visible is None else Visible(*map(span.of, visible))


def _read(
    rule: Rule, names: Sequence[str], parts: Sequence[Tensor], visible: Visible | None
) -> Tensor:
    state, stored, projected, *numbers = parts
    values = {name: t.squeeze(-1) for name, t in zip(names, numbers, strict=True)}
    return plain(rule.with_numbers(values), state, stored, projected, visible)
