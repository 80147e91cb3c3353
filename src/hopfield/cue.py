"""Cues: a state, and which of its entries are known."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from .checks import (
    call_given,
    check_dense,
    check_finite,
    check_float,
    dtype_name,
    short_repr,
)
from .errors import DeviceError, InputTypeError, OptionError, ShapeError
from .mask_hints import mask_hint


@dataclass(frozen=True, eq=False)
class Cue:
    """A damaged or partial state, ready for `memory.retrieve(cue)`.

    Args:
        state: `(*batch, dim)`, floating point and finite.
        known: None where every entry is evidence but none certain (flips, noise); otherwise a
            bool mask broadcastable to `state`, True where the entry is known and False where it
            is missing (erasure, occlusion). Entries that are not known never count; NaN is allowed
            there, so that `Cue(x, ~x.isnan())` completes the missing entries.

    Raises:
        ShapeError, InputTypeError, DeviceError: where `known` does not fit `state`.
    """

    state: Tensor
    known: Tensor | None = None

    def __post_init__(self) -> None:
        """Check both, and expand `known` to the shape of `state` (without copying it)."""
        state, known = check_cue(self.state, self.known)
        if known is not None:
            object.__setattr__(self, "known", known)
            state = torch.where(known, state, 0.0)
        check_finite("cue", state)

    @property
    def shape(self) -> torch.Size:
        """Shape of the state, `(*batch, dim)`."""
        return self.state.shape

    def __len__(self) -> int:
        """Number of cues along the first axis."""
        return len(self.state)

    def __getitem__(self, index: object) -> "Cue":
        """The cues at `index` of the batch axes, each with its own mask."""
        known = None if self.known is None else self.known[index]  # type: ignore[index]
        return Cue(self.state[index], known)  # type: ignore[index]

    def __iter__(self) -> Iterator["Cue"]:
        """One cue after another along the first axis."""
        return (self[i] for i in range(len(self)))


def call_corrupt(
    corrupt: Callable[..., Cue], patterns: Tensor, amount: float, generator: torch.Generator
) -> Cue:
    """Return the cues that a function of the caller makes of `patterns`, one per pattern."""
    form = "patterns, amount, generator=…"
    cue = call_given("corrupt", form, corrupt, patterns, amount, generator=generator)
    return _check_corrupted("corrupt", cue, patterns)


def damage_patterns(
    damage: Callable[..., object] | None,
    patterns: Tensor,
    amount: object,
    generator: torch.Generator,
    name: str = "damage",
) -> Cue:
    """Return the cues that `damage` makes of `patterns`; the patterns themselves for None.

    Args:
        damage: a function of patterns, of `amount` unless that is None, and of `generator` if it
            has an argument of this name. It returns a `Cue`, or the states.
        patterns: `(n, dim)`.
        amount: the second argument, or None to leave it out.
        generator: the source of random numbers.
        name: the argument that the caller gave as `damage`, for errors.
    """
    if damage is None:
        return Cue(patterns)
    arguments = (patterns,) if amount is None else (patterns, amount)
    options = {"generator": generator} if callable(damage) and _takes_generator(damage) else {}
    if callable(damage) and amount is None and _needs_amount(damage, options):
        raise OptionError(
            f"damage needs an amount: {damage_name(damage, None)} takes (patterns, amount). "
            "Give amount=, as in calibrate(damage, amount=0.2)."
        )
    form = "patterns, generator=…" if amount is None else "patterns, amount, generator=…"
    cue = call_given(name, form, damage, *arguments, **options)
    return _check_corrupted(name, Cue(cue) if isinstance(cue, Tensor) else cue, patterns)


def damage_name(damage: Callable[..., object] | None, amount: object) -> str:
    """Return a name of the damage for people to read."""
    if damage is None:
        return "none"
    inner = getattr(damage, "func", damage)  # of functools.partial
    name = getattr(inner, "__name__", type(inner).__name__)
    return name if amount is None else f"{name} {short_repr(amount)}"


def _needs_amount(function: Callable[..., object], options: dict[str, Any]) -> bool:
    def takes(*arguments: object) -> bool:
        try:
            inspect.signature(function).bind(*arguments, **options)
        except (TypeError, ValueError):
            return False
        return True

    return not takes("patterns") and takes("patterns", "amount")


def _takes_generator(function: Callable[..., object]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(each.name == "generator" or each.kind is each.VAR_KEYWORD for each in parameters)


def _check_corrupted(name: str, cue: object, patterns: Tensor) -> Cue:
    if not isinstance(cue, Cue):
        raise InputTypeError(
            f"{name} must return a Cue, but returned {short_repr(cue)}. Use Cue(state)."
        )
    if cue.shape != patterns.shape:
        raise ShapeError(
            f"{name} must return a Cue of shape {tuple(patterns.shape)}, as the patterns it gets, "
            f"but returned {tuple(cue.shape)}."
        )
    return cue


def check_cue(state: object, known: object) -> tuple[Tensor, Tensor | None]:
    """Return both, `known` expanded to the shape of `state`; the state may hold inf or NaN."""
    state = check_float("cue", state)
    if state.ndim == 0:
        raise ShapeError(
            "cue must have shape (*batch, dim), but is a single number, of shape (). "
            "Give a row of numbers."
        )
    return state, None if known is None else check_known(known, state)


def unpack_cue(
    name: str, value: object, known: object, mask: str = "known"
) -> tuple[object, object]:
    """Return state and mask of a `Cue`; return other values of the argument `name` unchanged."""
    if not isinstance(value, Cue):
        return value, known
    if known is not None:
        verb = "are" if name.endswith("s") else "is"
        raise OptionError(
            f"{mask} must not be given where the {name} {verb} a Cue, which brings its own mask, "
            f"but is {short_repr(known)}. Leave out {mask}=, or give a tensor as {name}."
        )
    return value.state, value.known


def check_known(known: object, state: Tensor, name: str = "state", mask: str = "known") -> Tensor:
    """Return the argument `mask` expanded to the shape of `state`, or raise a named error."""
    if isinstance(known, Integral) and not isinstance(known, bool):
        raise InputTypeError(
            f"{mask} must be a bool mask, but is the number {known}. If the first {known} entries "
            f"are known, use torch.arange({state.shape[-1]}) < {known}."
        )
    known = check_dense(mask, known)
    if known.dtype != torch.bool:
        raise InputTypeError(
            f"{mask} must be a bool tensor, but is {dtype_name(known)}.{mask_hint(known)}"
        )
    if known.device != state.device:
        raise DeviceError(
            f"{mask} must be on the {name}'s device, {state.device}, but is on {known.device}. "
            f"Use {mask}.to({str(state.device)!r})."
        )
    try:
        return known.expand(state.shape)
    except RuntimeError:
        turned = known.ndim == 2 and known.T.shape == state.shape
        raise ShapeError(
            f"{mask} must broadcast to the {name}'s shape {tuple(state.shape)}, but has shape "
            f"{tuple(known.shape)}. "
            + (f"Did you mean {mask}.T?" if turned else "Give one mask for all, or one mask a row.")
        ) from None
