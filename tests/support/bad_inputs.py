"""What tests of bad inputs share: strange arguments, and the rule each message is judged by."""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import jaxtyping
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hopfield import ClassicalHopfield, DenseHopfield, HopfieldError, Memory, ModernHopfield
from hopfield.errors import DeviceError, DomainError, InputTypeError

COUNT, DIM = 3, 8
EMPTY: dict[str, Callable[[], Memory]] = {
    "classical": lambda: ClassicalHopfield("pseudo_inverse"),
    "dense": DenseHopfield,
    "modern": ModernHopfield,
}

JARGON = re.compile(
    r"Traceback|RuntimeError|TypeError|IndexError|NoneType|aten::|at::|c10|CUDA error|ATen"
    r"|size of tensor|mat1|mat2|not implemented for|backend|dispatch|unpack|infer dtype"
    r"|object at 0x|__\w+__|unexpected keyword|positional argument|Errno|NaN to integer"
    r"|storage|overflow when|panicked|serde|Expected all tensors"
)
EXPECTED = re.compile(r"\b(must|needs?|takes?)\b")
REMEDY = re.compile(
    r"(?:[.:;] |\n)(?:Use|Call|Give|Cut|Move|Replace|Leave|Flatten|Scale|Convert|convert|Binarise"
    r"|Name|Say that|Score|Update|Choose|Save|Check|Store|Patterns are rows: did you mean"
    r"|Images are stored as rows: did you mean|Did you mean|If those|For a single|say which"
    r"|give one|leave out)\b"
)


class Bad(NamedTuple):
    """A call that must fail: on a memory (or on nothing), with what, and what the message shows."""

    name: str
    call: Callable[..., object]
    error: type[HopfieldError]
    shows: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


def cases(*tables: list[Bad], at_least: int = 0):
    """Parametrise a test by every case of these tables."""
    every = [case for table in tables for case in table]
    names = [case.name for case in every]
    assert len(set(names)) == len(names), f"twice: {[n for n in names if names.count(n) > 1]}"
    assert len(every) >= at_least, f"{len(every)} cases, {at_least} wanted"
    return pytest.mark.parametrize("case", every, ids=names)


