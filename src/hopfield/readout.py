"""The readout: scores → weights → weighted sum of rows, block by block; energy comes free."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from .errors import ShapeError, check_number, check_tensor
from .separation import Partial, Readout, Rows, Separation, Softmax
from .similarity import RowProducts, Similarity

BLOCK_ROWS = 4096
"""Rows a block holds: large enough for a fast product, small enough never to hold batch × n."""


@runtime_checkable
class Block(RowProducts, Rows, Protocol):
    """Consecutive stored rows: what a store hands out, and all a readout knows of it."""


@runtime_checkable
class ValuedBlock(Block, Protocol):
    """A block that may carry values."""

    @property
    def values(self) -> Tensor | None:
        """The values of the rows, `(n, *)`."""


@dataclass(frozen=True, eq=False)
class Values:
    """A block that is scored by its rows and pulls its values, as rows of numbers."""

    block: "ValuedBlock"

    @property
    def start(self) -> int:
        """Index of the first row."""
        return self.block.start

    @property
    def rows(self) -> Tensor:
        """The rows that are scored."""
        return self.block.rows

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.block)

    def scores(self, state: Tensor) -> Tensor:
        """X·x."""
        return self.block.scores(state)

    def squares(self, mask: Tensor | None) -> Tensor:
        """Σ m x_μ²."""
        return self.block.squares(mask)

    def pull(self, weights: Tensor) -> Tensor:
        """weights @ values."""
        values = self.block.values
        if values is None:
            raise ValueError("these rows have no values")
        return weights @ values.reshape(len(values), -1).to(weights.dtype)


def read(
    blocks: Iterable[Block],
    state: Float[Tensor, "*batch dim"],
    similarity: Similarity,
    separation: Separation,
    known: Tensor | None = None,
) -> Readout:
    """Read the patterns in `blocks` at `state`: x' = Xᵀ∇F(s), F(s) and who had most weight.

    Exact whatever the blocks: partials of blocks merge (formulas in docs/notation.md).

    Args:
        blocks: all rows, in order; iterated twice by separations that pull at the end.
        state: `(*batch, dim)`, float32 or float64.
        similarity: scores of a block at the states.
        separation: F and ∇F.
        known: mask broadcastable to `state`; only known entries count in the scores.
    """
    partial: Partial | None = None
    for block in blocks:
        part = separation.partial(similarity(block, state, known), block)
        partial = part if partial is None else partial.merge(part)
    if partial is None:
        raise ValueError("a readout needs at least one block of rows")
    return partial.result(blocks)


def all_scores(
    blocks: Iterable[Block],
    state: Float[Tensor, "*batch dim"],
    similarity: Similarity,
    known: Tensor | None = None,
) -> Float[Tensor, "*batch n"]:
    """The scores of every pattern; memory O(batch·n)."""
    return torch.cat([similarity(block, state, known) for block in blocks], dim=-1)


def attention(
    state: Tensor, patterns: Tensor, beta: float | Tensor, values: Tensor | None = None
) -> Tensor:
    """One update of the modern network, softmax(β x Xᵀ) V with V = X by default.

    Equal to `torch.nn.functional.scaled_dot_product_attention(state, patterns, values)` at
    β = 1/√dim (Ramsauer et al. 2021, eq. 10).

    Args:
        state: `(*batch, dim)`, the queries.
        patterns: `(n, dim)`, the keys.
        beta: β ≥ 0.
        values: `(n, out)`; None reads the patterns themselves.

    Returns:
        `(*batch, out)`.
    """
    check_tensor("state", state)
    check_tensor("patterns", patterns)
    if patterns.ndim != 2 or 0 in patterns.shape or state.shape[-1:] != patterns.shape[-1:]:
        raise ShapeError(
            "attention needs state (*batch, dim) and patterns (n, dim), n ≥ 1, "
            f"but they have shapes {tuple(state.shape)} and {tuple(patterns.shape)}."
        )
    if values is not None and check_tensor("values", values).shape[:1] != patterns.shape[:1]:
        raise ShapeError(
            f"values must have one row a pattern, {len(patterns)}, "
            f"but have shape {tuple(values.shape)}."
        )
    if not isinstance(beta, Tensor):
        check_number("beta", beta, low=0.0)
    return Softmax(beta)(state @ patterns.T) @ (patterns if values is None else values)
