"""The readout: scores → weights → weighted sum of rows, block by block; energy comes free."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from .checks import check_device, check_finite, check_norms, check_rows, check_tensor, is_traced
from .errors import InputTypeError, ShapeError
from .separation import Partial, Readout, Rows, Separation, Softmax
from .separation.base import check_parameter
from .similarity import RowProducts, ScoreFunction, Similarity

BLOCK_ROWS = 4096
"""Most rows of a block that is copied: widened, squared or masked."""

BLOCK_SCORES = 2**20
"""Most scores of a block, where it has more than 128 rows: never batch × n at once."""


FEW_QUERIES, NARROW = 32, 128
"""Queries, and numbers a row, up to which products serve a state better than torch's attention."""


def block_rows(queries: int, copied: bool = True) -> int:
    """How many rows to read at a time for so many states, where rows are `copied` or not."""
    rows = max(128, BLOCK_SCORES // max(1, queries))
    return min(BLOCK_ROWS, rows) if copied else rows


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
class _Seen:
    """A block as it is scored; what it pulls is said by those derived from it."""

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


class Values(_Seen):
    """A block that is scored by its rows and pulls its values, as rows of numbers."""

    def weighted_sum(self, weights: Tensor, at: Tensor | None = None) -> Tensor:
        """weights @ values[at]; None takes all values."""
        values = self.block.values
        if values is None:
            raise ValueError("these rows have no values")
        numbers = values.reshape(len(values), -1)
        numbers = numbers if at is None else numbers[at]
        # Values may be wider than the patterns: 1.7e9 in float64 is not to be rounded to float32.
        dtype = torch.promote_types(values.dtype, weights.dtype)
        return weights.to(dtype) @ numbers.to(dtype)


class Unpulled(_Seen):
    """A block that is scored and pulls nothing: half the price, where only F(s) is asked for."""

    def weighted_sum(self, weights: Tensor, at: Tensor | None = None) -> Tensor:
        """Return rows without entries."""
        return weights[..., :0]


def read(
    blocks: Iterable[Block],
    state: Float[Tensor, "*batch dim"],
    similarity: Similarity | ScoreFunction,
    separation: Separation,
    known: Tensor | None = None,
) -> Readout:
    """Read the patterns in `blocks` at `state`: x' = Xᵀ∇F(s), F(s) and who had most weight.

    Exact whatever the blocks: partials of blocks merge (formulas in docs/notation.md).

    Args:
        blocks: all rows, in order; iterated twice by separations that sum at the end.
        state: `(*batch, dim)`, float32 or float64.
        similarity: scores of a block at the states.
        separation: F and ∇F.
        known: mask broadcastable to `state`; only known entries count in the scores.
    """
    partial: Partial | None = None
    shared: Tensor | None = None
    score: Callable[..., Tensor] = similarity
    if separation.shift_invariant and isinstance(similarity, Similarity):
        score, shared = similarity.parts(state, known)
    for block in blocks:
        part = separation.partial(score(block, state, known), block)
        partial = part if partial is None else partial.merge(part)
    if partial is None:
        raise ValueError("a readout needs at least one block of rows")
    found = partial.result(blocks)
    if shared is None:
        return found
    whole = found.potential + shared
    # F of distances is never positive; what rounding adds is taken away as a number, slopes stay.
    return replace(found, potential=whole - whole.detach().clamp_min(0))


def strongest(
    blocks: Iterable[Block],
    state: Float[Tensor, "*batch dim"],
    similarity: Similarity | ScoreFunction,
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
    similarity: Similarity | ScoreFunction,
    known: Tensor | None = None,
) -> Float[Tensor, "*batch n"]:
    """The scores of every pattern; memory O(batch·n)."""
    return torch.cat([similarity(block, state, known) for block in blocks], dim=-1)


def attended(
    state: Float[Tensor, "batch dim"],
    rows: Float[Tensor, "n dim"],
    beta: float | Tensor,
    values: Float[Tensor, "n out"] | None = None,
    bias: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "batch out"] | None:
    """softmax(β(x Xᵀ + bias)) V by torch's attention: one read of X, and nothing of size batch × n.

    Few queries of narrow rows, which it would leave to one core, are two products of one block.

    Faster than `read` wherever only the state is asked for. None where it does not serve: with
    gradients, whose derivatives it lacks, in compiled or mapped code, and where numbers overflow or
    are not finite.

    Args:
        state: the queries, in the dtype of the rows.
        rows: the keys.
        beta: β, one number or one a query, `(batch,)` or `()`.
        values: V; None reads the rows themselves.
        bias: what is added to the scores of each row.
    """
    given = [each for each in (state, rows, beta, values) if isinstance(each, Tensor)]
    if is_traced() or (torch.is_grad_enabled() and any(each.requires_grad for each in given)):
        return None
    queries, scale = state, 1.0 if isinstance(beta, Tensor) else beta
    if isinstance(beta, Tensor):
        sharp = beta.reshape(-1, 1).to(state)
        queries, bias = state * sharp, None if bias is None else sharp * bias.to(state)
    keys, read_ = rows, rows if values is None else values
    narrow = len(state) <= FEW_QUERIES and rows.shape[-1] <= NARROW
    if narrow and len(state) * len(rows) <= BLOCK_SCORES:
        return _finite(_by_products(queries, keys, read_, scale, bias))
    out, width = read_.shape[-1], max(rows.shape[-1], read_.shape[-1])
    if out != rows.shape[-1]:  # it needs one width, or makes all weights at once
        padded = [pad(each, (0, width - each.shape[-1])) for each in (queries, keys, read_)]
        queries, keys, read_ = padded
    mask = None
    if bias is not None:
        mask = (scale * bias.to(state.dtype)).expand(1, 1, len(state), -1)
    found = scaled_dot_product_attention(
        queries[None, None], keys[None, None], read_[None, None], attn_mask=mask, scale=scale
    )[0, 0, :, :out]
    return _finite(found)


def _by_products(
    queries: Tensor, keys: Tensor, read_: Tensor, scale: float, bias: Tensor | None
) -> Tensor:
    """softmax(scale·(x Xᵀ + bias)) V as two products.

    torch.softmax of long rows does not sum to one.
    """
    scores = queries @ keys.T
    scores = scores if bias is None else scores + bias.to(scores)
    power = scores.mul_(scale).sub_(scores.amax(-1, keepdim=True)).exp_()
    return (power @ read_).div_(power.sum(-1, keepdim=True))


def _finite(found: Tensor) -> Tensor | None:
    """What was found, if it is finite."""
    return found if math.isfinite(found.sum().item()) else None


def attention(
    state: Tensor, patterns: Tensor, beta: float | Tensor, values: Tensor | None = None
) -> Tensor:
    """One update of the modern network, softmax(β x Xᵀ) V with V = X by default.

    Equal to `torch.nn.functional.scaled_dot_product_attention(state, patterns, values)` at
    β = 1/√dim (Ramsauer et al. 2021, eq. 10), and computed by it.

    Args:
        state: `(*batch, dim)`, the queries.
        patterns: `(n, dim)`, the keys.
        beta: β ≥ 0.
        values: `(n, out)`; None reads the patterns themselves.

    Returns:
        `(*batch, out)`.
    """
    sharp = _checked(state, patterns, beta, values)
    precision = torch.promote_types(state.dtype, torch.float32)
    flat, keys = state.reshape(-1, state.shape[-1]).to(precision), patterns.to(precision)
    read_ = keys if values is None else values.to(precision)
    each = sharp
    if isinstance(sharp, Tensor) and sharp.numel() > 1:
        each = sharp.expand(state.shape[:-1]).reshape(-1)
    found = attended(flat, keys, each, read_)
    if found is None:
        check_norms("patterns", check_finite("patterns", patterns))
        found = Softmax(sharp)(state.to(precision) @ keys.T) @ read_
    return found.reshape(*state.shape[:-1], read_.shape[-1]).to(state.dtype)


def _checked(
    state: Tensor, patterns: Tensor, beta: float | Tensor, values: Tensor | None
) -> float | Tensor:
    """β, if what `attention` was given fits together.

    Patterns that are read as values are not looked at: what is not finite in them shows in the
    result, and one look costs as much as the reading.
    """
    check_tensor("state", state)
    dim = check_rows("patterns", patterns).shape[-1]
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
        check_finite("patterns", patterns)
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
    check_norms("state", state)
    return sharp


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
