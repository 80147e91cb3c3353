"""How close a recovered state is to the original: one value per row.

All compare along the last axis and broadcast the axes before it, so that one original can be held
against many recovered states, or the other way round. Sums run in float32 or wider.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .checks import check_flag, check_generator, check_integer, check_number, check_tensor
from .cue import Cue
from .errors import DeviceError, InputTypeError, OptionError, ShapeError

COSINE = 0.99
"""Cosine from which a state that is not ±1 counts as recalled."""


def hamming_accuracy(original: Tensor, recovered: Tensor) -> Float[Tensor, "*batch"]:
    """Share of entries that are equal: N⁻¹ Σ_i [x_i = y_i], between 0 and 1.

    Args:
        original: x, `(*batch, dim)`.
        recovered: y, broadcastable to it along the axes before the last.

    Raises:
        ShapeError, InputTypeError, DomainError, DeviceError: where the two cannot be compared.
    """
    x, y = _pair(original, recovered)
    return (x == y).to(x.dtype).mean(-1)


def overlap(original: Tensor, recovered: Tensor) -> Float[Tensor, "*batch"]:
    """Overlap m = x·y / N: for ±1 patterns +1 where equal, −1 where all signs are opposite.

    Args:
        original: x, `(*batch, dim)`.
        recovered: y, broadcastable to it along the axes before the last.

    Raises:
        ShapeError, InputTypeError, DomainError, DeviceError: where the two cannot be compared.
    """
    x, y = _pair(original, recovered)
    return (x * y).mean(-1)


def cosine(original: Tensor, recovered: Tensor) -> Float[Tensor, "*batch"]:
    """Cosine of the angle, x·y / (‖x‖ ‖y‖), between −1 and 1; 0 where either is the zero vector.

    Args:
        original: x, `(*batch, dim)`.
        recovered: y, broadcastable to it along the axes before the last.

    Raises:
        ShapeError, InputTypeError, DomainError, DeviceError: where the two cannot be compared.
    """
    x, y = _pair(original, recovered)
    return (_unit(x) * _unit(y)).sum(-1).clamp(-1, 1)


def exact_recall(
    original: Tensor,
    recovered: Tensor,
    *,
    levels: int | None = None,
    sign_blind: bool = False,
) -> Bool[Tensor, "*batch"]:
    """Whether every entry is right: y = x.

    Args:
        original: x, `(*batch, dim)`.
        recovered: y, broadcastable to it along the axes before the last.
        levels: None compares bit by bit. A number compares after rounding both to that many grey
            levels, 0, 1/(levels−1), …, 1: with 256 whether they are the same 8-bit image.
        sign_blind: y = −x counts as well (networks without thresholds cannot tell them apart).

    Raises:
        OptionError: where both options are given: grey levels have no sign.
        ShapeError, InputTypeError, DomainError, DeviceError: where the two cannot be compared.
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


def recalled(original: Tensor, recovered: Tensor) -> Bool[Tensor, "*batch"]:
    """Whether it came back: `exact_recall` where all originals are ±1, else a cosine of 0.99.

    Args:
        original: x, `(*batch, dim)`.
        recovered: y, broadcastable to it along the axes before the last.

    Raises:
        ShapeError, InputTypeError, DomainError, DeviceError: where the two cannot be compared.
    """
    x = check_tensor("original", original)
    if bool((x.abs() == 1).all()):
        return exact_recall(x, recovered)
    return cosine(x, recovered) >= COSINE


