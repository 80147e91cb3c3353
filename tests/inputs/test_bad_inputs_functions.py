"""Every argument of similarities, energies, rules and sweeps goes through its check."""

from functools import partial

import pytest
import torch

from bad_inputs import COUNT, DIM, PATTERNS, Bad, cases, filled, judge, signs, tensor_cases
from hopfield import energy, rules, similarity, units
from hopfield.errors import DeviceError, DomainError, InputTypeError, OptionError, ShapeError
from hopfield.similarity import SIMILARITIES

STATE = signs(4, DIM, seed=2)
KNOWN = torch.arange(DIM) < 5
MATRIX = rules.hebbian(PATTERNS)
NOT_SQUARE = [(torch.ones(DIM, 4), "(8, 4)"), (torch.ones(2, DIM, DIM), "(2, 8, 8)")]


def scoring(position, value):
    """Return the call of any similarity with `value` in that position."""
    arguments = [PATTERNS, STATE, None]
    arguments[position] = value
    return lambda name: getattr(similarity, name)(*arguments)


def learning(value, diagonal=False):
    """Return the call of any rule."""
    return lambda name: getattr(rules, name)(value, diagonal)


def with_state(value):
    return lambda: energy.classical(value, MATRIX)


def with_coupling(value):
    return lambda: energy.classical(STATE, value)


SCORES = [
    *tensor_cases("patterns", PATTERNS, partial(scoring, 0)),
    *tensor_cases("state", STATE, partial(scoring, 1)),
    Bad(
        "patterns: images", scoring(0, torch.ones(2, 2, DIM)), ShapeError, ("patterns.flatten(1)",)
    ),
    Bad("patterns turned", scoring(0, PATTERNS.T), ShapeError, ("dim=3", "(4, 8)")),
    Bad("patterns too large", scoring(0, PATTERNS * 1e30), DomainError, ("1e+30", "Scale")),
    Bad("state turned", scoring(1, STATE.T), ShapeError, ("dim=8", "did you mean state.T?")),
    Bad("state too large", scoring(1, STATE * 1e30), DomainError, ("1e+30", "Scale")),
    Bad("known: a list", scoring(2, KNOWN.tolist()), InputTypeError, ("known", "list")),
    Bad("known: floats", scoring(2, KNOWN.float()), InputTypeError, ("known", "float32")),
    Bad("known: of others", scoring(2, KNOWN.expand(3, DIM)), ShapeError, ("known", "(3, 8)")),
    Bad("known: elsewhere", scoring(2, KNOWN.to("meta")), DeviceError, ("known", "meta")),
]


@pytest.mark.parametrize("name", SIMILARITIES)
@cases(SCORES)
def test_similarities_refuse(name, case):
    judge(case, name)


ENERGIES = [
    # whether a state is finite is the caller's business
    *tensor_cases("state", STATE, with_state, finite=False),
    *tensor_cases("coupling", MATRIX, with_coupling),
    *[
        Bad(f"coupling {shown}", with_coupling(matrix), ShapeError, ("(dim, dim)", shown))
        for matrix, shown in NOT_SQUARE
    ],
    Bad("state turned", with_state(STATE.T), ShapeError, ("did you mean state.T?",)),
    Bad("thresholds short", lambda: energy.classical(STATE, MATRIX, torch.ones(5)), ShapeError,
        ("thresholds", "(8,)", "(5,)")),
    Bad("thresholds as number", lambda: energy.classical(STATE, MATRIX, 0.5), InputTypeError,
        ("thresholds", "0.5")),
    Bad("dense of a list", lambda: energy.dense([1.0]), InputTypeError, ("potential", "list")),
    Bad("dense of integers", lambda: energy.dense(torch.arange(3)), InputTypeError,
        ("potential", "int64")),
    Bad("scores as potential", lambda: energy.modern(STATE, torch.ones(4, COUNT)), ShapeError,
        ("potential", "(4,)", "(4, 3)", "separation.potential(scores)")),
    Bad("a number as potential", lambda: energy.modern(STATE, 1.0), InputTypeError,
        ("potential", "1.0")),
    Bad("a list as state", lambda: energy.modern([1.0], torch.ones(())), InputTypeError,
        ("state", "list")),
    Bad("similarity", lambda: energy.modern(STATE, torch.ones(4), 1.0, "euclidian"), OptionError,
        ("similarity", "Did you mean 'euclidean'?")),
    Bad("M < 0", lambda: energy.modern(STATE, torch.ones(4), -1.0), DomainError,
        ("largest_norm", "-1.0")),
    Bad("M of a word", lambda: energy.modern(STATE, torch.ones(4), "1"), InputTypeError,
        ("largest_norm", "'1'")),
    Bad("M of each pattern", lambda: energy.modern(STATE, torch.ones(4), torch.ones(COUNT)),
        ShapeError, ("largest_norm", "(3,)", "largest_norm.max()")),
    Bad("known of numbers", lambda: energy.modern(STATE, torch.ones(4), 1.0, known=STATE),
        InputTypeError, ("known", "float32")),
    Bad("known of others", lambda: energy.modern(STATE, torch.ones(4), known=STATE[:3] > 0),
        ShapeError, ("known", "(3, 8)")),
]  # fmt: skip


