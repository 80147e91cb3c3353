"""Call the methods that a network defines, and check their results.

An error names the class and the method that returned a wrong result.
"""

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..checks import short_repr
from ..errors import InputTypeError, OptionError, ShapeError
from ..iteration import Reading

if TYPE_CHECKING:
    from .base import Memory


def read_step(
    memory: "Memory",
    state: Tensor,
    known: Tensor | None,
    held: Tensor | None,
    generator: torch.Generator,
) -> Reading:
    """Call `memory.step`, and return its `Reading`.

    Raises:
        OptionError: if `step` writes to the states.
        InputTypeError: if it returns no `Reading`.
        ShapeError: if a part of the `Reading` has another shape than the states require.
    """
    changes = None if state.is_inference() else state._version
    reading = memory.step(state, known, held, generator)
    if changes is not None and state._version != changes:
        raise OptionError(
            f"{type(memory).__name__}.step must not modify its states, but wrote to them: they "
            "may be the caller's cues. Work on state.clone()."
        )
    if not isinstance(reading, Reading):
        raise InputTypeError(
            f"{type(memory).__name__}.step must return a Reading, but returned "
            f"{short_repr(reading)}. Use Reading(next_state)."
        )
    if reading.next.shape != state.shape:
        raise _wrong_shape(memory, "step must return a next state", state.shape, reading.next)
    for part in (reading.energy, reading.index, reading.weight, reading.entropy):
        if part is not None and part.shape != state.shape[:1]:
            wanted = "step must return energy, index, weight and entropy"
            raise _wrong_shape(memory, wanted, state.shape[:1], part)
    return reading


def energies(memory: "Memory", state: Tensor) -> Tensor | None:
    """Call `memory.energy_of`, and return one energy per state, or None."""
    energy = memory.energy_of(state)
    if energy is not None and energy.shape != state.shape[:1]:
        raise _wrong_shape(memory, "energy_of must return energies", state.shape[:1], energy)
    return energy


def constructor_of(kind: "type[Memory]", name: str) -> "Callable[..., Memory]":
    """Return the class, or its classmethod of this name."""
    return kind if name == "__init__" else getattr(kind, name)


def checked_config(memory: "Memory") -> dict[str, Any]:
    """Call `memory.config`, and raise unless the constructor accepts the arguments it returns."""
    config = memory.config()
    try:
        inspect.signature(constructor_of(type(memory), memory.constructor)).bind(**config)
    except TypeError as error:
        raise OptionError(
            f"{type(memory).__name__}.config must return the arguments of the constructor, but "
            f"returned {', '.join(config) or 'none'}: {error}."
        ) from None
    return config


def argument_text(value: object) -> str:
    """Return the `repr` of an argument; of a tensor only the shape, of a function its name."""
    if isinstance(value, Tensor):
        return f"<tensor of shape {tuple(value.shape)}>"
    if isinstance(value, FunctionType):
        return value.__qualname__
    return repr(value)


def _wrong_shape(memory: "Memory", wanted: str, shape: torch.Size, returned: object) -> ShapeError:
    return ShapeError(
        f"{type(memory).__name__}.{wanted} of shape {tuple(shape)} for these states, but returned "
        f"{short_repr(returned)}."
    )
