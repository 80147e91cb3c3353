"""Strange arguments for tests of bad inputs, and the rule by which messages are judged."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from draws import signs
from hopfield import ClassicalHopfield, DenseHopfield, HopfieldError, Memory, ModernHopfield
from hopfield.errors import DomainError, InputTypeError
from shapes import Switch

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


class Bad(NamedTuple):
    """A call that must fail, the error it must raise, and texts that its message must show."""

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


def by_kind(*tables: list[Bad], kinds: tuple[str, ...] = tuple(EMPTY)):
    """Parametrise a test by every case, each on one kind of memory in turn.

    `store`, `retrieve` and their like are written once, in the base of all memories.
    """
    every = [case for table in tables for case in table]
    names = [case.name for case in every]
    assert len(set(names)) == len(names), f"twice: {[n for n in names if names.count(n) > 1]}"
    pairs = [(kinds[i % len(kinds)], case) for i, case in enumerate(every)]
    return pytest.mark.parametrize(("kind", "case"), pairs, ids=names)


@contextmanager
def as_users_see_it() -> Iterator[None]:
    """Switch off the shape checks of the tests, which would raise before the library does."""
    before, Switch.on = Switch.on, False
    try:
        yield
    finally:
        Switch.on = before


def judge(case: Bad, *arguments: object) -> None:
    """Check that the call fails with the right class and says what was expected and what came."""
    with as_users_see_it(), pytest.raises(HopfieldError) as caught:
        case.call(*arguments)
    message = str(caught.value)
    assert type(caught.value) is case.error, message
    assert isinstance(caught.value, ValueError)
    assert EXPECTED.search(message), f"does not say what was expected: {message}"
    for shown in case.shows:
        assert shown in message, f"does not show {shown!r}: {message}"
    assert not JARGON.search(message), f"jargon: {message}"
    short = re.sub(r"/\S+", "/path", message)
    assert message.count("\n") < 3 and len(short) < 400, f"too long: {message}"
    assert message == message.strip() and message[-1] in ".?", f"no sentence: {message}"


PATTERNS = signs(COUNT, DIM, seed=1)
VALUES = torch.arange(COUNT * 2.0).reshape(COUNT, 2)
CUE = PATTERNS[0] * torch.tensor([-1.0] + [1.0] * (DIM - 1))


def filled(kind: str, values: Tensor | None = VALUES) -> Memory:
    memory = EMPTY[kind]()
    memory.store(PATTERNS, values)
    return memory


def photograph(memory: Memory) -> dict[str, object]:
    """Collect everything that a failed call must leave unchanged."""
    picture: dict[str, object] = {"repr": repr(memory), "len": len(memory)}
    if len(memory):
        retrieval = memory.retrieve(CUE.to(memory.patterns.dtype))
        picture |= {"patterns": memory.patterns.clone(), "values": memory.values}
        picture |= {"state": retrieval.state, "energy": retrieval.energy, "value": retrieval.value}
        picture |= {"version": memory.storage.version}
    return picture


def judge_unchanged(case: Bad, memory: Memory) -> None:
    """Check as `judge` does, and that the memory is unchanged."""
    before = photograph(memory)
    judge(case, memory)
    after = photograph(memory)
    assert before.keys() == after.keys()
    for name, old in before.items():
        new = after[name]
        same = torch.equal(old, new) if isinstance(old, Tensor) else old == new
        assert same, f"{name} changed"


def tensor_cases(
    argument: str,
    good: Tensor,
    call: Callable[[object], Callable[..., object]],
    *,
    finite: bool = True,
) -> list[Bad]:
    """One case per check that a floating tensor like `good` passes; its table is in test_checks."""
    table = [
        Bad(f"{argument}: a set", call({1.0}), InputTypeError, (argument, "set")),
        Bad(f"{argument}: int64", call(good.long()), InputTypeError, (argument, "int64")),
    ]
    nan = good.clone()
    nan.view(-1)[-1] = torch.nan
    return [*table, Bad(f"{argument}: NaN", call(nan), DomainError, (argument, "NaN"))][
        : 2 + finite
    ]


def number_cases(
    argument: str, call: Callable[[object], Callable[..., object]], *, low: float = 0.0
) -> list[Bad]:
    """One case per check of a number ≥ low."""
    below = low - 0.5
    return [
        Bad(f"{argument}: a string", call("8"), InputTypeError, (argument, "'8'")),
        Bad(f"{argument}: below", call(below), DomainError, (argument, repr(below))),
    ]


def whole_number_cases(
    argument: str, call: Callable[[object], Callable[..., object]], *, low: int = 0
) -> list[Bad]:
    """One case per check of a whole number ≥ low."""
    return [
        Bad(f"{argument}: a float", call(2.0), InputTypeError, (argument, "2.0")),
        Bad(f"{argument}: below", call(low - 1), DomainError, (argument, str(low - 1))),
    ]
