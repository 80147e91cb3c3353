"""Parameters of layers: numbers in a range, and rows."""

import math
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from ..checks import check_dtype, check_float, check_integer, check_patterns, short_repr
from ..errors import DeviceError, OptionError, ShapeError
from .input_checks import check_width, input_width

Device = torch.device | str | int | None


class Factory(TypedDict):
    """Device and dtype of the weights that a layer makes; None is the default of torch."""

    device: torch.device | None
    dtype: torch.dtype | None


def checked_factory(device: Device, dtype: torch.dtype | None) -> Factory:
    """Return the `device` and `dtype` of a constructor for those of torch."""
    dtype = None if dtype is None else check_dtype("dtype", dtype)
    try:
        return {"device": None if device is None else torch.device(device), "dtype": dtype}
    except (RuntimeError, TypeError, ValueError, OverflowError):
        raise DeviceError(
            f"device must be a device of torch, such as 'cpu' or 'cuda:0', but is "
            f"{short_repr(device)}."
        ) from None


class BoundedParameter(nn.Module):
    """A parameter p of a formula. It is learned if it starts as a tensor that requires grad.

    A learned parameter is a function of a free one, r, that keeps it in low < p < high:

        p = low + exp(r),   or p = low + (high − low)·sigmoid(r),   or p = r without bounds.

    Args:
        name: its name in errors and in the printed layer.
        value: a number, or a tensor with one entry or one per head.
        heads: number of heads.
        low: lower bound.
        high: upper bound, which may be infinite.
    """

    def __init__(
        self, name: str, value: float | Tensor, heads: int, low: float, high: float
    ) -> None:
        super().__init__()
        self.name, self.low, self.high = name, low, high
        # Kept as bools: torch.compile can take numbers of a module as open ones.
        self.has_low, self.has_high = math.isfinite(low), math.isfinite(high)
        self.start: Any = None
        self.number: float | None = None if isinstance(value, Tensor) else value
        self.raw: nn.Parameter | None = None
        self.register_buffer("fixed", None)
        if not isinstance(value, Tensor):
            return
        if check_float(name, value).shape not in ((), (1,), (heads,)):
            raise ShapeError(
                f"{name} must be one number, or one per head for heads={heads}, "
                f"but has shape {tuple(value.shape)}."
            )
        self.start = None if value.is_meta else value.tolist()
        if value.requires_grad:
            # Of shape (1,) for one number: fully_shard takes no parameters without an axis.
            self.raw = nn.Parameter(self._free(value.detach()).clone().reshape(-1))
        else:
            self.fixed = value.clone()

    def forward(self) -> float | Tensor:
        """Return p; a tensor broadcasts to `(batch, heads, m)`."""
        if self.number is not None:
            return self.number
        value = self.fixed if self.raw is None else self._bounded(self.raw)
        return value[..., None] if value.ndim else value

    def reset_parameters(self) -> None:
        """Set p to the value that the constructor was given."""
        tensor = self.fixed if self.raw is None else self.raw
        if tensor is not None and self.start is not None:
            start = torch.tensor(self.start, dtype=tensor.dtype, device=tensor.device).reshape(-1)
            start = (start if self.raw is None else self._free(start)).reshape(tensor.shape)
            with torch.no_grad():
                tensor.copy_(_shard_like(tensor, start))

    def _bounded(self, free: Tensor) -> Tensor:
        if self.has_high:
            return self.low + (self.high - self.low) * free.sigmoid()
        return self.low + free.exp() if self.has_low else free

    def _free(self, value: Tensor) -> Tensor:
        if self.has_high:
            return ((value - self.low) / (self.high - self.low)).logit(eps=1e-6)
        return (value - self.low).log() if self.has_low else value

    def extra_repr(self) -> str:
        """Return the value, and if it is learned."""
        with torch.no_grad():
            values = torch.as_tensor(self()).flatten().tolist()
        shown = ", ".join(f"{v:.4g}" for v in values[:4]) + (", …" if len(values) > 4 else "")
        shown = shown if len(values) == 1 else f"[{shown}]"
        return f"{self.name}={shown}{', learned' if self.raw is not None else ''}"


def _shard_like(tensor: Any, values: Tensor) -> Tensor:
    """Return `values`, divided among processes as `tensor` is by `fully_shard`."""
    if not hasattr(tensor, "device_mesh"):
        return values
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(values, tensor.device_mesh, tensor.placements)


def reset_children(module: nn.Module) -> None:
    """Call `reset_parameters` of each part that has it, down to those that have it themselves."""
    for part in module.children():
        if callable(reset := getattr(part, "reset_parameters", None)):
            reset()
        else:
            reset_children(part)


def row_parameter(
    name: str,
    rows: int | Tensor,
    projection: nn.Module,
    dim: int | None,
    factory: Factory,
    exponent: float = 0.0,
) -> nn.Parameter:
    """Return rows to be learned: a copy of those given, or that many by `draw_rows`.

    Drawn rows have the input width of `projection`, or `dim` where it accepts any. Without a
    device or dtype, they have that of `projection`.
    """
    if isinstance(rows, Tensor):
        rows = check_patterns(name, rows).detach().to(**factory)
        return nn.Parameter(check_width(name, rows, projection, "their projection").clone())
    width = input_width(projection) or dim
    if width is None:
        raise OptionError(
            f"{name} must be a tensor of initial rows if the association has dim=None, but is "
            f"{short_repr(rows)}."
        )
    weight = next((one for one in projection.parameters() if one.is_floating_point()), None)
    if weight is not None:
        factory = {
            "device": factory["device"] or weight.device,
            "dtype": factory["dtype"] or weight.dtype,
        }
    empty = torch.empty(check_integer(name, rows, low=1), width, **factory)
    return draw_rows(nn.Parameter(empty), exponent)


def draw_rows(rows: nn.Parameter, exponent: float = 0.0) -> nn.Parameter:
    """Fill rows from torch's global generator, with a standard deviation of length^exponent."""
    nn.init.normal_(rows, std=rows.shape[-1] ** exponent, generator=None)
    return rows