def basin_radius(
    memory: Any,
    pattern: Tensor,
    corrupt: Callable[..., Cue],
    *,
    draws: int = 10,
    recall: float = 0.9,
    resolution: float | None = None,
    returned: Callable[[Tensor, Tensor], Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> float:
    """Largest amount of damage from which at least the share `recall` of draws returns.

    Found by bisection over the amounts 0, resolution, 2·resolution, …, 1, which takes the share
    that returns to fall with the amount. Every amount damages with the same random numbers. For
    damage measured on another scale, scale it: `lambda x, a, generator: gaussian_noise(x, 5 * a,
    generator=generator)` searches standard deviations up to 5.

    Args:
        memory: anything with `retrieve(cue)` whose result has a `state`.
        pattern: the pattern x to return to, `(dim,)`.
        corrupt: `corrupt(patterns, amount, generator=…) → Cue`, such as `corruption.flip`.
        draws: number of damaged copies at each amount.
        recall: share of them that must return, above 0 and at most 1.
        resolution: step between amounts. None: 1/dim, one entry.
        returned: `returned(x, states) → bool per state`: what counts as back. None: `recalled`.
        generator: source of the draws.

    Returns:
        An amount between 0 and 1; 0 also where the undamaged pattern does not return.

    Raises:
        ShapeError, InputTypeError, DomainError: for an argument that is none of the above.
    """
    x = check_tensor("pattern", pattern)
    if x.ndim != 1 or not len(x):
        raise ShapeError(
            f"pattern must be one pattern, of shape (dim,), but has shape {tuple(x.shape)}. "
            "Call this once for each pattern."
        )
    _check_callables(memory, corrupt)
    copies = x.expand(check_integer("draws", draws, low=1), -1)
    share = check_number("recall", recall, low=torch.finfo(torch.float64).eps, high=1.0)
    step = 1 / len(x) if resolution is None else resolution
    steps = round(1 / check_number("resolution", step, low=1e-9, high=1.0))
    back = returned or recalled
    source = check_generator(generator)
    seed = int(torch.randint(2**31, (), generator=source, device=source.device))

    def holds(amount: float) -> bool:
        fresh = torch.Generator(source.device).manual_seed(seed)
        cue = _check_cue(corrupt(copies, amount, generator=fresh))
        hits = _check_hits(back(x, memory.retrieve(cue).state), len(copies))
        return int(hits.sum()) >= share * len(copies) - 1e-9

    return _last(holds, steps) / steps


def _last(holds: Callable[[float], bool], steps: int) -> int:
    """The largest k ≤ steps for which `holds(k / steps)`, by bisection; 0 where there is none."""
    low, high = 0, steps + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle / steps) else (low, middle)
    return low


def _unit(x: Tensor) -> Tensor:
    """`x` divided by its norm, without overflow; zero vectors stay zero."""
    tiny = torch.finfo(x.dtype).tiny
    x = x / x.abs().amax(-1, keepdim=True).clamp_min(tiny)
    norm: Tensor = x.norm(dim=-1, keepdim=True)
    return x.div(norm.clamp_min(tiny))


def _pair(original: Tensor, recovered: Tensor) -> tuple[Tensor, Tensor]:
    """Both checked, broadcast against each other, in one dtype of at least 32 bits."""
    x, y = check_tensor("original", original), check_tensor("recovered", recovered)
    shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
    if not x.ndim or not y.ndim or x.shape[-1] != y.shape[-1] or not x.shape[-1]:
        raise ShapeError(
            f"original and recovered must end in the same dim ≥ 1, but have shapes {shapes}. "
            "Patterns are rows: give both as (*batch, dim)."
        )
    if x.device != y.device:
        raise DeviceError(
            f"original and recovered must be on one device, but are on {x.device} and {y.device}. "
            f"Move one of them: recovered.to({str(x.device)!r})."
        )
    try:
        shape = (*torch.eq(x[..., 0], y[..., 0]).shape, x.shape[-1])
    except RuntimeError:
        raise ShapeError(
            f"original and recovered must broadcast to each other, but have shapes {shapes}. "
            "Give one original a row, or one original for all."
        ) from None
    wide = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    return x.to(wide).expand(shape), y.to(wide).expand(shape)


def _check_callables(memory: Any, corrupt: object) -> None:
    if not callable(getattr(memory, "retrieve", None)):
        raise InputTypeError(
            f"memory must have retrieve(cue), but is a {type(memory).__name__} without it. "
            "Give a memory that holds the pattern."
        )
    if not callable(corrupt):
        raise InputTypeError(
            f"corrupt must be a function such as corruption.flip, but is {corrupt!r}."
        )


def _check_cue(cue: object) -> Cue:
    if not isinstance(cue, Cue):
        raise InputTypeError(
            f"corrupt must return a Cue, but returned a {type(cue).__name__}. Use Cue(state)."
        )
    return cue


def _check_hits(hits: object, draws: int) -> Tensor:
    if not isinstance(hits, Tensor) or hits.dtype != torch.bool or hits.shape != (draws,):
        came = f"{hits.dtype} {tuple(hits.shape)}" if isinstance(hits, Tensor) else repr(hits)
        raise ShapeError(
            f"returned must give one bool for each of {draws} states, but gave {came}. "
            "Use for instance lambda x, states: cosine(x, states) > 0.99."
        )
    return hits
