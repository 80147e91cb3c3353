"""The readout, block by block: scores → weights → weighted sum of rows, and the potential F(s)."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from .checks import (
    check_device,
    check_finite,
    check_norms,
    check_rows,
    check_tensor,
    dtype_name,
    is_broadcastable,
    is_traced,
)
from .errors import InputTypeError, ShapeError
from .ranks import ranks_of
from .separation import Partial, Readout, Rows, Separation, Softmax
from .separation.base import check_parameter, entered, largest_value
from .separation.prior import prior_of
from .separation.softmax import LN_2
from .similarity import RowProducts, ScoreFunction, Similarity

BLOCK_ROWS = 4096
"""Largest number of rows per block if blocks are copied: upcast, squared or masked."""

BLOCK_SCORES = 2**20
"""Largest number of scores per block, so that batch × n scores never exist at once.

A block has at least 128 rows, and exceeds this number for large batches.
"""

LONG_BLOCK = 2**16
"""Largest number of rows of any block. Matrix products over more rows lose digits."""

MOST_FUSED_ROWS = 2**19
"""Rows up to which torch's attention is exact enough; above, rows are read in blocks."""

SHARP = 2.0**100
"""β above which `attention` computes in float64: scores that underflow in float32 then matter."""

FEW_QUERIES, SHORT_ROWS = 32, 128
"""Queries, and entries per row, up to which two matrix products are faster than SDPA."""


def block_rows(queries: int, copied: bool = True) -> int:
    """Return the number of rows per block for `queries` states; `copied` blocks are smaller."""
    rows = max(128, BLOCK_SCORES // max(1, queries))
    return min(BLOCK_ROWS if copied else LONG_BLOCK, rows)


@runtime_checkable
class Block(RowProducts, Rows, Protocol):
    """Consecutive stored rows with all that a readout needs: products and weighted sums."""


@runtime_checkable
class ValuedBlock(Block, Protocol):
    """A block of rows that may have values."""

    @property
    def values(self) -> Tensor | None:
        """Return the values of the rows, `(n, *)`, or None."""


@dataclass(frozen=True, eq=False)
class WrappedBlock:
    """What a block takes over from another one; a subclass adds scores and weighted sums.

    Attributes:
        block: the other block.
    """

    block: ValuedBlock

    @property
    def start(self) -> int:
        """Return the index of the first row."""
        return self.block.start

    @property
    def rows(self) -> Tensor:
        """Return the rows."""
        return self.block.rows

    @property
    def values(self) -> Tensor | None:
        """Return the values of the rows, or None."""
        return self.block.values

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.block)

    def squares(self, mask: Tensor | None) -> Tensor:
        """Return Σ_i m_i x_μi² of each row."""
        return self.block.squares(mask)


@dataclass(frozen=True, eq=False)
class BlockView(WrappedBlock):
    """A block whose scores come from its patterns, while its weights average other rows.

    Attributes:
        weighted_sum: (weights, at=None) → the weighted sum of these other rows.
    """

    weighted_sum: Callable[..., Tensor]

    @property
    def prior(self) -> Tensor | None:
        """Return the prior of each row, or None."""
        return prior_of(self.block)

    def scores(self, state: Tensor) -> Tensor:
        """Return the scores Xx."""
        return self.block.scores(state)


def with_values(block: ValuedBlock) -> BlockView:
    """Return a view of the block whose weights average its values, flattened to rows."""

    def weighted_sum(weights: Tensor, at: Tensor | None = None) -> Tensor:
        values = block.values
        if values is None:
            raise ValueError("these rows have no values")
        numbers = values.reshape(len(values), -1)
        numbers = numbers if at is None else numbers[at]
        # Values may need more digits than patterns: float32 would round a float64 of 1.7e9.
        dtype = torch.promote_types(values.dtype, weights.dtype)
        return weights.to(dtype) @ numbers.to(dtype)

    return BlockView(block, weighted_sum)


def potential_only(block: ValuedBlock) -> BlockView:
    """Return a view of the block with empty weighted sums: F(s) alone costs half as much."""
    return BlockView(block, lambda weights, at=None: weights[..., :0])


