"""The stored patterns of a memory in float64, read by blocks: n × n scores would fill memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..checks import short_repr
from ..errors import EmptyMemoryError, InputTypeError, OptionError
from ..memories import Memory
from ..memories.copies import copy_of
from ..separation import Separation
from ..similarity import Similarity, TensorRows, dot

BATCH_SCORES = 2**20
"""Target number of scores per batch: 8 MiB in float64, of which a dozen arrays exist at a time."""
BLOCK_ROWS = 1024
"""Number of patterns that are read at a time."""
NEAREST_CANDIDATES = 4
"""Number of patterns, nearest by inner products, whose distances are computed from differences.

Inner products alone round too much to tell which of several near patterns is the nearest.
"""


@contextmanager
def unchanged(memory: Memory, allow_given: bool = False) -> Iterator[None]:
    """Check that `memory` is a memory with patterns, and let no thread change it in the block.

    With `allow_given`, a binary network of a given coupling, without patterns, passes too.
    """
    if not isinstance(memory, Memory):
        raise InputTypeError(
            f"memory must be a memory such as ModernHopfield, but is {short_repr(memory)}. "
            "Store the patterns in one."
        )
    with memory.storage.lock.reading:
        if allow_given and memory.binary and not memory.storage.holds_patterns:
            yield
            return
        if not memory.storage.holds_patterns:
            raise OptionError(
                "memory must hold patterns, but its coupling was given. Use memory.retrieve"
                f"{', or memory.attractors() for fixed points and cycles' * memory.binary}."
            )
        if not len(memory):
            raise EmptyMemoryError(
                "memory must hold at least one pattern, but is empty. Call store(patterns) first."
            )
        if memory.storage.has_gaps:
            raise OptionError(
                "memory must hold complete patterns, but some have unknown entries. Use a memory "
                "of the others: memory.patterns[memory.known.all(1)]."
            )
        yield


def scoring_of(memory: Memory) -> tuple[Similarity, Separation] | None:
    """Return the similarity and separation that a memory declares, or None."""
    if memory.value_weights is not None:
        return memory.value_weights
    separation = getattr(memory, "separation", None)
    return None if separation is None else (getattr(memory, "similarity", dot), separation)


class Patterns:
    """The patterns of a memory, with their norms and copies.

    Attributes:
        count: the number of patterns, n.
        dim: the length of a pattern, N.
        dtype: the precision in which the memory computes.
    """

    def __init__(self, memory: Memory) -> None:
        self.storage = memory.storage
        self.count, self.dim, self.device = len(memory), self.storage.dim, self.storage.device
        self.dtype = torch.promote_types(self.storage.dtype, torch.float32)

    @cached_property
    def norms(self) -> Float[Tensor, " n"]:
        """Euclidean norm of each pattern."""
        return torch.cat([rows.norm(dim=-1) for rows in self.blocks()])

    @cached_property
    def copy_of(self) -> Int[Tensor, " n"]:
        """Index of the first pattern equal to each pattern: for most, the pattern itself."""
        return copy_of(self.storage)

    @cached_property
    def copies(self) -> Float[Tensor, " n"]:
        """The weight of a pattern and its copies together, relative to its own: their number.

        With priors, the sum of their priors over its own.
        """
        prior = self.storage.prior
        weights = self.norms.new_ones(self.count) if prior is None else prior
        total = torch.zeros_like(weights).scatter_add(0, self.copy_of, weights)
        return total[self.copy_of] / weights

    def blocks(self) -> Iterator[Tensor]:
        """Yield all patterns in order, `BLOCK_ROWS` at a time."""
        for block in self.storage.blocks(BLOCK_ROWS):
            yield block.rows.double()

    def batches(self) -> Iterator[Int[Tensor, " k"]]:
        """Yield all indices in batches; the scores of a batch are about `BATCH_SCORES` numbers."""
        size = max(16, min(256, BATCH_SCORES // self.count))
        yield from torch.arange(self.count, device=self.device).split(size)

    def take(self, indices: Int[Tensor, " k"]) -> Float[Tensor, "k dim"]:
        """Return the patterns at these indices."""
        return self.storage.take(indices).double()

    def scores(
        self, state: Float[Tensor, "k dim"], similarity: Similarity, known: Tensor | None = None
    ) -> Float[Tensor, "k n"]:
        """Return the scores of all patterns at these states."""
        parts = [similarity(TensorRows(rows), state.double(), known) for rows in self.blocks()]
        return torch.cat(parts, dim=-1).double()

    def weighted_sum(self, weights: Float[Tensor, "k n"]) -> Float[Tensor, "k dim"]:
        """Return the weighted sums of all patterns."""
        sums, start = weights.new_zeros(len(weights), self.dim), 0
        for rows in self.blocks():
            sums.addmm_(weights[:, start : start + len(rows)], rows)
            start += len(rows)
        return sums

    def compare(self, indices: Int[Tensor, " k"]) -> "Comparison":
        """Return products and distances between some patterns and all patterns."""
        rows, norm = self.take(indices), self.norms[indices, None]
        is_copy = self.copy_of == self.copy_of[indices, None]
        products = self.scores(rows, dot)
        squares = (norm.square() + self.norms.square() - 2 * products).clamp_min_(0)
        # Add the largest error of this difference.
        squares += 4 * torch.finfo(norm.dtype).eps * (self.dim + 8) * (norm + self.norms).square()
        squares.masked_fill_(is_copy, torch.inf)
        return Comparison(indices, rows, is_copy, products, squares)

    def nearest(self, compared: "Comparison") -> tuple[Tensor, Tensor]:
        """Return the distance and index of the nearest other pattern; ∞ and −1 without another."""
        count = min(NEAREST_CANDIDATES, self.count)
        squares, candidates = compared.squares.topk(count, dim=-1, largest=False)
        rows = self.take(candidates.flatten()).unflatten(0, candidates.shape)
        distances = (rows - compared.rows[:, None]).norm(dim=-1)
        distance, best = distances.masked_fill_(squares.isinf(), torch.inf).min(dim=-1)
        index = self.copy_of[candidates.gather(-1, best[:, None])[:, 0]]
        return distance, index.masked_fill(distance.isinf(), -1)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Some patterns compared with all patterns.

    Attributes:
        indices: which patterns, `(k,)`.
        rows: these patterns, `(k, dim)`.
        is_copy: True for the pattern itself and its copies, `(k, n)`.
        products: x_μ·x_ν, `(k, n)`.
        squares: an upper bound of ‖x_μ − x_ν‖², `(k, n)`; ∞ for copies.
    """

    indices: Int[Tensor, " k"]
    rows: Float[Tensor, "k dim"]
    is_copy: Bool[Tensor, "k n"]
    products: Float[Tensor, "k n"]
    squares: Float[Tensor, "k n"]
