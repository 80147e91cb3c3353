"""A store of a user: five methods, and nothing about names."""

import torch
from torch import Tensor

from hopfield.stores import Block, Store


class ListStore(Store):
    """Rows and values in lists; `append` fails for a row that begins with `refused`."""

    def __init__(self, dim: int, refused: float | None = None) -> None:
        self.dim, self.dtype, self.refused = dim, torch.float32, refused
        self.all, self.numbers = torch.empty(0, dim), None

    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        if self.refused is not None and bool((rows[:, 0] == self.refused).any()):
            raise OSError("no room")
        old = [self.numbers] if len(self.all) and self.numbers is not None else []
        self.numbers = None if values is None else torch.cat([*old, values])
        self.all = torch.cat([self.all, rows])

    def remove(self, indices: Tensor) -> None:
        left = torch.ones(len(self.all), dtype=torch.bool).index_fill(0, indices, False)
        self.all = self.all[left]
        self.numbers = None if self.numbers is None else self.numbers[left]

    def take(self, indices: Tensor) -> Tensor:
        return self.all[indices].clone()

    def blocks(self, size: int):
        for part in torch.arange(len(self.all)).split(size):
            numbers = None if self.numbers is None else self.numbers[part]
            yield Block(int(part[0]), self.all[part], numbers)

    def __len__(self) -> int:
        return len(self.all)


class RewritingStore(ListStore):
    """A store whose `remove` empties it and appends the rows that remain."""

    def remove(self, indices: Tensor) -> None:
        left = torch.ones(len(self.all), dtype=torch.bool).index_fill(0, indices, False)
        rows, numbers = self.all[left], None if self.numbers is None else self.numbers[left]
        self.all = self.all[:0]
        self.append(rows, numbers)


class LatestStore(ListStore):
    """A store whose `append` removes the oldest rows beyond `limit`."""

    limit = 7

    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        ListStore.append(self, rows, values)
        if len(self.all) > self.limit:
            self.remove(torch.arange(len(self.all) - self.limit))


class HalvingStore(ListStore):
    """A store whose methods call those of its base, `append` twice."""

    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        half = len(rows) // 2
        ListStore.append(self, rows[:half], None if values is None else values[:half])
        ListStore.append(self, rows[half:], None if values is None else values[half:])

    def remove(self, indices: Tensor) -> None:
        ListStore.remove(self, indices)
