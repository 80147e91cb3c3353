"""Every argument of a constructor goes through its check, before there is a memory."""

from functools import partial

import pytest
import torch

from bad_inputs import Bad, cases, judge, number_cases, tensor_cases, whole_number_cases
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    Entmax,
    ModernHopfield,
    Polynomial,
    RectifiedPolynomial,
    Softmax,
    Sparsemax,
    TopK,
)
from hopfield.errors import DeviceError, DomainError, InputTypeError, OptionError, ShapeError

CHOICES = [
    (ClassicalHopfield, "rule", "hebian", "hebbian"),
    (ClassicalHopfield, "schedule", "async", "asynchronous"),
    (DenseHopfield, "schedule", "asynchron", "asynchronous"),
    (ModernHopfield, "similarity", "euclidian", "euclidean"),
    (ModernHopfield, "precision", "certfied", "certified"),
]


def calling(make, option):
    """Return argument → the call make(option=argument)."""
    return lambda value: partial(make, **{option: value})


def named(prefix, table):
    return [case._replace(name=f"{prefix} {case.name}") for case in table]


def parameter_cases(make, option, low=0.0):
    """One case per check of β or α, numbers or tensors."""
    call = calling(make, option)
    negative = torch.tensor([2.0, 3.0, -4.0])
    return named(
        make.__name__,
        [
            *number_cases(option, call, low=low),
            Bad(f"{option} of integers", call(torch.tensor(8)), InputTypeError, (option, "int64")),
            Bad(f"{option} one negative", call(negative), DomainError, (option, "-4")),
        ],
    )


def separation_cases(make):
    """Values that are no separation, and both ways of naming one."""
    call = calling(make, "separation")
    wrong = {
        "a name": ("sparsemax", InputTypeError, ("separation", "'sparsemax'", "Sparsemax()")),
        "a typo": ("TopKK", InputTypeError, ("separation", "'TopKK'", "TopK()")),
        "a class": (Softmax, InputTypeError, ("separation", "class Softmax", "Softmax()")),
        "a number": (8.0, InputTypeError, ("separation", "8.0", "Softmax, Sparsemax, Entmax")),
        "a function": (torch.softmax, InputTypeError, ("separation", "function")),
        "β per query": (Softmax(torch.ones(4)), OptionError, ("beta", "(4,)")),
    }
    both = partial(make, 0.0, separation=Softmax(2.0))
    table = [Bad(name, call(value), error, shown) for name, (value, error, shown) in wrong.items()]
    return named(make.__name__, [*table, Bad("both", both, OptionError, ("both",))])


