"""Checks of arguments at the door of public functions: each returns its value, or raises.

A message says what was expected and what came. A hint follows where one slip is likely, and what
it advises works as printed.
"""

import difflib
import inspect
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real

import numpy
import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from .errors import DeviceError, DomainError, InputTypeError, OptionError, ShapeError
from .mask_hints import mask_hint

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""The dtypes that patterns and states may have."""

OWN_TENSORS = {
    "Dataset": "dataset.patterns, or dataset.binary() in a binary network",
    "Cue": "cue.state, or retrieve(cue, steps=1), which uses its mask",
    "Retrieval": "retrieval.state",
}
"""Tensors to give instead of these objects of the library."""

LARGEST_INTEGER = 2**63 - 1
"""The largest whole number a tensor can hold."""

# torch asks this before it lets an autograd.Function run, and has no public name for it.
is_transformed: Callable[[], bool]
is_transformed = getattr(torch._C, "_are_functorch_transforms_active", lambda: False)
"""Return whether a transform of torch.func, such as vmap, is active."""


def is_traced() -> bool:
    """Return whether values cannot be read, as under compile and vmap; shapes can."""
    return torch.compiler.is_compiling() or is_transformed()


def is_broadcastable(shape: Sequence[int], to: Sequence[int]) -> bool:
    """Return True if `shape` expands to the shape `to`."""
    return len(shape) <= len(to) and all(
        # `a in (1, b)` is False for equal open sizes under torch.compile.
        a == 1 or a == b
        for a, b in zip(reversed(shape), reversed(to), strict=False)
    )


def check_choice(name: str, value: object, choices: Iterable[str], *, hint: str = "") -> str:
    """Return `value` if it is one of `choices`; the error names the nearest one, or `hint`."""
    valid = list(choices)
    if isinstance(value, str) and value in valid:
        return value
    text = value.lower()[:80] if isinstance(value, str) else ""
    begun = [choice for choice in valid if text[1:] and choice.startswith(text)]
    near = begun if len(begun) == 1 else difflib.get_close_matches(text, valid, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else hint
    raise OptionError(
        f"{name} must be one of {', '.join(map(repr, valid))}, but is {short_repr(value)}.{hint}"
    )


def check_flag(name: str, value: object) -> bool:
    """Return `value` if it is a bool."""
    if not isinstance(value, bool):
        raise InputTypeError(f"{name} must be True or False, but is {short_repr(value)}.")
    return value


def check_number(
    name: str, value: object, *, low: float = -math.inf, high: float = math.inf, hint: str = ""
) -> float:
    """Return the real number `value` if low ≤ value ≤ high; `hint` is added to the error."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputTypeError(
            f"{name} must be a number, but is {short_repr(value)}.{_item(name, value)}"
        )
    try:
        number = float(value)
    except OverflowError:
        raise DomainError(
            f"{name} must be a number that float64 can hold, but is {short_repr(value)}."
        ) from None
    if not low <= number <= high:  # also false for NaN
        raise DomainError(
            f"{name} must be {_range(low, high)}, but is {short_repr(value)}. {hint}".rstrip()
        )
    return number


def check_positive(name: str, value: object) -> float:
    """Return the real number `value` if 0 < value < ∞."""
    number = check_number(name, value)
    if not 0 < number < math.inf:
        raise DomainError(f"{name} must be above 0 and finite, but is {number:g}.")
    return number


