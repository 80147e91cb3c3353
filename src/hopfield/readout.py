"""The readout: scores → weights → weighted sum of rows, block by block; energy comes free."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from .errors import (
    InputTypeError,
    ShapeError,
    check_device,
    check_patterns,
    check_size,
    check_tensor,
)
from .separation import Partial, Readout, Rows, Separation, Softmax
from .separation.base import check_parameter
from .similarity import RowProducts, Similarity

BLOCK_ROWS = 4096
"""Most rows a block holds: large enough for a fast product."""

BLOCK_SCORES = 2**22
"""Most scores of a block, where it has more than 128 rows: never batch × n at once."""


def block_rows(queries: int) -> int:
    """How many rows to read at a time for so many states."""
    return min(BLOCK_ROWS, max(128, BLOCK_SCORES // max(1, queries)))


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
        # Values may be wider than the patterns: 1.7e9 in float64 is not to be rounded to float32.
        dtype = torch.promote_types(values.dtype, weights.dtype)
        return weights.to(dtype) @ values.reshape(len(values), -1).to(dtype)


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


def strongest(
    blocks: Iterable[Block], state: Float[Tensor, "*batch dim"], similarity: Similarity
) -> tuple[Float[Tensor, "*batch"], Tensor]:
    """The largest score, and the first pattern that attains it; memory O(batch·block)."""
    best: tuple[Tensor, Tensor] | None = None
    for block in blocks:
        top, index = similarity(block, state, None).max(-1)
        index = index + block.start
        if best is not None:
            index = torch.where(top > best[0], index, best[1])
            top = torch.maximum(top, best[0])
        best = top, index
    if best is None:
        raise ValueError("there must be at least one block of rows")
    return best


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
    dim = check_patterns("patterns", patterns).shape[-1]
    if state.shape[-1:] != (dim,):
        turned = state.ndim > 0 and state.shape[-1] == len(patterns)
        raise ShapeError(
            f"state must end in dim={dim}, the length of the patterns, but has shape "
            f"{tuple(state.shape)}, and patterns {tuple(patterns.shape)}.\n"
            + (
                "Patterns are rows: did you mean patterns.T?"
                if turned
                else "Give rows of one length."
            )
        )
    _check_alike("state", state, patterns)
    if values is not None:
        check_tensor("values", values)
        if values.ndim != 2 or len(values) != len(patterns):
            raise ShapeError(
                f"values must have shape (n, out), one row for each of the n={len(patterns)} "
                f"patterns, but have shape {tuple(values.shape)}. Use values.flatten(1), or cut it."
            )
        _check_alike("values", values, patterns)
    sharp = check_parameter("beta", beta, low=0.0)
    if isinstance(sharp, Tensor) and not _broadcasts(sharp.shape, state.shape[:-1]):
        raise ShapeError(
            f"beta must be one number, or one for each state of {tuple(state.shape)}, "
            f"but has shape {tuple(sharp.shape)}. Use beta.reshape(…)."
        )
    check_size("state", state)
    precision = torch.promote_types(state.dtype, torch.float32)
    keys = check_size("patterns", patterns).to(precision)
    weights = Softmax(sharp)(state.to(precision) @ keys.T)
    return (weights @ (keys if values is None else values.to(precision))).to(state.dtype)


def _check_alike(name: str, value: Tensor, patterns: Tensor) -> None:
    """Raise unless a tensor has the device and dtype of the patterns."""
    check_device(name, value, patterns.device)
    if value.dtype != patterns.dtype:
        dtypes = [str(t.dtype).removeprefix("torch.") for t in (patterns, value)]
        raise InputTypeError(
            f"{name} must be {dtypes[0]} like the patterns, but is {dtypes[1]}. "
            f"Use {name}.to(patterns.dtype)."
        )


def _broadcasts(shape: torch.Size, to: torch.Size) -> bool:
    """Whether a tensor of this shape can be expanded to another."""
    return len(shape) <= len(to) and all(
        a in (1, b) for a, b in zip(reversed(shape), reversed(to), strict=False)
    )
