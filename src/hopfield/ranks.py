"""How partial results of several processes merge: the interface between readouts and ranks.

A rank is one of the processes that share the rows of a memory. Each computes with its own rows;
what all need is merged by the operations of `Ranks`. Every rank calls them in the same order with
tensors of the same shapes, and gets the same result, bit for bit.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

T = TypeVar("T")


@runtime_checkable
class Ranks(Protocol):
    """Operations between the ranks that share the rows of a memory."""

    @property
    def count(self) -> int:
        """Return the number of rows of all ranks."""

    @property
    def own_count(self) -> int:
        """Return the number of rows of this rank. If 0, it has one row that counts nowhere."""

    def enter(self, value: T) -> T:
        """Return a tensor that all ranks have for use with their own rows; others as they are.

        Its gradient is the sum over ranks.
        """

    def sum(self, *parts: Tensor) -> tuple[Tensor, ...]:
        """Return the sums over ranks; each rank has the gradient of its own part."""

    def gather(self, *parts: Tensor) -> tuple[Tensor, ...]:
        """Return the parts of all ranks with rows, stacked along a new first axis; no gradient."""

    def columns(self, *parts: Tensor) -> tuple[Tensor, ...]:
        """Join parts of the ranks along the last axis, where they may differ in length."""


def ranks_of(rows: object) -> Ranks | None:
    """Return the ranks that share the rows of a block; None if it is from a store of one process.

    A block may have an attribute `ranks`, or one `block` with another block; it need not.
    """
    ranks: Ranks | None = getattr(rows, "ranks", None)
    inner = getattr(rows, "block", None) if ranks is None else None
    return ranks if inner is None else ranks_of(inner)


def count_of(blocks: Iterable[Any]) -> int:
    """Return the number of rows of a store, of all ranks, from its blocks."""
    count = 0
    for block in blocks:
        if (ranks := ranks_of(block)) is not None:
            return ranks.count
        count += len(block)
    return count


def first_best(index: Tensor, *keys: Tensor) -> Tensor:
    """Return the least index among the parts with the largest first key, then the second, …

    Args:
        index: indices of patterns, `(parts, *batch)`.
        keys: numbers of these patterns, each `(parts, *batch)`.
    """
    best = torch.ones_like(index, dtype=torch.bool)
    for key in keys:
        best &= key == torch.where(best, key, -torch.inf).amax(0)
    return torch.where(best, index, torch.iinfo(index.dtype).max).amin(0)


def join(blocks: Iterable[Any], part: Callable[[Any], Tensor]) -> Tensor:
    """Return `part(block)` of all rows, `(*, n)`, in the order of storage, on every rank."""
    parts, places, ranks = [], [], None
    for block in blocks:
        ranks = ranks_of(block)
        parts.append(part(block))
        places.append(torch.arange(len(block)) + block.start)
    joined = torch.cat(parts, dim=-1)
    return joined if ranks is None else in_order(ranks, torch.cat(places), joined)[0]


def in_order(ranks: Ranks, index: Tensor, *parts: Tensor) -> Sequence[Tensor]:
    """Join parts `(*, n)` of the rows at `index`, `(n,)`, in the order of storage."""
    index, *joined = ranks.columns(index, *parts)
    order = index.argsort()
    return [part[..., order] for part in joined]
