"""Association in a window: a sequence is cut into chunks, which are entries of a batch."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..checks import is_traced
from ..errors import ShapeError
from .compute import Operands, associate
from .input_checks import check_instance
from .masks import fold_batch, fold_unexpanded
from .window import Window

SHORTEST, LONGEST = 64, 512
"""Least and largest number of states per chunk. Longer chunks compute more hidden scores; shorter
ones copy their patterns more often."""


class Chunks(NamedTuple):
    """Tensors of an association, cut into chunks of states with the patterns that they can read.

    Axes are `(groups, chunks, heads, …)`; a length of 1 is broadcast.

    Attributes:
        states: `(groups, chunks, heads, size, dim)`.
        patterns: stored and projected ones, `(groups, chunks, heads, size + margins, …)`.
        parameters: tensors of the separation, `(groups | 1, chunks | 1, heads | 1, size | 1)`.
        ignored: True where a state ignores a pattern, with the margins outside the sequence.
        bias: numbers that are added to the scores, or None.
    """

    states: Tensor
    patterns: tuple[Tensor, Tensor]
    parameters: list[Tensor]
    ignored: Tensor | None
    bias: Tensor | None

    def part(self, start: int, stop: int) -> "Chunks":
        """Return some of the chunks."""

        def of(tensor: Tensor) -> Tensor:
            return tensor[:, start:stop] if tensor.shape[1] > 1 else tensor

        stored, projected = self.patterns
        ignored, bias = (None if t is None else of(t) for t in (self.ignored, self.bias))
        parameters = [of(tensor) for tensor in self.parameters]
        return Chunks(of(self.states), (of(stored), of(projected)), parameters, ignored, bias)


def check_window(window: Window | None, operands: Operands) -> Window | None:
    """Return `window` if it fits these operands."""
    if window is None:
        return None
    check_instance("window", window, Window, "Window(before=64, after=0)")
    m, n = operands.state.shape[-2], operands.stored.shape[-2]
    if m != n:
        raise ShapeError(f"window needs as many patterns as states, but there are {n} and {m}.")
    heads = operands.state.shape[-3] if operands.state.ndim > 2 else 1
    if window.bias is not None and window.bias.ndim == 2 and len(window.bias) not in (1, heads):
        raise ShapeError(
            f"bias of the window must have one row per head, {heads}, but has {len(window.bias)}."
        )
    return window


def associate_in_window(operands: Operands, window: Window | None, dropout: float) -> Tensor:
    """Return the output of an association whose states read only patterns near them."""
    if window is None:
        return associate(operands, dropout)
    if not is_traced() and operands.state.shape[-2] <= _chunk_size(window):
        return associate(with_whole_window(operands, window), dropout)
    batch = _batch_shape(operands)
    outputs = []
    for chunks in _parts(operands, window, batch):
        output = associate(_operands(chunks, operands), dropout)
        outputs.append(output.unflatten(0, chunks.states.shape[:2]))
    rows = torch.cat(outputs, 1).transpose(1, 2).flatten(2, 3)
    rows = pad(rows, (0, 0, 0, operands.state.shape[-2] - rows.shape[-2]))
    return rows.reshape(*batch, *rows.shape[-2:])


def associate_causally(operands: Operands, dropout: float) -> Tensor:
    """Return the output of an association whose states read no pattern after their own."""
    m, n, outputs = operands.state.shape[-2], operands.stored.shape[-2], []
    # Other separations keep a copy of the patterns per chunk for their gradients.
    is_softmax = operands.separation.unit.softmax_beta() is not None
    size = LONGEST if is_softmax else max(LONGEST, m // 4)
    for start in range(0, m, size):
        stop = min(start + size, m)
        rows = torch.arange(start, stop, device=operands.state.device)[:, None]
        ignored, bias = torch.arange(min(stop, n), device=rows.device) > rows, None
        if (mask := operands.mask) is not None:
            ignored = ignored | (~mask.visible | mask.empty)[..., :stop]
            bias = None if mask.bias is None else mask.bias[..., :stop]
        part = operands._replace(
            state=operands.state[..., start:stop, :],
            stored=operands.stored[..., :stop, :],
            projected=operands.projected[..., :stop, :],
            mask=operands.separation.mask(ignored, bias),
        )
        outputs.append(associate(part, dropout))
    return torch.cat(outputs, -2)


def empty_states(operands: Operands, window: Window | None) -> Tensor | None:
    """Return True for states of a layer that may read no pattern, `(batch, heads, m, 1)`."""
    if operands.mask is None or window is None:
        return None if operands.mask is None else operands.mask.empty
    batch = _batch_shape(operands)
    ignored = _cut(operands, window, batch).ignored
    if ignored is None:
        return None
    return ignored.all(-1).transpose(1, 2).flatten(2)[..., : operands.state.shape[-2], None]


def with_whole_window(operands: Operands, window: Window | None) -> Operands:
    """Return operands whose mask holds the window, as an array of all pairs."""
    if window is None:
        return operands
    n, device = operands.stored.shape[-2], operands.state.device
    ignored, bias = window.ignored(n, n, 0, device), window.position_bias(n, n, 0, device)
    if (mask := operands.mask) is not None:
        ignored = ignored | ~mask.visible | mask.empty
        bias = _sum(bias, mask.bias)
    return operands._replace(mask=operands.separation.mask(ignored, bias))


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _batch_shape(operands: Operands) -> torch.Size:
    separation, state, stored, projected, mask, _ = operands
    shapes = [rows.shape[:-2] for rows in (state, stored, projected)]
    shapes += [] if mask is None else [mask.visible.shape[:-2]]
    shapes += [tensor.shape[:-1] for tensor in separation.tensors()]
    return torch.broadcast_shapes(*shapes)


def _parts(operands: Operands, window: Window, batch: torch.Size) -> Iterator[Chunks]:
    """Yield the chunks at the ends, which have masks, and those between them with one for all."""
    chunks = _cut(operands, window, batch)
    count, size = chunks.states.shape[1:4:2]
    before, after = window.margins
    first = -(-before // size)
    last = count - (operands.state.shape[-2] - after) // size
    if is_traced() or operands.mask is not None or count - first - last < 2:
        yield chunks
        return
    if first:
        yield chunks.part(0, first)
    inner = chunks.part(first, count - last)
    yield inner._replace(ignored=None if inner.ignored is None else inner.ignored[:, :1])
    if last:
        yield chunks.part(count - last, count)


def _cut(operands: Operands, window: Window, batch: torch.Size) -> Chunks:
    separation, state, stored, projected, _, _ = operands
    n, (before, after), size = state.shape[-2], window.margins, _chunk_size(window)
    # In an export, chunks more than needed: none of the lengths below can then be 0 or 1.
    count = n // size + 2 if is_traced() else -(-n // size)
    extra, width = count * size - n, before + size + after

    def cut(rows: Tensor, margins: tuple[int, int], length: int) -> Tensor:
        # Not unflatten: an export cannot prove that the padded length is a multiple of `size`.
        return pad(rows, (0, 0, *margins)).unfold(-2, length, size).movedim(2, 1).mT

    def of_patterns(rows: Tensor) -> Tensor:
        return cut(fold_batch(rows, batch), (before, after + extra), width)

    def of_parameter(tensor: Tensor) -> Tensor:
        rows = fold_unexpanded(torch.atleast_2d(tensor[..., None]), batch)
        if rows.shape[-2] == 1:
            return rows[:, None].squeeze(-1)
        padding = rows[..., -1:, :].expand(*rows.shape[:-2], extra, 1)  # 0 may be no valid value
        return cut(torch.cat([rows, padding], -2), (0, 0), size).squeeze(-1)

    def of_pairs(pairs: Tensor, fill: float) -> Tensor:
        pairs = fold_unexpanded(pairs, batch).expand(*[-1] * 3, n)
        margins = (before, after + extra, 0, 0 if pairs.shape[-2] == 1 else extra)
        columns = pad(pairs, margins, value=fill).unfold(-1, width, size)
        if pairs.shape[-2] == 1:
            return columns.movedim(3, 1)
        return columns.unfold(2, size, size).diagonal(dim1=2, dim2=3).movedim(-1, 1).mT

    return Chunks(
        cut(fold_batch(state, batch), (0, extra), size),
        (of_patterns(stored), of_patterns(projected)),
        [of_parameter(tensor) for tensor in separation.tensors()],
        *_cut_masks(operands, window, of_pairs, (size, width, extra)),
    )


def _cut_masks(
    operands: Operands,
    window: Window,
    of_pairs: Callable[[Tensor, float], Tensor],
    sizes: tuple[int, int, int],
) -> tuple[Tensor | None, Tensor | None]:
    (size, width, extra), (state, mask) = sizes, (operands.state, operands.mask)
    before, after = window.margins
    ignored, bias = None, window.position_bias(size, width, before, state.device)
    if bias is not None:
        bias = bias[None, None] if bias.ndim == 3 else bias[None, None, None]
    if mask is not None or is_traced() or before + after or extra or window.causal:
        none = state.new_zeros(1, state.shape[-2], dtype=torch.bool)
        hidden = of_pairs(none if mask is None else ~mask.visible | mask.empty, True)
        # Contiguous: an export does not know the order of strides of a view.
        ignored = window.ignored(size, width, before, state.device) | hidden.contiguous()
    if mask is not None and mask.bias is not None:
        bias = _sum(bias, of_pairs(mask.bias, 0.0))
    return ignored, bias


def _chunk_size(window: Window) -> int:
    margins = sum(window.margins)
    if not margins:
        return window.block
    return window.block * -(-min(max(margins, SHORTEST), LONGEST) // window.block)


def _operands(chunks: Chunks, operands: Operands) -> Operands:
    """Return the operands of some chunks: groups and chunks are one axis of the batch."""
    axes = chunks.states.shape[:2]

    def folded(tensor: Tensor) -> Tensor:
        if not is_traced() and tensor.shape[:2] == (1, 1):
            return tensor[0]
        return tensor.expand(*axes, *tensor.shape[2:]).flatten(0, 1)

    separation = operands.separation.with_tensors([folded(t) for t in chunks.parameters])
    stored, projected = map(folded, chunks.patterns)
    ignored, bias = (None if t is None else folded(t) for t in (chunks.ignored, chunks.bias))
    if bias is not None and ignored is None:
        ignored = torch.zeros((), dtype=torch.bool, device=bias.device).expand(bias.shape)
    return operands._replace(
        separation=separation,
        state=folded(chunks.states),
        stored=stored,
        projected=projected,
        mask=separation.mask(ignored, bias),
    )
