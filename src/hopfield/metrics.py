"""Compare recovered states with originals: one value per row.

All functions compare an original x with a recovered y along the last axis, and broadcast the axes
before it: one original can be compared with many recovered states, or the reverse. Sums run in
float32 or wider.

**Errors.** Two tensors that cannot be compared raise ShapeError, InputTypeError, DomainError (NaN
or infinity) or DeviceError.
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .checks import (
    call_given,
    check_flag,
    check_generator,
    check_integer,
    check_number,
    check_tensor,
    short_repr,
)
from .cue import Cue, call_corrupt
from .errors import DeviceError, InputTypeError, OptionError, ShapeError

Rows: TypeAlias = Float[Tensor, "*batch dim"]
Values: TypeAlias = Float[Tensor, "*batch"]
Booleans: TypeAlias = Bool[Tensor, "*batch"]

RECALL_ERROR = 0.02**0.5
"""Relative error ‖y − x‖/‖x‖ up to which a state counts as recalled where x is not ±1.

At equal norms it is a cosine of 0.99. Above it the state is nearer to noise than to a copy.
"""


def hamming_accuracy(original: Rows, recovered: Rows) -> Values:
    """Share of entries that are equal: N⁻¹ Σ_i [x_i = y_i], between 0 and 1."""
    x, y = _pair(original, recovered)
    return (x == y).to(x.dtype).mean(-1)


def overlap(original: Rows, recovered: Rows) -> Values:
    """Overlap m = x·y / N: for ±1 patterns +1 where equal, −1 where all signs are opposite."""
    x, y = _pair(original, recovered)
    return (x * y).mean(-1)


def cosine(original: Rows, recovered: Rows) -> Values:
    """Cosine of the angle, x·y / (‖x‖ ‖y‖), between −1 and 1; 0 where either is the zero vector."""
    x, y = _pair(original, recovered)
    return (_unit(x) * _unit(y)).sum(-1).clamp(-1, 1)


def exact_recall(
    original: Rows, recovered: Rows, *, levels: int | None = None, sign_blind: bool = False
) -> Booleans:
    """Return True where every entry is right: y = x.

    Args:
        levels: None compares bit by bit. A number compares after rounding both to that many grey
            levels, 0, 1/(levels−1), …, 1; with 256, equal 8-bit images are equal.
        sign_blind: y = −x counts as well (networks without thresholds cannot tell them apart).

    Raises:
        OptionError: if both options are given: grey levels have no sign.
    """
    x, y = _pair(original, recovered)
    check_flag("sign_blind", sign_blind)
    if levels is not None:
        if sign_blind:
            raise OptionError(
                "levels and sign_blind exclude each other, but both are given: grey levels in "
                "[0, 1] have no sign. Leave one out."
            )
        scale = check_integer("levels", levels, low=2) - 1
        x, y = (x * scale).round(), (y * scale).round()
    same = (x == y).all(-1)
    return same | (x == -y).all(-1) if sign_blind else same


def recalled(original: Rows, recovered: Rows) -> Booleans:
    """Return True where the original came back: y = x for ±1, else ‖y − x‖ ≤ 0.14 ‖x‖.

    At equal norms the bound is a cosine of 0.99. A state of the right direction that has shrunk by
    more than 14 %, as means of several patterns do, is not recalled.
    """
    x = check_tensor("original", original)
    if bool((x.abs() == 1).all()):
        return exact_recall(x, recovered)
    x, y = _pair(x, recovered)
    # Squares of x/scale neither over- nor underflow.
    scale = _largest(torch.maximum(x.abs(), y.abs()))
    return (y / scale - x / scale).norm(dim=-1) <= RECALL_ERROR * (x / scale).norm(dim=-1)


def basin_radius(
    memory: Any,
    pattern: Float[Tensor, " dim"],
    corrupt: Callable[..., Cue],
    *,
    draws: int = 10,
    recall: float = 0.9,
    resolution: float | None = None,
    returned: Callable[[Tensor, Tensor], Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> float:
    """Largest amount of damage from which at least the share `recall` of draws returns.

    Bisection over the amounts 0, resolution, 2·resolution, …, 1 finds it, and assumes that the
    share that returns falls with the amount. Every amount damages with the same random numbers.
    For damage on another scale, scale it: `lambda x, a, generator: gaussian_noise(x, 5 * a,
    generator=generator)` searches standard deviations up to 5.

    Args:
        memory: anything with `retrieve(cue)` whose result has a `state`.
        pattern: the pattern x to return to.
        corrupt: `corrupt(patterns, amount, generator=…) → Cue`, such as `corruption.flip`.
        draws: number of damaged copies at each amount.
        recall: share of them that must return, above 0 and at most 1.
        resolution: step between amounts. None: 1/dim, one entry.
        returned: `returned(x, states) → bool per state`, True where x came back. None: `recalled`.
        generator: source of the draws.

    Returns:
        An amount between 0 and 1; 0 also if the undamaged pattern does not return.

    Raises:
        ShapeError, InputTypeError, DomainError: for other arguments.
    """
    x = check_tensor("pattern", pattern)
    if x.ndim != 1 or not len(x):
        raise ShapeError(
            f"pattern must be one pattern, of shape (dim,), but has shape {tuple(x.shape)}."
        )
    if not callable(getattr(memory, "retrieve", None)):
        raise InputTypeError(
            f"memory must have a method retrieve(cue), but is {short_repr(memory)}."
        )
    copies = x.expand(check_integer("draws", draws, low=1), -1)
    share = check_number("recall", recall, low=torch.finfo(torch.float64).eps, high=1.0)
    step = 1 / len(x) if resolution is None else resolution
    steps = round(1 / check_number("resolution", step, low=1e-9, high=1.0))
    has_returned = recalled if returned is None else returned
    source = check_generator(generator)
    seed = int(torch.randint(2**31, (), generator=source, device=source.device))

    def returns(amount: float) -> bool:
        fresh = torch.Generator(source.device).manual_seed(seed)
        states = memory.retrieve(call_corrupt(corrupt, copies, amount, fresh)).state
        hits = call_given("returned", "pattern, states", has_returned, x, states)
        return int(_check_hits(hits, len(copies)).sum()) >= share * len(copies) - 1e-9

    # `returns` is true up to the largest amount and false above it.
    largest = bisect_left(range(1, steps + 1), True, key=lambda k: not returns(k / steps))
    return largest / steps


def _check_hits(hits: object, draws: int) -> Tensor:
    if isinstance(hits, Tensor) and hits.dtype == torch.bool and hits.shape == (draws,):
        return hits
    came = f"{hits.dtype} {tuple(hits.shape)}" if isinstance(hits, Tensor) else short_repr(hits)
    raise ShapeError(f"returned must give one bool for each of {draws} states, but gave {came}.")


def _unit(x: Tensor) -> Tensor:
    """Divide `x` by its norm without overflow; zero vectors stay zero."""
    x = x / _largest(x.abs())
    norm: Tensor = x.norm(dim=-1, keepdim=True)
    return x / norm.clamp_min(torch.finfo(x.dtype).tiny)


def _largest(magnitudes: Tensor) -> Tensor:
    return magnitudes.amax(-1, keepdim=True).clamp_min(torch.finfo(magnitudes.dtype).tiny)


def _pair(original: Tensor, recovered: Tensor) -> tuple[Tensor, Tensor]:
    """Check both, and broadcast them against each other in one dtype of at least 32 bits."""
    x, y = check_tensor("original", original), check_tensor("recovered", recovered)
    shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
    if not x.ndim or not y.ndim or x.shape[-1] != y.shape[-1] or not x.shape[-1]:
        raise ShapeError(
            f"original and recovered must end in the same dim ≥ 1, but have shapes {shapes}."
        )
    if x.device != y.device:
        raise DeviceError(
            f"original and recovered must be on one device, but are on {x.device} and {y.device}. "
            f"Use recovered.to({str(x.device)!r})."
        )
    wide = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    x, y = x.to(wide), y.to(wide)
    try:
        x, y = torch.broadcast_tensors(x, y)  # broadcast_shapes imports sympy: 0.4 s, 58 MB
    except RuntimeError:
        raise ShapeError(
            f"original and recovered must broadcast to each other, but have shapes {shapes}."
        ) from None
    return x, y
