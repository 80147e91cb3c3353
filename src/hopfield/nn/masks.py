"""Masks of the patterns that a state may read, and the scores of masked patterns."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_dense, dtype_name, is_broadcastable, is_traced, short_repr
from ..errors import InputTypeError, OptionError, ShapeError
from ..mask_hints import mask_form


class Masks(NamedTuple):
    """The masks of a call.

    Attributes:
        padding_mask: `(batch, n)`, True for patterns that all states ignore.
        association_mask: `(m, n)`, `(batch, m, n)` or `(batch, heads, m, n)`, True where a state
            ignores a pattern. The output is 0, without the bias of the output projection, for a
            state that ignores all.
    """

    padding_mask: Tensor | None = None
    association_mask: Tensor | None = None

    @classmethod
    def checked(
        cls, padding: Tensor | None, association: Tensor | None, others: Mapping[str, object]
    ) -> "Masks":
        """Return the masks of a call, and raise for the first of the other keywords."""
        for name in others:
            # Of torch, hflayers and tokenizers: key_padding_mask, attention_mask, attn_mask.
            use = "association_mask" if name == "attn_mask" else "padding_mask"
            hint = f" Use {use}=, True where a pattern is ignored." if "mask" in name else ""
            raise OptionError(
                f"a layer takes padding_mask and association_mask, but no mask {name!r}.{hint}"
            )
        return cls(padding, association)


class Mask(NamedTuple):
    """The patterns that each state may read, broadcastable to the scores `(*batch, m, n)`.

    Attributes:
        visible: True where a state may read a pattern. For a state that may read none, all are True
            so that its softmax is not NaN.
        empty: True for states that may read no pattern, `(…, m | 1, 1)`. Their output is 0.
    """

    visible: Tensor
    empty: Tensor

    @classmethod
    def ignoring(cls, ignored: Tensor) -> "Mask":
        """Return the mask for a tensor that is True where a state ignores a pattern."""
        empty = ignored.all(-1, keepdim=True)
        return cls(~ignored | empty, empty)


def masked_scores(products: Tensor, mask: Mask | None) -> Tensor:
    """Return x Kᵀ in at least float32; masked patterns get a score too low for any weight."""
    scores = products.to(torch.promote_types(products.dtype, torch.float32))
    if mask is None:
        return scores
    return scores.masked_fill(~mask.visible, lowest_score(scores.dtype))


def lowest_score(dtype: torch.dtype) -> float:
    """Return the score of masked patterns."""
    # Not −∞: gradients would be 0·∞. Not the minimum: differences of scores must not overflow, nor
    # gradients of energies, which have a factor 1/β (in float64, where scores are this low).
    return max(torch.finfo(dtype).min / 64, -1e250)


def fold_batch(tensor: Tensor, batch: Sequence[int]) -> Tensor:
    """Expand `(…, a, b)` to `(*batch, a, b)`, and reshape it to exactly two batch axes."""
    tensor = tensor.expand(*batch, *tensor.shape[-2:])
    if len(batch) < 2:
        return tensor.reshape(*[1] * (2 - len(batch)), *tensor.shape)
    return tensor.flatten(0, len(batch) - 2)


def fold_unexpanded(tensor: Tensor, batch: Sequence[int]) -> Tensor:
    """Reshape to two batch axes; axes of length 1 are expanded only if `batch` has more axes."""
    return fold_batch(tensor, batch if len(batch) > 2 else tensor.shape[:-2])


def combine_masks(masks: Masks, m: int, n: int) -> Tensor | None:
    """Combine both masks to `(batch | 1, heads | 1, m | 1, n)`."""
    padding, pairs = masks
    if padding is not None:
        _check_shape("padding_mask", padding, (2,), (n,), f"(batch, {n})")
        padding = padding[:, None, None, :]
    if pairs is None:
        return padding
    shapes = f"({m}, {n}), (batch, {m}, {n}) or (batch, heads, {m}, {n})"
    _check_shape("association_mask", pairs, (2, 3, 4), (m, n), shapes)
    if pairs.ndim == 3:
        pairs = pairs.unsqueeze(1)
    pairs = pairs.expand(*pairs.shape[:-1], n)
    if padding is None:
        return pairs[None, None] if pairs.ndim == 2 else pairs
    if pairs.ndim == 4 and 1 != pairs.shape[0] != padding.shape[0] != 1:
        raise ShapeError(
            "padding_mask and association_mask must have one batch size, but have "
            f"{padding.shape[0]} and {pairs.shape[0]} entries."
        )
    return padding | pairs


def check_bool(name: str, mask: object) -> Tensor:
    """Return `mask` if it is a bool tensor; the error names other forms of attention masks."""
    if isinstance(mask, Tensor) and mask.dtype == torch.bool:
        return mask
    given, hint = short_repr(mask), ""
    if isinstance(mask, Tensor) and not is_traced():
        form = mask_form(check_dense(name, mask))
        given = f"{dtype_name(mask)} of {form}" if form else dtype_name(mask)
        if form:
            hint = f" Use {name} < 0."
        if form == "0 and 1":
            hint = f" If 1 means keep, as in the attention_mask of a tokenizer, use {name} == 0."
    raise InputTypeError(
        f"{name} must be a bool tensor, True where a pattern is ignored, but is {given}.{hint}"
    )


def _check_shape(
    name: str, mask: Tensor, axes: tuple[int, ...], counts: tuple[int, ...], shapes: str
) -> None:
    ends = zip(counts, check_bool(name, mask).shape[-len(counts) :], strict=False)
    fits = all(is_broadcastable((length,), (count,)) for count, length in ends)
    if mask.ndim not in axes or not fits:
        raise ShapeError(
            f"{name} must have shape {shapes}, one entry per pattern, "
            f"but has shape {tuple(mask.shape)}."
        )