@contextmanager
def as_users_see_it() -> Iterator[None]:
    """Without the shape checks of the tests, which would speak before the library does."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def judge(case: Bad, *arguments: object) -> None:
    """The call fails with the right class, and a message a user can act on."""
    with as_users_see_it(), pytest.raises(HopfieldError) as caught:
        case.call(*arguments)
    message = str(caught.value)
    assert type(caught.value) is case.error, message
    assert isinstance(caught.value, ValueError)
    assert EXPECTED.search(message), f"does not say what was expected: {message}"
    for shown in case.shows:
        assert shown in message, f"does not show {shown!r}: {message}"
    assert REMEDY.search(message), f"does not say what to do: {message}"
    assert not JARGON.search(message), f"jargon: {message}"
    short = re.sub(r"/\S+", "/path", message)
    assert message.count("\n") < 3 and len(short) < 400, f"too long: {message}"
    assert message == message.strip() and message[-1] in ".?", f"no sentence: {message}"


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def signs(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 2, shape, generator=generator(seed)) * 2.0 - 1


PATTERNS = signs(COUNT, DIM, seed=1)
VALUES = torch.arange(COUNT * 2.0).reshape(COUNT, 2)
CUE = PATTERNS[0] * torch.tensor([-1.0] + [1.0] * (DIM - 1))


def filled(kind: str, values: Tensor | None = VALUES) -> Memory:
    memory = EMPTY[kind]()
    memory.store(PATTERNS, values)
    return memory


def photograph(memory: Memory) -> dict[str, object]:
    """All that a failed call must leave as it was."""
    picture: dict[str, object] = {"repr": repr(memory), "len": len(memory)}
    if len(memory):
        found = memory.retrieve(CUE.to(memory.patterns.dtype))
        picture |= {"patterns": memory.patterns.clone(), "values": memory.values}
        picture |= {"state": found.state, "energy": found.energy, "value": found.value}
        picture |= {"version": memory._store.version}
    return picture


def judge_unchanged(case: Bad, memory: Memory) -> None:
    """As `judge`, and the memory is as it was before."""
    before = photograph(memory)
    judge(case, memory)
    after = photograph(memory)
    assert before.keys() == after.keys()
    for name, old in before.items():
        new = after[name]
        same = torch.equal(old, new) if isinstance(old, Tensor) else old == new
        assert same, f"{name} changed"


NOT_TENSORS: dict[str, tuple[object, str]] = {
    "None": (None, "None"),
    "list": ([[1.0, -1.0]], "list"),
    "ragged list": ([[1.0], [1.0, 2.0]], "list"),
    "tuple": ((1.0, -1.0), "tuple"),
    "numpy": (np.ones((COUNT, DIM), np.float32), "numpy.ndarray"),
    "numpy objects": (np.array([None, "x"]), "numpy.ndarray"),
    "numpy scalar": (np.float32(1.0), "numpy.float32"),
    "string": ("patterns.pt", "'patterns.pt'"),
    "bytes": (b"\x00\xff", "bytes"),
    "int": (7, "7"),
    "float": (0.5, "0.5"),
    "NaN": (float("nan"), "nan"),
    "bool": (True, "True"),
    "complex": (1j, "complex"),
    "dict": ({"patterns": [1.0]}, "dict"),
    "set": ({1.0, -1.0}, "set"),
    "object": (object(), "object"),
    "class": (torch.Tensor, "class"),
    "function": (torch.ones, "builtin_function"),
    "memory": (ModernHopfield(), "ModernHopfield"),
    "huge string": ("x" * 10_000, "'xxx"),
    "huge int": (10**5_000, "an int of"),
}
"""What is no tensor, and what a message should call it."""


def strange_tensors(*shape: int) -> dict[str, tuple[Tensor, type[HopfieldError], str]]:
    """Tensors of a good shape that no network can compute with: error, and what it shows."""
    good, wrong = torch.ones(shape), InputTypeError
    place = torch.zeros(len(shape), 1, dtype=torch.long)
    sparse = torch.sparse_coo_tensor(place, [1.0], shape, check_invariants=True)
    return {
        "int64": (good.long(), wrong, "int64"),
        "int8": (good.to(torch.int8), wrong, "int8"),
        "uint8": (good.to(torch.uint8), wrong, "uint8"),
        "bool tensor": (good.bool(), wrong, "bool"),
        "complex64": (good + 0j, wrong, "complex64"),
        "complex128": (good.double() + 0j, wrong, "complex128"),
        "float8": (good.to(torch.float8_e4m3fn), wrong, "float8_e4m3fn"),
        "quantised": (_quantised(good), wrong, "quint8"),
        "sparse": (sparse, wrong, "sparse"),
        "mkldnn": (good.to_mkldnn(), wrong, "mkldnn"),
        "nested": (
            torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged),
            wrong,
            "nested",
        ),
        "uninitialised": (nn.UninitializedParameter(), wrong, "uninitialised"),
        "meta": (good.to("meta"), DeviceError, "meta"),
    }


def _quantised(good: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch means to remove them; as yet it hands them out
        return torch.quantize_per_tensor(good, 0.1, 0, torch.quint8)


def not_finite(good: Tensor) -> dict[str, tuple[Tensor, type[HopfieldError], str]]:
    """The tensor with one entry that is no number."""
    found = {}
    for value, shown in ((torch.nan, "NaN"), (torch.inf, "infinity"), (-torch.inf, "infinity")):
        wrong = good.clone()
        wrong.view(-1)[-1] = value
        found[f"with {value}"] = (wrong, DomainError, shown)
    return found


def tensor_cases(
    argument: str, good: Tensor, call: Callable[[object], Callable[..., object]]
) -> list[Bad]:
    """Every wrong thing that can stand where a floating tensor like `good` belongs."""
    table = [
        Bad(f"{argument}: {name}", call(value), InputTypeError, (argument, shown))
        for name, (value, shown) in NOT_TENSORS.items()
    ]
    strange = strange_tensors(*good.shape) | not_finite(good)
    return table + [
        Bad(f"{argument}: {name}", call(value), error, (argument, shown))
        for name, (value, error, shown) in strange.items()
    ]


NOT_NUMBERS: dict[str, tuple[object, str]] = {
    "string": ("8", "'8'"),
    "bool": (True, "True"),
    "list": ([1.0], "list"),
    "complex": (1j, "complex"),
    "numpy array": (np.ones(3), "numpy.ndarray"),
    "dict": ({}, "dict"),
    "class": (float, "class"),
    "object": (object(), "object"),
    "huge string": ("8" * 10_000, "'888"),
}
"""What is no number, and what a message should call it."""


def number_cases(
    argument: str, call: Callable[[object], Callable[..., object]], *, low: float = 0.0
) -> list[Bad]:
    """Every wrong thing that can stand where a number ≥ low belongs."""
    table = [
        Bad(f"{argument}: {name}", call(value), InputTypeError, (argument, shown))
        for name, (value, shown) in NOT_NUMBERS.items()
    ]
    wrong = {"below": low - 0.5, "NaN": float("nan"), "minus infinity": float("-inf")}
    table += [
        Bad(f"{argument}: {name}", call(value), DomainError, (argument, repr(value)))
        for name, value in wrong.items()
    ]
    return [*table, Bad(f"{argument}: huge int", call(10**5_000), DomainError, (argument,))]


def whole_number_cases(
    argument: str, call: Callable[[object], Callable[..., object]], *, low: int = 0
) -> list[Bad]:
    """Every wrong thing that can stand where a whole number ≥ low belongs."""
    kinds = NOT_NUMBERS | {
        "float": (2.0, "2.0"),
        "NaN": (float("nan"), "nan"),
        "infinity": (float("inf"), "inf"),
        "tensor": (torch.ones(()), "tensor of shape ()"),
    }
    table = [
        Bad(f"{argument}: {name}", call(value), InputTypeError, (argument, shown))
        for name, (value, shown) in kinds.items()
    ]
    return [
        *table,
        Bad(f"{argument}: below", call(low - 1), DomainError, (argument, str(low - 1))),
        Bad(f"{argument}: huge and negative", call(-(10**5_000)), DomainError, (argument,)),
    ]
