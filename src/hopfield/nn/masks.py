"""Masks of the patterns that a state may read, and the scores of masked patterns."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_dense, dtype_name, is_broadcastable, is_traced, short_repr
from ..errors import DomainError, InputTypeError, OptionError, ShapeError
from ..mask_hints import mask_form


class Masks(NamedTuple):
    """The masks of a call, as in `HopfieldAssociation`."""

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
        bias: finite numbers that are added to the scores βKx, or None.
    """

    visible: Tensor
    empty: Tensor
    bias: Tensor | None = None

    @classmethod
    def ignoring(cls, ignored: Tensor, bias: Tensor | None = None) -> "Mask":
        """Return the mask for a tensor that is True where a state ignores a pattern."""
        empty = ignored.all(-1, keepdim=True)
        bias = None if bias is None else bias.masked_fill(bias == -torch.inf, 0.0)
        return cls(~ignored | empty, empty, bias)

    @classmethod
    def of_scores(cls, additive: Tensor) -> "Mask":
        """Return the mask for numbers that are added to scores, −∞ where a pattern is hidden."""
        return cls.ignoring(additive == -torch.inf, additive)

    def map(self, function: Callable[[Tensor], Tensor]) -> "Mask":
        """Apply a function to each tensor."""
        bias = None if self.bias is None else function(self.bias)
        return Mask(function(self.visible), function(self.empty), bias)

    def readable(self, dtype: torch.dtype) -> Tensor:
        """Return the mask for torch's attention: bools, or the bias with −∞ where hidden."""
        if self.bias is None:
            return self.visible
        return self.bias.to(dtype).masked_fill(~self.visible, -torch.inf)


def inner_products(state: Tensor, stored: Tensor) -> Tensor:
    """Return x Kᵀ, in float32 for half precision.

    Scores can exceed the range of float16, and rounding to bfloat16 changes weights by percents.
    """
    device, dtype = state.device.type, torch.promote_types(state.dtype, stored.dtype)
    if torch.is_autocast_enabled(device) and dtype != torch.float64:
        dtype = torch.get_autocast_dtype(device)
    if dtype.itemsize > 2:
        return state @ stored.mT
    with torch.autocast(device, enabled=False):
        return state.float() @ stored.float().mT


def masked_scores(products: Tensor, mask: Mask | None) -> Tensor:
    """Return x Kᵀ in at least float32; masked patterns get a score too low for any weight."""
    scores = products.to(torch.promote_types(products.dtype, torch.float32))
    if mask is None:
        return scores
    if mask.bias is not None:
        scores = scores + mask.bias.to(scores.dtype)
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


def split_bias(name: str, mask: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return the bools of a mask, and the numbers of one that is added to the scores."""
    if not isinstance(mask, Tensor) or not mask.is_floating_point():
        return check_bool(name, mask), None
    if not (is_traced() or mask.requires_grad):
        if mask_form(check_dense(name, mask)) == "0 and 1" and bool(mask.any()):
            check_bool(name, mask)  # raises: a mask of 0 and 1 is no bias
        if bool((mask.isnan() | (mask == torch.inf)).any()):
            raise DomainError(f"{name} must hold finite numbers or −∞, but has NaN or ∞.")
    return mask == -torch.inf, mask


def combine_masks(masks: Masks, m: int, n: int) -> tuple[Tensor | None, Tensor | None]:
    """Combine both masks to bools `(batch | 1, heads | 1, m | 1, n)`, and return the bias."""
    padding, pairs = masks
    if padding is not None:
        check_bool("padding_mask", padding)
        _check_shape("padding_mask", padding, (2,), (n,), f"(batch, {n})")
        padding = padding[:, None, None, :]
    if pairs is None:
        return padding, None
    shapes = f"({m}, {n}), (batch, {m}, {n}) or (batch, heads, {m}, {n})"
    ignored, bias = split_bias("association_mask", pairs)
    _check_shape("association_mask", pairs, (2, 3, 4), (m, n), shapes)
    bias = None if bias is None else _with_batch_and_heads(bias, n)
    return _combine(padding, _with_batch_and_heads(ignored, n)), bias


def _with_batch_and_heads(pairs: Tensor, n: int) -> Tensor:
    if pairs.ndim == 3:
        pairs = pairs.unsqueeze(1)
    pairs = pairs.expand(*pairs.shape[:-1], n)
    return pairs[None, None] if pairs.ndim == 2 else pairs


def _combine(padding: Tensor | None, pairs: Tensor) -> Tensor:
    if padding is None:
        return pairs
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
    ends = zip(counts, mask.shape[-len(counts) :], strict=False)
    fits = all(is_broadcastable((length,), (count,)) for count, length in ends)
    if mask.ndim not in axes or not fits:
        raise ShapeError(
            f"{name} must have shape {shapes}, one entry per pattern, "
            f"but has shape {tuple(mask.shape)}."
        )
