"""Every mistake in the pure functions (similarity, energy, rules, units) is refused by name."""

from functools import partial

import pytest
import torch

from bad_inputs import (
    COUNT,
    DIM,
    NOT_TENSORS,
    PATTERNS,
    Bad,
    cases,
    filled,
    judge,
    signs,
    tensor_cases,
)
from hopfield import energy, rules, similarity, units
from hopfield.errors import DeviceError, DomainError, InputTypeError, OptionError, ShapeError
from hopfield.similarity import SIMILARITIES

STATE = signs(4, DIM, seed=2)
KNOWN = torch.arange(DIM) < 5
MATRIX = rules.hebbian(PATTERNS)
FLAGS = [("yes", "'yes'"), (1, "1"), (None, "None"), (0.0, "0.0"), (torch.tensor(True), "tensor")]


def scoring(position, value):
    """The call of any similarity with `value` in that position."""
    arguments = [PATTERNS, STATE, None]
    arguments[position] = value
    return lambda name: getattr(similarity, name)(*arguments)


def applying(value):
    """A rule on `value`."""
    return lambda name: getattr(rules, name)(value)


def with_state(value):
    return lambda: energy.classical(value, MATRIX)


def with_coupling(value):
    return lambda: energy.classical(STATE, value)


SCORES = [
    *tensor_cases("patterns", PATTERNS, partial(scoring, 0)),
    *tensor_cases("state", STATE, partial(scoring, 1)),
    *[
        Bad(f"patterns {shape}", scoring(0, torch.ones(shape)), ShapeError, (str(shape), hint))
        for shape, hint in [
            ((), "(n, dim)"),
            ((DIM,), "patterns[None]"),
            ((2, 2, DIM), "patterns.flatten(1)"),
            ((0, DIM), "at least one"),
            ((COUNT, 0), "at least one"),
        ]
    ],
    Bad("patterns turned", scoring(0, PATTERNS.T), ShapeError, ("dim=3", "(4, 8)")),
    Bad("state turned", scoring(1, STATE.T), ShapeError, ("dim=8", "did you mean state.T?")),
    Bad("state short", scoring(1, STATE[:, :5]), ShapeError, ("dim=8", "Cut or pad")),
    Bad("state of no axes", scoring(1, torch.tensor(1.0)), ShapeError, ("dim=8", "()")),
    Bad("patterns too large", scoring(0, PATTERNS * 1e30), DomainError, ("1e+30", "Scale")),
    Bad("state too large", scoring(1, STATE * 1e30), DomainError, ("1e+30", "Scale")),
    Bad("known of floats", scoring(2, KNOWN.float()), InputTypeError, ("known", "float32")),
    Bad("known short", scoring(2, KNOWN[:5]), ShapeError, ("known", "(4, 8)", "(5,)")),
    Bad("known of others", scoring(2, KNOWN.expand(3, DIM)), ShapeError, ("known", "(3, 8)")),
    Bad("known elsewhere", scoring(2, KNOWN.to("meta")), DeviceError, ("known", "meta")),
    *[
        Bad(f"known: {name}", scoring(2, value), InputTypeError, ("known", shown))
        for name, (value, shown) in NOT_TENSORS.items()
        if value is not None
    ],
]


@pytest.mark.parametrize("name", SIMILARITIES)
@cases(SCORES, at_least=40)
def test_similarities_refuse(name, case):
    judge(case, name)


COUPLINGS = [
    (torch.ones(()), "()"),
    (torch.ones(DIM), "(8,)"),
    (torch.ones(DIM, 4), "(8, 4)"),
    (torch.ones(2, DIM, DIM), "(2, 8, 8)"),
]
ENERGIES = [
    *[
        case
        for case in tensor_cases("state", STATE, with_state)
        if not case.name.startswith("state: with")  # what is finite is the caller's business
    ],
    *tensor_cases("coupling", MATRIX, with_coupling),
    *[
        Bad(f"coupling {shown}", with_coupling(matrix), ShapeError, ("(dim, dim)", shown))
        for matrix, shown in COUPLINGS
    ],
    Bad("state short", with_state(STATE[:, :5]), ShapeError, ("dim=8", "(4, 5)")),
    Bad("state turned", with_state(STATE.T), ShapeError, ("did you mean state.T?",)),
    Bad(
        "thresholds short",
        lambda: energy.classical(STATE, MATRIX, torch.ones(5)),
        ShapeError,
        ("thresholds", "(8,)", "(5,)"),
    ),
    Bad(
        "thresholds as number",
        lambda: energy.classical(STATE, MATRIX, 0.5),
        InputTypeError,
        ("thresholds", "0.5"),
    ),
    Bad("dense of a list", lambda: energy.dense([1.0]), InputTypeError, ("potential", "list")),
    Bad("dense of None", lambda: energy.dense(None), InputTypeError, ("potential", "None")),
    Bad(
        "dense of integers",
        lambda: energy.dense(torch.arange(3)),
        InputTypeError,
        ("potential", "int64"),
    ),
    Bad(
        "scores as potential",
        lambda: energy.modern(STATE, torch.ones(4, COUNT)),
        ShapeError,
        ("potential", "(4,)", "(4, 3)", "separation.potential(scores)"),
    ),
    Bad(
        "a number as potential",
        lambda: energy.modern(STATE, 1.0),
        InputTypeError,
        ("potential", "1.0"),
    ),
    Bad(
        "a list as state",
        lambda: energy.modern([1.0], torch.ones(())),
        InputTypeError,
        ("state", "list"),
    ),
    Bad(
        "a mistyped similarity",
        lambda: energy.modern(STATE, torch.ones(4), 1.0, "euclidian"),
        OptionError,
        ("similarity", "Did you mean 'euclidean'?"),
    ),
]


