"""SequenceHopfield refuses arguments that it cannot use, and stays as it was."""

from functools import partial

import pytest
import torch

from bad_inputs import (
    COUNT,
    CUE,
    DIM,
    PATTERNS,
    Bad,
    cases,
    judge,
    judge_unchanged,
    number_cases,
    tensor_cases,
    whole_number_cases,
)
from hopfield import Polynomial, SequenceHopfield, Softmax
from hopfield.errors import (
    DeviceError,
    DomainError,
    EmptyMemoryError,
    InputTypeError,
    OptionError,
    ShapeError,
)

FOLLOWING = PATTERNS.roll(-1, 0)


def making(option):
    return lambda value: partial(SequenceHopfield, **{option: value})


def storing(values, patterns=PATTERNS):
    return lambda memory: memory.store(patterns, values)


def rolling(cue=CUE, steps=3, *known, **options):
    return lambda memory: memory.roll(cue, steps, *known, **options)


def option(name):
    return lambda value: rolling(**{name: value})


def filled(**options):
    memory = SequenceHopfield(Polynomial(3), **options)
    memory.store(PATTERNS)
    return memory


CONSTRUCTOR = [
    Bad("rule: typo", making("rule")("pseudoinverse"), OptionError,
        ("rule", "Did you mean 'pseudo_inverse'?")),
    Bad("cyclic: 1", making("cyclic")(1), InputTypeError, ("cyclic", "1")),
    *number_cases("stability", making("stability")),
    *number_cases("temperature", making("temperature")),
    Bad("temperature: infinity", making("temperature")(float("inf")), DomainError,
        ("temperature", "inf")),
    Bad("separation: a number", partial(SequenceHopfield, 2.0), InputTypeError,
        ("separation", "2.0")),
    Bad("separation: a class", partial(SequenceHopfield, Softmax), InputTypeError,
        ("separation", "Softmax()")),
    Bad("β per query", partial(SequenceHopfield, Softmax(torch.ones(4))), OptionError, ("(4,)",)),
    Bad("store: a list", making("store")([]), InputTypeError, ("store", "list")),
    Bad("delay belongs to roll", making("delay")(3), OptionError, ("delay",)),
]  # fmt: skip
VALUES = [
    *tensor_cases("values", FOLLOWING, storing),
    Bad("values: too few", storing(FOLLOWING[:2]), ShapeError, ("values", "(2, 8)")),
    Bad("values: grey", storing(FOLLOWING / 2), DomainError, ("values", "0.5")),
    Bad("values: meta", storing(FOLLOWING.to("meta")), DeviceError, ("values", "meta")),
    Bad("patterns: grey", storing(None, PATTERNS / 2), DomainError, ("patterns", "0.5")),
    Bad("patterns: none", storing(None, PATTERNS[:0]), ShapeError, ("at least one",)),
    Bad("patterns: a vector", storing(None, CUE), ShapeError, ("(n, dim)",)),
]  # fmt: skip
FIRST = [
    Bad("values: strings", storing(["a", "b", "c"]), InputTypeError, ("strings", "names=")),
    Bad("values: numbers", storing(torch.arange(3.0)), ShapeError, ("rows that follow", "(3,)")),
    Bad("values: too short", storing(FOLLOWING[:, :5]), ShapeError, ("(3, 8)", "(3, 5)")),
]
ROLLS = [
    *tensor_cases("cue", CUE, rolling),
    Bad("cue: too short", rolling(CUE[:5]), ShapeError, ("dim=8", "(5,)")),
    Bad("cue: grey", rolling(CUE / 2), DomainError, ("cue", "0.5")),
    Bad("cue: 0 where known", rolling(CUE * 0, 3, CUE < 9), DomainError, ("cue",)),
    Bad("known: floats", rolling(CUE, 3, CUE), InputTypeError, ("known", "float32")),
    *whole_number_cases("steps", option("steps"), low=1),
    *whole_number_cases("delay", option("delay"), low=1),
    Bad("overlaps: 1", option("overlaps")(1), InputTypeError, ("overlaps", "1")),
    Bad("generator: a seed", option("generator")(0), InputTypeError, ("generator", "0")),
    Bad("max_steps", option("max_steps")(5), OptionError, ("Use steps=.",)),
]


@cases(CONSTRUCTOR)
def test_constructors_refuse(case):
    judge(case)


@cases(VALUES, FIRST)
def test_empty_memories_refuse(case):
    judge_unchanged(case, SequenceHopfield())


@cases(VALUES)
def test_filled_memories_refuse(case):
    judge_unchanged(case, filled())


@cases(ROLLS)
def test_rolls_refuse(case):
    judge_unchanged(case, filled())


def test_an_empty_memory_has_nothing_to_roll():
    judge(Bad("", rolling(), EmptyMemoryError, ("store(patterns)",)), SequenceHopfield())


@pytest.mark.parametrize("degree", [400, 10**6])
def test_weights_that_overflow_are_refused(degree):
    memory = SequenceHopfield(Polynomial(degree))
    judge_unchanged(Bad("", storing(None), DomainError, ("degree", "fields", "Softmax")), memory)


def test_large_degrees_below_that_are_right():
    assert PATTERNS.shape == (COUNT, DIM)
    memory = SequenceHopfield(Polynomial(250), cyclic=True)
    memory.store(PATTERNS)
    assert torch.equal(memory.update(PATTERNS), FOLLOWING)


def test_energies_are_refused_with_the_reason():
    case = Bad("", lambda memory: memory.energy(CUE), OptionError, ("each step leads to another",))
    with pytest.raises(OptionError, match=r"has no energy: each step leads to another"):
        case.call(filled())
