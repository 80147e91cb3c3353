"""What messages say: what came, and how to make of it what was wanted."""

import math
import sys

import numpy
import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

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
    """Its dtype, as in float32."""
    return str(value.dtype).removeprefix("torch.")


def to_float(name: str, value: Tensor) -> str:
    """How to make floating point of a tensor that is not."""
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
    """How to make a tensor of a list or an array."""
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
