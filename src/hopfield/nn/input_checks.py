"""Checks of the inputs of layers: a mistake is named before torch fails on it."""

from typing import TypeVar

import torch
from torch import Tensor, nn

from ..checks import (
    check_float,
    check_number,
    dtype_name,
    is_broadcastable,
    is_traced,
    short_repr,
)
from ..errors import DeviceError, InputTypeError, ShapeError
from .masks import check_bool

T = TypeVar("T")


def check_instance(name: str, value: object, kind: type[T], example: str) -> T:
    """Return `value` if it is of this class."""
    if isinstance(value, kind):
        return value
    article = "an" if kind.__name__[0] in "AEIOU" else "a"
    raise InputTypeError(
        f"{name} must be {article} {kind.__name__}, but is {short_repr(value)}. "
        f"Use for instance {example}."
    )


def project(name: str, rows: Tensor, module: nn.Module, label: str) -> Tensor:
    """Return `module(rows)`; an error names `rows` that do not fit, and calls the module `label`.

    The weights are read only after the module has failed: a module that is wrapped, quantised,
    sharded or offloaded has other ones in its call, or none.
    """
    check_length(name, rows, module, label)
    if _is_empty(_first_module(module)):
        _check_first_weight(name, rows, module)
    if is_traced():
        result: Tensor = module(rows)
        return result
    try:
        result = module(rows)
    except RuntimeError:
        _check_first_weight(name, rows, module)
        raise
    return result


def _is_empty(module: nn.Module) -> bool:
    """Return whether the weight is on no device: torch then computes garbage, without an error."""
    weight = module._parameters.get("weight")
    # In a call, hooks may put another weight in its place; accelerate replaces `forward`.
    is_replaced = module._forward_pre_hooks or "forward" in vars(module)
    return weight is not None and weight.is_meta and not is_replaced


def check_width(name: str, rows: Tensor, module: nn.Module, label: str) -> Tensor:
    """Return `rows` if `module` accepts their length, dtype and device; `label` names it."""
    return _check_first_weight(name, check_length(name, rows, module, label), module)


def check_length(name: str, rows: Tensor, module: nn.Module, label: str) -> Tensor:
    """Return `rows` if `module`, called `label` in the error, accepts their length."""
    width = input_width(module)
    if width is None or rows.shape[-1:] == (width,):
        return rows
    raise ShapeError(
        f"{name} must end in {width}, the input width of {label}, but has shape "
        f"{tuple(rows.shape)}. Change the rows, or the module in Projections."
    )


def _check_first_weight(name: str, rows: Tensor, module: nn.Module) -> Tensor:
    weight = _first_module(module)._parameters.get("weight")  # no property of a wrapper
    return rows if weight is None else check_matches(name, rows, weight)


def input_width(module: nn.Module) -> int | None:
    """Return the length of rows that a module accepts, None if that is unknown."""
    first = _first_module(module)
    if isinstance(first, nn.Linear) and not isinstance(first, nn.LazyLinear):
        return first.in_features
    return first.normalized_shape[-1] if isinstance(first, nn.LayerNorm) else None


def _first_module(module: nn.Module) -> nn.Module:
    if isinstance(module, nn.Sequential):
        for part in module:
            if not isinstance(first := _first_module(part), (nn.Identity, nn.Dropout)):
                return first
    return module


def check_matches(name: str, rows: Tensor, weight: Tensor) -> Tensor:
    """Return `rows` if they have the dtype and the device of `weight`."""
    if rows.device != weight.device:
        raise DeviceError(
            f"{name} must be on {weight.device}, where the layer is, but is on {rows.device}. "
            f"Use {name}.to({str(weight.device)!r}), or layer.to(…)."
        )
    if rows.dtype != weight.dtype and not torch.is_autocast_enabled(rows.device.type):
        raise InputTypeError(
            f"{name} must be {dtype_name(weight)}, like the weights of the layer, but is "
            f"{dtype_name(rows)}. Use {name}.to({weight.dtype}), or layer.to({rows.dtype})."
        )
    return rows


def check_association(
    state: Tensor, stored: Tensor, projected: Tensor, mask: Tensor | None, dropout: float
) -> None:
    """Raise unless these fit one another."""
    tensors = {"state": state, "stored": stored, "projected": projected}
    for name, rows in tensors.items():
        if check_float(name, rows).ndim < 2 or 0 in rows.shape[-2:]:
            raise ShapeError(
                f"{name} must have shape (*batch, rows, length) with at least one row, but has "
                f"shape {tuple(rows.shape)}. Use unsqueeze for a missing axis."
            )
    if state.shape[-1] != stored.shape[-1]:
        raise ShapeError(
            f"state and stored must have rows of one length, but have shapes "
            f"{tuple(state.shape)} and {tuple(stored.shape)}."
        )
    if projected.shape[-2] != stored.shape[-2]:
        raise ShapeError(
            f"projected must have one row for each of the n={stored.shape[-2]} stored patterns, "
            f"but has shape {tuple(projected.shape)}."
        )
    dtypes = [dtype_name(rows) for rows in tensors.values()]
    if len(set(dtypes)) > 1 and not torch.is_autocast_enabled(state.device.type):
        raise InputTypeError(
            f"{', '.join(tensors)} must be of one dtype, but are {', '.join(dtypes)}."
        )
    shapes = [rows.shape[:-2] for rows in tensors.values()]
    if mask is not None:
        shapes.append(_check_mask(mask, state.shape[-2], stored.shape[-2]).shape[:-2])
    try:
        torch.broadcast_shapes(*shapes)
    except RuntimeError:
        raise ShapeError(
            "state, stored, projected and mask must have batch axes that broadcast, but have "
            f"{', '.join(str(tuple(shape)) for shape in shapes)}."
        ) from None
    check_number("dropout", dropout, low=0.0, high=1.0)


def _check_mask(mask: Tensor, m: int, n: int) -> Tensor:
    if check_bool("mask", mask).ndim < 2 or not is_broadcastable(mask.shape[-2:], (m, n)):
        raise ShapeError(
            f"mask must broadcast to (*batch, {m}, {n}), one entry per state and pattern, "
            f"but has shape {tuple(mask.shape)}. Use unsqueeze(-2) for a mask of patterns alone."
        )
    return mask