THRESHOLDS = calling(ClassicalHopfield, "thresholds")
CLASSICAL = [
    Bad("diagonal: 1", lambda: ClassicalHopfield(diagonal=1), InputTypeError, ("diagonal", "1")),
    *number_cases("temperature", calling(ClassicalHopfield, "temperature")),
    Bad("temperature: infinity", lambda: ClassicalHopfield(temperature=float("inf")), DomainError,
        ("temperature", "finite and at least 0", "inf")),
    *tensor_cases("thresholds", torch.zeros(8), THRESHOLDS),
    *[
        Bad(f"thresholds {shape}", THRESHOLDS(torch.zeros(shape)), ShapeError,
            ("thresholds", "(dim,)", str(shape)))
        for shape in [(), (1, 8)]
    ],
    Bad("thresholds: huge", THRESHOLDS(torch.full((8,), 3e38)), DomainError,
        ("thresholds", "3e+38")),
]  # fmt: skip
MODERN = [
    *[
        Bad(f"modern: {separation}", partial(ModernHopfield, separation=separation), OptionError,
            (type(separation).__name__, "DenseHopfield"))
        for separation in (Polynomial(2), RectifiedPolynomial(3))
    ],
    Bad("similarity: a separation", partial(ModernHopfield, similarity=Softmax(2.0)), OptionError,
        ("similarity must be one of 'dot'", "Softmax")),
    *[
        Bad(
            f"certified: {type(separation).__name__}, {similarity}",
            partial(ModernHopfield, separation=separation, similarity=similarity,
                    precision="certified"),
            OptionError,
            ("precision='certified'", type(separation).__name__, similarity),
        )
        for separation, similarity in [
            (Sparsemax(), "dot"),
            (Entmax(), "euclidean"),
            (TopK(3), "dot"),
            (Softmax(), "cosine"),
            (Softmax(), "manhattan"),
        ]
    ],
    Bad("β of several", lambda: ModernHopfield(torch.ones(2)), OptionError, ("(2,)",)),
]  # fmt: skip
BETA = {
    "bool tensor": (torch.tensor(True), InputTypeError, "bool"),
    "complex tensor": (torch.tensor(1j), InputTypeError, "complex64"),
    "sparse tensor": (torch.ones(2).to_sparse(), InputTypeError, "sparse"),
    "meta tensor": (torch.ones((), device="meta"), DeviceError, "meta"),
    "NaN tensor": (torch.tensor(torch.nan), DomainError, "nan"),
    "learnable NaN": (torch.nn.Parameter(torch.tensor(torch.nan)), DomainError, "nan"),
    "learnable −inf": (torch.nn.Parameter(torch.tensor(-torch.inf)), DomainError, "-inf"),
    "a list": ([1.0], InputTypeError, "list"),
}
SEPARATIONS = [
    *[
        case
        for make in (Softmax, Sparsemax, Entmax, TopK)
        for case in parameter_cases(make, "beta")
    ],
    *[
        Bad(f"Softmax beta: {name}", partial(Softmax, value), error, ("beta", shown))
        for name, (value, error, shown) in BETA.items()
    ],
    *parameter_cases(Entmax, "alpha", low=1.01),
    *[
        Bad(f"alpha: {alpha}", partial(Entmax, alpha), DomainError, ("alpha", str(alpha), "1.01"))
        for alpha in (1.0, 1.009, 10.5, float("inf"))
    ],
    *named("TopK", whole_number_cases("k", calling(TopK, "k"), low=1)),
    *named("Polynomial", whole_number_cases("degree", calling(Polynomial, "degree"), low=1)),
    *named(
        "Rectified", whole_number_cases("degree", calling(RectifiedPolynomial, "degree"), low=1)
    ),
]
MEMORIES = [
    *[
        Bad(f"{make.__name__} {option}", calling(make, option)(typo), OptionError,
            (option, repr(typo), f"Did you mean {right!r}?"))
        for make, option, typo, right in CHOICES
    ],
    *[case for make in (DenseHopfield, ModernHopfield) for case in parameter_cases(make, "beta")],
    *[case for make in (DenseHopfield, ModernHopfield) for case in separation_cases(make)],
]  # fmt: skip


@cases(CLASSICAL, MODERN, MEMORIES, at_least=42)
def test_memories_refuse(case):
    judge(case)


@cases(SEPARATIONS, at_least=30)
def test_separations_refuse(case):
    judge(case)


SCORES = [
    Bad(f"{type(separation).__name__} of {name}", partial(call, scores), error, (shown,))
    for separation in (Softmax(2.0), Entmax(1.5), Polynomial(3))
    for name, call, scores, error, shown in [
        ("a number", separation, torch.ones(()), ShapeError, "()"),
        ("no scores", separation, torch.ones(3, 0), ShapeError, "(3, 0)"),
        ("integers", separation, torch.arange(3), InputTypeError, "int64"),
        ("a list", separation, [1.0, 2.0], InputTypeError, "list"),
        ("None, F", separation.potential, None, InputTypeError, "None"),
    ]
]


@cases(SCORES)
def test_separations_refuse_what_are_no_scores(case):
    judge(case)


def test_an_infinite_beta_is_the_limit():
    beta = torch.nn.Parameter(torch.tensor(torch.inf))
    assert Softmax(beta).beta is beta


@pytest.mark.parametrize("make", [DenseHopfield, ModernHopfield])
def test_a_separation_as_beta_is_sent_to_its_argument(make):
    shows = ("beta must be a number", "separation=Softmax(…)")
    judge(Bad("", partial(make, Softmax(1.0)), InputTypeError, shows))
