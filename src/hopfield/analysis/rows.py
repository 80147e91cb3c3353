"""The stored rows as a diagnosis reads them: in float64, some queries against all of them."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..memories import Memory
from ..similarity import Plain, Similarity, euclidean

SCORES = 2**21
"""Scores held at a time: never n × n at once."""
KEPT = 2**26
"""Entries up to which the rows are kept in float64."""
BLOCK = 4096
MIXER = 0x2545F4914F6CDD1D
"""An odd number without pattern."""
NEAR = 4
"""Neighbours whose distances are computed from the rows themselves, without cancellation."""


class Rows:
    """The patterns of a memory; scores, weighted sums and neighbours, block by block.

    Args:
        memory: holds at least one pattern, and is left alone.
    """

    def __init__(self, memory: Memory) -> None:
        """Which rows are copies of which."""
        self._store = memory.storage
        self.count, self.dim = len(memory), memory.storage.dim
        self.device = memory.storage.device
        self._wide: list[Plain] | None = None
        self._norms: Tensor | None = None
        self._spread: float | None = None
        self.copy_of = self._first_copies()

    @property
    def chunk(self) -> int:
        """How many queries to read at a time."""
        return max(16, min(256, SCORES // self.count))

    def take(self, at: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch dim"]:
        """The rows at these places."""
        return self._store.take(at.reshape(-1)).double().reshape(*at.shape, self.dim)

    def blocks(self) -> Iterator[Plain]:
        """All rows, some thousand at a time."""
        if self._wide is not None:
            yield from self._wide
            return
        kept = []
        for block in self._store.blocks(BLOCK):
            plain = Plain(block.rows.double())
            if self.count * self.dim <= KEPT:
                kept.append(plain)
            yield plain
        self._wide = kept or None

    def norms(self) -> Float[Tensor, " n"]:
        """‖x_μ‖ of every row."""
        if self._norms is None:
            self._norms = torch.cat([block.squares(None) for block in self.blocks()]).sqrt()
        return self._norms

    def spread(self) -> float:
        """No two rows are further apart than this."""
        if self._spread is None:
            mean = sum((block.rows.sum(0) for block in self.blocks()), torch.zeros(())) / self.count
            far = [(block.rows - mean).norm(dim=-1).amax() for block in self.blocks()]
            self._spread = max(2 * float(torch.stack(far).amax()), 1e-300)
        return self._spread

    def scores(
        self, state: Float[Tensor, "batch dim"], similarity: Similarity
    ) -> Float[Tensor, "batch n"]:
        """Of every row at these states."""
        return torch.cat([similarity(block, state, None) for block in self.blocks()], dim=-1)

    def weighted_sum(self, weights: Float[Tensor, "batch n"]) -> Float[Tensor, "batch dim"]:
        """weights @ rows."""
        start, pulled = 0, weights.new_zeros(len(weights), self.dim)
        for block in self.blocks():
            stop = start + len(block.rows)
            pulled += weights[:, start:stop] @ block.rows
            start = stop
        return pulled

    def same(self, at: Int[Tensor, " batch"]) -> Tensor:
        """Which rows are equal to those at these places, `(batch, n)`."""
        return self.copy_of == self.copy_of[at][:, None]

    def nearest(self) -> tuple[Tensor, Tensor]:
        """Euclidean distance to the nearest row that is no copy, and its place: ∞ and −1 if none.

        Of the few with the best scores the distance is computed from the difference of the rows.
        """
        distance, neighbour = [], []
        for at in torch.arange(self.count, device=self.device).split(self.chunk):
            x = self.take(at)
            scores = self.scores(x, euclidean).masked_fill(self.same(at), -torch.inf)
            best, few = scores.topk(min(NEAR, self.count), dim=-1)
            apart = (self.take(few) - x[:, None]).norm(dim=-1)
            apart = torch.where(best.isinf(), torch.inf, apart)
            least, place = apart.min(dim=-1)
            found = few.gather(-1, place[:, None])[:, 0]
            distance.append(least)
            neighbour.append(torch.where(least.isinf(), -1, found))
        return torch.cat(distance), torch.cat(neighbour)

    def _first_copies(self) -> Int[Tensor, " n"]:
        """For each row the first one equal to it: by a hash of its bits, then entry by entry."""
        source = torch.Generator().manual_seed(0)
        factors = torch.randint(-(2**62), 2**62, (self.dim,), generator=source).to(self.device)
        hashes = []
        for block in self._store.blocks(BLOCK):
            bits = (block.rows.double() + 0.0).view(torch.int64)  # + 0: −0 is 0
            # ±1 differ in their highest bits alone, which products would push out at the top.
            mixed = (bits ^ (bits >> 31)) * MIXER
            hashes.append(((mixed ^ (mixed >> 29)) * factors).sum(-1))
        _, group = torch.cat(hashes).unique(return_inverse=True)
        places = torch.arange(self.count, device=self.device)
        first = places.new_full((self.count,), self.count).scatter_reduce(0, group, places, "amin")
        first = first[group]
        for at in (first != places).nonzero().squeeze(-1).split(BLOCK):
            differs = (self._store.take(at) != self._store.take(first[at])).any(-1)
            first[at[differs]] = at[differs]  # equal hashes of different rows
        return first


def shell(memory: Memory, config: Mapping[str, Any], kind: type[Memory] | None = None) -> Any:
    """A memory with other settings, or of another kind, that reads the same rows; to predict."""
    other = (kind or type(memory))(**config)
    other.storage = memory.storage
    return other
