"""Every mistake in a constructor is refused by a named error before there is a memory."""

from functools import partial

import pytest
import torch

from bad_inputs import Bad, cases, judge, not_finite, number_cases, tensor_cases, whole_number_cases
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

RULES = "'hebbian', 'covariance', 'pseudo_inverse', 'storkey'"
SIMILARITIES = "'dot', 'euclidean', 'cosine', 'correlation', 'manhattan'"
SCHEDULES = "'asynchronous', 'synchronous'"


def calling(make, option):
    """argument → the call make(option=argument)."""
    return lambda value: partial(make, **{option: value})


def choice_cases(make, option, valid, typos):
    """Typos with the name that was meant, and things that are no names."""
    call = calling(make, option)
    meant = [
        Bad(f"{option}={typo!r}", call(typo), OptionError, (valid, repr(typo), repr(right)))
        for typo, right in typos.items()
    ]
    shown = [
        (None, "None"),
        ("", "''"),
        (3, "3"),
        (True, "True"),
        (["dot"], "list"),
        ("zz", "'zz'"),
    ]
    shown += [(b"dot", "bytes"), (torch.ones(3), "tensor of shape (3,)"), ("x" * 9999, "'xxx")]
    return meant + [
        Bad(f"{option}={str(value)[:9]}", call(value), OptionError, (option, valid, text))
        for value, text in shown
    ]


def flag_cases(make, option):
    wrong = {"yes": "'yes'", 1: "1", None: "None", 0.0: "0.0", torch.tensor(True): "tensor"}
    return [
        Bad(f"{option}={value}", calling(make, option)(value), InputTypeError, (option, shown))
        for value, shown in wrong.items()
    ]


def parameter_cases(make, option, low=0.0):
    """What is wrong for β or α: numbers, and tensors of them."""
    call = calling(make, option)
    table = number_cases(option, call, low=low)
    tensors = {
        "negative tensor": (torch.tensor(-1.0), DomainError, "-1"),
        "integer tensor": (torch.tensor(8), InputTypeError, "int64"),
        "bool tensor": (torch.tensor(True), InputTypeError, "bool"),
        "complex tensor": (torch.tensor(1j), InputTypeError, "complex64"),
        "sparse tensor": (torch.ones(2).to_sparse(), InputTypeError, "sparse"),
        "meta tensor": (torch.ones((), device="meta"), DeviceError, "meta"),
        "NaN tensor": (torch.tensor(torch.nan), DomainError, "nan"),
        "one of several": (torch.tensor([2.0, 3.0, -4.0]), DomainError, "-4"),
    }
    return table + [
        Bad(f"{option}: {name}", call(value), error, (option, shown))
        for name, (value, error, shown) in tensors.items()
    ]


def separation_cases(make):
    """What is no separation, and both ways of naming one."""
    call = calling(make, "separation")
    wrong = {
        "a name": ("sparsemax", InputTypeError, ("'sparsemax'", "Sparsemax()")),
        "a typo": ("TopKK", InputTypeError, ("'TopKK'", "TopK()")),
        "a class": (Softmax, InputTypeError, ("class Softmax", "Softmax()")),
        "a number": (8.0, InputTypeError, ("8.0", "Softmax, Sparsemax, Entmax")),
        "a function": (torch.softmax, InputTypeError, ("function",)),
        "a tensor": (torch.ones(3, 3), InputTypeError, ("tensor of shape (3, 3)",)),
        "a huge string": ("s" * 10_000, InputTypeError, ("'sss",)),
        "β a query": (Softmax(torch.ones(4)), OptionError, ("beta", "(4,)")),
    }
    both = [
        Bad(f"both, {beta}", partial(make, beta, separation=Softmax(2.0)), OptionError, ("both",))
        for beta in (1.0, 0.0, "x")
    ]
    return both + [
        Bad(f"separation: {name}", call(value), error, ("separation",)[: 1 - ("β" in name)] + shown)
        for name, (value, error, shown) in wrong.items()
    ]


BETA_OF_SEVERAL = Bad("β of several", lambda: ModernHopfield(torch.ones(2)), OptionError, ("(2,)",))