@cases(ENERGIES, at_least=40)
def test_energies_refuse(case):
    judge(case)


LEARNING = [
    *tensor_cases("patterns", PATTERNS, applying),
    *[
        Bad(f"patterns {shape}", applying(torch.ones(shape)), ShapeError, (str(shape), hint))
        for shape, hint in [
            ((), "(n, dim)"),
            ((DIM,), "patterns[None]"),
            ((2, 2, DIM), "patterns.flatten(1)"),
            ((0, DIM), "at least one"),
            ((COUNT, 0), "at least one"),
        ]
    ],
    *[
        Bad(
            f"diagonal {shown}",
            lambda name, value=value: getattr(rules, name)(PATTERNS, value),
            InputTypeError,
            ("diagonal", shown),
        )
        for value, shown in FLAGS
    ],
]


@pytest.mark.parametrize("name", rules.RULES)
@cases(LEARNING, at_least=40)
def test_rules_refuse(name, case):
    judge(case, name)


STARTS = [
    *[
        case
        for case in tensor_cases(
            "start", MATRIX, lambda value: lambda: rules.storkey(PATTERNS, start=value)
        )
        if case.name != "start: None"
    ],
    *[
        Bad(
            f"start {shown}",
            lambda matrix=matrix: rules.storkey(PATTERNS, start=matrix),
            ShapeError,
            ("start", shown),
        )
        for matrix, shown in [*COUPLINGS, (torch.ones(5, 5), "(5, 5)")]
    ],
    Bad(
        "a mistyped rule",
        lambda: rules.coupling("hebian", PATTERNS, False),
        OptionError,
        ("rule", "Did you mean 'hebbian'?"),
    ),
]


@cases(STARTS)
def test_storkey_s_start_is_a_coupling(case):
    judge(case)


def sweeping(coupling, state=STATE, order=None):
    return lambda: units.classical_sweep(coupling, state, order)


SWEEPS = [
    *tensor_cases("coupling", MATRIX, sweeping),
    *tensor_cases("state", STATE, lambda value: sweeping(MATRIX, value)),
    *[
        Bad(f"coupling {shown}", sweeping(matrix), ShapeError, ("(dim, dim)", shown))
        for matrix, shown in COUPLINGS
    ],
    *[
        Bad(f"order {name}", sweeping(MATRIX, order=order), error, ("order", shown))
        for name, order, error, shown in [
            ("list", [0, 1], InputTypeError, "list"),
            ("of floats", torch.ones(3), InputTypeError, "float32"),
            ("of a batch", torch.ones(2, 3).long(), InputTypeError, "(2, 3)"),
            ("too far", torch.tensor([0, DIM]), DomainError, "0 to 7"),
            ("negative", torch.tensor([-1, 0]), DomainError, "from -1"),
        ]
    ],
    Bad("a memory", sweeping(filled("classical")), InputTypeError, ("Give memory.coupling",)),
    Bad("grey", sweeping(MATRIX, STATE * 0.5), DomainError, ("state", "0.5")),
    Bad("short", sweeping(MATRIX, STATE[:, :5]), ShapeError, ("dim=8", "(4, 5)")),
    Bad(
        "not symmetric",
        sweeping(MATRIX + torch.ones(DIM, DIM).triu(1)),
        DomainError,
        ("coupling must be symmetric", "(coupling + coupling.T) / 2"),
    ),
]


@cases(SWEEPS, at_least=40)
def test_sweeps_refuse(case):
    judge(case)
