"""Merges of the results of ranks, with gradients."""

from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from ...errors import OptionError
from .group import RankGroup

T = TypeVar("T")


class _Sum(torch.autograd.Function):
    """A sum over ranks. All ranks use it alike, so that each has the whole gradient of it."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, group: RankGroup) -> Tensor:
        ctx.group = group
        return group.all_reduce(tensor)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        return _Enter.apply(grad_outputs[0], ctx.group), None


class _Enter(torch.autograd.Function):
    """The identity; each rank has a part of the gradient, and the sum over ranks is the whole."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, group: RankGroup) -> Tensor:
        ctx.group = group
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        return _Sum.apply(grad_outputs[0], ctx.group), None


@dataclass(frozen=True, eq=False)
class Merging:
    """The operations of `Ranks` for a store with these numbers of rows.

    A rank without rows reads one row of zeros, which counts nowhere.

    Attributes:
        group: the processes.
        counts: the number of rows of each rank.
    """

    group: RankGroup
    counts: tuple[int, ...]

    @property
    def count(self) -> int:
        """Return the number of rows of all ranks."""
        return sum(self.counts)

    @property
    def own_count(self) -> int:
        """Return the number of rows of this rank."""
        return self.counts[self.group.rank]

    def enter(self, value: T) -> T:
        """Return a tensor that all ranks have, for use with the rows of this one."""
        if not isinstance(value, Tensor):
            return value
        bits = value.detach().contiguous()
        bits = bits.view(torch.int64 if bits.itemsize == 8 else torch.int32).flatten()
        places = torch.arange(1, len(bits) + 1, device=bits.device)
        self.group.mark = torch.stack([(bits * places).sum(), places.sum()])
        if not (value.requires_grad and torch.is_grad_enabled()):
            return value
        return _Enter.apply(value, self.group)

    def sum(self, *parts: Tensor) -> tuple[Tensor, ...]:
        """Return the sums over ranks, by one operation."""
        common = torch.float64
        if all(part.is_floating_point() for part in parts):
            common = max((part.dtype for part in parts), key=lambda dtype: dtype.itemsize)
        flat = torch.cat([part.reshape(-1).to(common) for part in parts])
        if not self.own_count:  # part of the graph: this rank too comes to its backward pass
            flat = torch.where(torch.tensor(False, device=flat.device), flat, 0.0)
        total = _Sum.apply(flat, self.group).split([part.numel() for part in parts])
        pairs = zip(total, parts, strict=True)
        return tuple(each.reshape(part.shape).to(part.dtype) for each, part in pairs)

    def gather(self, *parts: Tensor) -> tuple[Tensor, ...]:
        """Return the parts of all ranks with rows, exactly; raise if ranks ask different things."""
        numbers = torch.stack([_as_integers(part) for part in parts])
        mark = self.group.mark.to(numbers.device)  # others may come with more cues than this rank
        gathered = self.group.all_gather(torch.cat([mark, numbers.flatten()]), room=2**16)
        if bool((gathered[:, :2] != gathered[0, :2]).any()):
            raise OptionError(
                "all ranks must ask the same: the same calls, with the same cues, but their "
                "states differ. Read the cues in the same way on every rank."
            )
        rows = [rank for rank, count in enumerate(self.counts) if count]
        each = gathered[rows, 2:].reshape(len(rows), *numbers.shape).unbind(1)
        return tuple(
            whole.view(torch.float64).to(part.dtype) if part.is_floating_point() else whole
            for whole, part in zip(each, parts, strict=True)
        )

    def columns(self, *parts: Tensor) -> tuple[Tensor, ...]:
        """Join parts along the last axis, in the order of the ranks."""
        own = parts[0].shape[-1] if self.own_count else 0
        widths = self.group.all_gather(torch.tensor([own]))[:, 0].tolist()
        room = sum(widths[: self.group.rank]), sum(widths[self.group.rank + 1 :])
        return self.sum(*(pad(part[..., :own], room) for part in parts))


def _as_integers(part: Tensor) -> Tensor:
    part = part.detach()
    return part.double().contiguous().view(torch.int64) if part.is_floating_point() else part.long()