def read(
    blocks: Iterable[Block],
    state: Float[Tensor, "*batch dim"],
    similarity: Similarity | ScoreFunction,
    separation: Separation,
    known: Tensor | None = None,
) -> Readout:
    """Read the patterns in `blocks` at `state`: x' = Xᵀ∇F(s), F(s) and the strongest pattern.

    The result does not depend on the blocks: their partials merge (formulas in docs/notation.md),
    also those of other ranks.

    Args:
        blocks: all rows, in order; some separations iterate over them twice.
        state: `(*batch, dim)`, float32 or float64.
        similarity: scores of a block at the states.
        separation: F and ∇F.
        known: mask broadcastable to `state`; only known entries count in the scores.
    """
    partial: Partial | None = None
    shared: Tensor | None = None
    own, asked, ranks, is_large = separation, state, None, False
    score: Callable[..., Tensor] = similarity
    if isinstance(similarity, Similarity):
        score, affine = similarity.function, similarity.affine
        if separation.shift_invariant and affine is not None and affine.shared is not None:
            score, shared = similarity.without_shared, affine.shared(state, known)
    for block in blocks:
        if partial is None and (ranks := ranks_of(block)) is not None:
            own, asked = entered(separation, ranks), ranks.enter(state)
        part = own.partial(score(block, asked, known), block)
        partial = part if partial is None else partial.merge(part)
        is_large = partial.kept_scores > BLOCK_SCORES and _can_split(state, separation)
        if is_large:
            break
    if partial is None:
        raise ValueError("a readout needs at least one block of rows")
    if ranks is not None and partial.keeps_scores:  # all ranks split the batch, or none
        is_large = bool(ranks.gather(state.new_tensor(is_large))[0].any())
    if is_large:
        return _read_halves(blocks, state, similarity, separation, known)
    result = (partial if ranks is None else partial.merge_ranks(ranks, separation)).result(blocks)
    if shared is None:
        return result
    potential = result.potential + shared
    # F of −½ distance² is at most 0. An excess, which is rounding, is subtracted as a constant:
    # clamping would make gradients 0.
    return replace(result, potential=potential - potential.detach().clamp_min(0))


def _can_split(state: Tensor, separation: Separation) -> bool:
    has_batch = any(isinstance(x, Tensor) and x.ndim for x in vars(separation).values())
    return state.ndim == 2 and len(state) > 1 and not has_batch and not is_traced()


def _read_halves(
    blocks: Iterable[Block],
    state: Tensor,
    similarity: Similarity | ScoreFunction,
    separation: Separation,
    known: Tensor | None,
) -> Readout:
    # Each half of the batch by itself, so that not all scores are kept at once.
    parts = slice(len(state) // 2), slice(len(state) // 2, None)
    masks = [known, known]
    if known is not None and known.ndim == 2:
        masks = [known.expand(state.shape)[part] for part in parts]
    results = [
        read(blocks, state[part], similarity, separation, mask)
        for part, mask in zip(parts, masks, strict=True)
    ]
    first, second = (vars(result) for result in results)
    both: Any = {k: None if x is None else torch.cat([x, second[k]]) for k, x in first.items()}
    return Readout(**both)


def fused_attention(
    state: Float[Tensor, "batch dim"],
    rows: Float[Tensor, "n dim"],
    beta: float | Tensor,
    values: Float[Tensor, "n out"] | None = None,
    bias: Float[Tensor, " n"] | None = None,
    prior: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "batch out"] | None:
    """softmax(β(x Xᵀ + bias)) V by torch's attention: X is read once, batch × n never exists.

    With a prior w, softmax(β(x Xᵀ + bias) + log w) V.

    Faster than `read` if only the state is needed. For few queries and short rows, two matrix
    products are faster: SDPA would use one core.

    Args:
        state: the queries, in the dtype of the rows.
        rows: the keys.
        beta: β, one number or one per query, `(batch,)` or `()`.
        values: V; None averages the rows themselves.
        bias: added to the scores of each row.
        prior: w of each row.

    Returns:
        The state. None if gradients are needed (the backward pass is not differentiable), in
        compiled or mapped code, for too many rows, and if the result holds inf or NaN.
    """
    batch, count = state.shape[0], rows.shape[0]
    inputs = (state, rows, beta, values)
    differentiable = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    if count > MOST_FUSED_ROWS or is_traced() or (differentiable and torch.is_grad_enabled()):
        return None
    queries, scale = state, 1.0 if isinstance(beta, Tensor) else beta
    if isinstance(beta, Tensor):
        factors = beta.reshape(-1, 1).to(state)
        queries, bias = state * factors, None if bias is None else factors * bias.to(state)
    log_prior = None if prior is None else prior.log().to(state)
    keys, averaged = rows, rows if values is None else values
    short = batch <= FEW_QUERIES and rows.shape[-1] <= SHORT_ROWS
    if short and batch * count <= BLOCK_SCORES and count <= LONG_BLOCK:
        return _if_finite(two_product_attention(queries, keys, averaged, scale, bias, log_prior))
    out, width = averaged.shape[-1], max(rows.shape[-1], averaged.shape[-1])
    if out != rows.shape[-1]:  # with unequal widths SDPA would compute all weights at once
        padded = [pad(x, (0, width - x.shape[-1])) for x in (queries, keys, averaged)]
        queries, keys, averaged = padded
    mask = None if bias is None else scale * bias.to(state.dtype)
    if log_prior is not None:  # added to βs: log w is never divided by β
        mask = log_prior if mask is None else mask + log_prior
    mask = None if mask is None else mask.expand(1, 1, batch, -1)
    result = scaled_dot_product_attention(
        queries[None, None], keys[None, None], averaged[None, None], attn_mask=mask, scale=scale
    )[0, 0, :, :out]
    return _if_finite(result)


def two_product_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    scale: float,
    bias: Tensor | None,
    log_prior: Tensor | None = None,
) -> Tensor:
    """softmax(scale·(x Xᵀ + bias) + log w) V by two matrix products."""
    scores = queries @ keys.T
    scores = scores if bias is None else scores + bias.to(scores)
    scores = scores.mul_(scale / LN_2)
    scores = scores if log_prior is None else scores.add_(log_prior / LN_2)
    # Divided at the end: weights of torch.softmax over long rows do not sum to one exactly.
    power = scores.sub_(scores.amax(-1, keepdim=True)).exp2_()
    return (power @ values).div_(power.sum(-1, keepdim=True))


