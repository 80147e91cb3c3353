"""Call the methods that a network defines, and check their results.

An error names the class and the method that returned a wrong result.
"""

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..checks import short_repr, version_of
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
    changes = version_of(state)
    reading = memory.step(state, known, held, generator)
    if version_of(state) != changes:
        raise OptionError(
            f"{type(memory).__name__}.step must not modify its states, but wrote to them: they "
            "may be the caller's cues. Work on state.clone()."
        )
    if not isinstance(reading, Reading):
        raise InputTypeError(
            f"{type(memory).__name__}.step must return a Reading, but returned "
            f"{short_repr(reading)}. Use Reading(next_state)."
        )
    if not _has_shape(reading.next, state.shape):
        raise _wrong_shape(memory, "step must return a next state", state.shape, reading.next)
    for part in (reading.energy, reading.index, reading.weight, reading.entropy):
        if part is not None and not _has_shape(part, state.shape[:1]):
            wanted = "step must return energy, index, weight and entropy"
            raise _wrong_shape(memory, wanted, state.shape[:1], part)
    if reading.index is not None and reading.index.dtype not in (torch.int64, torch.int32):
        raise InputTypeError(
            f"{type(memory).__name__}.step must return whole numbers as index, but returned "
            f"{reading.index.dtype}. Use index.long()."
        )
    return reading


def energies(memory: "Memory", state: Tensor) -> Tensor | None:
    """Call `memory.energy_of`, and return one energy per state, or None."""
    energy = memory.energy_of(state)
    if energy is not None and not _has_shape(energy, state.shape[:1]):
        raise _wrong_shape(memory, "energy_of must return energies", state.shape[:1], energy)
    return energy


def constructor_of(kind: "type[Memory]", name: str) -> "Callable[..., Memory]":
    """Return the class, or its classmethod of this name."""
    return kind if name == "__init__" else getattr(kind, name)


def checked_config(memory: "Memory") -> dict[str, Any]:
    """Call `memory.config`, and raise unless the constructor accepts the arguments it returns."""
    config = memory.config()
    signature = inspect.signature(constructor_of(type(memory), memory.constructor))
    try:
        signature.bind(**config)
    except TypeError as error:
        raise OptionError(
            f"{type(memory).__name__}.config must return the arguments of the constructor, but "
            f"returned {', '.join(config) or 'none'}: {error}."
        ) from None
    lost = [
        name
        for name, parameter in signature.parameters.items()
        if name not in config and name != "store" and _is_set(memory, parameter)
    ]
    if lost:
        raise OptionError(
            f"{type(memory).__name__}.config must return all arguments of the constructor but "
            f"store, but lacks {', '.join(lost)}: a loaded memory would have the default."
        )
    return config


def _is_set(memory: "Memory", parameter: inspect.Parameter) -> bool:
    # True if the memory keeps this argument by its name, with another value than the default.
    kept = vars(memory).get(parameter.name, parameter.default)
    return kept is not parameter.default and repr(kept) != repr(parameter.default)


def argument_text(value: object) -> str:
    """Return the `repr` of an argument; of a tensor its shape, of a function or object its name."""
    if isinstance(value, Tensor):
        return f"<tensor of shape {tuple(value.shape)}>"
    if isinstance(value, FunctionType):
        return value.__qualname__
    if type(value).__repr__ is object.__repr__:  # an address in memory says nothing
        return str(getattr(value, "__name__", type(value).__name__))
    return repr(value)


def _has_shape(value: object, shape: torch.Size) -> bool:
    return isinstance(value, Tensor) and value.shape == shape


def _wrong_shape(memory: "Memory", wanted: str, shape: torch.Size, returned: object) -> ShapeError:
    return ShapeError(
        f"{type(memory).__name__}.{wanted} of shape {tuple(shape)} for these states, but returned "
        f"{short_repr(returned)}."
    )
