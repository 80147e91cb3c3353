"""Every mistake in `store` is refused by a named error, and leaves the memory as it was."""

import pytest
import torch

from bad_inputs import (
    COUNT,
    DIM,
    EMPTY,
    NOT_TENSORS,
    PATTERNS,
    VALUES,
    Bad,
    cases,
    filled,
    judge_unchanged,
    signs,
    strange_tensors,
    tensor_cases,
)
from hopfield import ClassicalHopfield, DenseHopfield, ModernHopfield, Polynomial
from hopfield.errors import DeviceError, DomainError, InputTypeError, OptionError, ShapeError

KINDS = tuple(EMPTY)
FILLED = {kind: filled(kind) for kind in KINDS}
BINARY = ("classical", "dense")


def storing(patterns, values=VALUES):
    return lambda memory: memory.store(patterns, values)


ARGUMENT = tensor_cases("patterns", PATTERNS, storing)
SHAPES = [
    Bad(f"shape {tuple(shape)}", storing(torch.ones(shape)), ShapeError, (str(tuple(shape)), hint))
    for shape, hint in [
        ((), "(n, dim)"),
        ((DIM,), "patterns[None]"),
        ((0,), "(n, dim)"),
        ((2, 2, 2), "patterns.flatten(1)"),
        ((1, 1, 1, DIM), "patterns.flatten(1)"),
        ((0, DIM), "at least one"),
        ((COUNT, 0), "at least one"),
        ((0, 0), "at least one"),
    ]
]
LIKE_BEFORE = [
    Bad("transposed", storing(PATTERNS.T), ShapeError, ("(8, 3)", "did you mean patterns.T?")),
    Bad("too short", storing(signs(COUNT, 7)), ShapeError, ("dim=8", "(3, 7)", "Cut or pad")),
    Bad("too long", storing(signs(COUNT, 9)), ShapeError, ("dim=8", "(3, 9)", "Cut or pad")),
    Bad("expanded", storing(signs(COUNT, 1).expand(COUNT, 7)), ShapeError, ("(3, 7)",)),
    Bad("strided", storing(signs(COUNT, 10)[:, ::2]), ShapeError, ("(3, 5)",)),
    Bad(
        "other dtype",
        storing(PATTERNS.double()),
        InputTypeError,
        ("float64", "float32", "Use patterns.to(torch.float32)"),
    ),
    Bad("half", storing(PATTERNS.half()), InputTypeError, ("float16", "float32")),
    Bad("bfloat16", storing(PATTERNS.bfloat16()), InputTypeError, ("bfloat16", "float32")),
]
VALUED = [
    *[
        Bad(f"values: {name}", storing(PATTERNS, value), InputTypeError, ("values", shown))
        for name, (value, shown) in NOT_TENSORS.items()
        if value is not None
    ],
    *[
        Bad(f"values: {name}", storing(PATTERNS, value), error, ("values", shown))
        for name, (value, error, shown) in strange_tensors(COUNT, 2).items()
        if name in ("float8", "quantised", "sparse", "mkldnn", "nested", "uninitialised", "meta")
    ],
    Bad("values: single", storing(PATTERNS, torch.tensor(1.0)), ShapeError, ("3", "()")),
    Bad("values: too few", storing(PATTERNS, VALUES[:2]), ShapeError, ("3", "(2, 2)")),
    Bad("values: none", storing(PATTERNS, VALUES[:0]), ShapeError, ("3", "(0, 2)")),
    Bad("values: transposed", storing(PATTERNS, VALUES.T), ShapeError, ("mean values.T?",)),
    Bad(
        "values: with NaN",
        storing(PATTERNS, torch.full((COUNT, 2), torch.nan)),
        DomainError,
        ("values", "NaN"),
    ),
    Bad(
        "values: with inf",
        storing(PATTERNS, torch.full((COUNT, 2), torch.inf)),
        DomainError,
        ("values", "infinity"),
    ),
]
VALUES_LIKE_BEFORE = [
    Bad("values: not again", storing(PATTERNS, None), OptionError, ("values", "no values")),
    Bad("values: wider", storing(PATTERNS, torch.ones(COUNT, 3)), ShapeError, ("(n, 2)", "(3, 3)")),
    Bad("values: flat", storing(PATTERNS, torch.ones(COUNT)), ShapeError, ("(n, 2)", "(3,)")),
    Bad("values: other dtype", storing(PATTERNS, VALUES.double()), InputTypeError, ("float64",)),
    Bad("values: integers", storing(PATTERNS, VALUES.long()), InputTypeError, ("int64",)),
    Bad("values: of complex", storing(PATTERNS, VALUES + 0j), InputTypeError, ("complex64",)),
]
SIGNS = [
    Bad(
        "0/1 instead of ±1",
        storing((PATTERNS + 1) / 2),
        DomainError,
        ("contains 0", "2 * patterns - 1"),
    ),
    Bad("all zero", storing(torch.zeros(COUNT, DIM)), DomainError, ("contains 0",)),
    Bad("one half", storing(PATTERNS * 0.5), DomainError, ("0.5", "Binarise")),
    Bad("grey", storing(signs(COUNT, DIM) * 255), DomainError, ("255", "Binarise")),
    Bad("nearly 1", storing(PATTERNS * (1 + 1e-6)), DomainError, ("1.000001",)),
    Bad("ternary", storing(PATTERNS * signs(COUNT, DIM).clamp_min(0)), DomainError, ("0",)),
    Bad("noise", storing(PATTERNS + 0.1), DomainError, ("Binarise",)),
    Bad("tiny", storing(PATTERNS * 1e-30), DomainError, ("1e-30",)),
]
TOO_LARGE = [
    Bad("norm overflows", storing(PATTERNS * 1e30), DomainError, ("1e+30", "Scale", "float64")),
]


