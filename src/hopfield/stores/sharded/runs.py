"""Which rank has which rows of a store, and where."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LEAST_SHARE = 64
"""New rows per rank from which they are divided; fewer go to one rank, in one piece."""

MOST_AHEAD = 1024
"""Rows by which one rank may exceed the others before such a piece goes to another rank."""


@dataclass(frozen=True)
class Runs:
    """Consecutive rows of one rank after another, in the order of the store.

    Attributes:
        runs: a rank and a number of rows, each. A rank has the rows of its runs in this order.
    """

    runs: tuple[tuple[int, int], ...] = ()

    @property
    def count(self) -> int:
        """Return the number of rows."""
        return sum(length for _, length in self.runs)

    def counts(self, size: int) -> list[int]:
        """Return the number of rows of each rank."""
        return [sum(length for rank, length in self.runs if rank == r) for r in range(size)]

    def shares(self, count: int, size: int) -> list[int]:
        """Return how many of `count` new rows each rank gets; the first ones go to rank 0."""
        if count >= LEAST_SHARE * size:
            return [count // size + (rank < count % size) for rank in range(size)]
        counts = self.counts(size)
        chosen = self.runs[-1][0] if self.runs else 0
        if counts[chosen] - min(counts) >= MOST_AHEAD:
            chosen = counts.index(min(counts))
        return [count * (rank == chosen) for rank in range(size)]

    def followed_by(self, shares: Sequence[int]) -> "Runs":
        """Return the runs with new rows, of which each rank gets its share."""
        runs = list(self.runs)
        for rank, share in enumerate(shares):
            if share and runs and runs[-1][0] == rank:
                runs[-1] = rank, runs[-1][1] + share
            elif share:
                runs.append((rank, share))
        return Runs(tuple(runs))

    def without(self, indices: Tensor) -> "Runs":
        """Return the runs without the rows at these indices."""
        gone = torch.bincount(self._run_of(indices.unique()), minlength=len(self.runs)).tolist()
        left = [(rank, length - k) for (rank, length), k in zip(self.runs, gone, strict=True)]
        return Runs(tuple(run for run in left if run[1]))

    def locate(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rank of each row, and its place there."""
        starts, own, at = [], dict[int, int](), 0
        for rank, length in self.runs:
            starts.append((rank, own.get(rank, 0) - at))
            own[rank], at = own.get(rank, 0) + length, at + length
        ranks, shifts = torch.tensor(starts)[self._run_of(indices)].unbind(-1)
        return ranks, indices.cpu() + shifts

    def parts(self, rank: int, start: int, count: int) -> Iterator[tuple[int, int, int]]:
        """Yield the parts of a block of a rank: first row, row after the last, index in the whole.

        The block has `count` rows, from place `start` of the rank on.
        """
        place, index = 0, 0
        for owner, length in self.runs:
            if owner == rank:
                first, stop = max(place, start), min(place + length, start + count)
                if first < stop:
                    yield first - start, stop - start, index + first - place
                place += length
            index += length

    def _run_of(self, indices: Tensor) -> Tensor:
        ends = torch.tensor([length for _, length in self.runs]).cumsum(0)
        return torch.searchsorted(ends, indices.cpu(), right=True)
