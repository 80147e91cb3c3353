"""Checks of arguments at the door of public functions: each returns its value, or raises."""

import difflib
import math
import sys
from collections.abc import Callable, Iterable
from numbers import Integral, Real

import numpy
import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from .errors import DeviceError, DomainError, InputTypeError, OptionError, ShapeError

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""The dtypes the library computes with."""

MOST = 2**63 - 1
"""The largest whole number a tensor can hold."""


def traced() -> bool:
    """Whether values cannot be read, as under compile and vmap: then only shapes are checked."""
    return torch.compiler.is_compiling() or transformed()


# torch asks itself so before it lets an autograd.Function run; there is no public name. Without it
# mapped code that looks at values ends in torch's own error.
transformed: Callable[[], bool]
transformed = getattr(torch._C, "_are_functorch_transforms_active", lambda: False)
"""Whether a transform of torch.func is at work, such as vmap or grad."""


def check_choice(name: str, value: object, choices: Iterable[str]) -> str:
    """Return `value` if it is one of `choices`, else raise OptionError with the nearest one."""
    valid = list(choices)
    if isinstance(value, str) and value in valid:
        return value
    text = value.lower()[:80] if isinstance(value, str) else ""
    begun = [name for name in valid if text[1:] and name.startswith(text)]
    near = begun if len(begun) == 1 else difflib.get_close_matches(text, valid, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "Choose one of them."
    raise OptionError(
        f"{name} must be one of {', '.join(map(repr, valid))}, but is {say(value)}. {hint}"
    )


def check_flag(name: str, value: object) -> bool:
    """Return `value` if it is a bool, else raise InputTypeError."""
    if not isinstance(value, bool):
        raise InputTypeError(
            f"{name} must be True or False, but is {say(value)}. Give one of the two."
        )
    return value


def check_number(
    name: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    way: str = "Choose one in this range.",
) -> float:
    """Return the real number `value` if low ≤ value ≤ high, else raise a named error."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputTypeError(
            f"{name} must be a number, but is {say(value)}. {to_number(name, value, '1.0')}"
        )
    try:
        number = float(value)
    except OverflowError:
        raise DomainError(
            f"{name} must be a number that float64 can hold, but is {say(value)}. "
            "Use math.inf for the limit."
        ) from None
    if not low <= number <= high:  # also false for NaN
        raise DomainError(f"{name} must be {in_range(low, high)}, but is {say(value)}. {way}")
    return number


def check_positive(name: str, value: object) -> float:
    """Return the real number `value` if 0 < value < ∞, else raise a named error."""
    number = check_number(name, value)
    if not 0 < number < math.inf:
        raise DomainError(
            f"{name} must be above 0 and finite, but is {number:g}. Choose one in this range."
        )
    return number