@pytest.mark.parametrize("kind", KINDS)
@cases(ARGUMENT, SHAPES, VALUED, at_least=40)
def test_nothing_bad_gets_into_an_empty_memory(kind, case):
    judge_unchanged(case, EMPTY[kind]())


@pytest.mark.parametrize("kind", KINDS)
@cases(ARGUMENT, SHAPES, VALUED, LIKE_BEFORE, VALUES_LIKE_BEFORE, at_least=40)
def test_nothing_bad_gets_into_a_filled_memory(kind, case):
    judge_unchanged(case, FILLED[kind])


@pytest.mark.parametrize("kind", BINARY)
@cases(SIGNS)
def test_binary_networks_store_signs_only(kind, case):
    judge_unchanged(case, FILLED[kind])
    judge_unchanged(case, EMPTY[kind]())


@cases(TOO_LARGE)
def test_modern_patterns_keep_finite_energies(case):
    judge_unchanged(case, FILLED["modern"])
    judge_unchanged(case, EMPTY["modern"]())


def test_float64_patterns_are_not_told_to_use_float64():
    memory = ModernHopfield()
    case = Bad("", storing(PATTERNS.double() * 1e200), DomainError, ("1e+200", "Scale"))
    judge_unchanged(case, memory)
    with pytest.raises(DomainError) as caught:
        memory.store(PATTERNS.double() * 1e200)
    assert "or use float64" not in str(caught.value)


def test_values_cannot_begin_later():
    memory = filled("modern", values=None)
    case = Bad("", storing(PATTERNS, VALUES), OptionError, ("values", "earlier"))
    judge_unchanged(case, memory)


def test_patterns_of_another_device():
    case = Bad("", storing(PATTERNS.to("meta"), None), DeviceError, ("patterns", "meta"))
    judge_unchanged(case, filled("modern", values=None))


def test_thresholds_decide_the_length():
    memory = ClassicalHopfield(thresholds=torch.zeros(5))
    case = Bad("", storing(PATTERNS, None), ShapeError, ("5", "(3, 8)", "threshold"))
    judge_unchanged(case, memory)


@pytest.mark.parametrize("degree", [50, 400, 10**6, 2**63 - 1])
def test_energies_that_overflow_are_refused(degree):
    memory = DenseHopfield(separation=Polynomial(degree))
    shows = ("degree", "Use a lower degree", "Softmax")
    judge_unchanged(Bad("", storing(PATTERNS, None), DomainError, shows), memory)
    if degree > 50:
        judge_unchanged(Bad("", storing(PATTERNS.double(), None), DomainError, shows), memory)


def test_a_refused_warning_stores_nothing():
    """`CapacityWarning` made an error, as in these tests, leaves the memory as it was."""
    memory = ClassicalHopfield("hebbian")
    memory.store(PATTERNS[:1])
    with pytest.raises(UserWarning, match=r"exceed the capacity"):
        memory.store(PATTERNS)
    assert len(memory) == 1
