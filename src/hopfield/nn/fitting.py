"""What a module takes, so that rows it cannot take are refused by name before torch meets them."""

import torch
from torch import Tensor, nn

from ..checks import dtype_of
from ..errors import DeviceError, InputTypeError, ShapeError


def first_of(module: nn.Module) -> nn.Module:
    """The module that meets the rows: the first of a Sequential that changes them."""
    if isinstance(module, nn.Sequential):
        for part in module:
            if not isinstance(first := first_of(part), (nn.Identity, nn.Dropout)):
                return first
    return module


def width_of(module: nn.Module) -> int | None:
    """Length of the rows it takes; None where that cannot be known."""
    first = first_of(module)
    if isinstance(first, nn.Linear) and not isinstance(first, nn.LazyLinear):
        return first.in_features
    return first.normalized_shape[-1] if isinstance(first, nn.LayerNorm) else None


def check_fits(name: str, rows: Tensor, module: nn.Module, taker: str) -> Tensor:
    """Return `rows` if `module` can take them."""
    width = width_of(module)
    if width is None:
        return rows
    if rows.shape[-1:] != (width,):
        raise ShapeError(
            f"{name} must end in {width}, what {taker} takes, but has shape "
            f"{tuple(rows.shape)}. Give such rows, or another module in Projections."
        )
    weight = first_of(module).weight  # of a LayerNorm it may be None
    return check_like(name, rows, weight) if isinstance(weight, Tensor) else rows


def check_like(name: str, rows: Tensor, weight: Tensor) -> Tensor:
    """Return `rows` if torch multiplies them by `weight`: of its dtype, on its device."""
    if rows.device != weight.device:
        raise DeviceError(
            f"{name} must be on {weight.device}, where the layer is, but is on {rows.device}. "
            f"Move one of them: {name}.to({str(weight.device)!r}), or layer.to(…)."
        )
    if rows.dtype != weight.dtype and not torch.is_autocast_enabled(rows.device.type):
        raise InputTypeError(
            f"{name} must be {dtype_of(weight)}, as the weights of the layer are, but is "
            f"{dtype_of(rows)}. Use {name}.to({weight.dtype}), or layer.to({rows.dtype})."
        )
    return rows


def check_alike(**rows: Tensor) -> None:
    """Refuse tensors of several dtypes, except where torch casts them itself."""
    first, *others = rows.values()
    if all(other.dtype == first.dtype for other in others):
        return
    if torch.is_autocast_enabled(first.device.type):
        return
    raise InputTypeError(
        f"{', '.join(rows)} must be of one dtype, but are "
        f"{', '.join(map(dtype_of, rows.values()))}. Use to(…) on some of them."
    )