def check_integer(name: str, value: object, *, low: int = 0, high: int = MOST) -> int:
    """Return the whole number `value` if low ≤ value ≤ high, else raise a named error."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputTypeError(
            f"{name} must be a whole number, but is {say(value)}. {to_number(name, value, '10')}"
        )
    if not low <= int(value) <= high:
        limit = math.inf if high == MOST and value < low else high
        raise DomainError(
            f"{name} must be {in_range(low, limit)}, but is {say(value)}. Choose one in this range."
        )
    return int(value)


def check_tensor(name: str, value: object) -> Tensor:
    """Return `value` if it is a floating point tensor without NaN or infinity."""
    return check_finite(name, check_float(name, value))


def check_float(name: str, value: object) -> Tensor:
    """Return `value` if it is a dense floating point tensor."""
    tensor = check_dense(name, value)
    if tensor.dtype not in FLOATS:
        raise InputTypeError(
            f"{name} must be floating point (float16 to float64), but is {dtype_of(tensor)}. "
            f"{to_float(name, tensor)}"
        )
    return tensor


def check_dense(name: str, value: object) -> Tensor:
    """Return `value` if it is a tensor that holds all its entries, one beside the other."""
    if not isinstance(value, Tensor):
        raise InputTypeError(
            f"{name} must be a torch.Tensor, but is {say(value)}. {to_tensor(name, value)}"
        )
    if torch.compiler.is_compiling():
        return value  # what follows has no place in a graph
    kind, way = "", f"Use {name}.to_dense()."
    if is_lazy(value):
        kind, way = "uninitialised", "Give it a shape and numbers first."
    elif value.is_nested:
        kind, way = "nested", "Cut or pad its parts to one length."
    elif value.layout != torch.strided:
        kind = str(value.layout).removeprefix("torch.").replace("_coo", "").strip("_")
    elif value.is_quantized:
        kind, way = f"quantised ({dtype_of(value)})", f"Use {name}.dequantize()."
    if kind:
        raise InputTypeError(f"{name} must be a dense tensor, but is {kind}. {way}")
    if value.is_meta:
        raise DeviceError(
            f"{name} must hold numbers, but is on the device 'meta', where tensors have none. "
            "Move the model to a real device before."
        )
    return value


def check_finite(name: str, value: Tensor) -> Tensor:
    """Return `value` if it contains neither NaN nor infinity."""
    # The sum is a twentieth of the work, and not finite where an entry is not.
    if traced() or math.isfinite(value.sum().item()) or bool(torch.isfinite(value).all()):
        return value
    kind = "NaN" if bool(torch.isnan(value).any()) else "infinity"
    way = "Replace it, or leave out those rows."
    if name == "cue":
        way = "If those entries are missing, say so: known=torch.isfinite(cue)."
    raise DomainError(f"{name} must be finite, but contains {kind}. {way}")


def check_patterns(name: str, value: object, dim: int | None = None) -> Tensor:
    """Return `value` if it is a finite (n, dim) tensor of rows with n ≥ 1 and dim ≥ 1."""
    patterns = check_rows(name, check_tensor(name, value))
    return check_dim(name, patterns, dim) if dim is not None else patterns


def check_rows(name: str, value: object) -> Tensor:
    """Return `value` if it is a floating point (n, dim) tensor with n ≥ 1 and dim ≥ 1."""
    patterns = check_float(name, value)
    if patterns.ndim != 2:
        hint = f"For a single pattern use {name}[None]."
        if patterns.ndim == 0:
            hint = "Give one row of numbers a pattern."
        elif patterns.ndim > 2:
            hint = f"Flatten each pattern to a row: {name}.flatten(1)."
        raise ShapeError(
            f"{name} must have shape (n, dim), one pattern a row, "
            f"but has shape {tuple(patterns.shape)}. {hint}"
        )
    if 0 in patterns.shape:
        raise ShapeError(
            f"{name} must hold at least one pattern of at least one entry, "
            f"but has shape {tuple(patterns.shape)}. Check where the rows were lost."
        )
    return patterns


def check_dim(name: str, value: Tensor, dim: int) -> Tensor:
    """Return `value` if its last axis has length `dim`, else raise ShapeError."""
    if value.ndim and value.shape[-1] == dim:
        return value
    message = (
        f"{name} must end in an axis of dim={dim} entries, but has shape {tuple(value.shape)}."
    )
    if value.ndim == 2 and value.shape[0] == dim:
        message += f"\nPatterns are rows: did you mean {name}.T?"
    elif value.ndim >= 2 and math.prod(value.shape[-2:]) == dim:
        message += f"\nImages are stored as rows: did you mean {name}.flatten(-2)?"
    else:
        message += f"\nCut or pad it to {dim} entries along the last axis."
    raise ShapeError(message)


def check_size(name: str, rows: Tensor) -> Tensor:
    """Return `rows` if their squared norms are finite in the computing precision."""
    if traced() or _moderate(rows):
        return rows
    wide = rows.detach().to(torch.promote_types(rows.dtype, torch.float32))
    if not bool(torch.isfinite(4 * wide.square().sum(-1)).all()):
        way = f"Scale {name} down"
        raise DomainError(
            f"{name} must have squared norms that {dtype_of(wide)} can hold, but the largest entry "
            f"is {wide.abs().max().item():.3g}. "
            + (f"{way}." if wide.dtype == torch.float64 else f"{way}, or use float64.")
        )
    return rows


def check_bounded(name: str, rows: Tensor) -> Tensor:
    """Return `rows` if their entries and their squared norms are finite: both by one look."""
    if traced() or _moderate(rows):
        return rows
    return check_size(name, check_finite(name, rows))


def _moderate(rows: Tensor) -> bool:
    """Whether the sum of all squares is finite, and far from its limit: most rows are so."""
    precision = torch.promote_types(rows.dtype, torch.float32)
    return torch.linalg.vector_norm(rows.detach()).item() < torch.finfo(precision).max ** 0.5 / 4


def check_device(name: str, value: Tensor, device: torch.device) -> Tensor:
    """Return `value` if it lies on `device`, else raise DeviceError."""
    if value.device != device:
        raise DeviceError(
            f"{name} must be on {device}, where the patterns are, but is on {value.device}. "
            f"Move one of them: {name}.to({str(device)!r}), or memory.to(…)."
        )
    return value


def check_dtype(name: str, value: object) -> torch.dtype:
    """Return `value` if it is a dtype the library computes with."""
    if not isinstance(value, torch.dtype) or value not in FLOATS:
        given = str(value) if isinstance(value, torch.dtype) else say(value)
        raise InputTypeError(
            f"{name} must be float16, bfloat16, float32 or float64, but is {given}. "
            "Use for instance torch.float32."
        )
    return value


def all_signs(value: Tensor) -> bool:
    """Whether every entry is ±1, and there are some."""
    return value.numel() > 0 and all(end.item() == 1 for end in torch.aminmax(value.abs()))


def check_binary(name: str, value: Tensor, *, zero: bool = False) -> Tensor:
    """Return `value` if its entries are ±1 (or 0, where `zero` allows unknown ones)."""
    if all_signs(value):
        return value
    magnitude = value.abs()
    # 0 where valid; its sum costs a fraction of what comparing every entry does.
    wrongness = (magnitude - 1).abs_() if not zero else (magnitude.square() - magnitude).abs_()
    if not bool(wrongness.sum()):
        return value
    valid = wrongness == 0
    allowed = "−1, 0 (unknown) or +1" if zero else "−1 or +1"
    wrong = value[~valid][0].item()
    if bool(((value == 0) | (value == 1)).all()):
        way = f"These look like 0/1: convert them with 2 * {name} - 1."
    elif not zero:
        way = (
            f"Binarise them first, for instance with torch.where({name} > 0, 1.0, -1.0); "
            "a data set does so by dataset.binary()."
        )
    elif bool((value >= 0).all()):
        way = (
            "Binarise images before entries are hidden, for instance with "
            f"torch.where({name} > 0, 1.0, -1.0) or dataset.binary()."
        )
    else:
        way = f"Binarise it with {name}.sign(), where 0 stays unknown."
    raise DomainError(f"{name} must be {allowed} in every entry, but contains {wrong:.7g}. {way}")


def check_generator(value: object, seed: int = 0) -> torch.Generator:
    """Return `value`, or a fresh generator with `seed` for None: never the global one."""
    if value is None:
        return torch.Generator().manual_seed(seed)
    if not isinstance(value, torch.Generator):
        raise InputTypeError(
            f"generator must be a torch.Generator or None, but is {say(value)}. "
            "Use torch.Generator().manual_seed(seed)."
        )
    return value


OWN = {
    "hopfield.data.dataset.Dataset": "dataset.patterns, or dataset.binary() in a binary network",
    "hopfield.cue.Cue": "cue.state",
    "hopfield.iteration.Retrieval": "found.state",
}
"""What to give instead of an object of this library where a tensor is wanted."""


def say(value: object) -> str:
    """A short description of an argument of the wrong type."""
    if isinstance(value, Tensor):
        lazy = is_lazy(value)
        return "an uninitialised parameter" if lazy else f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return f"an int of {value.bit_length()} bits"
    if isinstance(value, str) and len(value) > 80:
        return f"{value[:80]!r}…"
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def dtype_of(value: Tensor) -> str:
    """The name of its dtype, such as float32."""
    return str(value.dtype).removeprefix("torch.")


def to_float(name: str, value: Tensor) -> str:
    """Say how to convert `value` to floating point."""
    if value.is_complex():
        return f"Use {name}.real, or {name}.abs()."
    if name in ("patterns", "cue", "state") and bool(((value == 0) | (value == 1)).all()):
        return f"Use {name}.float(), or in a binary network, for ±1, 2 * {name}.float() - 1."
    return f"Use {name}.float()."


def to_tensor(name: str, value: object) -> str:
    """How to make a tensor of what is none: what is printed works at once."""
    kind = f"{type(value).__module__}.{type(value).__name__}"
    if kind in OWN:
        step = ", or retrieve(cue, steps=1), which heeds its mask" if name == "state" else ""
        return f"Give {OWN[kind]}{step if kind.endswith('Cue') else ''}."
    if kind.startswith("hopfield.memories."):
        return f"Give memory.{'coupling' if name == 'coupling' else 'patterns'}."
    if name == "thresholds" and isinstance(value, (int, float)):
        return "Use torch.full((dim,), thresholds), one number a unit."
    if hasattr(value, "to_numpy"):
        return f"Use torch.tensor({name}.to_numpy(), dtype=torch.float32)."
    if isinstance(value, (list, tuple)) and value:
        if all(isinstance(part, Tensor) for part in value):
            alike = len({part.shape for part in value}) == 1
            return f"Use torch.stack({name})." if alike else "Give rows of one length."
        if all(isinstance(part, numpy.ndarray) and part.ndim for part in value):
            return f"Use torch.tensor(numpy.stack({name}), dtype=torch.float32)."
    if isinstance(value, (list, tuple, range, numpy.ndarray)):
        return _of_numbers(name, value)
    return f"Give a torch.Tensor of {'bools' if name == 'known' else 'numbers'}."


def _of_numbers(name: str, value: object) -> str:
    array = isinstance(value, numpy.ndarray)
    try:
        made = torch.from_numpy(value.copy()) if array else torch.tensor(value)  # type: ignore[attr-defined]
    except (TypeError, ValueError, RuntimeError, OverflowError):
        if name == "values":
            codes = "torch.as_tensor(numpy.unique(values, return_inverse=True)[1])"
            return f"Give whole numbers, for names the places among them: {codes}."
        return "Give rows of numbers, all of one length."
    if name == "known":
        return to_mask(made, f"torch.{'as_tensor' if array else 'tensor'}(known, dtype=torch.bool)")
    if not made.numel():
        return "Give at least one row of numbers."
    dtype = "" if made.is_floating_point() or name == "values" else ", dtype=torch.float32"
    return f"Use torch.{'as_tensor' if array else 'tensor'}({name}{dtype})."


def to_mask(known: Tensor, way: str) -> str:
    """How to make a mask of numbers: 0 and 1 by `way`, others are taken for places."""
    if bool(((known == 0) | (known == 1)).all()):
        return f"Use {way}, True where the entry is known."
    places = "torch.isin(torch.arange(dim), torch.as_tensor(known))"
    return f"A mask says so of every entry. Use {places} if these are places."


def to_number(name: str, value: object, example: str) -> str:
    """How to make a number of what is none."""
    if isinstance(value, Tensor) and value.numel() == 1:
        return f"Use {name}.item()."
    return f"Give a single number, for instance {name}={example}."


def in_range(low: float, high: float) -> str:
    """What a number between two limits is."""
    if low == -math.inf:
        return "a number" if high == math.inf else f"at most {high:g}"
    if high == sys.float_info.max:
        return f"finite and at least {low:g}"
    return f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