def check_integer(name: str, value: object, *, low: int = 0, high: int = LARGEST_INTEGER) -> int:
    """Return the whole number `value` if low ≤ value ≤ high."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputTypeError(
            f"{name} must be a whole number, but is {short_repr(value)}.{_item(name, value)}"
        )
    if not low <= int(value) <= high:
        limit = math.inf if high == LARGEST_INTEGER and value < low else high
        raise DomainError(f"{name} must be {_range(low, limit)}, but is {short_repr(value)}.")
    return int(value)


def check_tensor(name: str, value: object) -> Tensor:
    """Return `value` if it is a floating point tensor without NaN or infinity."""
    return check_finite(name, check_float(name, value))


def check_float(name: str, value: object) -> Tensor:
    """Return `value` if it is a dense floating point tensor."""
    tensor = check_dense(name, value)
    if tensor.dtype in FLOATS:
        return tensor
    hint = ""
    if not (tensor.is_complex() or tensor.is_floating_point()):
        is_image = name == "patterns" and tensor.ndim > 2
        hint = float_hint(name, tensor, "patterns.flatten(1)" if is_image else None)
    raise InputTypeError(
        f"{name} must be floating point (float16 to float64), but is {dtype_name(tensor)}.{hint}"
    )


def float_hint(name: str, tensor: Tensor, flat: str | None = None) -> str:
    """Say how numbers of another dtype become floating point; `flat` also gives them a shape."""
    is_row, flat = name in ("patterns", "cue", "state"), flat or name
    if is_row and bool(((tensor == 0) | (tensor == 1)).all()):
        return f" Use {flat}.float(), or in a binary network, for ±1, 2 * {flat}.float() - 1."
    if is_row and tensor.dtype == torch.uint8:
        return f" Use {flat} / 255, as arrays of uint8 are scaled."
    return f" Use {flat}.float()."


def check_dense(name: str, value: object) -> Tensor:
    """Return `value` if it is a tensor whose entries lie in memory, of any dtype."""
    if not isinstance(value, Tensor):
        raise InputTypeError(
            f"{name} must be a torch.Tensor, but is {short_repr(value)}.{_tensor_hint(name, value)}"
        )
    if torch.compiler.is_compiling():
        return value  # a graph has no place for the questions below
    kind = ""
    if is_lazy(value):
        kind = "uninitialised"
    elif value.is_nested:
        kind = "nested"
    elif value.layout != torch.strided:
        layout = str(value.layout).removeprefix("torch.").replace("_coo", "").strip("_")
        kind = f"{layout}. Use {name}.to_dense()"
    elif value.is_quantized:
        kind = f"quantised ({dtype_name(value)}). Use {name}.dequantize()"
    if kind:
        raise InputTypeError(f"{name} must be a dense tensor, but is {kind}.")
    if value.is_meta:
        raise DeviceError(f"{name} must hold numbers, but is on 'meta'. Use device='cpu'.")
    return value


def check_finite(name: str, value: Tensor, advice: str = "") -> Tensor:
    """Return `value` if it contains neither NaN nor infinity; `advice` replaces the usual one."""
    # A finite sum has finite terms, and takes a twentieth of the time.
    if is_traced() or math.isfinite(value.sum().item()) or bool(torch.isfinite(value).all()):
        return value
    kind = "NaN" if bool(torch.isnan(value).any()) else "infinity"
    hint = f" {advice}" if advice else ""
    if name in ("cue", "patterns") and not advice:
        hint = f" If those entries are missing, use known=torch.isfinite({name})."
        hint += " Only ModernHopfield.store takes it." if name == "patterns" else ""
    raise DomainError(f"{name} must be finite, but contains {kind}.{hint}")


def check_patterns(name: str, value: object, dim: int | None = None) -> Tensor:
    """Return `value` if it is a finite (n, dim) tensor of rows with n ≥ 1 and dim ≥ 1."""
    patterns = check_rows(name, check_tensor(name, value))
    return check_dim(name, patterns, dim) if dim is not None else patterns


def check_rows(name: str, value: object) -> Tensor:
    """Return `value` if it is a floating point (n, dim) tensor with n ≥ 1 and dim ≥ 1."""
    patterns = check_float(name, value)
    if patterns.ndim != 2:
        hint = f" For a single pattern use {name}[None]." if patterns.ndim == 1 else ""
        if patterns.ndim > 2:
            hint = f" Flatten each pattern to a row: {name}.flatten(1)."
        raise ShapeError(
            f"{name} must have shape (n, dim), one pattern per row, but has shape "
            f"{tuple(patterns.shape)}.{hint}"
        )
    if 0 in patterns.shape:
        raise ShapeError(
            f"{name} must hold at least one pattern of at least one entry, but has shape "
            f"{tuple(patterns.shape)}."
        )
    return patterns


def check_dim(name: str, value: Tensor, dim: int) -> Tensor:
    """Return `value` if its last axis has length `dim`."""
    if value.ndim and value.shape[-1] == dim:
        return value
    hint = ""
    if value.ndim == 2 and value.shape[0] == dim:
        hint = f" Patterns are rows: did you mean {name}.T?"
    for axes in (2, 3):
        if value.ndim >= axes and math.prod(value.shape[-axes:]) == dim and not hint:
            hint = f" Images are stored as rows: did you mean {name}.flatten(-{axes})?"
    raise ShapeError(
        f"{name} must end in an axis of dim={dim} entries, but has shape "
        f"{tuple(value.shape)}.{hint}"
    )


def check_norms(name: str, rows: Tensor) -> Tensor:
    """Return `rows` if their squared norms are finite in the precision they are computed in."""
    if is_traced() or _is_moderate(rows):
        return rows
    wide = rows.detach().to(torch.promote_types(rows.dtype, torch.float32))
    if not bool(torch.isfinite(4 * wide.square().sum(-1)).all()):
        wider = "" if wide.dtype == torch.float64 else ", or use float64"
        raise DomainError(
            f"{name} must have squared norms that {dtype_name(wide)} can hold, "
            f"but the largest entry "
            f"is {wide.abs().max().item():.3g}. Scale {name} down{wider}."
        )
    return rows


def check_finite_norms(name: str, rows: Tensor) -> Tensor:
    """Return `rows` if their entries and squared norms are finite, read once where both are."""
    if is_traced() or _is_moderate(rows):
        return rows
    return check_norms(name, check_finite(name, rows))


def _is_moderate(rows: Tensor) -> bool:
    """Return whether the sum of all squares is finite and far from its limit."""
    precision = torch.promote_types(rows.dtype, torch.float32)
    return torch.linalg.vector_norm(rows.detach()).item() < torch.finfo(precision).max ** 0.5 / 4


def check_device(name: str, value: Tensor, device: torch.device) -> Tensor:
    """Return `value` if it lies on `device`."""
    if value.device != device:
        raise DeviceError(
            f"{name} must be on {device}, where the patterns are, but is on {value.device}. "
            f"Use {name}.to({str(device)!r}), or memory.to(…)."
        )
    return value


def check_dtype(name: str, value: object) -> torch.dtype:
    """Return `value` if it is one of FLOATS."""
    if not isinstance(value, torch.dtype) or value not in FLOATS:
        given = str(value) if isinstance(value, torch.dtype) else short_repr(value)
        raise InputTypeError(
            f"{name} must be torch.float16, bfloat16, float32 or float64, but is {given}."
        )
    return value


def call_given(
    name: str, form: str, function: object, *arguments: object, **options: object
) -> object:
    """Call a function that the caller gave; one that cannot take these arguments is named."""
    given = getattr(function, "__name__", None) or short_repr(function)
    wrong = InputTypeError(f"{name} must be a function of ({form}), but is {given}.")
    if not callable(function):
        raise wrong
    try:
        return function(*arguments, **options)
    except TypeError as error:
        try:
            inspect.signature(function).bind(*arguments, **options)
        except (TypeError, ValueError):  # another signature, or one of C
            raise wrong from error
        raise


def has_only_signs(value: Tensor) -> bool:
    """Return whether `value` has entries and all are ±1."""
    return value.numel() > 0 and all(end.item() == 1 for end in torch.aminmax(value.abs()))


def check_binary(name: str, value: Tensor, *, zero: bool = False) -> Tensor:
    """Return `value` if its entries are ±1, or 0 for unknown ones where `zero` allows it."""
    if has_only_signs(value):
        return value
    magnitude = value.abs()
    # 0 where valid; its sum costs a fraction of comparing every entry.
    wrongness = (magnitude - 1).abs_() if not zero else (magnitude.square() - magnitude).abs_()
    if not bool(wrongness.sum()):
        return value
    wrong = value[wrongness != 0][0].item()
    allowed = "−1, 0 (unknown) or +1" if zero else "−1 or +1"
    if bool(((value == 0) | (value == 1)).all()):
        hint = f"Convert 0/1 with 2 * {name} - 1."
    elif zero and not bool((value >= 0).all()):
        hint = f"Binarise with {name}.sign(), where 0 stays unknown."
    else:
        hint = f"Binarise with torch.where({name} > 0, 1.0, -1.0), a data set by dataset.binary()."
    raise DomainError(f"{name} must be {allowed} in every entry, but contains {wrong:.7g}. {hint}")


def check_generator(value: object, seed: int = 0) -> torch.Generator:
    """Return `value`, or a fresh generator with `seed` for None: never the global one."""
    if value is None:
        return torch.Generator().manual_seed(seed)
    if not isinstance(value, torch.Generator):
        raise InputTypeError(
            f"generator must be a torch.Generator or None, but is {short_repr(value)}. "
            "Use torch.Generator().manual_seed(seed)."
        )
    return value


def version_of(tensor: Tensor) -> int | None:
    """Return a number that grows when code writes to the tensor; None where none is kept."""
    return None if is_traced() or tensor.is_inference() else tensor._version


def short_repr(value: object) -> str:
    """Describe an argument of the wrong type in a few words."""
    if isinstance(value, Tensor) and is_lazy(value):
        return "an uninitialised parameter"
    if isinstance(value, Tensor):
        return "a nested tensor" if value.is_nested else f"a tensor of shape {tuple(value.shape)}"
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


def dtype_name(value: Tensor | torch.dtype) -> str:
    """Return the name of a dtype, or of that of a tensor, such as float32."""
    return str(getattr(value, "dtype", value)).removeprefix("torch.")


def is_own(value: object) -> bool:
    """Return whether `value` is an object of this library."""
    return type(value).__module__.startswith("hopfield.")


def own_hint(value: object, of_memory: str = "patterns") -> str:
    """Say which tensor to give instead of an object of this library."""
    is_memory = hasattr(value, "retrieve")
    use = f"memory.{of_memory}" if is_memory else OWN_TENSORS.get(type(value).__name__)
    return f" Use {use}." if use else ""


def _tensor_hint(name: str, value: object) -> str:
    """Say how to make a tensor of an object of this library, or of a list or array of numbers."""
    if is_own(value):
        return own_hint(value, "coupling" if name == "coupling" else "patterns")
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, Tensor) for v in value):
        return f" Use torch.stack({name})." if len({v.shape for v in value}) == 1 else ""
    try:
        array = numpy.array(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return ""  # rows of several lengths
    if not (array.dtype.kind in "biuf" and array.dtype.isnative and array.ndim and array.size):
        return ""
    source = f"torch.as_tensor(numpy.array({name})"
    if name == "known":
        return mask_hint(torch.from_numpy(array), f"{source}, dtype=torch.bool)")
    exact = isinstance(value, numpy.ndarray) and array.dtype.kind == "f"
    return f" Use {source}{'' if exact else ', dtype=torch.float32'})."


def _item(name: str, value: object) -> str:
    if not isinstance(value, Tensor) or is_lazy(value) or value.is_nested or value.numel() != 1:
        return ""
    return f" Use {name}.item()."


def _range(low: float, high: float) -> str:
    if low == -sys.float_info.max:
        return "finite"
    if low == -math.inf:
        return "a number" if high == math.inf else f"at most {high:g}"
    if high == sys.float_info.max:
        return f"finite and at least {low:g}"
    return f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
