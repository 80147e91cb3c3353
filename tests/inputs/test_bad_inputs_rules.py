"""Rules that are refused, and functions whose results are."""

import functools

import torch

from bad_inputs import Bad, cases, judge
from hopfield import ClassicalHopfield, rules
from hopfield.errors import DeviceError, DomainError, InputTypeError, OptionError, ShapeError
from hopfield.rules import Perceptron

ROWS = torch.tensor([[1.0, -1, 1], [1, 1, -1]])
W = torch.tensor([[0.0, 1.0, -2.0], [1.0, 0.0, 0.5], [-2.0, 0.5, 0.0]])
DIRECTED = W + torch.eye(3)[[1, 2, 0]]


def making(rule):
    return lambda: ClassicalHopfield(rule)


def learning(*result):
    """Learn by a function that returns this."""

    def call():
        memory = ClassicalHopfield(lambda _: result if len(result) > 1 else result[0])
        memory.store(ROWS)
        return memory.retrieve(ROWS)

    return call


def oddly_declared(patterns):
    return W


oddly_declared.symmetric = "no"

CASES = [
    Bad("a typo", making("perceptorn"), OptionError, ("rule", "'perceptron'")),
    Bad("a class", making(Perceptron), InputTypeError, ("class", "Use rule=Perceptron()")),
    Bad("a matrix", making(W), OptionError, ("rule must be one of", "tensor", "from_coupling(W)")),
    Bad("a list", making(W.tolist()), OptionError, ("rule must be one of", "from_coupling(W)")),
    Bad("kappa", lambda: Perceptron(kappa=0.5), OptionError, ("'kappa'", "κ is margin=")),
    Bad("an option", lambda: Perceptron(0.5, sweeps=9), OptionError, ("'sweeps'", "passes")),
    Bad("declared by a word", making(oddly_declared), InputTypeError, ("rule.symmetric", "'no'")),
    Bad("margin < 0", lambda: Perceptron(-1), DomainError, ("margin", "-1")),
    Bad("margin: text", lambda: Perceptron("large"), InputTypeError, ("margin", "'large'")),
    Bad("no passes", lambda: Perceptron(passes=0), DomainError, ("passes", "0")),
    Bad("symmetric: 1", lambda: Perceptron(symmetric=1), InputTypeError, ("symmetric", "1")),
    Bad("patterns: a list", lambda: Perceptron()([[1, -1]]), InputTypeError, ("patterns", "list")),
    Bad("patterns: grey", lambda: Perceptron()(ROWS / 2), DomainError, ("patterns", "±1")),
    Bad("nothing", learning(None), InputTypeError, ("rule(patterns)", "None")),
    Bad("a NumPy array", learning(W.numpy()), InputTypeError, ("rule(patterns)", "ndarray")),
    Bad("a row", learning(W[0]), ShapeError, ("(3, 3)", "(3,)")),
    Bad("another size", learning(torch.eye(4)), ShapeError, ("(3, 3)", "(4, 4)")),
    Bad("whole numbers", learning(W.long()), InputTypeError, ("rule(patterns)", "int64")),
    Bad("NaN", learning(W * torch.nan), DomainError, ("rule(patterns)", "NaN")),
    Bad("meta", learning(W.to("meta")), DeviceError, ("rule(patterns)", "meta")),
    Bad("two directions", learning(DIRECTED), DomainError,
        ("must be symmetric", "rule.symmetric = False")),
    Bad("three results", learning(W, W[0], W[0]), InputTypeError, ("rule(patterns)", "tuple")),
    Bad("thresholds short", learning(W, W[0, :2]), ShapeError, ("thresholds", "(3,)", "(2,)")),
    Bad("thresholds NaN", learning(W, W[0] * torch.nan), DomainError, ("thresholds", "NaN")),
    Bad("covariance_thresholds: grey", lambda: rules.covariance_thresholds(ROWS / 2), DomainError,
        ("patterns", "0.5")),
    Bad("covariance_thresholds: prior", lambda: rules.covariance_thresholds(ROWS, torch.ones(3)),
        ShapeError, ("prior", "(3,)")),
]  # fmt: skip


@cases(CASES)
def test_a_rule_is_refused(case):
    judge(case)


def test_a_partial_function_is_a_rule():
    def scaled(patterns, scale):
        return scale * rules.hebbian(patterns)

    memory = ClassicalHopfield(functools.partial(scaled, scale=3.0))
    memory.store(ROWS)
    torch.testing.assert_close(memory.coupling, 3 * rules.hebbian(ROWS))