@cases(ENERGIES)
def test_energies_refuse(case):
    judge(case)


LEARNING = [
    *tensor_cases("patterns", PATTERNS, learning),
    Bad("a vector", learning(PATTERNS[0]), ShapeError, ("(8,)", "patterns[None]")),
    Bad("no rows", learning(PATTERNS[:0]), ShapeError, ("(0, 8)", "at least one")),
    Bad("diagonal", learning(PATTERNS, 1), InputTypeError, ("diagonal", "1")),
]


@pytest.mark.parametrize("name", [*rules.LOW_RANK, "storkey"])
@cases(LEARNING)
def test_rules_refuse(name, case):
    judge(case, name)


def starting(value):
    return lambda: rules.storkey(PATTERNS, start=value)


STARTS = [
    *tensor_cases("start", MATRIX, starting),
    *[
        Bad(f"start {shown}", starting(matrix), ShapeError, ("start", shown))
        for matrix, shown in [*NOT_SQUARE, (torch.ones(5, 5), "(5, 5)")]
    ],
    Bad("a mistyped rule", lambda: rules.coupling("hebian", PATTERNS, False), OptionError,
        ("rule", "Did you mean 'hebbian'?")),
]  # fmt: skip


@cases(STARTS)
def test_storkey_s_start_is_a_coupling(case):
    judge(case)


def sweeping(coupling, state=STATE, order=None, **options):
    return lambda: units.classical_sweep(coupling, state, order, **options)


SWEEPS = [
    *tensor_cases("coupling", MATRIX, sweeping),
    *tensor_cases("thresholds", torch.ones(DIM), lambda value: sweeping(MATRIX, thresholds=value)),
    Bad("thresholds short", sweeping(MATRIX, thresholds=torch.ones(5)), ShapeError,
        ("thresholds", "(8,)", "(5,)")),
    Bad("held of numbers", sweeping(MATRIX, held=STATE), ShapeError, ("held", "bool", "float32")),
    Bad("held of one", sweeping(MATRIX, held=STATE[0] > 0), ShapeError, ("held", "(4, 8)", "(8,)")),
    Bad("held of a list", sweeping(MATRIX, held=[True]), InputTypeError, ("held", "list")),
    Bad("one state", sweeping(MATRIX, STATE[0]), ShapeError, ("state", "(8,)", "state[None]")),
    Bad("T = 0", sweeping(MATRIX, thermal=(0.0, STATE.double() * 0.3)),
        DomainError, ("temperature", "0")),
    Bad("noise of one", sweeping(MATRIX, thermal=(1.0, STATE[0].double() * 0.3)),
        ShapeError, ("noise", "(4, 8)", "(8,)")),
    *tensor_cases("state", STATE, lambda value: sweeping(MATRIX, value)),
    *[
        Bad(f"coupling {shown}", sweeping(matrix), ShapeError, ("(dim, dim)", shown))
        for matrix, shown in NOT_SQUARE
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
    Bad("a memory", sweeping(filled("classical")), InputTypeError, ("Use memory.coupling",)),
    Bad("grey", sweeping(MATRIX, STATE * 0.5), DomainError, ("state", "0.5")),
    Bad("short", sweeping(MATRIX, STATE[:, :5]), ShapeError, ("dim=8", "(4, 5)")),
    Bad("not symmetric", sweeping(MATRIX + torch.ones(DIM, DIM).triu(1)), DomainError,
        ("coupling must be symmetric", "use symmetric=False")),
    Bad("symmetric = 1", sweeping(MATRIX, symmetric=1), InputTypeError, ("symmetric", "1")),
]  # fmt: skip


@cases(SWEEPS)
def test_sweeps_refuse(case):
    judge(case)
