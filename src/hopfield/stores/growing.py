"""Tensors and sequences that grow at the end: appending is amortised O(1)."""

import torch
from torch import Tensor


def appended(old: Tensor | None, new: Tensor, room: Tensor | None, axis: int = 0) -> Tensor:
    """Return a tensor that begins with the rows `old` and `new`; unused rows may follow.

    Args:
        old: the rows before, or None.
        new: the rows to add; rows lie along `axis`.
        room: a tensor that begins with `old`, and that no other object writes to; or None. It is
            returned if `new` fits behind `old`; else a new tensor is.
        axis: the axis of rows.
    """
    count, added = 0 if old is None else old.shape[axis], new.shape[axis]
    if old is None or room is None or count + added > room.shape[axis]:
        shape = list(new.shape)
        shape[axis] = max(count + added, 2 * count)
        room = new.new_empty(shape)
        if old is not None:
            room.narrow(axis, 0, count).copy_(old)
    # Graphs of energies may hold the rows before. They do not change, but their version would.
    room.data.narrow(axis, count, added).copy_(new.detach())
    return room


def remaining_rows(count: int, indices: Tensor) -> Tensor:
    """Return a mask of `count` rows, False at `indices`."""
    remaining = torch.ones(count, dtype=torch.bool, device=indices.device)
    remaining[indices] = False
    return remaining