def _if_finite(result: Tensor) -> Tensor | None:
    return result if math.isfinite(result.sum().item()) else None


def attention(
    state: Tensor, patterns: Tensor, beta: float | Tensor, values: Tensor | None = None
) -> Tensor:
    """Make one update of the modern network, softmax(β x Xᵀ) V with V = X by default.

    Equal to `torch.nn.functional.scaled_dot_product_attention(state, patterns, values)` at
    β = 1/√dim (Ramsauer et al. 2021, eq. 10), and computed by it.

    Args:
        state: `(*batch, dim)`, the queries.
        patterns: `(n, dim)`, the keys.
        beta: β ≥ 0.
        values: `(n, out)`; None averages the patterns themselves.

    Returns:
        `(*batch, out)`.
    """
    beta = _check_attention(state, patterns, beta, values)
    precision = torch.promote_types(state.dtype, torch.float32)
    if not is_traced() and largest_value(beta) > SHARP:
        precision = torch.float64  # scores that underflow in float32 could matter
    flat, keys = state.reshape(-1, state.shape[-1]).to(precision), patterns.to(precision)
    averaged = keys if values is None else values.to(precision)
    flat_beta = beta
    if isinstance(beta, Tensor) and beta.numel() > 1:
        flat_beta = beta.expand(state.shape[:-1]).reshape(-1)
    result = fused_attention(flat, keys, flat_beta, averaged)
    if result is None:
        check_norms("patterns", check_finite("patterns", patterns))
        result = Softmax(beta)(state.to(precision) @ keys.T) @ averaged
    return result.reshape(*state.shape[:-1], averaged.shape[-1]).to(state.dtype)


def _check_attention(
    state: Tensor, patterns: Tensor, beta: float | Tensor, values: Tensor | None
) -> float | Tensor:
    # Returns β. Patterns that are also the values are not checked: a check costs as much as the
    # readout, and inf or NaN in them makes the result inf or NaN.
    check_tensor("state", state)
    dim = check_rows("patterns", patterns).shape[-1]
    if state.shape[-1:] != (dim,):
        is_transposed = state.ndim > 0 and state.shape[-1] == len(patterns)
        raise ShapeError(
            f"state must end in dim={dim}, the length of the patterns, but has shape "
            f"{tuple(state.shape)}, and patterns {tuple(patterns.shape)}.\n"
            + (
                "Patterns are rows: did you mean patterns.T?"
                if is_transposed
                else "Give rows of one length."
            )
        )
    _check_same_dtype("state", state, patterns)
    if values is not None:
        check_tensor("values", values)
        check_finite("patterns", patterns)
        if values.ndim != 2 or len(values) != len(patterns):
            raise ShapeError(
                f"values must have shape (n, out), one row for each of the n={len(patterns)} "
                f"patterns, but have shape {tuple(values.shape)}. Use values.flatten(1), or cut it."
            )
        _check_same_dtype("values", values, patterns)
    beta = check_parameter("beta", beta, low=0.0)
    if isinstance(beta, Tensor) and not is_broadcastable(beta.shape, state.shape[:-1]):
        raise ShapeError(
            f"beta must be one number, or one for each state of {tuple(state.shape)}, "
            f"but has shape {tuple(beta.shape)}. Use beta.reshape(…)."
        )
    check_norms("state", state)
    return beta


def _check_same_dtype(name: str, value: Tensor, patterns: Tensor) -> None:
    check_device(name, value, patterns.device)
    if value.dtype != patterns.dtype:
        dtypes = [dtype_name(tensor) for tensor in (patterns, value)]
        raise InputTypeError(
            f"{name} must be {dtypes[0]} like the patterns, but is {dtypes[1]}. "
            f"Use {name}.to(patterns.dtype)."
        )