CLASSICAL = [
    *choice_cases(
        ClassicalHopfield,
        "rule",
        RULES,
        {
            "hebian": "hebbian",
            "Hebbian": "hebbian",
            "HEBBIAN": "hebbian",
            "pseudo-inverse": "pseudo_inverse",
            "pseudoinverse": "pseudo_inverse",
            "storky": "storkey",
            "covarience": "covariance",
        },
    ),
    *choice_cases(
        ClassicalHopfield,
        "schedule",
        SCHEDULES,
        {"async": "asynchronous", "sync": "synchronous", "Synchronous": "synchronous"},
    ),
    *flag_cases(ClassicalHopfield, "diagonal"),
    *number_cases("temperature", calling(ClassicalHopfield, "temperature")),
    Bad(
        "temperature: infinity",
        lambda: ClassicalHopfield(temperature=float("inf")),
        DomainError,
        ("temperature", "inf"),
    ),
    *[
        case
        for case in tensor_cases(
            "thresholds", torch.zeros(8), calling(ClassicalHopfield, "thresholds")
        )
        if case.name != "thresholds: None"
    ],
    *[
        Bad(f"thresholds {shape}", calling(ClassicalHopfield, "thresholds")(torch.zeros(shape)), *e)
        for shape in [(), (1, 8), (8, 1), (2, 2, 2)]
        for e in [(ShapeError, ("thresholds", "(dim,)", str(shape)))]
    ],
    Bad(
        "thresholds: huge",
        lambda: ClassicalHopfield(thresholds=torch.full((8,), 3e38)),
        DomainError,
        ("thresholds", "3e+38", "float64"),
    ),
]
DENSE = [
    *parameter_cases(DenseHopfield, "beta"),
    *separation_cases(DenseHopfield),
    *choice_cases(DenseHopfield, "schedule", SCHEDULES, {"asynchron": "asynchronous"}),
    *[
        Bad(
            f"sparse: {separation}",
            partial(DenseHopfield, separation=separation),
            OptionError,
            (type(separation).__name__, "ModernHopfield"),
        )
        for separation in (Sparsemax(), Entmax(), TopK(3))
    ],
]
MODERN = [
    *parameter_cases(ModernHopfield, "beta"),
    *separation_cases(ModernHopfield),
    *choice_cases(
        ModernHopfield,
        "similarity",
        SIMILARITIES,
        {
            "euclidian": "euclidean",
            "Euclidean": "euclidean",
            "cos": "cosine",
            "dotproduct": "dot",
            "manhatten": "manhattan",
            "correlations": "correlation",
        },
    ),
    *[
        Bad(
            f"polynomial: {separation}",
            partial(ModernHopfield, separation=separation),
            OptionError,
            (type(separation).__name__, "DenseHopfield"),
        )
        for separation in (Polynomial(2), RectifiedPolynomial(3))
    ],
    *choice_cases(ModernHopfield, "precision", "'full', 'certified'", {"certfied": "certified"}),
    *[
        Bad(
            f"certified: {type(separation).__name__}, {similarity}",
            partial(
                ModernHopfield,
                separation=separation,
                similarity=similarity,
                precision="certified",
            ),
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
    BETA_OF_SEVERAL,
]
ALPHA_HIGH = [
    Bad(f"alpha: {alpha}", partial(Entmax, alpha), DomainError, ("alpha", str(alpha), "1.01"))
    for alpha in (1.0, 1.009, 10.5, float("inf"))
]


def named(prefix, table):
    return [case._replace(name=f"{prefix} {case.name}") for case in table]


SEPARATIONS = [
    *named("Softmax", parameter_cases(Softmax, "beta")),
    *named("Sparsemax", parameter_cases(Sparsemax, "beta")),
    *named("Entmax", parameter_cases(Entmax, "beta")),
    *named("Entmax", parameter_cases(Entmax, "alpha", low=1.01)),
    *named("Entmax", ALPHA_HIGH),
    *named("TopK", parameter_cases(TopK, "beta")),
    *named("TopK", whole_number_cases("k", calling(TopK, "k"), low=1)),
    *named("Polynomial", whole_number_cases("degree", calling(Polynomial, "degree"), low=1)),
    *named(
        "Rectified", whole_number_cases("degree", calling(RectifiedPolynomial, "degree"), low=1)
    ),
]


@cases(CLASSICAL, at_least=40)
def test_classical_refuses(case):
    judge(case)


@cases(DENSE, at_least=40)
def test_dense_refuses(case):
    judge(case)


@cases(MODERN, at_least=40)
def test_modern_refuses(case):
    judge(case)


@cases(SEPARATIONS, at_least=40)
def test_separations_refuse(case):
    judge(case)


SCORES = [
    case
    for separation in (Softmax(2.0), Entmax(1.5), Polynomial(3))
    for case in named(
        type(separation).__name__,
        [
            *[
                Bad(
                    f"of {shape}", partial(separation, torch.ones(shape)), ShapeError, (str(shape),)
                )
                for shape in [(), (0,), (3, 0)]
            ],
            Bad("of integers", partial(separation, torch.arange(3)), InputTypeError, ("int64",)),
            Bad("of a list", partial(separation, [1.0, 2.0]), InputTypeError, ("list",)),
            Bad("of None", partial(separation, None), InputTypeError, ("None",)),
            Bad("F of None", partial(separation.potential, None), InputTypeError, ("None",)),
        ],
    )
]


@cases(SCORES)
def test_separations_refuse_what_are_no_scores(case):
    judge(case)


@pytest.mark.parametrize("name", not_finite(torch.ones(2)))
def test_a_learnable_beta_is_checked_too(name):
    wrong = torch.nn.Parameter(not_finite(torch.ones(2))[name][0])
    if name == "with inf":  # the limit β = ∞ is a number
        assert Softmax(wrong).beta is wrong
        return
    judge(Bad("", partial(Softmax, wrong), DomainError, ("beta",)))
