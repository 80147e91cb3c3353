"""Named errors, and the checks that raise them.

Every message says what was expected, what came, and what to do about it.
"""

import difflib
import math
from collections.abc import Iterable
from numbers import Integral, Real

import torch
from torch import Tensor


class HopfieldError(ValueError):
    """Base of every error this library raises on purpose."""


class ShapeError(HopfieldError):
    """A tensor has the wrong shape."""


class InputTypeError(HopfieldError, TypeError):
    """An argument has the wrong type, or a tensor the wrong dtype."""


class DeviceError(HopfieldError):
    """Tensors that must meet lie on different devices."""


class DomainError(HopfieldError):
    """A value is outside the domain the formula is defined on (NaN, inf, not ±1, β < 0 …)."""


class OptionError(HopfieldError):
    """An unknown name, or options that contradict each other."""


class EmptyMemoryError(HopfieldError):
    """A memory was asked for something that needs at least one stored pattern."""


class FileFormatError(HopfieldError):
    """A file is missing, damaged, or of a format this version cannot read."""


class DataError(HopfieldError):
    """A data set is missing, damaged, or of mixed shapes."""


class MissingExtraError(HopfieldError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class CapacityWarning(UserWarning):
    """A Hebbian memory holds more patterns than it can recall (n > 0.138 N)."""


def missing_extra(package: str, extra: str) -> MissingExtraError:
    """The error for an optional `package` that is not installed."""
    return MissingExtraError(
        f"this needs {package}, which is not installed. "
        f"Install it with: pip install 'hopfield[{extra}]'"
    )


def check_choice(name: str, value: object, choices: Iterable[str]) -> str:
    """Return `value` if it is one of `choices`, else raise OptionError with the nearest one."""
    valid = list(choices)
    if isinstance(value, str) and value in valid:
        return value
    near = difflib.get_close_matches(str(value), valid, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise OptionError(
        f"{name} must be one of {', '.join(map(repr, valid))}, but is {value!r}.{hint}"
    )


def check_flag(name: str, value: object) -> bool:
    """Return `value` if it is a bool, else raise InputTypeError."""
    if not isinstance(value, bool):
        raise InputTypeError(f"{name} must be True or False, but is {value!r}.")
    return value


def check_number(
    name: str, value: object, *, low: float = -math.inf, high: float = math.inf
) -> float:
    """Return the real number `value` if low ≤ value ≤ high, else raise a named error."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputTypeError(f"{name} must be a number, but is {_say(value)}.")
    number = float(value)
    if not low <= number <= high:  # also false for NaN
        raise DomainError(f"{name} must be {_range(low, high)}, but is {value!r}.")
    return number


def check_integer(name: str, value: object, *, low: int = 0, high: float = math.inf) -> int:
    """Return the whole number `value` if low ≤ value ≤ high, else raise a named error."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputTypeError(f"{name} must be a whole number, but is {_say(value)}.")
    if not low <= int(value) <= high:
        raise DomainError(f"{name} must be {_range(low, high)}, but is {value!r}.")
    return int(value)


def check_tensor(name: str, value: object) -> Tensor:
    """Return `value` if it is a floating point tensor without NaN or infinity."""
    return check_finite(name, check_float(name, value))


def check_float(name: str, value: object) -> Tensor:
    """Return `value` if it is a dense floating point tensor."""
    if not isinstance(value, Tensor):
        way = "torch.from_numpy(x)" if type(value).__module__ == "numpy" else "torch.tensor(x)"
        raise InputTypeError(f"{name} must be a torch.Tensor, but is {_say(value)}. Use {way}.")
    if value.layout != torch.strided:
        raise InputTypeError(
            f"{name} must be a dense tensor, but is sparse. Use {name}.to_dense()."
        )
    if not value.is_floating_point():
        raise InputTypeError(
            f"{name} must be floating point (float16 to float64), but is {_dtype(value)}. "
            f"Use {name}.float()."
        )
    return value


def check_finite(name: str, value: Tensor) -> Tensor:
    """Return `value` if it contains neither NaN nor infinity."""
    if bool(torch.isfinite(value).all()):
        return value
    kind = "NaN" if bool(torch.isnan(value).any()) else "infinity"
    way = "Replace it, or leave out those rows."
    if name == "cue":
        way = "If those entries are missing, say so: known=torch.isfinite(cue)."
    raise DomainError(f"{name} must be finite, but contains {kind}. {way}")


def check_patterns(name: str, value: object, dim: int | None = None) -> Tensor:
    """Return `value` if it is a finite (n, dim) tensor of rows with n ≥ 1 and dim ≥ 1."""
    patterns = check_tensor(name, value)
    if patterns.ndim != 2:
        hint = f" For a single pattern use {name}[None]." if patterns.ndim == 1 else ""
        if patterns.ndim > 2:
            hint = f" Flatten each pattern to a row: {name}.flatten(1)."
        raise ShapeError(
            f"{name} must have shape (n, dim), one pattern a row, "
            f"but has shape {tuple(patterns.shape)}.{hint}"
        )
    if 0 in patterns.shape:
        raise ShapeError(
            f"{name} must hold at least one pattern of at least one entry, "
            f"but has shape {tuple(patterns.shape)}."
        )
    return check_dim(name, patterns, dim) if dim is not None else patterns


def check_dim(name: str, value: Tensor, dim: int) -> Tensor:
    """Return `value` if its last axis has length `dim`, else raise ShapeError."""
    if value.ndim and value.shape[-1] == dim:
        return value
    message = (
        f"{name} must end in dim={dim}, the length of this memory's patterns, "
        f"but has shape {tuple(value.shape)}."
    )
    if value.ndim == 2 and value.shape[0] == dim:
        message += f"\nPatterns are rows: did you mean {name}.T?"
    elif value.ndim >= 2 and math.prod(value.shape[-2:]) == dim:
        message += f"\nImages are stored as rows: did you mean {name}.flatten(-2)?"
    else:
        message += f"\nCut or pad it to {dim} entries along the last axis."
    raise ShapeError(message)


def check_device(name: str, value: Tensor, device: torch.device) -> Tensor:
    """Return `value` if it lies on `device`, else raise DeviceError."""
    if value.device != device:
        raise DeviceError(
            f"{name} must be on {device}, where this memory's patterns are, but is on "
            f"{value.device}. Move one of them: {name}.to({str(device)!r}), or memory.to(…)."
        )
    return value


def check_binary(name: str, value: Tensor, *, zero: bool = False) -> Tensor:
    """Return `value` if its entries are ±1 (or 0, where `zero` allows unknown ones)."""
    magnitude = value.abs()
    valid = magnitude == 1
    if zero:
        valid |= magnitude == 0
    if bool(valid.all()):
        return value
    allowed = "−1, 0 (unknown) or +1" if zero else "−1 or +1"
    wrong = value[~valid][0].item()
    if bool(((value == 0) | (value == 1)).all()):
        way = f"These look like 0/1: convert them with 2 * {name} - 1."
    else:
        way = f"Binarise them first, for instance with torch.where({name} > 0, 1.0, -1.0)."
    raise DomainError(f"{name} must be {allowed} in every entry, but contains {wrong:g}. {way}")


def check_generator(value: object) -> torch.Generator:
    """Return `value`, or a fresh generator with seed 0 for None: never the global one."""
    if value is None:
        return torch.Generator().manual_seed(0)
    if not isinstance(value, torch.Generator):
        raise InputTypeError(
            f"generator must be a torch.Generator or None, but is {_say(value)}. "
            "Use torch.Generator().manual_seed(seed)."
        )
    return value


def _say(value: object) -> str:
    """A short description of an argument of the wrong type."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    return f"a {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")


def _dtype(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _range(low: float, high: float) -> str:
    if low == -math.inf:
        return f"at most {high:g}"
    return f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
