"""Call the methods that a network defines, and check their results.

An error names the class and the method that returned a wrong result.
"""

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..checks import is_traced, short_repr, version_of
from ..errors import DomainError, InputTypeError, OptionError, ShapeError
from ..iteration import Reading
from ..separation import Separation
from ..similarity import Similarity

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
        DomainError: if the `step` of a user returns NaN or inf, or units other than −1 and 1.
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
    if not reading.next.is_floating_point():
        raise InputTypeError(
            f"{type(memory).__name__}.step must return floating point states, but returned "
            f"{reading.next.dtype}. Use next.to(state.dtype)."
        )
    if is_users(memory, "step"):
        if reading.index is not None:
            _check_index(memory, reading.index)
        following = reading.next if held is None else torch.where(held, state, reading.next)
        _check_finite(memory, "step must return finite states", following)
        if memory.binary:
            _check_units(memory, state, following)
        if reading.energy is not None:
            _check_finite(memory, "step must return finite energies", reading.energy)
    return reading


def is_users(memory: "Memory", method: str) -> bool:
    """Return True if a user wrote this method: only then each of its results is checked."""
    return not str(getattr(type(memory), method).__module__).startswith("hopfield.")


def _check_finite(memory: "Memory", wanted: str, values: Tensor) -> None:
    if not is_traced() and not bool(values.isfinite().all()):
        found = "NaN" if bool(values.isnan().any()) else "inf"
        raise DomainError(f"{type(memory).__name__}.{wanted}, but returned {found}.")


def _check_units(memory: "Memory", state: Tensor, following: Tensor) -> None:
    wrong = (following.abs() != 1) & ((following != 0) | (state != 0))
    if not is_traced() and bool(wrong.any()):
        raise DomainError(
            f"{type(memory).__name__}.step must return −1 or 1, and 0 only for unknown units, "
            f"but returned {float(following[wrong][0]):g}. Where a field is 0, keep the state."
        )


def _check_index(memory: "Memory", index: Tensor) -> None:
    if index.dtype not in (torch.int64, torch.int32):
        raise InputTypeError(
            f"{type(memory).__name__}.step must return whole numbers as index, but returned "
            f"{index.dtype}. Use index.long()."
        )
    count = len(memory)
    if not (count and index.numel()):
        return
    low, high = (int(end) for end in index.aminmax())
    if low < 0 or high >= count:
        raise DomainError(
            f"{type(memory).__name__}.step must return an index from 0 to {count - 1}, the place "
            f"of a stored pattern, but returned {low if low < 0 else high}."
        )


def value_weights_of(memory: "Memory") -> "tuple[Similarity, Separation] | None":
    """Return `memory.value_weights`, and raise unless it is a pair or None."""
    pair = memory.value_weights
    return None if pair is None else _checked_pair(memory, "value_weights", pair)


def scoring_of(memory: "Memory") -> "tuple[Similarity, Separation | None]":
    """Return `memory.scoring`, and raise unless it is a pair."""
    return _checked_pair(memory, "scoring", memory.scoring)


def _checked_pair(memory: "Memory", name: str, pair: Any) -> Any:
    may_lack = name == "scoring"
    if (
        isinstance(pair, tuple)
        and len(pair) == 2
        and isinstance(pair[0], Similarity)
        and (isinstance(pair[1], Separation) or (may_lack and pair[1] is None))
    ):
        return pair
    found = short_repr(pair)
    if isinstance(pair, tuple):
        found = f"({', '.join(short_repr(each) for each in pair)})"
    raise InputTypeError(
        f"{type(memory).__name__}.{name} must be a pair (similarity, separation"
        f"{' or None' * may_lack}) of a Similarity and a Separation, but is {found}. "
        "Use for instance (hopfield.similarity.dot, hopfield.Softmax(4.0))."
    )


def energies(memory: "Memory", state: Tensor) -> Tensor | None:
    """Call `memory.energy_of`, and return one energy per state, or None."""
    energy = memory.energy_of(state)
    if energy is not None and not _has_shape(energy, state.shape[:1]):
        raise _wrong_shape(memory, "energy_of must return energies", state.shape[:1], energy)
    if energy is not None and is_users(memory, "energy_of"):
        _check_finite(memory, "energy_of must return finite energies", energy)
    return energy


def constructor_of(kind: "type[Memory]", name: str) -> "Callable[..., Memory]":
    """Return the class, or its classmethod of this name."""
    return kind if name == "__init__" else getattr(kind, name)


def config_of(memory: "Memory") -> dict[str, Any]:
    """Return `memory.config()`, and raise unless it is a dict."""
    config = memory.config()
    if not isinstance(config, dict):
        raise InputTypeError(
            f"{type(memory).__name__}.config must return a dict of arguments, but returned "
            f"{short_repr(config)}."
        )
    return config


def checked_config(memory: "Memory") -> dict[str, Any]:
    """Call `memory.config`, and raise unless the constructor accepts the arguments it returns."""
    config = config_of(memory)
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
